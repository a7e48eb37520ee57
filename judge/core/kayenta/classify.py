"""One metric: from its rule and its samples to Kayenta's label.

The rules are tried in order and the first that applies decides:
no data, identical samples, one value alone, and then the rank interval with the
effect size. The comments name the rules by number, as docs/methods/kayenta.md does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from judge.core.kayenta.counting import AllTied, sortable
from judge.core.kayenta.java_json import MetricRule
from judge.core.kayenta.kernel import Interval, rank_interval
from judge.core.kayenta.results import Label
from judge.core.kayenta.transform import mean
from judge.core.model import Floats

FRACTION = 0.25
"""The interval must clear this share of the estimate. Kayenta's settings for it and for 98 % are never read."""

IDENTICAL = "The Canary and Baseline data are identical"
FAILED = "Metric Classification Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for one metric; `constants` where both sides were constant and differed."""

    label: Label
    critical: bool
    reason: str | None = None
    ratio: float | None = 1.0
    effect: float | None = None
    interval: Interval | None = None
    constants: bool = False


def classify(rule: MetricRule, canary: Floats, baseline: Floats) -> Found:
    """Compare one metric's samples, transformed already.

    Parameters
    ----------
    canary, baseline : array of shape (n,) and (m,)
        No NaN; perhaps empty.
    """
    if not len(canary) or not len(baseline):  # 1
        return _no_data(rule)
    ordered_canary, ordered_baseline = np.sort(canary), np.sort(baseline)
    if np.array_equal(ordered_canary, ordered_baseline):  # 2
        return Found(label=Label.PASS, critical=False, reason=IDENTICAL)
    constant_canary, constant_baseline = (side[0] == side[-1] for side in (ordered_canary, ordered_baseline))
    constants = bool(constant_canary and constant_baseline)
    if constants and canary[0] == baseline[0]:  # 3
        return Found(label=Label.PASS, critical=False)
    try:
        interval = _between_constants(canary, baseline) if constants else rank_interval(canary, baseline)  # 4, 5
    except AllTied:
        return Found(label=Label.ERROR, critical=False, reason=FAILED, ratio=None, constants=constants)
    ratio = mean_ratio(canary, baseline)  # 6
    effect = larger_share(canary, baseline) if rule.measure == "cles" else ratio
    label = label_of(rule, interval, effect)  # 7
    critical = rule.critical and beyond_critical(rule, label, effect)  # 8
    reason = None
    if label is not Label.PASS:
        reason = f"The metric {rule.name} was classified as {label} (Critical)" if critical else f"{rule.name} was classified as {label}"
    return Found(label=label, critical=critical, reason=reason, ratio=ratio, effect=effect, interval=interval, constants=constants)


def _no_data(rule: MetricRule) -> Found:
    if rule.replace_nan:
        return Found(label=Label.PASS, critical=False)
    reason = f"Missing data for {rule.name}"
    if rule.must_have_data and not rule.critical:
        return Found(label=Label.NODATA_FAIL, critical=False, reason=reason)
    return Found(label=Label.NODATA, critical=rule.critical, reason=reason)


def _between_constants(canary: Floats, baseline: Floats) -> Interval:
    """Kayenta's interval between two constants in the limit of ever smaller noise: the shift, and nothing else.

    Noise leaves a single sample single and a zero zero. Where neither side gets any
    spread from it, all samples tie at the shift, and Kayenta ends in error.
    """
    if all(len(side) == 1 or side[0] == 0 for side in (canary, baseline)):
        raise AllTied
    with np.errstate(invalid="ignore", over="ignore"):
        shift = float(canary[0] - baseline[0])
    return Interval(lower=shift, upper=shift, estimate=shift)


def label_of(rule: MetricRule, interval: Interval, effect: float) -> Label:
    """Hold an interval and an effect size against a rule; NaN as effect skips its test, in the interval fails it."""
    bound = FRACTION * abs(interval.estimate)
    if rule.up and interval.lower > bound and (math.isnan(effect) or effect >= rule.allowed_increase):
        return Label.HIGH
    if rule.down and interval.upper < -bound and (math.isnan(effect) or effect <= rule.allowed_decrease):
        return Label.LOW
    return Label.PASS


def beyond_critical(rule: MetricRule, label: Label, effect: float) -> bool:
    """Tell whether a metric that failed did so by the critical amount; NaN does."""
    if label is Label.HIGH:
        return math.isnan(effect) or effect >= rule.critical_increase
    return label is Label.LOW and (math.isnan(effect) or effect <= rule.critical_decrease)


def mean_ratio(canary: Floats, baseline: Floats) -> float:
    """Divide the canary's mean by the baseline's; NaN where either is zero."""
    above, below = mean(canary), mean(baseline)
    return math.nan if above == 0 or below == 0 else above / below


def larger_share(canary: Floats, baseline: Floats) -> float:
    """The probability that a canary's sample is the larger, ties half, with the overflows of Java's integers.

    Examples
    --------
    >>> larger_share(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    n, m = len(canary), len(baseline)
    moved, ordered = sortable(canary), np.sort(sortable(baseline))
    twice = int(ordered.searchsorted(moved, "left").sum() + ordered.searchsorted(moved, "right").sum())
    above = float(twice + n * (n + 1)) - _int32(n * (n + 1))
    below = _int32(2 * n * m)
    if below == 0:
        return math.nan if above == 0 else math.copysign(math.inf, above)
    return above / below


def _int32(value: int) -> int:
    """Wrap around as a Java int does."""
    return (value + 2**31) % 2**32 - 2**31
