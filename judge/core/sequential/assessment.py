"""What one metric's evidence says at this look: regressed, within what is accepted, or neither shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification
from judge.core.sequential.budget import Look, split
from judge.core.sequential.count_ratio import Ratio, compare_counts
from judge.core.sequential.directions import bad_sides, beyond, noticed, worst
from judge.core.sequential.evidence import Evidence, Scaled, on_scale
from judge.core.sequential.location import late_shift, noticed_on_average, on_average, shift
from judge.core.sequential.recovery import healed_since
from judge.core.sequential.settings import SequentialSettings
from judge.core.sequential.shapes import Shapes, shapes
from judge.core.statistics.dependence import Posterior
from judge.core.statistics.ranks import RankTest, mann_whitney

LATE = {0.5: 0.7, 0.75: 0.3}
"""Where the later parts of the window begin, with their shares of what is spent on recent changes."""

_DOUBT = {0.5: 0.25, 0.75: 0.5}
"""A later part is no reason for doubt where a change of `must_detect` is less probable than this."""

_RECENT = 0.5
_RECENT_FEWEST = 30
_SUSPECT_FEWEST = 16
_STEADY = 0.2


class Ground(StrEnum):
    """On what ground a metric was decided, or kept open."""

    WHOLE = "whole"
    RECENT = "recent"
    TAIL = "tail"
    SPREAD = "spread"
    HEALED = "healed"
    RANKS = "ranks"
    PARTLY = "partly"
    LACKING = "lacking"
    ZERO = "zero"
    BEYOND = "beyond the plan"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """One metric at one look.

    `levels` are the one-sided levels of the tests at this look, `p` is of the one that
    decided. `estimate` is the shift on the scale of `scaled`, `recent` that of the later
    part that decided; for counts `ratio` and `recent_ratio` are in their place. `average` is the difference of the plain means
    where they say something else than most samples do. `since` is the share of
    the window after which a healed canary is well, or a late change begins. `suspect` is an undecided
    metric of which a change of `must_detect` is nearly sure, or whose shape is too odd to pass.
    """

    classification: Classification = Classification.UNDECIDED
    ground: Ground = Ground.NONE
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
    average: float = 0.0
    suspect: bool = False


def assess(evidence: Evidence, metric: MetricConfig, look: Look, budget: float, settings: SequentialSettings) -> Assessment:
    """Decide one metric from its evidence; `budget` is its part of the rollout's error budget."""
    shares = split(budget, settings, name=metric.name, counted=evidence.counted)
    levels = {test: look.level(share, settings.spending_power) for test, share in shares.items()}
    if evidence.counted:
        return _assess_counts(evidence, metric, levels, settings)
    scaled = on_scale(evidence, metric)
    if not evidence.canary.any() and not evidence.baseline.any():
        return Assessment(classification=Classification.PASS, ground=Ground.ZERO, levels=levels)
    whole = shift(evidence, scaled, settings)
    if whole.posterior is None:
        return Assessment(ground=Ground.LACKING, levels=levels, scaled=scaled, lacking=whole.lacking)
    return _Values(evidence, metric, scaled, whole.posterior, levels, settings).decide()


class _Values:
    """The decision about a metric whose values are compared.

    More tolerance never makes a regression: every way to one is tried, whatever
    the others found.
    """

    def __init__(
        self,
        evidence: Evidence,
        metric: MetricConfig,
        scaled: Scaled,
        whole: Posterior,
        levels: dict[str, float],
        settings: SequentialSettings,
    ) -> None:
        self.evidence, self.metric, self.scaled, self.settings = evidence, metric, scaled, settings
        self.levels, self.whole = levels, whole
        self.caution = min(1.0, whole.effective / _least_effective(whole, settings)) ** 2
        self.late = self._late(_RECENT_FEWEST)
        self.shapes = self._shapes()
        self.p = worst(whole, scaled, metric)[0]

    def _late(self, fewest: int) -> list[tuple[float, Posterior]]:
        """The shift over the later parts of a window of so many samples, with the share of the window before each."""
        if "recent" not in self.levels or len(self.evidence.canary) < fewest:
            return []
        found = ((since, late_shift(self.evidence, self.scaled, self.settings, since=since)) for since in LATE)
        return [(since, late) for since, late in found if late is not None]

    def _shapes(self) -> Shapes:
        if "tail" not in self.levels and "spread" not in self.levels:
            return Shapes()
        sides = bad_sides(self.metric)
        upward, downward = Classification.HIGH in sides, Classification.LOW in sides
        return shapes(self.evidence, self.scaled, self.settings, upward=upward, downward=downward)

    def decide(self) -> Assessment:
        """Try every way to a regression, then every reason for doubt, then whether it is within what is accepted."""
        shifted = self._shifts()
        since = healed_since(self.evidence, self.scaled, self.metric, self.settings) if shifted else None
        disagreed = partly = None
        for begin, p, side in shifted if since is None else []:
            ranks, agrees = self._ranks(begin, side)
            if not agrees:
                disagreed = self._found(Classification.UNDECIDED, Ground.RANKS, p, ranks=ranks)
            elif not beyond(average := on_average(self.evidence, self.scaled, first=begin), self.scaled.tolerance, side):
                disagreed = replace(self._found(Classification.UNDECIDED, Ground.PARTLY, p, ranks=ranks), average=average)
            else:
                ground = Ground.RECENT if begin else Ground.WHOLE
                return self._found(side, ground, p, ranks=ranks, since=begin)
        shaped = self._shaped()
        if shaped is not None:
            return shaped
        if disagreed is not None:
            return disagreed
        if since is None and self._within():
            far = noticed_on_average(self.evidence, self.scaled, bad_sides(self.metric))
            if far is None:
                return self._found(Classification.PASS, Ground.NONE, self.p)
            partly = replace(self._found(Classification.UNDECIDED, Ground.PARTLY, self.p), average=far, suspect=True)
        if since is None:
            since = healed_since(self.evidence, self.scaled, self.metric, self.settings)
        if since is not None:
            return self._found(Classification.PASS, Ground.HEALED, self.p, since=since)
        if partly is not None:
            return partly
        if self.caution < 1:
            few = f"{self.whole.n} samples that resemble each other are worth {self.whole.effective:.1f} independent ones"
            return replace(self._found(Classification.UNDECIDED, Ground.LACKING, self.p), lacking=few)
        return self._found(Classification.UNDECIDED, Ground.NONE if self.levels["whole"] > 0 else Ground.BEYOND, self.p)

    def _found(
        self, classification: Classification, ground: Ground, p: float, *, ranks: RankTest | None = None, since: float = 0.0
    ) -> Assessment:
        recent = next((late for begin, late in self.late if begin == since), None)
        undecided = classification is Classification.UNDECIDED
        return Assessment(
            classification=classification,
            ground=ground,
            levels=self.levels,
            p=p,
            scaled=self.scaled,
            estimate=self.whole,
            recent=recent,
            since=since,
            found=self.shapes,
            ranks=ranks,
            suspect=undecided and (ground in {Ground.TAIL, Ground.SPREAD} or self._suspect()),
        )

    def _suspect(self) -> bool:
        """Whether a change as large as `must_detect` is nearly sure, over the whole window or a later part.

        The later parts are asked earlier than for a regression: a pass can wait where a fail could not be undone.
        """
        late = self.late if self.late else self._late(_SUSPECT_FEWEST)
        parts = (self.whole, *(part for _, part in late))
        return any(noticed(part, self.scaled, side) > self.settings.suspect for part in parts for side in bad_sides(self.metric))

    def _shifts(self) -> list[tuple[float, float, Classification]]:
        """Every part of the window over which the level is beyond tolerance: what is before it, p and side."""
        found = []
        p, side = worst(self.whole, self.scaled, self.metric)
        if _shown(p, self.levels["whole"] * self.caution * self._shortness(min(len(self.evidence.canary), len(self.evidence.baseline)))):
            found.append((0.0, p, side))
        for since, late in self.late:
            p, side = worst(late, self.scaled, self.metric)
            if _shown(p, self.levels["recent"] * LATE[since] * self._shortness(len(self.evidence.canary))):
                found.append((since, p, side))
        return found

    def _shortness(self, n: float) -> float:
        """Factor on a level where so few samples can hardly show how they depend on each other."""
        return min(1.0, n / self.settings.enough_samples) ** 2

    def _ranks(self, begin: float, side: Classification) -> tuple[RankTest, bool]:
        """Ask Mann-Whitney, of the part of the window that the shift is in."""
        ranked = self.evidence.ranked
        assert ranked is not None
        x, y = ranked.canary, ranked.baseline
        if begin:
            cut = int(len(x) * begin)
            x, y = x[cut:], y[cut:] if self.evidence.paired else y
        ranks = mann_whitney(x, y)
        one_sided = ranks.greater if side is Classification.HIGH else ranks.less
        return ranks, one_sided <= self.settings.agreement

    def _shaped(self) -> Assessment | None:
        """A spread or tail that was shown, or is suspicious enough not to pass."""
        upper = Classification.HIGH in bad_sides(self.metric)
        tail = Classification.HIGH if self.shapes.tail.upward and upper else Classification.LOW
        found = (
            (Ground.SPREAD, self.shapes.spread.p, Classification.HIGH if upper else Classification.LOW),
            (Ground.TAIL, self.shapes.tail.p, tail),
        )
        for ground, p, side in found:
            if _shown(p, self.levels.get(ground.value, 0.0)):
                return self._found(side, ground, p)
        for ground, p, _ in found:
            if ground.value in self.levels and p <= self.settings.suspicion:
                return self._found(Classification.UNDECIDED, ground, p)
        return None

    def _within(self) -> bool:
        """Whether a change as large as `must_detect` is excluded, and the later half gives no reason for doubt."""
        for side in bad_sides(self.metric):
            if noticed(self.whole, self.scaled, side) > self.settings.beta * self.caution:
                return False
            if any(noticed(late, self.scaled, side) > _DOUBT[since] for since, late in self.late):
                return False
        return True


def _shown(p: float, level: float) -> bool:
    """Whether a test with this level rejects; one without a level (beyond the plan, switched off) never does, not even where p is 0."""
    return p <= level and level > 0


def _least_effective(found: Posterior, settings: SequentialSettings) -> float:
    """Samples worth deciding on; where the canary has but a few the baseline's tell the noise."""
    return settings.min_effective if found.n >= settings.min_batches else found.n / 2


def _assess_counts(evidence: Evidence, metric: MetricConfig, levels: dict[str, float], settings: SequentialSettings) -> Assessment:
    ratio = compare_counts(evidence, metric, settings)
    if ratio is None or ratio.batches < settings.min_batches:
        batches = 0 if ratio is None else ratio.batches
        lacking = f"{batches} samples with requests that share no data, {settings.min_batches} are needed to know how the counts vary"
        return Assessment(ground=Ground.LACKING, levels=levels, lacking=lacking)
    recent = None
    if "recent" in levels and len(evidence.canary) >= _RECENT_FEWEST:
        late = compare_counts(evidence, metric, settings, first=1 - _RECENT)
        recent = late if late is not None and late.batches >= settings.min_batches else None
    base = Assessment(levels=levels, ratio=ratio, recent_ratio=recent)
    p, side = _worst_ratio(ratio, metric)
    steady = recent is not None and ratio_within(recent, metric, settings) and _worst_ratio(recent, metric)[0] > _STEADY
    if _shown(p, levels["whole"]) and not steady:
        return replace(base, classification=side, ground=Ground.WHOLE, p=p)
    if recent is not None:
        p_recent, side = _worst_ratio(recent, metric)
        if _shown(p_recent, levels["recent"]):
            return replace(base, classification=side, ground=Ground.RECENT, p=p_recent)
    if _shown(p, levels["whole"]):
        return replace(base, classification=Classification.PASS, ground=Ground.HEALED, p=p, since=1 - _RECENT)
    if ratio_within(ratio, metric, settings):
        return replace(base, classification=Classification.PASS, p=p)
    if steady and recent is not None and _has_fallen(ratio, recent, metric):
        return replace(base, classification=Classification.PASS, ground=Ground.HEALED, p=p, since=1 - _RECENT)
    ground = Ground.NONE if levels["whole"] > 0 else Ground.BEYOND
    seen = [ratio] if recent is None else [ratio, recent]
    return replace(base, ground=ground, p=p, suspect=any(_ratio_suspect(each, metric) for each in seen))


def _ratio_suspect(ratio: Ratio, metric: MetricConfig) -> bool:
    """Whether the difference that was seen is larger than `must_detect`."""
    return _worse(ratio.canary - ratio.baseline, metric) > ratio.amount(metric.must_detect)


def _worse(difference: float, metric: MetricConfig) -> float:
    """How far a difference goes in a bad direction; negative where it goes in a good one."""
    return max(difference if side is Classification.HIGH else -difference for side in bad_sides(metric))


def _worst_ratio(ratio: Ratio, metric: MetricConfig) -> tuple[float, Classification]:
    p, side = min((ratio.up, Classification.HIGH), (ratio.down, Classification.LOW), key=lambda found: found[0])
    sides = bad_sides(metric)
    return min(1.0, p * len(sides)), side if p < 1 else sides[0]


def _has_fallen(whole: Ratio, recent: Ratio, metric: MetricConfig) -> bool:
    """Whether the canary's earlier half was worse than its later one by more than `must_detect`."""
    requests = whole.counts.canary_total - recent.counts.canary_total
    if requests <= 0:
        return False
    better = (whole.counts.canary_events - recent.counts.canary_events) / requests - recent.canary
    return _worse(better, metric) > whole.amount(metric.must_detect)


def ratio_within(ratio: Ratio, metric: MetricConfig, settings: SequentialSettings) -> bool:
    """Whether a difference as large as `must_detect` is excluded."""
    margin = ratio.amount(metric.must_detect)
    low, high = ratio.interval(settings.beta)
    up = metric.direction is Direction.DECREASE or high <= margin
    return up and (metric.direction is Direction.INCREASE or low >= -margin)
