"""One pair becomes one `MetricResult`: classification, numbers, one plain sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from judge.core import formatting as words
from judge.core import samples
from judge.core.config import CanaryConfig, Direction, Margin, MetricConfig
from judge.core.coverage import missing_side
from judge.core.mann_whitney.compare import ALPHA, compare
from judge.core.model import Classification, Comparison, MetricResult, SeriesPair
from judge.core.statistics.ranks import min_samples


def classify(pair: SeriesPair, metric: MetricConfig, config: CanaryConfig) -> MetricResult:
    """Classify one pair. `weight` of the result is 0 until `judge.core.scoring` sets it."""
    blank = blank_result(pair, metric)
    if pair.problem is not None:
        return replace(blank, classification=pair.problem.classification, reason=pair.problem.message)
    if metric.limit is not None:
        return _check_limit(blank, pair, metric)
    found = _compare(blank, pair, metric, config)
    return replace(found, suspect=found.classification is Classification.UNDECIDED and _suspect(found.comparison, metric))


def _suspect(found: Comparison | None, metric: MetricConfig) -> bool:
    """Whether the change that was seen is larger than `must_detect` in a bad direction."""
    if found is None:
        return False
    base = found.baseline_value if found.counts is None else min(found.baseline_value, 1 - found.baseline_value)
    margin = metric.must_detect.amount(base)
    rises, falls = metric.direction is not Direction.DECREASE, metric.direction is not Direction.INCREASE
    return (rises and found.shift > margin) or (falls and -found.shift > margin)


def blank_result(pair: SeriesPair, metric: MetricConfig) -> MetricResult:
    """Give a result that says nothing yet."""
    counts = pair.baseline_total is not None or bool(metric.denominator)
    return MetricResult(
        name=metric.name,
        classification=Classification.UNDECIDED,
        reason="",
        group=metric.group,
        weight=0.0,
        critical=metric.critical,
        direction=metric.direction.value,
        tolerance=limit_words(metric) if metric.limit else words.margin(metric.tolerance, counts=counts, unit=metric.unit),
        must_detect="" if metric.limit else words.margin(metric.must_detect, counts=counts, unit=metric.unit),
        unit=metric.unit,
        labels=pair.labels,
        queries=pair.queries,
        warnings=pair.warnings,
    )


def limit_words(metric: MetricConfig) -> str:
    """Write a limit the way a person says it."""
    assert metric.limit is not None
    parts = []
    if metric.limit.min is not None:
        parts.append(f"at least {words.amount(metric.limit.min, metric.unit)}")
    if metric.limit.max is not None:
        parts.append(f"at most {words.amount(metric.limit.max, metric.unit)}")
    return ", ".join(parts)


def _check_limit(blank: MetricResult, pair: SeriesPair, metric: MetricConfig) -> MetricResult:
    """Hold the canary alone against fixed bounds."""
    assert metric.limit is not None
    values = pair.canary.v[~np.isnan(pair.canary.v)]
    if not len(values):
        return replace(blank, classification=Classification.NODATA, reason="the canary has no samples")
    top, bottom = float(values.max()), float(values.min())
    n = len(values)
    if metric.limit.max is not None and top > metric.limit.max:
        reason = f"canary reached {words.amount(top, metric.unit)}, at most {words.amount(metric.limit.max, metric.unit)} is allowed"
        return replace(blank, classification=Classification.HIGH, reason=reason, n_canary=n)
    if metric.limit.min is not None and bottom < metric.limit.min:
        reason = f"canary fell to {words.amount(bottom, metric.unit)}, at least {words.amount(metric.limit.min, metric.unit)} is required"
        return replace(blank, classification=Classification.LOW, reason=reason, n_canary=n)
    seen = top if metric.limit.max is not None else bottom
    return replace(blank, classification=Classification.PASS, reason=f"{words.amount(seen, metric.unit)} keeps the limit", n_canary=n)


def _compare(blank: MetricResult, pair: SeriesPair, metric: MetricConfig, config: CanaryConfig) -> MetricResult:
    """Check that there is something to compare, compare, decide."""
    missing = missing_side(pair)
    if missing:
        return replace(
            blank,
            classification=Classification.NODATA,
            reason=missing,
            n_baseline=len(pair.baseline if pair.baseline_total is None else pair.baseline_total),
            n_canary=len(pair.canary if pair.canary_total is None else pair.canary_total),
        )
    if pair.queries and pair.queries.get("baseline") == pair.queries.get("canary"):
        return replace(
            blank,
            classification=Classification.ERROR,
            reason="baseline and canary were asked the very same query; use ${scope} (or ${hash}) in it to tell the sides apart",
        )
    ready = samples.prepare(pair, rate_window=metric.rate_window, step=config.window.step)
    sample, warnings = ready.sample, (*pair.warnings, *ready.warnings)
    if sample is None:
        return replace(
            blank,
            classification=ready.classification,
            reason=ready.reason,
            n_baseline=ready.n_baseline,
            n_canary=ready.n_canary,
            warnings=warnings,
        )
    needed = metric.min_samples if metric.min_samples is not None else config.min_samples
    n_canary, n_baseline = len(sample.canary), len(sample.baseline)
    one_sided = ALPHA / (2 if metric.direction is Direction.EITHER else 1)
    fewest, most = sorted((n_canary, n_baseline))
    enough = needed if fewest >= min_samples(one_sided, other=most) else max(needed, min_samples(one_sided))
    if fewest < enough:
        side = "canary" if n_canary <= n_baseline else "baseline"
        return replace(
            blank,
            classification=Classification.UNDECIDED,
            reason=f"{fewest} independent {side} samples, at least {enough} are needed",
            n_baseline=sample.n_baseline,
            n_canary=sample.n_canary,
            warnings=warnings,
        )
    found = compare(sample, metric)
    classification, reason = _decide(found, metric)
    return replace(
        blank,
        classification=classification,
        reason=reason,
        n_baseline=sample.n_baseline,
        n_canary=sample.n_canary,
        comparison=found,
        warnings=warnings,
    )


def _decide(found: Comparison, metric: MetricConfig) -> tuple[Classification, str]:
    """Regressed where shown to exceed tolerance, passed where shown to stay below must_detect."""
    shown = _shown(found, metric)
    side = _regressed(found, metric)
    if side is not None:
        limit = words.margin(metric.tolerance, counts=found.counts is not None, unit=metric.unit)
        return side, f"{shown}: more than the {limit} that is accepted"
    must_detect = words.margin(metric.must_detect, counts=found.counts is not None, unit=metric.unit)
    if _within(found, metric):
        return Classification.PASS, f"{shown}: below the {must_detect} that must not slip through"
    if math.isnan(found.change) and not metric.must_detect.absolute and found.counts is None:
        return (
            Classification.UNDECIDED,
            f"{shown}: the baseline's median is zero, so say in the config how much is too much (must_detect.absolute)",
        )
    tolerance = words.margin(metric.tolerance, counts=found.counts is not None, unit=metric.unit)
    return (
        Classification.UNDECIDED,
        f"{shown}: neither shown to exceed {tolerance} nor to stay below {must_detect}; more samples are needed",
    )


def _shown(found: Comparison, metric: MetricConfig) -> str:
    """Say what was measured."""
    level = words.percent(found.level)
    if found.counts is not None:
        counts = found.counts
        canary = f"{words.count(counts.canary_events)} of {words.count(counts.canary_total)} ({words.share(found.canary_value)})"
        baseline = f"{words.count(counts.baseline_events)} of {words.count(counts.baseline_total)} ({words.share(found.baseline_value)})"
        interval = f"{words.points(found.shift_low, sign=True)} to {words.points(found.shift_high, sign=True)}"
        p = words.p_value(found.pvalue_directed)
        return f"{canary} on the canary, {baseline} on the baseline, {level} interval {interval}, {p}"
    if math.isnan(found.change):
        change = f"{'+' if found.shift >= 0 else ''}{words.amount(found.shift, metric.unit)}"
        interval = f"{words.number(found.shift_low)} to {words.amount(found.shift_high, metric.unit)}"
    else:
        change = words.percent(found.change, sign=True)
        interval = f"{words.percent(found.change_low, sign=True)} to {words.percent(found.change_high, sign=True)}"
    n = f"n={found.n_canary}" if found.n_canary == found.n_baseline else f"n={found.n_canary}/{found.n_baseline}"
    effective = "" if found.n_effective == min(found.n_canary, found.n_baseline) else f", effective n={found.n_effective}"
    return f"{change}, {level} interval {interval}, Mann-Whitney {words.p_value(found.pvalue_directed)}, {n}{effective}"


def _regressed(found: Comparison, metric: MetricConfig) -> Classification | None:
    if found.pvalue_directed > ALPHA:
        return None
    if found.counts is not None:
        return Classification.HIGH if found.shift > 0 else Classification.LOW
    low, high = _interval(found)
    tolerated = _margin(metric.tolerance, found)
    if metric.direction is not Direction.DECREASE and low > tolerated:
        return Classification.HIGH
    if metric.direction is not Direction.INCREASE and high < -tolerated:
        return Classification.LOW
    return None


def _within(found: Comparison, metric: MetricConfig) -> bool:
    """Whether a change as large as `must_detect` is excluded in the metric's bad direction."""
    if found.counts is not None:
        rarer = min(found.baseline_value, 1 - found.baseline_value)
        low, high, noticed = found.shift_low, found.shift_high, metric.must_detect.amount(rarer)
    elif math.isnan(found.change) and not metric.must_detect.absolute:
        # A share of nothing is nothing, and the shift of a mostly zero series is zero even where the
        # canary is busy more often: only a canary that does not tend to be worse at all is within.
        return (metric.direction is Direction.DECREASE or found.effect <= 0.5) and (
            metric.direction is Direction.INCREASE or found.effect >= 0.5
        )
    else:
        (low, high), noticed = _interval(found), _margin(metric.must_detect, found)
    up = metric.direction is Direction.DECREASE or high <= noticed
    down = metric.direction is Direction.INCREASE or low >= -noticed
    return up and down


def _interval(found: Comparison) -> tuple[float, float]:
    """Interval on the scale that margins are on: relative, or the unit where the baseline is zero."""
    if math.isnan(found.change):
        return found.shift_low, found.shift_high
    return found.change_low, found.change_high


def _margin(margin: Margin, found: Comparison) -> float:
    amount = margin.amount(found.baseline_value)
    return amount if math.isnan(found.change) else amount / abs(found.baseline_value)
