"""Method ``mann-whitney``: rank test, Hodges-Lehmann shift, and counts as counts.

The interval of the change lies beyond the tolerance where the directed
Mann-Whitney test of a change beyond tolerance rejects at `ALPHA`: both come from
one null distribution. The method knows nothing of dependence in time beyond
overlapping rate windows, nor of earlier looks: its error rate holds for one
look at independent samples.
"""

from __future__ import annotations

import math

import numpy as np

from judge.core.config import Direction, MetricConfig
from judge.core.model import Comparison, Counts, Floats
from judge.core.samples import Sample
from judge.core.statistics.counts import dispersion, newcombe, ratio_exceeds
from judge.core.statistics.ranks import Shift, hodges_lehmann, mann_whitney

NAME = "mann-whitney"
ALPHA = 0.01
"""Chance of calling a regression where the change is exactly the tolerated one, per metric and look."""


def level_for(direction: Direction) -> float:
    """Two-sided level of the interval: a metric that is bad both ways spends half of `ALPHA` on each.

    Examples
    --------
    >>> level_for(Direction.INCREASE), level_for(Direction.EITHER)
    (0.98, 0.99)
    """
    return 1 - ALPHA if direction is Direction.EITHER else 1 - 2 * ALPHA


def compare(sample: Sample, metric: MetricConfig) -> Comparison:
    """Compare one pair.

    Where counts are given they decide (change, shift, interval and directed p are
    those of the proportions); U and its two-sided p are still those of the samples.
    """
    if sample.baseline_total is not None:
        return _compare_counts(sample, metric)
    level = level_for(metric.direction)
    ranks = mann_whitney(sample.canary, sample.baseline)
    shift = hodges_lehmann(sample.canary, sample.baseline, level=level)
    middle = float(np.median(sample.baseline))
    change = _relative_change(sample, shift, middle, level)
    return Comparison(
        method=NAME,
        level=level,
        u=ranks.u,
        pvalue=ranks.pvalue,
        pvalue_directed=_directed(sample.canary, sample.baseline, metric, middle),
        effect=ranks.effect,
        shift=shift.estimate,
        shift_low=shift.low,
        shift_high=shift.high,
        change=change.estimate,
        change_low=change.low,
        change_high=change.high,
        n_baseline=sample.n_baseline,
        n_canary=sample.n_canary,
        n_effective=min(len(sample.baseline), len(sample.canary)),
        baseline_value=middle,
        canary_value=float(np.median(sample.canary)),
    )


def _relative_change(sample: Sample, shift: Shift, middle: float, level: float) -> Shift:
    """Change as a fraction of the baseline.

    Positive values are compared as ratios (the shift of their logarithms), which
    does not depend on where in the baseline's range the change happens; others as
    the shift over the size of the baseline's median.
    """
    if min(sample.baseline.min(), sample.canary.min()) > 0:
        log = hodges_lehmann(np.log(sample.canary), np.log(sample.baseline), level=level)
        return Shift(estimate=math.expm1(log.estimate), low=_expm1(log.low), high=_expm1(log.high))
    if middle == 0:
        return Shift(estimate=math.nan, low=math.nan, high=math.nan)
    size = abs(middle)
    return Shift(estimate=shift.estimate / size, low=shift.low / size, high=shift.high / size)


def _expm1(value: float) -> float:
    try:
        return math.expm1(value)
    except OverflowError:
        return math.inf


def _directed(canary: Floats, baseline: Floats, metric: MetricConfig, middle: float) -> float:
    """P-value against "not worse than tolerated", in the metric's bad direction."""
    amount = metric.tolerance.amount(middle)
    relative = amount / abs(middle) if middle else 0.0
    positive = min(baseline.min(), canary.min()) > 0
    found = []
    if metric.direction is not Direction.DECREASE:
        allowed = baseline * (1 + relative) if positive else baseline + amount
        found.append(mann_whitney(canary, allowed).greater)
    if metric.direction is not Direction.INCREASE:
        allowed = baseline * max(1 - relative, 0.0) if positive else baseline - amount
        found.append(mann_whitney(canary, allowed).less)
    return min(1.0, min(found) * len(found))


def _compare_counts(sample: Sample, metric: MetricConfig) -> Comparison:
    assert sample.baseline_events is not None
    assert sample.baseline_total is not None
    assert sample.canary_events is not None
    assert sample.canary_total is not None
    level = level_for(metric.direction)
    ranks = mann_whitney(sample.canary, sample.baseline)
    pearson_b, df_b = dispersion(sample.baseline_events, sample.baseline_total)
    pearson_c, df_c = dispersion(sample.canary_events, sample.canary_total)
    # Errors that come in bursts carry less information than their number says.
    inflation = max(1.0, (pearson_b + pearson_c) / (df_b + df_c)) if df_b + df_c else 1.0
    counts = Counts(
        baseline_events=float(sample.baseline_events.sum()),
        baseline_total=float(sample.baseline_total.sum()),
        canary_events=float(sample.canary_events.sum()),
        canary_total=float(sample.canary_total.sum()),
        dispersion=inflation,
    )
    events_c, total_c = counts.canary_events / inflation, counts.canary_total / inflation
    events_b, total_b = counts.baseline_events / inflation, counts.baseline_total / inflation
    base = counts.baseline_events / counts.baseline_total
    rate = counts.canary_events / counts.canary_total
    low, high = newcombe(events_c, total_c, events_b, total_b, level=level)
    up, down = rate - base > metric.tolerance.absolute, base - rate > metric.tolerance.absolute
    if base > 0.5:
        # 99.5 % to 96 % of requests answered is eight times the failures: the rarer outcome is the one
        # that is a multiple of itself, so a ratio of successes and one of errors are judged alike.
        events_c, events_b, up, down = total_c - events_c, total_b - events_b, down, up
        worse_up, worse_down = metric.direction is not Direction.INCREASE, metric.direction is not Direction.DECREASE
    else:
        worse_up, worse_down = metric.direction is not Direction.DECREASE, metric.direction is not Direction.INCREASE
    found = []
    if worse_up:
        found.append(ratio_exceeds(events_c, total_c, events_b, total_b, ratio=1 + metric.tolerance.relative) if up else 1.0)
    if worse_down:
        least = 1 / max(1 - metric.tolerance.relative, 1e-9)
        found.append(ratio_exceeds(events_b, total_b, events_c, total_c, ratio=least) if down else 1.0)
    return Comparison(
        method=NAME,
        level=level,
        u=ranks.u,
        pvalue=ranks.pvalue,
        pvalue_directed=min(1.0, min(found) * len(found)),
        effect=ranks.effect,
        shift=rate - base,
        shift_low=low,
        shift_high=high,
        change=(rate - base) / base if base else math.nan,
        change_low=low / base if base else math.nan,
        change_high=high / base if base else math.nan,
        n_baseline=sample.n_baseline,
        n_canary=sample.n_canary,
        n_effective=min(len(sample.baseline), len(sample.canary)),
        baseline_value=base,
        canary_value=rate,
        counts=counts,
    )
