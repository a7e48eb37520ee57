"""The record of a verdict: everything that led to it, written in one place for every question."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from judge import __version__
from judge.verdicts.analysis import Analysis
from judge.wire.record import record


def versions() -> dict[str, str]:
    """Name what took part in a verdict."""
    import numpy as np

    return {"judge": __version__, "python": platform.python_version(), "numpy": np.__version__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A verdict's record, and what became of it.

    `unkept` says why the archive does not have it, `declined` that nothing was judged,
    `source_failed` that trouble of the source kept the judge from a verdict.
    """

    record: Mapping[str, Any]
    unkept: str = ""
    declined: bool = False
    source_failed: bool = False


def write_record(analysis: Analysis, *, id: str, asked_at: float, question: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write an analysis as a record.

    Parameters
    ----------
    analysis : Analysis
    id : str
        A ULID, or the id of the dump that was judged.
    asked_at : float
        Unix seconds.
    question : str
        A SHA-256 in hex that is the same for the same question, see `judge.verdicts.analysis.question`.
    settings : mapping
        The settings that can change a verdict; never a secret.
    """
    return {
        "id": id,
        "asked_at": asked_at,
        "question": question,
        "reusable": analysis.conclusive,
        "versions": versions(),
        "settings": dict(settings),
        "warnings": list(analysis.warnings),
        **record(
            request=analysis.request,
            config=analysis.config,
            window=analysis.window,
            verdict=analysis.verdict,
            pairs=analysis.pairs,
            traffic=analysis.traffic,
            conditions=analysis.conditions,
            source=analysis.source if not analysis.partial else {**(analysis.source or {}), "partial": True},
        ),
    }
