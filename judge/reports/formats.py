"""How verdicts are written for people and for programs: ``--format`` of the commands.

To add a format, write a function from a verdict's record to text and one line in `FORMATS`. ``judge run`` and ``judge score`` then
offer it, in every process at work; ``judge rejudge`` and ``judge score --judge a,b`` do where it has a `Format.document`.
The table in docs/cli.md and the help pages there want its name. Writers are imported when they are called.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def _no_fault(id: str, fault: str) -> str:
    del id, fault
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    `verdict` writes a record. `fault` writes a canary that could not be judged, from its id (which may be empty) and the
    reason; an empty text leaves it to the error stream. `opening` and `closing` stand before the first and after the last.
    `machine` formats are printed without a heading for each canary. `document` writes any other mapping on one line:
    where two judges differ, or what judging again changed.
    """

    verdict: Callable[[Mapping[str, Any]], str]
    fault: Callable[[str, str], str] = _no_fault
    opening: str = ""
    closing: str = ""
    machine: bool = False
    document: Callable[[Mapping[str, Any]], str] | None = None

    def alone(self, record: Mapping[str, Any]) -> str:
        """Write one verdict as all there is."""
        return "\n".join(part for part in (self.opening, self.verdict(record), self.closing) if part)


def _text(record: Mapping[str, Any]) -> str:
    from judge.reports.terminal import verdict_text

    encoding = (sys.stdout.encoding or "ascii").lower()
    return verdict_text(
        record,
        width=max(60, min(shutil.get_terminal_size((80, 24)).columns, 120)),
        colour=sys.stdout.isatty(),
        ascii=encoding not in {"utf-8", "utf8"},
    )


def _json(record: Mapping[str, Any]) -> str:
    from judge.wire.answer import answer
    from judge.wire.json import dumps

    return dumps({**answer(record, detail="full"), "request": record["request"]}, indent=2)


def _jsonl(record: Mapping[str, Any]) -> str:
    """The answer, samples a side, and each metric in short."""
    from judge.wire.answer import answer

    results = record["verdict"]["results"]
    keys = ("name", "labels", "classification", "n_baseline", "n_canary", "reason")
    short = answer(record)
    del short["report"]
    return _line(
        {
            **short,
            "reason": record["verdict"]["reason"],
            "n": {side: max((result[f"n_{side}"] for result in results), default=0) for side in ("baseline", "canary")},
            "results": [{key: result[key] for key in keys} for result in results],
            "warnings": record["verdict"]["warnings"],
        }
    )


def _jsonl_fault(id: str, fault: str) -> str:
    return _line({"id": id, "verdict": "error", "pass": False, "fail": False, "code": 4, "reason": fault})


def _line(document: Mapping[str, Any]) -> str:
    from judge.wire.json import dumps

    return dumps(document)


def _markdown(record: Mapping[str, Any]) -> str:
    from judge.reports.markdown import verdict_markdown

    return verdict_markdown(record)


def _junit(record: Mapping[str, Any]) -> str:
    from judge.reports.junit import suite

    return suite(record)


def _junit_fault(id: str, fault: str) -> str:
    from judge.reports.junit import broken

    return broken(id, fault)


FORMATS: dict[str, Format] = {
    "text": Format(verdict=_text),
    "json": Format(verdict=_json, document=_line, machine=True),
    "jsonl": Format(verdict=_jsonl, fault=_jsonl_fault, document=_line, machine=True),
    "markdown": Format(verdict=_markdown),
    "junit": Format(
        verdict=_junit,
        fault=_junit_fault,
        opening='<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="judge">',
        closing="</testsuites>",
        machine=True,
    ),
}


def documents() -> tuple[str, ...]:
    """Name the formats of what is no verdict: those with a `Format.document`, and each command's own text."""
    return ("text", *(name for name, one in FORMATS.items() if one.document is not None))
