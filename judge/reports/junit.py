"""JUnit's XML, which every CI system shows: one test suite a canary, one test case a metric and one for the verdict.

What is not decided is *skipped* with its reason, not passed; whether a job stops on it is for the exit status to say.
The form is the one that CI systems read (there is no standard): `testsuites`, `testsuite` with its counts, `testcase`
with at most one of `failure`, `error` and `skipped`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405 # written, never read

from judge.reports import text as words
from judge.reports.view_model import findings, section

_KINDS = {
    "pass": "",
    "fail": "failure",
    "high": "failure",
    "low": "failure",
    "error": "error",
    "marginal": "skipped",
    "inconclusive": "skipped",
    "undecided": "skipped",
    "nodata": "skipped",
}
# What XML 1.0 has no way to write, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def suite(record: Mapping[str, Any]) -> str:
    """Write one verdict as a test suite."""
    verdict, request, window = (section(record, name) for name in ("verdict", "request", "window"))
    config = _text(request.get("config") or "canary")
    cases = [("verdict", str(verdict.get("verdict", "error")), str(verdict.get("reason", "")))]
    cases += [(one.title, one.classification, one.reason) for one in findings(record)]
    written = _suite(_text(record.get("id") or config), config, cases)
    if window.get("end") is not None:
        written.set("timestamp", words.iso(window["end"]).removesuffix("Z"))
    properties = Element("properties")
    for name, value in _properties(record):
        SubElement(properties, "property", name=name, value=_text(value))
    written.insert(0, properties)
    warnings = [words.one_line(warning) for warning in verdict.get("warnings") or ()]
    if warnings:
        SubElement(written, "system-out").text = _text("\n".join(f"warning: {warning}" for warning in warnings))
    return _write(written)


def broken(name: str, fault: str) -> str:
    """Write a canary that could not be judged."""
    return _write(_suite(_text(name or "canary"), "canary", [("verdict", "error", fault)]))


def _suite(name: str, config: str, cases: list[tuple[str, str, str]]) -> Element:
    kinds = [_KINDS.get(outcome, "error") for _, outcome, _ in cases]
    counts = {kind: str(kinds.count(singular)) for kind, singular in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))}
    made = Element("testsuite", {"name": name, "tests": str(len(cases)), **counts})
    for (title, outcome, reason), kind in zip(cases, kinds, strict=True):
        case = SubElement(made, "testcase", classname=config, name=_text(title))
        if kind:
            SubElement(case, kind, message=_text(words.one_line(reason)), type=_text(outcome))
        else:
            SubElement(case, "system-out").text = _text(words.one_line(reason))
    return made


def _properties(record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    verdict, request, window = (section(record, name) for name in ("verdict", "request", "window"))
    for name in ("baseline", "canary", "rollout"):
        if request.get(name):
            yield name, request[name]
    for name in ("score", "judge"):
        if verdict.get(name) is not None:
            yield name, verdict[name]
    if window.get("look") is not None:
        yield "look", f"{window['look']} of {window.get('of')}"


def _text(value: object) -> str:
    return _NOT_XML.sub("\ufffd", words.plain(value))


def _write(element: Element) -> str:
    return tostring(element, encoding="unicode")
