"""What is there to be judged, and what is missing: the same for every judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.core import formatting as words
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Floats, MetricResult, Series, SeriesPair, Window, label_words

_SILENT_SHARE = 0.25
"""A side that was not heard for more than this share of the time that is judged says nothing of how it is now."""

_SILENT_SAMPLES = 3.0
"""Nor is a side called silent that misses no more than this many of its samples."""


def complete(config: CanaryConfig, pairs: Sequence[SeriesPair]) -> list[SeriesPair]:
    """Order the pairs as the config orders its metrics; a metric without a pair gets an empty one.

    Raises
    ------
    KeyError
        Where a pair's metric is not in the config.
    """
    order = {metric.name: index for index, metric in enumerate(config.metrics)}
    given = {pair.metric for pair in pairs}
    absent = [SeriesPair(metric=name, baseline=Series.empty(), canary=Series.empty()) for name in order if name not in given]
    return sorted([*pairs, *absent], key=lambda pair: order[pair.metric])


def source_trouble(pairs: Sequence[SeriesPair]) -> str:
    """Say which series the source failed to give; a series that does not exist is no trouble."""
    failed = [pair for pair in pairs if pair.problem is not None and pair.problem.classification is Classification.NODATA]
    if not failed:
        return ""
    assert failed[0].problem is not None
    more = "" if len(failed) == 1 else f" (and {len(failed) - 1} more)"
    return f"{failed[0].metric}{more}: {failed[0].problem.message}"


def missing_side(pair: SeriesPair) -> str:
    """Say which side has nothing to compare, or nothing."""
    if pair.baseline_total is not None and pair.canary_total is not None:
        empty = [name for name, total in (("baseline", pair.baseline_total), ("canary", pair.canary_total)) if not (total.v > 0).any()]
        what = "requests"
    else:
        empty = [name for name, series in (("baseline", pair.baseline), ("canary", pair.canary)) if not (~np.isnan(series.v)).any()]
        what = "samples"
    if not empty:
        return ""
    if len(empty) == 2:
        return f"neither side has {what}"
    other = "canary" if empty[0] == "baseline" else "baseline"
    if pair.labels:
        return f"only the {other} has {{{label_words(pair.labels)}}}: there is nothing to compare it with"
    return f"the {empty[0]} has no {what}"


def hold_back(results: Sequence[MetricResult], pairs: Sequence[SeriesPair], window: Window | None) -> list[MetricResult]:
    """Let no metric pass that a side stopped to report, and suspect what the canary alone does not report at all.

    A pod that died half-way was well until then; what it would show now is not known. A regression that was seen stays one.
    """
    metrics: dict[str, list[SeriesPair]] = {}
    for pair in pairs:
        if pair.problem is None:
            metrics.setdefault(pair.metric, []).append(pair)
    silent: dict[str, _Silence] = {}
    absent: set[str] = set()
    for name, mine in metrics.items():
        baseline, canary = _heard(mine, "baseline"), _heard(mine, "canary")
        if canary is not None:
            silence = _silence(baseline, canary, window)
            silent |= {name: silence} if silence is not None else {}
        elif baseline is not None:
            absent.add(name)
    return [_held_back(result, silent.get(result.name), absent=result.name in absent) for result in results]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """In words which side was not heard lately, and whether it is only one of the two."""

    said: str
    one_sided: bool


def _held_back(result: MetricResult, silence: _Silence | None, *, absent: bool) -> MetricResult:
    if absent and result.classification is Classification.NODATA:
        return replace(result, suspect=True, unheard=True)
    if silence is None or result.classification not in {Classification.PASS, Classification.UNDECIDED}:
        return result
    found = replace(result, classification=Classification.UNDECIDED, reason=f"{silence.said}; until then: {result.reason}")
    if silence.one_sided:
        return replace(found, suspect=True, unheard=True)
    # Where both fell silent nothing speaks against the canary; what was open before has its own reason.
    return found if result.classification is Classification.PASS else result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Heard:
    """First and last time (unix seconds) at which a side reported anything of a metric, whatever the label set."""

    first: float
    last: float
    side: str
    pairs: Sequence[SeriesPair]

    @property
    def spacing(self) -> float:
        """The median distance of two samples of the label set that has most; infinite where it has but one."""
        times = max((_times(pair, self.side) for pair in self.pairs), key=len)
        return float(np.median(np.diff(times))) if len(times) > 1 else math.inf


def _heard(pairs: Sequence[SeriesPair], side: str) -> _Heard | None:
    """When one side of a metric was heard; None where it never was."""
    spans = [span for pair in pairs if (span := _span(pair, side)) is not None]
    if not spans:
        return None
    return _Heard(first=min(first for first, _ in spans), last=max(last for _, last in spans), side=side, pairs=pairs)


def _span(pair: SeriesPair, side: str) -> tuple[float, float] | None:
    """First and last time at which a side of a pair was heard."""
    series = pair.baseline if side == "baseline" else pair.canary
    plain = pair.canary_total is None and len(series) > 0 and not (math.isnan(series.v[0]) or math.isnan(series.v[-1]))
    times = series.t if plain else _times(pair, side)
    return (float(times[0]), float(times[-1])) if len(times) else None


def _times(pair: SeriesPair, side: str) -> Floats:
    """When a side of a pair was heard; of a ratio of counts only samples with requests are."""
    series = pair.baseline if side == "baseline" else pair.canary
    total = pair.baseline_total if side == "baseline" else pair.canary_total
    if total is None:
        return series.t[~np.isnan(series.v)]
    # Absent events are no events; events that are no number are not known.
    unknown = np.isnan(series.v)
    there = (total.v > 0) & ~np.isin(total.t, series.t[unknown]) if unknown.any() else total.v > 0
    heard: Floats = total.t[there]
    return heard


def _silence(baseline: _Heard | None, canary: _Heard, window: Window | None) -> _Silence | None:
    """Tell which side fell silent before the end of what is judged; None where none did."""
    at_once = baseline is not None and baseline.first <= canary.last and canary.first <= baseline.last
    sides = [canary, baseline] if baseline is not None and at_once else [canary]
    end = max(heard.last for heard in sides)
    if window is not None and window.start <= canary.last:
        end = max(end, window.end)
    allowed = _SILENT_SHARE * (end - canary.first)
    late = [heard for heard in sides if end - heard.last > allowed and end - heard.last > _SILENT_SAMPLES * heard.spacing]
    if not late:
        return None
    who = "neither side has" if len(late) == 2 else f"the {late[0].side} has no"
    what = "samples" if canary.pairs[0].canary_total is None else "requests"
    said = f"{who} {what} in the last {words.duration(end - max(heard.last for heard in late))}"
    return _Silence(said=said, one_sided=len(late) == 1)
