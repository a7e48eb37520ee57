"""What was found, for machines: JSON, and SARIF 2.1.0 for the code views of forges."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from judge import __version__
from judge.frontends.lint.checker import UNUSABLE, Report
from judge.frontends.lint.documents import Skipped
from judge.frontends.lint.model import Document, Finding, Severity
from judge.frontends.lint.registry import RULES
from judge.wire.strict import dumps

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_json(report: Report) -> str:
    """Write everything as one JSON object."""
    document = {
        "ok": not report.failed,
        "checked": [{"file": item.where, "kind": item.kind.value, "name": item.name} for item in report.read if isinstance(item, Document)],
        "skipped": [{"file": item.where, "reason": item.reason} for item in report.read if isinstance(item, Skipped)],
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
