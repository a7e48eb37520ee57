"""Counts, intervals and limits: what makes an analysis pass, fail or give up for the wrong reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from judge.core.templates import seconds
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, items, mapping, metrics, rule, whole
from judge.lint.rules.template_args import asked_config
from judge.lint.rules.template_conditions import web_metrics

ERROR_PAUSE = 10
"""Seconds after which Argo asks again after an error, whatever the interval says."""

ERRORS_BY_DEFAULT = 4

_GO_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)")


@rule("never-fails", Severity.ERROR, Kind.TEMPLATE)
def never_fails(document: Document, _: Context) -> Hits:
    """A failureLimit as large as count can never be exceeded."""
    for place, metric in metrics(document):
        count, limit = _count(metric), whole(metric.get("failureLimit", 0))
        if count is not None and limit is not None and limit >= count:
            yield (*place, "failureLimit"), f"{count} measurements cannot fail more than {limit} times: this metric never fails"


@rule("passes-on-nothing", Severity.ERROR, Kind.TEMPLATE)
def passes_on_nothing(document: Document, _: Context) -> Hits:
    """An inconclusiveLimit as large as count turns inconclusive answers into a success."""
    for place, metric in metrics(document):
        count, limit = _count(metric), whole(metric.get("inconclusiveLimit", 0))
        if count is not None and limit is not None and limit >= count:
            yield (*place, "inconclusiveLimit"), f"after {count} inconclusive answers the metric is successful; at most {count - 1}"


@rule("interval-missing", Severity.ERROR, Kind.TEMPLATE)
def interval_missing(document: Document, _: Context) -> Hits:
    """More than one measurement needs an interval."""
    for place, metric in metrics(document):
        count = whole(metric.get("count"))
        if count is not None and count > 1 and not metric.get("interval"):
            yield (*place, "count"), "Argo refuses a count above 1 without interval"


@rule("few-errors-abort", Severity.WARNING, Kind.TEMPLATE)
def few_errors_abort(document: Document, _: Context) -> Hits:
    """A judge that restarts must not abort a rollout."""
    for place, metric in _of_the_judge(document):
        limit = whole(metric.get("consecutiveErrorLimit", ERRORS_BY_DEFAULT))
        if limit is not None and limit <= ERRORS_BY_DEFAULT:
            yield (
                (*place, "consecutiveErrorLimit"),
                f"{limit + 1} errors {ERROR_PAUSE} s apart abort the rollout: {limit * ERROR_PAUSE} s without a judge; take 20",
            )


@rule("first-inconclusive", Severity.WARNING, Kind.TEMPLATE)
def first_inconclusive(document: Document, _: Context) -> Hits:
    """A metric that is measured often must bear the inconclusive answers of the beginning."""
    for place, metric, _web in web_metrics(document):
        limit = whole(metric.get("inconclusiveLimit", 0))
        if _count(metric) != 1 and limit == 0:
            yield (*place, "inconclusiveLimit"), "the first inconclusive answer pauses the rollout, and early answers often are"


@rule("looks", Severity.WARNING, Kind.TEMPLATE)
def looks(document: Document, context: Context) -> Hits:
    """The template looks more often than the config plans."""
    for place, metric, web in web_metrics(document):
        config = asked_config(document, web, context)
        count, interval = _count(metric), metric.get("interval")
        if config is None or count == 1:
            continue
        if count is not None and count > config.looks.count:
            yield (
                (*place, "count"),
                f"{count} looks, and {config.name!r} plans {config.looks.count} (looks.count): what is beyond has no error budget",
            )
        every = _seconds(interval)
        planned = config.looks.interval if config.looks.interval is not None else config.window.step
        if every is not None and every < planned:
            yield (*place, "interval"), f"a look every {every:g} s, and {config.name!r} plans one every {planned:g} s (looks.interval)"


@rule("kayenta-window", Severity.ERROR, Kind.TEMPLATE)
def kayenta_window(document: Document, _: Context) -> Hits:
    """A Kayenta metric must say from when to when."""
    for place, metric in metrics(document):
        kayenta = mapping(mapping(metric.get("provider")).get("kayenta"))
        if not kayenta or kayenta.get("lookback") is True or metric.get("interval"):
            continue
        for index, scope in items(kayenta.get("scopes")):
            if not mapping(scope.get("controlScope")).get("start"):
                at = (*place, "provider", "kayenta", "scopes", index)
                yield at, "has neither start nor lookback: true nor the metric an interval, so that Argo cannot tell the window"


@rule("dry-run-name", Severity.ERROR, Kind.TEMPLATE)
def dry_run_name(document: Document, _: Context) -> Hits:
    """A dry run names a metric that is there."""
    names = [str(metric.get("name", "")) for _place, metric in metrics(document)]
    for index, entry in items(document.spec.get("dryRun")):
        pattern = str(entry.get("metricName", ""))
        try:
            there = any(re.search(pattern, name) for name in names)
        except re.error:
            continue  # Go's syntax is not all of Python's
        if not there:
            yield ("spec", "dryRun", index, "metricName"), f"no metric is called {pattern!r}: Argo refuses the whole analysis"


@rule("refused-metric", Severity.ERROR, Kind.TEMPLATE)
def refused_metric(document: Document, _: Context) -> Hits:
    """Argo refuses the analysis for a limit, a duration or a name."""
    names: set[str] = set()
    for place, metric in metrics(document):
        name = str(metric.get("name", ""))
        if name in names:
            yield (*place, "name"), f"two metrics are called {name!r}: Argo refuses the whole analysis"
        names.add(name)
        for key in ("interval", "initialDelay"):
            text = metric.get(key)
            if text is not None and "{{" not in str(text) and not _GO_DURATION.fullmatch(str(text)):
                yield (*place, key), f"{text!r} is no duration of Go's: write 90s, 5m or 36h; a day is 24h"
        yield from _refused_limits(place, metric)


def _refused_limits(place: Place, metric: Mapping[str, Any]) -> Hits:
    # As ValidateMetric in utils/analysis/factory.go; what it says of interval and inconclusiveLimit other rules say.
    count = whole(metric.get("count", 0))
    fails, passes = whole(metric.get("failureLimit", 0)), whole(metric.get("consecutiveSuccessLimit", 0))
    for key, least in (("failureLimit", -1), ("consecutiveSuccessLimit", 0), ("inconclusiveLimit", 0), ("consecutiveErrorLimit", 0)):
        limit = whole(metric.get(key, 0))
        if limit is not None and limit < least:
            yield (*place, key), f"{limit} is less than {least}: Argo refuses it"
    if fails is None or passes is None or count is None:
        return
    if fails == -1 and passes == 0:
        yield (*place, "failureLimit"), "-1 switches failing off, and without a consecutiveSuccessLimit nothing is left that decides"
    elif 0 < count < max(fails, 0) + passes:
        yield (*place, "count"), f"{count} is less than failureLimit and consecutiveSuccessLimit together ({max(fails, 0)} + {passes})"


def _count(metric: Mapping[str, Any]) -> int | None:
    """How often is measured: None without end, or where an arg says it."""
    if "count" in metric:
        return whole(metric["count"])
    return None if metric.get("interval") else 1


def _seconds(text: Any) -> float | None:
    try:
        return seconds(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _of_the_judge(document: Document) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    asked = {place for place, _metric, _web in web_metrics(document)}
    for place, metric in metrics(document):
        if place in asked or mapping(metric.get("provider")).get("kayenta"):
            yield place, metric


RULES = (
    never_fails,
    passes_on_nothing,
    interval_missing,
    few_errors_abort,
    first_inconclusive,
    looks,
    kayenta_window,
    dry_run_name,
    refused_metric,
)
