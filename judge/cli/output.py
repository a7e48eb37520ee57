"""How the command line shows a verdict, and with which status it ends."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

from judge.wire.answer import answer
from judge.wire.json import dumps

STATUS = {"pass": 0, "fail": 1, "error": 2, "marginal": 3, "inconclusive": 3}
"""Exit status of each verdict; trouble of the source or the archive is 4."""
WORST_FIRST = (2, 4, 1, 3, 0)


def show(record: Mapping[str, Any], form: str) -> str:
    """Write one verdict in the chosen format."""
    if form == "markdown":
        from judge.reports.markdown import verdict_markdown

        return verdict_markdown(record)
    if form == "junit":
        from judge.reports.junit import document

        return document(record)
    if form == "json":
        return dumps({**answer(record, detail="full"), "request": record["request"]}, indent=2)
    if form == "jsonl":
        return dumps(line(record))
    from judge.reports.terminal import verdict_text

    encoding = (sys.stdout.encoding or "ascii").lower()
    return verdict_text(
        record,
        width=max(60, min(shutil.get_terminal_size((80, 24)).columns, 120)),
        colour=sys.stdout.isatty(),
        ascii=encoding not in {"utf-8", "utf8"},
    )


def line(record: Mapping[str, Any]) -> dict[str, Any]:
    """Write one verdict for a line of JSON Lines: the answer, samples a side, and each metric in short."""
    results = record["verdict"]["results"]
    keys = ("name", "labels", "classification", "n_baseline", "n_canary", "reason")
    short = answer(record)
    del short["report"]
    return {
        **short,
        "reason": record["verdict"]["reason"],
        "n": {side: max((result[f"n_{side}"] for result in results), default=0) for side in ("baseline", "canary")},
        "results": [{key: result[key] for key in keys} for result in results],
        "warnings": record["verdict"]["warnings"],
    }


def worst(statuses: set[int]) -> int:
    """Choose the exit status of many canaries.

    Examples
    --------
    >>> worst({0, 3, 1}), worst({0}), worst(set())
    (1, 0, 0)
    """
    return next((status for status in WORST_FIRST if status in statuses), 0)
