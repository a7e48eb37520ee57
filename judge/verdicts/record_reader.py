"""A verdict's record read again: everything that the judge was given, as it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from judge.config.load import parse_config, with_judge
from judge.core.conditions import Conditions, SideConditions
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Problem, Series, SeriesPair, Traffic, Window
from judge.errors import ConfigError, DumpError

UNCOMPARED = "not compared"
"""Reason of every result of a verdict that was reached before anything could be compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """What the judge was given. `warnings` is None where the record is of a version that did not keep them."""

    config: CanaryConfig
    pairs: tuple[SeriesPair, ...]
    traffic: Traffic | None
    conditions: Conditions | None
    window: Window
    warnings: tuple[str, ...] | None


def read_given(record: Mapping[str, Any]) -> Given:
    """Read what a verdict was reached from.

    Raises
    ------
    DumpError
        Where the record lacks what is needed, or its config cannot be read; names the verdict.
    """
    where = f"verdict {record.get('id')}"
    try:
        document = record["config"]
        config = parse_config(document, where=f"{where}: config")
        config = with_judge(config, record.get("settings", {}).get("judge", config.judge))
        results = {key(result["name"], result["labels"]): result for result in record["verdict"]["results"]}
        window = {field.name: record["window"][field.name] for field in fields(Window) if field.name in record["window"]}
        noted = record.get("warnings")
        return Given(
            config=config,
            pairs=tuple(_pair(sample, results.get(key(sample["metric"], sample["labels"]), {})) for sample in record["samples"]),
            traffic=_traffic(record.get("traffic")),
            conditions=_conditions(record.get("conditions")),
            window=Window(**window),
            warnings=None if noted is None else tuple(noted),
        )
    except ConfigError as error:
        raise DumpError(f"cannot be judged again: {error}", where=where) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DumpError(f"cannot be judged again, its record is not whole: {what}", where=where) from error


def was_compared(record: Mapping[str, Any]) -> bool:
    """Tell if the verdict comes from samples, and not from the want of them."""
    verdict = record["verdict"]
    return bool(record["samples"]) or not all(result["reason"] == UNCOMPARED for result in verdict["results"])


def key(name: str, labels: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What a result and its samples have in common: the metric and its labels."""
    return name, tuple(sorted(labels.items()))


def _pair(sample: Mapping[str, Any], result: Mapping[str, Any]) -> SeriesPair:
    return SeriesPair(
        metric=sample["metric"],
        baseline=_series(sample["baseline"]),
        canary=_series(sample["canary"]),
        baseline_total=None if sample["baseline_total"] is None else _series(sample["baseline_total"]),
        canary_total=None if sample["canary_total"] is None else _series(sample["canary_total"]),
        labels=sample["labels"],
        queries=result.get("queries", {}),
        rate_window=sample["rate_window"],
        problem=_problem(sample, result),
        warnings=tuple(sample.get("warnings", ())),
    )


def _problem(sample: Mapping[str, Any], result: Mapping[str, Any]) -> Problem | None:
    """Why there are no samples; an older record tells it only as the reason of the metric's result."""
    if "problem" in sample:
        return read_problem(sample["problem"])
    empty = not any(sample[side]["t"] for side in ("baseline", "canary"))
    if empty and result.get("classification") in {Classification.NODATA, Classification.ERROR}:
        return Problem(classification=Classification(result["classification"]), message=result["reason"])
    return None


def read_problem(found: Mapping[str, Any] | None) -> Problem | None:
    """Read why a source had no samples."""
    if found is None:
        return None
    return Problem(classification=Classification(found["classification"]), message=found["message"])


def _series(found: Mapping[str, Any]) -> Series:
    # The words "NaN" and "Infinity" stand for numbers that JSON does not have; float reads them.
    return Series(t=np.array(found["t"], dtype=float), v=np.array([float(value) for value in found["v"]], dtype=float))


def _traffic(found: Mapping[str, Any] | None) -> Traffic | None:
    if found is None:
        return None
    return Traffic(baseline=found["baseline"], canary=found["canary"], problem=found.get("problem", ""), queries=found.get("queries", {}))


def _conditions(found: Mapping[str, Any] | None) -> Conditions | None:
    if found is None:
        return None
    baseline, canary = (SideConditions(**found[side]) for side in ("baseline", "canary"))
    return Conditions(
        baseline=baseline,
        canary=canary,
        share=found["share"],
        problems=tuple(found["problems"]),
        queries=found.get("queries", {}),
    )
