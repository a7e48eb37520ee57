"""Queries of canary configs that answer, but not what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from judge.core.args import narrowest
from judge.core.config import ArgType, MetricConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.core.templates import PLACEHOLDER, placeholders, quote_spans, rate_window
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, rule

_ZERO = re.compile(r"\bor\s+(?:on\s*\([^)]*\)\s*)?vector\s*\(\s*0(?:\.0*)?\s*\)")
_QUANTILE = re.compile(r"\bhistogram_quantile\s*\(\s*([0-9.]+)\s*,")
_TAIL_NAME = re.compile(r"p9\d|9\dth|tail", re.IGNORECASE)
_PARTS = ("query", "numerator", "denominator")
_MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"')
_KUBERNETES_LABELS = frozenset(
    {"namespace", "service", "pod", "container", "deployment", "ingress", "exported_namespace", "exported_service"}
)
"""Labels whose values Kubernetes made, wherever an ordinary scrape has them."""
_SIDE_NAME = re.compile(r"(?:.*[-_.])?(canary|stable|baseline|preview|latest)(?:[-_.].*)?")


def _queries(document: Document) -> Iterator[tuple[Place, MetricConfig, str]]:
    if document.config is None:
        return
    for index, metric in enumerate(document.config.metrics):
        for part in _PARTS:
            text = getattr(metric, part)
            if text:
                yield ("metrics", index, part), metric, text


@rule("vector-zero", Severity.WARNING, Kind.CONFIG)
def vector_zero(document: Document, _: Context) -> Hits:
    """A filled-in zero hides that there is nothing."""
    for place, _metric, text in _queries(document):
        spans = quote_spans(text)
        if any(not any(start <= found.start() < end for start, end, _quote in spans) for found in _ZERO.finditer(text)):
            yield place, "`or vector(0)` hides a side that has no samples; the judge takes a missing error series for no errors by itself"


@rule("rate-window-length", Severity.WARNING, Kind.CONFIG)
def rate_window_length(document: Document, _: Context) -> Hits:
    """A range longer than the window reaches back before the canary."""
    for place, metric, text in _queries(document):
        assert document.config is not None
        range_, length = rate_window(text), document.config.window.length
        if metric.limit is None and range_ is not None and range_ > length:
            yield place, f"[{range_:g}s] is longer than the window of {length:g} s: every sample holds what was before it"


@rule("rate-window-step", Severity.INFO, Kind.CONFIG)
def rate_window_step(document: Document, _: Context) -> Hits:
    """With a range longer than the step, neighbouring samples share data."""
    for place, metric, text in _queries(document):
        assert document.config is not None
        range_, window = rate_window(text), document.config.window
        if metric.limit is None and range_ is not None and window.step < range_ <= window.length:
            yield (
                place,
                f"[{range_:g}s] every {window.step:g} s: neighbours share their data, and count as fewer samples; [${{step}}] shares none",
            )


@rule("median-for-tail", Severity.INFO, Kind.CONFIG)
def median_for_tail(document: Document, _: Context) -> Hits:
    """A median does not see a slow tail."""
    quantiles = [
        (place, metric, float(found)) for place, metric, text in _queries(document) for found in _QUANTILE.findall(text) if found != "."
    ]
    has_tail = any(quantile >= 0.9 for _place, _metric, quantile in quantiles)
    for place, metric, quantile in quantiles:
        if quantile <= 0.5 and (not has_tail or _TAIL_NAME.search(metric.name)):
            yield place, f"the {quantile:g} quantile does not move when one request in ten becomes slow; add the 0.99 quantile"


@rule("one-side", Severity.WARNING, Kind.CONFIG)
def one_side(document: Document, _: Context) -> Hits:
    """A query that names one side itself answers nothing for the other."""
    config = document.config
    if config is None:
        return
    picks = {name for name, _operator, value in _matchers(config.scopes[config.scope]) if "${hash}" in value}
    for place, metric, text in _queries(document):
        if metric.limit is not None:
            continue  # a limit is asked of the canary alone
        for name, operator, value in _matchers(text):
            fixed = operator in {"=", "=~"} and value and "${" not in value
            if fixed and name in picks:
                yield place, f'{name}{operator}"{value}" is what the scope chooses: the other side never has samples'
            elif fixed and _SIDE_NAME.fullmatch(value):
                yield place, f'{name}{operator}"{value}" is on one side only, whatever the scope chooses; take ${{hash}} for it'


@rule("free-text", Severity.INFO, Kind.CONFIG)
def free_text(document: Document, _: Context) -> Hits:
    """An arg that takes anything need not, where its own default or its label says what it is."""
    config = document.config
    if config is None or is_kayenta_document(config.document):
        return  # Kayenta's configs do not declare what they take
    texts = [text for _place, _metric, text in _queries(document)] + list(config.scopes.values())
    labels: dict[str, set[str]] = {}
    for label, operator, value in (found for text in texts for found in _matchers(text)):
        if operator == "=" and (whole := PLACEHOLDER.fullmatch(value)) is not None:
            labels.setdefault(whole.group(1), set()).add(label)
    for name, arg in config.args.items():
        if arg.type is not ArgType.TEXT or arg.allowed:
            continue
        known = sorted(labels.get(name, set()) & _KUBERNETES_LABELS)
        fits = ArgType.TEXT if arg.default is None or placeholders(arg.default) else narrowest(arg.default)
        if known:
            yield ("args", name, "type"), f"{name} takes anything, and the label {known[0]} holds names: type kubernetes-name, or allowed"
        elif fits is not ArgType.TEXT:
            yield (
                ("args", name, "type"),
                f"{name} takes anything, and its default {arg.default} fits the type {fits}: take that, or allowed",
            )


def _matchers(text: str) -> Iterator[tuple[str, str, str]]:
    """Each label matcher of a query that stands outside of strings."""
    spans = quote_spans(text)
    for found in _MATCHER.finditer(text):
        if not any(start <= found.start() < end for start, end, _quote in spans):
            yield found.group(1), found.group(2), found.group(3)


RULES = (vector_zero, rate_window_length, rate_window_step, median_for_tail, one_side, free_text)
