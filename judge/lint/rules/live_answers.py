"""What a real source answered to a config's queries: sides that are empty, alike, or not to be paired.

These rules find something with ``judge check --against`` only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from judge.core.config import CanaryConfig
from judge.core.model import Classification, SeriesPair
from judge.lint.rule import Asked, Context, Document, Hits, Kind, Place, Range, Severity, points, rule
from judge.sources import Answer

MIN_ALIKE = 3
"""So many equal points, not all of one value, are no coincidence."""

ENOUGH = 0.8
"""A range that holds two samples less often than this, where it holds any, is too short."""

SMALL = 1e-4
"""Kayenta's solver is content within this, in the unit of the metric."""

_SMALL_WORDS = f"Kayenta's solver stops within {SMALL:.4f} whatever the unit: multiply the query, by 100 for percent, or take another judge"
_COMPARED = frozenset({"value", "numerator", "denominator"})


def _asked(document: Document, context: Context) -> Asked | None:
    return None if document.config is None else context.asked.get((document.where, document.config.name))


def _queries(document: Document, context: Context) -> Iterator[tuple[str, str, dict[str, Answer]]]:
    found = _asked(document, context)
    yield from () if found is None else found.sides()


def _place(config: CanaryConfig, metric: str, part: str) -> Place:
    """Where a config has a query; the whole document where that is not known."""
    if not metric:
        return ("traffic", "query") if part == "traffic" else ("conditions", part)
    found = next((index for index, one in enumerate(config.metrics) if one.name == metric), None)
    return () if found is None else ("metrics", found, "query" if part == "value" else part)


def _sound(sides: dict[str, Answer]) -> bool:
    return all(answer.problem is None for answer in sides.values())


@rule("not-asked", Severity.ERROR, Kind.CONFIG)
def not_asked(document: Document, context: Context) -> Hits:
    """A config whose args are not given cannot be asked."""
    found = _asked(document, context)
    if found is not None and found.refusal:
        yield (), f"{found.url} was not asked: {found.refusal}"


@rule("source-unreachable", Severity.ERROR, Kind.CONFIG)
def source_unreachable(document: Document, context: Context) -> Hits:
    """The source gave no answer."""
    found = _asked(document, context)
    if found is None:
        return
    away = [answer for answer in found.answers if answer.problem is not None and answer.problem.classification is Classification.NODATA]
    if away and away[0].problem is not None:
        yield (), f"{len(away)} of {len(found.answers)} queries have no answer: {away[0].problem.message}"


@rule("query-refused", Severity.ERROR, Kind.CONFIG)
def query_refused(document: Document, context: Context) -> Hits:
    """The source refuses a query."""
    for metric, part, sides in _queries(document, context):
        assert document.config is not None
        told = [
            answer.problem.message
            for answer in sides.values()
            if answer.problem is not None and answer.problem.classification is Classification.ERROR
        ]
        if told:
            yield _place(document.config, metric, part), told[0]


@rule("side-empty", Severity.WARNING, Kind.CONFIG)
def side_empty(document: Document, context: Context) -> Hits:
    """A query has no samples on a side."""
    found = _asked(document, context)
    ranges = () if found is None else found.ranges
    for metric, part, sides in _queries(document, context):
        assert document.config is not None
        empty = [side for side, answer in sides.items() if points(answer) == 0]
        if part == "numerator" or (not metric and part != "traffic") or not _sound(sides) or not empty:
            continue  # a numerator may be empty, and conditions never decide
        if any(_too_short(each) for each in ranges if (each.metric, each.part) == (metric, part)):
            continue  # rate-range-scrape tells why
        text = "neither side has samples" if len(empty) == 2 else f"the {empty[0]} has no samples"
        yield _place(document.config, metric, part), f"{text}: {_shown(sides[empty[0]])}"


@rule("rate-range-scrape", Severity.WARNING, Kind.CONFIG)
def rate_range_scrape(document: Document, context: Context) -> Hits:
    """A range that holds one scrape has no rate."""
    found = _asked(document, context)
    for each in () if found is None else found.ranges:
        if not _too_short(each):
            continue
        assert document.config is not None
        share = "no" if not each.filled else f"only {each.filled / each.seen:.0%} of the"
        yield (
            _place(document.config, each.metric, each.part),
            f"{share} ranges with a sample hold the two that {each.text} needs: make it at least twice the scrape interval",
        )


def _too_short(found: Range) -> bool:
    # A series' first scrape stands alone in its range, and now and then a scrape is lost.
    return found.seen >= MIN_ALIKE and found.filled < ENOUGH * found.seen


@rule("no-events", Severity.INFO, Kind.CONFIG)
def no_events(document: Document, context: Context) -> Hits:
    """A numerator without series on either side counts as no events."""
    for metric, part, sides in _queries(document, context):
        assert document.config is not None
        if part == "numerator" and _sound(sides) and all(points(answer) == 0 for answer in sides.values()):
            yield (
                _place(document.config, metric, part),
                f"no series on either side counts as no events; a misspelt label looks the same: {_shown(next(iter(sides.values())))}",
            )


@rule("several-series", Severity.INFO, Kind.CONFIG)
def several_series(document: Document, context: Context) -> Hits:
    """A query that answers several series is judged once for each."""
    for metric, part, sides in _queries(document, context):
        assert document.config is not None
        most = max((len(answer.series) for answer in sides.values()), default=0)
        if metric and part in _COMPARED and most > 1:
            yield (
                _place(document.config, metric, part),
                f"{most} series on a side, and each is compared by itself, with fewer samples; sum(…) or avg(…) makes one of them",
            )


@rule("series-unpaired", Severity.WARNING, Kind.CONFIG)
def series_unpaired(document: Document, context: Context) -> Hits:
    """Several series that have no partner on the other side cannot be compared."""
    found = _asked(document, context)
    if found is None or document.config is None:
        return
    for metric in document.config.metrics:
        pairs = [pair for pair in found.pairs if pair.metric == metric.name]
        part = "denominator" if metric.denominator else "value"
        answers = [answer for answer in found.answers if answer.query.metric == metric.name and answer.query.part == part]
        if metric.limit is not None or max((len(answer.series) for answer in answers), default=0) < 2:
            continue
        wrong = next((pair.problem.message for pair in pairs if pair.problem is not None), "")
        alone = [pair for pair in pairs if (len(pair.baseline) == 0) != (len(pair.canary) == 0)]
        if wrong:
            yield _place(document.config, metric.name, part), wrong
        elif alone:
            labels = ", ".join(f'{name}="{value}"' for name, value in sorted(alone[0].labels.items()))
            yield (
                _place(document.config, metric.name, part),
                f"{len(alone)} of {len(pairs)} label sets are on one side only, for example {labels or 'the empty one'}",
            )


@rule("sides-identical", Severity.WARNING, Kind.CONFIG)
def sides_identical(document: Document, context: Context) -> Hits:
    """Both sides read the same samples."""
    for metric, part, sides in _queries(document, context):
        assert document.config is not None
        if part in _COMPARED and len(sides) == 2 and _sound(sides) and _alike(sides["baseline"], sides["canary"]):
            yield (
                _place(document.config, metric, part),
                f"both sides have the same {points(sides['canary'])} samples: what picks the side does not: {_shown(sides['canary'])}",
            )


@rule("kayenta-small-values", Severity.WARNING, Kind.CONFIG)
def kayenta_small_values(document: Document, context: Context) -> Hits:
    """Kayenta's judge does not see differences under 0.0001."""
    config = document.config
    if config is None or config.judge != "kayenta":
        return
    found = _asked(document, context)
    for index, metric in enumerate(config.metrics):
        if metric.limit is not None:
            continue
        small = [margin for margin in (metric.tolerance.absolute, metric.must_detect.absolute) if 0 < margin < SMALL]
        if small:
            yield ("metrics", index), f"a change of {small[0]:g} is meant, and {_SMALL_WORDS}"
            continue
        largest = max((_largest(pair) for pair in (found.pairs if found is not None else ()) if pair.metric == metric.name), default=0.0)
        if 0 < largest < SMALL:
            yield ("metrics", index), f"all values are at most {largest:.2g}, and {_SMALL_WORDS}"


def _largest(pair: SeriesPair) -> float:
    sizes = [0.0]
    for series, total in ((pair.baseline, pair.baseline_total), (pair.canary, pair.canary_total)):
        values = series.v
        if total is not None:
            _, left, right = np.intersect1d(series.t, total.t, assume_unique=True, return_indices=True)
            there = total.v[right] > 0
            values = series.v[left][there] / total.v[right][there]
        finite = np.abs(values[np.isfinite(values)])
        sizes.append(float(finite.max()) if len(finite) else 0.0)
    return max(sizes)


def _alike(baseline: Answer, canary: Answer) -> bool:
    if len(baseline.series) != len(canary.series) or points(canary) < MIN_ALIKE:
        return False
    both = list(zip(baseline.series, canary.series, strict=True))
    same = all(np.array_equal(left.t, right.t) and np.array_equal(left.v, right.v) for left, right in both)
    # A constant (no restarts, a configured size) may well be the same on both sides.
    return same and any(len(np.unique(right.v)) > 1 for _left, right in both)


def _shown(answer: Answer) -> str:
    text = " ".join(answer.query.text.split())
    return text if len(text) <= 200 else f"{text[:197]}..."


RULES = (
    not_asked,
    source_unreachable,
    query_refused,
    side_empty,
    rate_range_scrape,
    no_events,
    several_series,
    series_unpaired,
    sides_identical,
    kayenta_small_values,
)
