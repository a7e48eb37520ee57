"""How much longer? What an undecided metric could show now, and how many samples are still missing."""

from __future__ import annotations

import math

from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification, Wait
from judge.core.sequential.assessment import Assessment, Ground
from judge.core.sequential.evidence import Evidence
from judge.core.sequential.settings import SequentialSettings

_POWER = 0.8
_LONGEST = 50.0
"""Beyond this many times the samples that there are, waiting is no answer."""


def wait(evidence: Evidence, metric: MetricConfig, found: Assessment, settings: SequentialSettings) -> Wait | None:
    """Estimate the wait of an undecided metric; None where there is nothing to wait for."""
    if found.classification is not Classification.UNDECIDED or found.ground not in {Ground.NONE, Ground.LACKING}:
        return None
    if found.ratio is not None:
        return _counts(evidence, metric, found, settings)
    if found.estimate is None or found.scaled is None:
        return None
    from scipy.special import stdtrit

    estimate, scaled = found.estimate, found.scaled
    rising = metric.direction is not Direction.DECREASE
    change = estimate.mean if rising else -estimate.mean
    tolerated, noticed = (scaled.tolerance[0], scaled.must_detect[0]) if rising else (scaled.tolerance[1], scaled.must_detect[1])
    freedom = max(estimate.effective - 1, 1.0)
    level = max(found.levels.get("whole", 0.0), 1e-12)
    power = float(stdtrit(freedom, _POWER))
    to_fail = -float(stdtrit(freedom, level)) + power
    to_pass = -float(stdtrit(freedom, settings.beta)) + power
    detectable = tolerated + estimate.deviation * to_fail
    size = _fraction(detectable, rising=rising) if scaled.logarithmic else detectable
    factor = min(_factor(noticed - change, estimate.deviation * to_pass), _factor(change - tolerated, estimate.deviation * to_fail))
    return _wait(size, factor, len(evidence.canary), evidence.spacing)


def _fraction(size: float, *, rising: bool) -> float:
    """Write a size on the logarithmic scale as a fraction of the baseline; a fall is never one of more than all.

    Examples
    --------
    >>> [round(_fraction(0.7, rising=rising), 2) for rising in (True, False)]
    [1.01, 0.5]
    """
    return -math.expm1(-size) if not rising else math.expm1(size) if size < 50 else size


def _counts(evidence: Evidence, metric: MetricConfig, found: Assessment, settings: SequentialSettings) -> Wait:
    assert found.ratio is not None
    ratio = found.ratio
    low, high = ratio.interval(settings.beta)
    difference = ratio.canary - ratio.baseline
    if metric.direction is Direction.DECREASE:
        difference, high = -difference, -low
    noticed, tolerated = ratio.amount(metric.must_detect), ratio.amount(metric.tolerance)
    width = max(high - difference, 0.0)
    # The level of this look against that of the interval, on the normal scale.
    from scipy.special import ndtri

    ratio_of_quantiles = float(ndtri(max(found.levels.get("whole", 0.0), 1e-12)) / ndtri(settings.beta))
    detectable = tolerated + width * ratio_of_quantiles
    factor = min(_factor(noticed - difference, width), _factor(difference - tolerated, width * ratio_of_quantiles))
    made = _wait(detectable, factor, len(evidence.canary), evidence.spacing)
    requests = ratio.counts.canary_total * (factor - 1) if not made.hopeless else math.inf
    return Wait(detectable=made.detectable, samples=made.samples, seconds=made.seconds, requests=max(requests, 0.0))


def _factor(gap: float, width: float) -> float:
    """How many times the samples must grow for `width` to shrink to `gap`."""
    return math.inf if gap <= 0 else max((width / gap) ** 2, 1.0)


def _wait(detectable: float, factor: float, n: int, spacing: float) -> Wait:
    if factor > _LONGEST:
        return Wait(detectable=detectable, samples=math.inf, seconds=math.inf)
    # Two significant digits: an estimate must not look like a count.
    samples = float(f"{max(math.ceil(n * (factor - 1)), 1):.2g}")
    return Wait(detectable=detectable, samples=samples, seconds=samples * spacing)
