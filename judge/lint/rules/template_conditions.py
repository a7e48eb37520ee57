"""How a template asks the judge over the web provider, and what it reads in the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from judge.errors import nearest
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, mapping, metrics, rule, whole

FIELDS = ("verdict", "pass", "fail", "score", "code", "reason", "metrics", "window", "id", "report")
FULL = ("judge", "warnings", "groups", "results", "decided_by", "traffic", "conditions")
VERDICTS = ("pass", "marginal", "fail", "inconclusive", "error")
CONDITIONS = ("successCondition", "failureCondition")
ARGOS_TIMEOUT = 10

_FIELD = re.compile(r"\bresult\s*\.\s*(\w+)")
_INDEX = re.compile(r"\bresult\s*\[\s*\d+\s*\]")
_WORD = re.compile(r"""\bresult(?:\.verdict)?\s*[!=]=\s*(?:"([^"]*)"|'([^']*)')""")


def web_metrics(document: Document, *, ours: bool = True) -> Iterator[tuple[Place, Mapping[str, Any], Mapping[str, Any]]]:
    """Each metric of the web provider: place, metric, its web part; with `ours` only those that ask the judge."""
    for place, metric in metrics(document):
        web = mapping(mapping(metric.get("provider")).get("web"))
        if web and (not ours or "/v1/verdict" in str(web.get("url", ""))):
            yield place, metric, web


def whole_answer(web: Mapping[str, Any]) -> bool:
    """Whether `result` is the whole answer."""
    return str(web.get("jsonPath", "")).strip() in {"", "{$}"}


def conditions(metric: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name each condition that says something."""
    for name in CONDITIONS:
        text = metric.get(name)
        if isinstance(text, str) and text.strip():
            yield name, text


@rule("jsonpath-braces", Severity.ERROR, Kind.TEMPLATE)
def jsonpath_braces(document: Document, _: Context) -> Hits:
    """A jsonPath without braces is taken for text."""
    for place, _metric, web in web_metrics(document, ours=False):
        path = web.get("jsonPath")
        if isinstance(path, str) and path.strip() and "{" not in path:
            yield (*place, "provider", "web", "jsonPath"), f'without braces the result is the text {path!r} itself; write "{{{path}}}"'


@rule("result-index", Severity.ERROR, Kind.TEMPLATE)
def result_index(document: Document, _: Context) -> Hits:
    """The result of the web provider is no list."""
    for place, metric, web in web_metrics(document, ours=False):
        if not whole_answer(web) and "/v1/verdict" not in str(web.get("url", "")):
            continue
        for name, text in conditions(metric):
            if _INDEX.search(text):
                yield (*place, name), "result is the answer itself; only Argo's Prometheus provider answers a list, result[0]"


@rule("field-of-a-value", Severity.ERROR, Kind.TEMPLATE)
def field_of_a_value(document: Document, _: Context) -> Hits:
    """The jsonPath selects one value, and the condition reads a field of it."""
    for place, metric, web in web_metrics(document):
        selected = re.fullmatch(r"\{\s*\$?\.?(\w+)\s*\}", str(web.get("jsonPath", "")).strip())
        if selected is None or selected.group(1) in {"metrics", "window"}:
            continue
        for name, text in conditions(metric):
            if (read := _FIELD.search(text)) is not None:
                yield (*place, name), f"result is the answer's {selected.group(1)} already, and has no field {read.group(1)}"


@rule("answer-field", Severity.ERROR, Kind.TEMPLATE)
def answer_field(document: Document, _: Context) -> Hits:
    """A condition reads a field that the answer does not have."""
    for place, metric, web in web_metrics(document):
        if not whole_answer(web):
            continue
        known = (*FIELDS, *FULL) if mapping(web.get("jsonBody")).get("detail") == "full" else FIELDS
        for name, text in conditions(metric):
            for field in _FIELD.findall(text):
                if field not in known:
                    yield (*place, name), f"the answer has no field {field!r}{nearest(field, known)}"


@rule("verdict-word", Severity.ERROR, Kind.TEMPLATE)
def verdict_word(document: Document, _: Context) -> Hits:
    """A condition compares with a word that is no verdict."""
    for place, metric, web in web_metrics(document):
        selects_verdict = "verdict" in str(web.get("jsonPath", ""))
        for name, text in conditions(metric):
            for found in _WORD.finditer(text):
                word = found.group(1) if found.group(1) is not None else found.group(2)
                if ("verdict" in found.group(0) or selects_verdict) and word not in VERDICTS:
                    yield (*place, name), f"{word!r} is no verdict{nearest(word.lower(), VERDICTS)}; they are {', '.join(VERDICTS)}"


@rule("conditions", Severity.ERROR, Kind.TEMPLATE)
def both_conditions(document: Document, _: Context) -> Hits:
    """A question to the judge needs both conditions."""
    for place, metric, web in web_metrics(document):
        if "score" in str(web.get("jsonPath", "")):
            continue  # a threshold of one's own may be one-sided
        there = [name for name, _text in conditions(metric)]
        if not there:
            yield place, "without conditions every answer is a success, a fail too"
        elif there == ["successCondition"]:
            yield (*place, "successCondition"), 'without failureCondition every inconclusive answer aborts; add result.verdict == "fail"'
        elif there == ["failureCondition"]:
            yield (*place, "failureCondition"), 'without successCondition every inconclusive answer passes; add result.verdict == "pass"'


@rule("body-with-get", Severity.ERROR, Kind.TEMPLATE)
def body_with_get(document: Document, _: Context) -> Hits:
    """A body needs POST or PUT."""
    for place, _metric, web in web_metrics(document, ours=False):
        for key in ("body", "jsonBody"):
            if key in web and str(web.get("method", "GET")).upper() == "GET":
                yield (*place, "provider", "web", key), "Argo sends GET unless method says POST, and refuses a body with GET"


@rule("time-out", Severity.WARNING, Kind.TEMPLATE)
def time_out(document: Document, context: Context) -> Hits:
    """Argo must wait longer than the judge may take."""
    for place, _metric, web in web_metrics(document):
        seconds = whole(web.get("timeoutSeconds", ARGOS_TIMEOUT))
        if seconds is not None and 0 < seconds <= context.deadline:
            yield (
                (*place, "provider", "web", "timeoutSeconds"),
                f"{seconds} s is no longer than the judge's deadline of {context.deadline:g} s: an answer on time would come too late",
            )


RULES = (
    jsonpath_braces,
    result_index,
    field_of_a_value,
    answer_field,
    verdict_word,
    both_conditions,
    body_with_get,
    time_out,
)
