"""What one metric's evidence says at this look: regressed, within what is accepted, or neither shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification
from judge.core.sequential.budget import Look, split
from judge.core.sequential.counted import Ratio, compare_counts
from judge.core.sequential.evidence import Evidence, Scaled, on_scale
from judge.core.sequential.location import Shift, shift
from judge.core.sequential.settings import SequentialSettings
from judge.core.sequential.shapes import Shapes, shapes
from judge.core.statistics.dependence import Posterior, difference_of
from judge.core.statistics.ranks import RankTest, mann_whitney

_RECENT = 0.5
_RECENT_FEWEST = 20
_HEALED_SINCE = (1 / 3, 1 / 2, 2 / 3)
_WARM_UPS = (1 / 6, 1 / 3, 1 / 2)
_HEALED_CHANGE = 0.005
_RECENT_DOUBT = 0.25


class Test(StrEnum):
    """What decided, or kept the metric open."""

    WHOLE = "whole"
    RECENT = "recent"
    TAIL = "tail"
    SPREAD = "spread"
    HEALED = "healed"
    RANKS = "ranks"
    LACKING = "lacking"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """One metric at one look.

    `decided_by` names the test behind `classification`. `levels` are the one-sided levels
    of the tests at this look. `estimate` is the shift on the scale of `scaled`, `recent`
    that of the later half; for counts `ratio` and `recent_ratio` are in their place.
    """

    classification: Classification
    decided_by: Test
    levels: dict[str, float] = field(default_factory=dict)
    p: float = 1.0
    scaled: Scaled | None = None
    estimate: Posterior | None = None
    recent: Posterior | None = None
    ratio: Ratio | None = None
    recent_ratio: Ratio | None = None
    found: Shapes | None = None
    ranks: RankTest | None = None
    lacking: str = ""
    since: float = 0.0


def assess(evidence: Evidence, metric: MetricConfig, look: Look, budget: float, settings: SequentialSettings) -> Assessment:
    """Decide one metric from its evidence; `budget` is its part of the rollout's error budget."""
    shares = split(budget, settings, name=metric.name, counted=evidence.counted)
    levels = {test: look.level(share, settings.spending_power) for test, share in shares.items()}
    if evidence.counted:
        return _assess_counts(evidence, metric, levels, settings)
    return _assess_values(evidence, metric, levels, settings)


def _sides(metric: MetricConfig) -> tuple[Classification, ...]:
    if metric.direction is Direction.EITHER:
        return (Classification.HIGH, Classification.LOW)
    return (Classification.HIGH,) if metric.direction is Direction.INCREASE else (Classification.LOW,)


def _beyond(found: Posterior, scaled: Scaled, side: Classification) -> float:
    """Probability that the change is not beyond tolerance on this side."""
    rise, fall = scaled.tolerance
    return found.below(rise) if side is Classification.HIGH else found.above(-fall)


def _unnoticed(found: Posterior, scaled: Scaled, side: Classification) -> float:
    """Probability that the change is as large as `notice` or larger on this side."""
    rise, fall = scaled.notice
    return found.above(rise) if side is Classification.HIGH else found.below(-fall)


def _worst(found: Posterior, scaled: Scaled, metric: MetricConfig) -> tuple[float, Classification]:
    """Smallest probability of staying within tolerance, for both sides together, and its side."""
    sides = _sides(metric)
    p, side = min((_beyond(found, scaled, side), side) for side in sides)
    return min(1.0, p * len(sides)), side


def _assess_values(evidence: Evidence, metric: MetricConfig, levels: dict[str, float], settings: SequentialSettings) -> Assessment:
    scaled = on_scale(evidence, metric)
    whole = shift(evidence, scaled, settings)
    estimate = whole.posterior
    if estimate is None:
        return Assessment(classification=Classification.UNDECIDED, decided_by=Test.LACKING, levels=levels, lacking=whole.lacking)
    recent = None
    if "recent" in levels and len(evidence.canary) >= _RECENT_FEWEST:
        late = shift(evidence, scaled, settings, first=1 - _RECENT)
        if late.posterior is not None and late.posterior.effective >= _least_effective(late.posterior, settings):
            recent = late.posterior
    upward, downward = metric.direction is not Direction.DECREASE, metric.direction is not Direction.INCREASE
    wanted = "tail" in levels or "spread" in levels
    found = shapes(evidence, scaled, settings, upward=upward, downward=downward) if wanted else Shapes()
    base = Assessment(
        classification=Classification.UNDECIDED,
        decided_by=Test.NONE,
        levels=levels,
        scaled=scaled,
        estimate=estimate,
        recent=recent,
        found=found,
    )
    p, side = _worst(estimate, scaled, metric)
    caution = _caution(estimate, settings)
    if p <= levels["whole"] * caution:
        return _located(base, evidence, metric, settings, Test.WHOLE, p, side)
    if recent is not None:
        p_recent, side = _worst(recent, scaled, metric)
        if p_recent <= levels["recent"]:
            return _located(base, evidence, metric, settings, Test.RECENT, p_recent, side)
    bad = Classification.HIGH if upward else Classification.LOW
    for test, p_shape in ((Test.SPREAD, found.spread.p), (Test.TAIL, found.tail.p)):
        if p_shape <= levels.get(test.value, 0.0):
            return replace(base, classification=bad, decided_by=test, p=p_shape)
    for test, p_shape in ((Test.SPREAD, found.spread.p), (Test.TAIL, found.tail.p)):
        if test.value in levels and p_shape <= settings.suspicion:
            return replace(base, decided_by=test, p=p_shape)
    if _within(base, metric, settings, settings.beta * caution):
        return replace(base, classification=Classification.PASS, p=p)
    since = next((since for one in _sides(metric) if (since := _healed_since(evidence, scaled, metric, settings, one)) is not None), None)
    if since is not None:
        return replace(base, classification=Classification.PASS, decided_by=Test.HEALED, p=p, since=since)
    if caution < 1:
        lacking = f"{estimate.n} samples that resemble each other are worth {estimate.effective:.1f} independent ones, too few to tell"
        return replace(base, decided_by=Test.LACKING, p=p, lacking=lacking)
    return replace(base, p=p)


def _caution(found: Posterior, settings: SequentialSettings) -> float:
    """Factor on every level where few independent samples tell the noise: with half of them only a quarter counts."""
    return min(1.0, found.effective / _least_effective(found, settings)) ** 2


def _least_effective(found: Posterior, settings: SequentialSettings) -> float:
    """Samples worth deciding on; where the canary has but a few the baseline's tell the noise."""
    return settings.min_effective if found.n >= settings.min_batches else found.n / 2


def _within(base: Assessment, metric: MetricConfig, settings: SequentialSettings, beta: float) -> bool:
    """Whether a change as large as `notice` is excluded, and the later half gives no reason for doubt."""
    assert base.estimate is not None
    assert base.scaled is not None
    for side in _sides(metric):
        if _unnoticed(base.estimate, base.scaled, side) > beta:
            return False
        if base.recent is not None and _unnoticed(base.recent, base.scaled, side) > _RECENT_DOUBT:
            return False
    return True


def _located(
    base: Assessment,
    evidence: Evidence,
    metric: MetricConfig,
    settings: SequentialSettings,
    test: Test,
    p: float,
    side: Classification,
) -> Assessment:
    """A shift of level is a regression where Mann-Whitney agrees and the canary has not healed."""
    assert base.scaled is not None
    since = _healed_since(evidence, base.scaled, metric, settings, side)
    if since is not None:
        return replace(base, classification=Classification.PASS, decided_by=Test.HEALED, p=p, since=since)
    assert evidence.ranked is not None
    ranks = mann_whitney(evidence.ranked.canary, evidence.ranked.baseline)
    one_sided = ranks.greater if side is Classification.HIGH else ranks.less
    if test is Test.RECENT and one_sided > settings.agreement:
        # A change that is half a window old is asked of the half that it is in.
        part = len(evidence.ranked.canary) // 2
        x, y = evidence.ranked.canary[part:], evidence.ranked.baseline[part:] if evidence.paired else evidence.ranked.baseline
        late = mann_whitney(x, y)
        one_sided = late.greater if side is Classification.HIGH else late.less
    if one_sided > settings.agreement:
        return replace(base, decided_by=Test.RANKS, p=p, ranks=ranks)
    return replace(base, classification=side, decided_by=test, p=p, ranks=ranks)


def _healed_since(
    evidence: Evidence, scaled: Scaled, metric: MetricConfig, settings: SequentialSettings, side: Classification
) -> float | None:
    """Share of the window after which the canary is within what is accepted although it was not before; None where it is not."""
    end = shift(evidence, scaled, settings, first=_HEALED_SINCE[-1], fewest=6).posterior
    if end is None:
        return None
    at_end, tolerated = (end.mean, scaled.tolerance[0]) if side is Classification.HIGH else (-end.mean, scaled.tolerance[1])
    noticed = scaled.notice[0] if side is Classification.HIGH else scaled.notice[1]
    if at_end > (tolerated + noticed) / 2:
        return None
    for since in _HEALED_SINCE:
        late = shift(evidence, scaled, settings, first=since, fewest=6).posterior
        if late is None or any(_unnoticed(late, scaled, one) > settings.beta for one in _sides(metric)):
            continue
        if _was_worse(evidence, scaled, since, side):
            return since
    return None


def _was_worse(evidence: Evidence, scaled: Scaled, since: float, side: Classification) -> bool:
    """Whether some early part was shown to be worse than the part after `since`."""
    n = len(scaled.canary)
    values = scaled.canary - scaled.baseline if evidence.paired else scaled.canary
    late = values[int(n * since) :: evidence.stride]
    for part in _WARM_UPS:
        early = values[: int(n * min(part, since)) : evidence.stride]
        if min(len(early), len(late)) >= 4:
            found = difference_of(early, late)
            better = found.below(0.0) if side is Classification.HIGH else found.above(0.0)
            if better <= _HEALED_CHANGE:
                return True
    return False


def _assess_counts(evidence: Evidence, metric: MetricConfig, levels: dict[str, float], settings: SequentialSettings) -> Assessment:
    ratio = compare_counts(evidence, metric, settings)
    if ratio is None or ratio.batches < settings.min_batches:
        n = min(len(evidence.canary), len(evidence.baseline))
        needed = settings.min_batches
        lacking = f"{n} samples, at least {needed} that share no data are needed to know how counts vary"
        return Assessment(classification=Classification.UNDECIDED, decided_by=Test.LACKING, levels=levels, lacking=lacking)
    recent = None
    if "recent" in levels and len(evidence.canary) >= _RECENT_FEWEST:
        late = compare_counts(evidence, metric, settings, first=1 - _RECENT)
        recent = late if late is not None and late.batches >= settings.min_batches else None
    base = Assessment(classification=Classification.UNDECIDED, decided_by=Test.NONE, levels=levels, ratio=ratio, recent_ratio=recent)
    p, side = _worst_ratio(ratio, metric)
    healed = recent is not None and ratio_within(recent, metric, settings) and _worst_ratio(recent, metric)[0] > 0.2
    if p <= levels["whole"]:
        if healed:
            return replace(base, classification=Classification.PASS, decided_by=Test.HEALED, p=p, since=1 - _RECENT)
        return replace(base, classification=side, decided_by=Test.WHOLE, p=p)
    if recent is not None:
        p_recent, side = _worst_ratio(recent, metric)
        if p_recent <= levels["recent"]:
            return replace(base, classification=side, decided_by=Test.RECENT, p=p_recent)
    within = ratio_within(ratio, metric, settings)
    return replace(base, classification=Classification.PASS if within else Classification.UNDECIDED, p=p)


def _worst_ratio(ratio: Ratio, metric: MetricConfig) -> tuple[float, Classification]:
    up, down = (ratio.up, Classification.HIGH), (ratio.down, Classification.LOW)
    p, side = min(up, down, key=lambda found: found[0])
    return min(1.0, p * len(_sides(metric))), side if p < 1 else _sides(metric)[0]


def ratio_within(ratio: Ratio, metric: MetricConfig, settings: SequentialSettings) -> bool:
    """Whether a difference as large as `notice` is excluded."""
    noticed = metric.notice.amount(min(ratio.baseline, 1 - ratio.baseline))
    low, high = ratio.interval(settings.beta)
    sides = _sides(metric)
    return (Classification.HIGH not in sides or high <= noticed) and (Classification.LOW not in sides or low >= -noticed)


__all__ = ["Assessment", "Shift", "Test", "assess", "ratio_within"]
