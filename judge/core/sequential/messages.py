"""The sentences. Each finding has one of its own, and the numbers follow it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from judge.core import formatting as words
from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification, Comparison, Wait
from judge.core.sequential.assessment import Assessment, Ground
from judge.core.sequential.budget import Look
from judge.core.sequential.evidence import Evidence, Scaled, fraction
from judge.core.sequential.settings import SequentialSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Everything a sentence may need."""

    metric: MetricConfig
    evidence: Evidence
    found: Assessment
    comparison: Comparison | None
    look: Look
    waiting: Wait | None
    settings: SequentialSettings

    @property
    def counted(self) -> bool:
        """The metric is a ratio of counts."""
        return self.found.ratio is not None

    @property
    def tolerance(self) -> str:
        """What is accepted, in words."""
        return words.margin(self.metric.tolerance, counts=self.counted, unit=self.metric.unit)

    @property
    def must_detect(self) -> str:
        """What must not slip through, in words."""
        return words.margin(self.metric.must_detect, counts=self.counted, unit=self.metric.unit)

    @property
    def scaled(self) -> Scaled:
        """The scale; only asked for where values were compared."""
        assert self.found.scaled is not None
        return self.found.scaled


def sentence(saying: Saying) -> str:
    """Say what was found, plainly first."""
    return _SENTENCES[saying.found.ground](saying)


def _change(saying: Saying) -> str:
    """How much, and how surely."""
    found = saying.comparison
    assert found is not None
    if found.counts is not None:
        counts = found.counts
        return (
            f"{words.count(counts.canary_events)} of {words.count(counts.canary_total)} "
            f"({words.share(found.canary_value)}) on the canary, "
            f"{words.count(counts.baseline_events)} of {words.count(counts.baseline_total)} "
            f"({words.share(found.baseline_value)}) on the baseline"
        )
    if math.isnan(found.change):
        return f"{'+' if found.shift >= 0 else ''}{words.amount(found.shift, saying.metric.unit)} on average where the baseline is zero"
    return words.percent(found.change, sign=True)


def _level(level: float) -> str:
    """Write a level with as many digits as tell it from certainty.

    Examples
    --------
    >>> _level(0.9), _level(0.995947), _level(0.99996)
    ('90%', '99.6%', '99.996%')
    """
    outside = max(100 * (1 - level), 1e-9)
    return f"{100 * level:.{max(0, -math.floor(math.log10(outside)))}f}%"


def _interval(saying: Saying) -> str:
    found = saying.comparison
    assert found is not None
    level = _level(found.level)
    if found.counts is not None:
        return f"{level} interval {words.points(found.shift_low, sign=True)} to {words.points(found.shift_high, sign=True)}"
    if math.isnan(found.change):
        return f"{level} interval {words.number(found.shift_low)} to {words.amount(found.shift_high, saying.metric.unit)}"
    return f"{level} interval {words.percent(found.change_low, sign=True)} to {words.percent(found.change_high, sign=True)}"


def _numbers(saying: Saying) -> str:
    """The numbers at the end: Mann-Whitney, samples, look, level."""
    found = saying.comparison
    assert found is not None
    n = f"n={found.n_canary}" if found.n_canary == found.n_baseline else f"n={found.n_canary}/{found.n_baseline}"
    parts = [f"Mann-Whitney {words.p_value(found.pvalue)}", n]
    if found.n_effective < min(found.n_canary, found.n_baseline):
        parts.append(f"effective n={found.n_effective}")
    if str(saying.look):
        parts.append(str(saying.look))
    level = saying.found.levels.get(saying.found.ground.value, saying.found.levels.get("whole", 0.0))
    if saying.look.of > 1 and level > 0:
        parts.append(f"level {level:.2g}")
    return ", ".join(parts)


def _worse(saying: Saying) -> str:
    said = f"{_change(saying)}: more than the {saying.tolerance} that is accepted ({_interval(saying)}); {_numbers(saying)}"
    if saying.evidence.paired or saying.counted:
        return said
    return f"{said}; the sides are from different times, so what hit both is not cancelled"


def _regressed_lately(saying: Saying) -> str:
    part = "last quarter" if saying.found.since > 0.5 else "later half"
    return (
        f"got worse lately: {_change(saying)} in the {part} of the window, more than the {saying.tolerance} that is accepted "
        f"({_interval(saying)}); {_numbers(saying)}"
    )


def _times(value: float, scaled: Scaled) -> str:
    """A distance on the scale as a multiple, or in units of the baseline's level."""
    return f"{math.exp(min(value, 50.0)):.2g} times" if scaled.logarithmic else f"{words.percent(value)} of the usual value off"


def _tail(saying: Saying) -> str:
    assert saying.found.found is not None
    tail = saying.found.found.tail
    spikes = (
        f"{tail.canary} of {tail.n_canary} canary samples are spikes (up to {_times(tail.largest, saying.scaled)} their surroundings), "
        f"{tail.baseline} of {tail.n_baseline} on the baseline"
    )
    if saying.found.classification.regressed:
        return f"spikes that the baseline does not have: {spikes}, {words.p_value(tail.p)}; level {_change(saying)}; {_numbers(saying)}"
    return f"{spikes}: too few to be sure, too many to pass ({words.p_value(tail.p)}); level {_change(saying)}; {_numbers(saying)}"


def _spread(saying: Saying) -> str:
    assert saying.found.found is not None
    spread = saying.found.found.spread
    times = spread.canary / spread.baseline if spread.baseline else math.inf
    ratio = "far more widely than" if math.isinf(times) else f"{words.number(round(times, 1))} times as widely as"
    swings = f"swings {ratio} the baseline ({words.percent(spread.canary)} around its level against {words.percent(spread.baseline)})"
    accepted = f"{words.number(round(saying.settings.spread_accepted * saying.settings.wider, 1))} times is accepted"
    if saying.settings.wider > 1:
        accepted += f" of a canary with {words.percent(1 / saying.settings.wider**2)} of the baseline's requests"
    if saying.found.classification.regressed:
        return f"{swings}: {accepted}, {words.p_value(spread.p)}; level {_change(saying)}; {_numbers(saying)}"
    return f"{swings}: {accepted}, not yet sure ({words.p_value(spread.p)}); level {_change(saying)}; {_numbers(saying)}"


def _healed(saying: Saying) -> str:
    since = {1 / 3: "first third", 1 / 2: "first half", 2 / 3: "first two thirds"}.get(saying.found.since, "beginning")
    return (
        f"was worse at first and has healed: after the {since} of the window a change of {saying.must_detect} is ruled out; "
        f"over the whole window {_change(saying)}; {_numbers(saying)}"
    )


def _disagreed(saying: Saying) -> str:
    return (
        f"{_change(saying)} ({_interval(saying)}), but Mann-Whitney on samples that share no data does not agree: "
        f"not called a regression; {_numbers(saying)}"
    )


def _partly(saying: Saying) -> str:
    average, scaled = saying.found.average, saying.scaled
    known = scaled.logarithmic or scaled.base != 0
    mean = words.percent(fraction(average, scaled), sign=True) if known else words.amount(average * scaled.unit, saying.metric.unit)
    return (
        f"{_change(saying)} in most samples ({_interval(saying)}), but {mean} on average: a part of them is far from the others; "
        f"{_numbers(saying)}"
    )


def _lacking(saying: Saying) -> str:
    if saying.comparison is None:
        return f"too little to tell: {saying.found.lacking}"
    so_far = f"so far {_change(saying)} ({_interval(saying)})"
    return f"too little to tell: {saying.found.lacking}; {so_far}; {_numbers(saying)}{_longer(saying)}"


def _plain(saying: Saying) -> str:
    if saying.found.classification is Classification.PASS:
        return f"{_change(saying)}: a change of {saying.must_detect} is ruled out ({_interval(saying)}); {_numbers(saying)}"
    if saying.comparison is not None and math.isnan(saying.comparison.change) and not saying.metric.must_detect.absolute:
        return f"{_change(saying)}: say in the config how much is too much (must_detect.absolute); {_numbers(saying)}"
    return (
        f"{_change(saying)}: neither shown to exceed {saying.tolerance} nor to stay below {saying.must_detect} "
        f"({_interval(saying)}); {_numbers(saying)}{_longer(saying)}"
    )


def _beyond(saying: Saying) -> str:
    return (
        f"{_change(saying)} ({_interval(saying)}), but look {saying.look.number} is beyond the {saying.look.of} planned "
        f"and the error budget is spent: not called a regression any more, "
        f"and a change of {saying.must_detect} is not ruled out; {_numbers(saying)}"
    )


def _longer(saying: Saying) -> str:
    """Say how much longer."""
    waiting = saying.waiting
    if waiting is None:
        return ""
    sign = "-" if saying.metric.direction is Direction.DECREASE else "+"
    size = words.points(waiting.detectable) if saying.counted else words.percent(waiting.detectable)
    could = f"; about {sign}{size} would be seen now" if math.isfinite(waiting.detectable) and waiting.detectable < 50 else ""
    if waiting.hopeless:
        return f"{could}; more samples will hardly decide it: the change lies where either answer is right, or it varies too much"
    if waiting.requests:
        missing = f"{words.count(_rounded(waiting.requests))} more canary requests"
    else:
        missing = "one more sample" if waiting.samples == 1 else f"{waiting.samples:.0f} more samples"
    return f"{could}; about {missing} ({words.duration(waiting.seconds)}) should decide"


def _rounded(value: float) -> float:
    """Two significant digits: an estimate must not look like a count."""
    return float(f"{value:.2g}")


_SENTENCES: dict[Ground, Callable[[Saying], str]] = {
    Ground.WHOLE: _worse,
    Ground.RECENT: _regressed_lately,
    Ground.TAIL: _tail,
    Ground.SPREAD: _spread,
    Ground.HEALED: _healed,
    Ground.RANKS: _disagreed,
    Ground.PARTLY: _partly,
    Ground.LACKING: _lacking,
    Ground.ZERO: lambda saying: f"zero throughout on both sides; n={len(saying.evidence.canary)}",
    Ground.BEYOND: _beyond,
    Ground.NONE: _plain,
}
