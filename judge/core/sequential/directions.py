"""The bad sides of a metric, and how probable a change beyond its margins is on each."""

from __future__ import annotations

from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification
from judge.core.sequential.evidence import Scaled
from judge.core.statistics.dependence import Posterior


def bad_sides(metric: MetricConfig) -> tuple[Classification, ...]:
    """HIGH, LOW or both."""
    if metric.direction is Direction.EITHER:
        return (Classification.HIGH, Classification.LOW)
    return (Classification.HIGH,) if metric.direction is Direction.INCREASE else (Classification.LOW,)


def tolerated(found: Posterior, scaled: Scaled, side: Classification) -> float:
    """Probability that the change is not beyond `tolerance` on this side."""
    rise, fall = scaled.tolerance
    return found.below(rise) if side is Classification.HIGH else found.above(-fall)


def noticed(found: Posterior, scaled: Scaled, side: Classification) -> float:
    """Probability that the change is as large as `must_detect` or larger on this side."""
    rise, fall = scaled.must_detect
    return found.above(rise) if side is Classification.HIGH else found.below(-fall)


def beyond(difference: float, margin: tuple[float, float], side: Classification) -> bool:
    """Whether a difference on the scale lies beyond a margin (for a rise, for a fall) on this side."""
    return difference > margin[0] if side is Classification.HIGH else -difference > margin[1]


def worst(found: Posterior, scaled: Scaled, metric: MetricConfig) -> tuple[float, Classification]:
    """Smallest probability of staying within tolerance, corrected for looking at both sides, and its side."""
    sides = bad_sides(metric)
    p, side = min((tolerated(found, scaled, side), side) for side in sides)
    return min(1.0, p * len(sides)), side
