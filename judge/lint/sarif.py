"""What was found, for machines: JSON, and SARIF 2.1.0 for the code views of forges; and what a source answered, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from judge import __version__
from judge.lint.checker import UNUSABLE, Report
from judge.lint.documents import Skipped
from judge.lint.rule import SIDES, Asked, Document, Finding, Severity, points
from judge.lint.rules import RULES
from judge.sources import Answer
from judge.wire.json import dumps
from judge.wire.request import format_time

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_json(report: Report) -> str:
    """Write everything as one JSON object."""
    document = {
        "ok": not report.failed,
        "checked": [{"file": item.where, "kind": item.kind.value, "name": item.name} for item in report.read if isinstance(item, Document)],
        "skipped": [{"file": item.where, "reason": item.reason} for item in report.read if isinstance(item, Skipped)],
        **({"asked": [_asked(where, asked) for (where, _name), asked in report.asked.items()]} if report.asked else {}),
        "findings": [
            {
                "file": finding.where,
                "line": finding.line,
                "path": finding.path,
                "rule": finding.rule,
                "severity": finding.severity.value,
                "message": finding.message,
                "page": _page(finding),
            }
            for finding in report.findings
        ],
    }
    return dumps(document, indent=2)


def tables(report: Report) -> Iterator[str]:
    """Write what a source answered: a table for each config, a line for each query."""
    for (where, _name), asked in report.asked.items():
        if asked.refusal:
            continue
        yield f"{where} against {asked.url}, {format_time(asked.start)} to {format_time(asked.end)}"
        lines: list[tuple[str, ...]] = [("", *SIDES)]
        for metric, part, sides in asked.sides():
            lines.append((_query_name(metric, part), *(_side_text(sides.get(side)) for side in SIDES)))
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        for line in lines:
            yield "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _query_name(metric: str, part: str) -> str:
    if not metric:
        return part
    return metric if part == "value" else f"{metric}, {part}"


def _side_text(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    if answer.problem is not None:
        return "no answer" if answer.problem.classification.value == "nodata" else "refused"
    found = points(answer)
    return f"{len(answer.series)} series, {found} {'point' if found == 1 else 'points'}" if found else "nothing"


def _asked(where: str, asked: Asked) -> dict[str, Any]:
    return {
        "file": where,
        "url": asked.url,
        "start": format_time(asked.start),
        "end": format_time(asked.end),
        "queries": [
            {
                "metric": metric,
                "part": part,
                **{side: _side(sides[side]) if side in sides else None for side in SIDES},
            }
            for metric, part, sides in asked.sides()
        ],
    }


def _side(answer: Answer) -> dict[str, Any]:
    problem = {"problem": answer.problem.message} if answer.problem is not None else {}
    return {"query": answer.query.text, "series": len(answer.series), "points": points(answer), **problem}


def as_sarif(report: Report) -> str:
    """Write a SARIF log."""
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.summary},
            "defaultConfiguration": {"level": LEVELS[rule.severity]},
            "help": {"text": f"See {rule.page}."},
        }
        for rule in RULES.values()
    ]
    rules.append({"id": UNUSABLE, "shortDescription": {"text": "It cannot be read or used."}, "defaultConfiguration": {"level": "error"}})
    driver = {"name": "judge", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in report.findings]}
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": PurePath(finding.where).as_posix()}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    text = f"{finding.path}: {finding.message}" if finding.path else finding.message
    return {
        "ruleId": finding.rule,
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _page(finding: Finding) -> str:
    return RULES[finding.rule].page if finding.rule in RULES else ""
