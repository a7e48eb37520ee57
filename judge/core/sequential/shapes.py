"""Tail and spread: the level is the same, yet the canary has spikes, or swings more widely."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from judge.core.model import Floats, Mask
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.dependence import batch_length, batch_means, robust_scale, winsorise
from judge.core.statistics.tails import at_least, clusters, residuals

_FEWEST_SPIKES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Samples that stand out on each side, by more than `reach` on the scale; `p` of so many by chance."""

    p: float = 1.0
    canary: int = 0
    baseline: int = 0
    n_canary: int = 0
    n_baseline: int = 0
    largest: float = 0.0
    upward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean deviation of both sides from their surroundings, on the scale; `p` against the accepted ratio."""

    p: float = 1.0
    canary: float = 0.0
    baseline: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """What was found besides the level."""

    tail: Tail = Tail()
    spread: Spread = Spread()


def shapes(evidence: Evidence, scaled: Scaled, settings: SequentialSettings, *, upward: bool, downward: bool) -> Shapes:
    """Look for spikes in the bad direction and for a wider spread; nothing is found in few samples."""
    x, y = scaled.canary[:: evidence.stride], scaled.baseline[:: evidence.stride]
    if min(len(x), len(y)) < settings.min_shape_samples:
        return Shapes()
    r, s = residuals(x), residuals(y)
    size_r, size_s = np.abs(r), np.abs(s)
    return Shapes(
        tail=_tail(x, y, r, s, evidence, scaled, settings, upward=upward, downward=downward),
        spread=_spread(size_r, size_s, evidence, scaled, settings),
    )


def _tail(  # noqa: PLR0913 - both sides, raw and residual
    x: Floats,
    y: Floats,
    r: Floats,
    s: Floats,
    evidence: Evidence,
    scaled: Scaled,
    settings: SequentialSettings,
    *,
    upward: bool,
    downward: bool,
) -> Tail:
    own = _noise(s)
    least = settings.spike_notices * min(scaled.must_detect)
    if evidence.paired:
        d = residuals(x - y)
        scale = _noise(d)
        if scale <= own:
            # What both sides share is larger than what each has alone: spikes are sought in the difference. They are those of the side
            # that moved: where the baseline's memory is collected the difference jumps, and the canary did nothing.
            reach = max(settings.spike_deviations * scale, least)
            both = 2 if upward and downward else 1
            size = np.abs(d)
            apart = size > reach
            up = _compare(apart & (r > size / 2), apart & (s > size / 2), size, ways=both, settings=settings) if upward else Tail()
            down = _compare(apart & (r < -size / 2), apart & (s < -size / 2), size, ways=both, settings=settings) if downward else Tail()
            return up if up.p <= down.p else replace(down, upward=False)
    # Of the difference the canary's own noise is a part; the baseline's alone says too little of a canary with fewer requests.
    reach = max(settings.spike_deviations * settings.wider * own, least)
    if reach <= 0:
        return Tail()
    both = 2 if upward and downward else 1
    up = _compare(r > reach, s > reach, np.abs(r), ways=both, settings=settings) if upward else Tail()
    down = _compare(r < -reach, s < -reach, np.abs(r), ways=both, settings=settings) if downward else Tail()
    return up if up.p <= down.p else replace(down, upward=False)


def _noise(r: Floats) -> float:
    """Standard deviation that a few spikes do not move; rounded values, most of them equal, still have one."""
    return max(robust_scale(r)[1], 1.25 * float(np.abs(winsorise(r)).mean()))


def _compare(mine: Mask, theirs: Mask, sizes: Floats, *, ways: int, settings: SequentialSettings) -> Tail:
    count, against = int(mine.sum()), int(theirs.sum())
    # One long incident is one event, however many samples it covers.
    if count < _FEWEST_SPIKES or clusters(mine) < 2:
        return Tail()
    p = at_least(count, len(mine), against, len(theirs), rarity=settings.spike_rarity)
    return Tail(
        p=min(1.0, p * ways),
        canary=count,
        baseline=against,
        n_canary=len(mine),
        n_baseline=len(theirs),
        largest=float(sizes[mine].max()),
    )


def _spread(size_r: Floats, size_s: Floats, evidence: Evidence, scaled: Scaled, settings: SequentialSettings) -> Spread:
    canary, baseline = float(size_r.mean()), float(size_s.mean())
    accepted = settings.spread_accepted * settings.wider
    if canary - baseline <= min(scaled.tolerance) or canary <= accepted * baseline:
        return Spread(canary=canary, baseline=baseline)
    allowed = accepted * size_s
    if evidence.paired:
        p = _positive(_batched(winsorise(size_r - allowed), settings))
    else:
        p = _positive(_batched(winsorise(size_r), settings), _batched(allowed, settings))
    return Spread(p=p, canary=canary, baseline=baseline)


def _batched(sizes: Floats, settings: SequentialSettings) -> Floats:
    """Average at least two neighbours: what is left of their dependence after the surroundings' median is short."""
    return batch_means(sizes, length=max(batch_length(len(sizes), stride=1, most=settings.most_batches), 2))


def _positive(x: Floats, y: Floats | None = None) -> float:
    """One-sided p of a plain t test (Welch's for two sides) against a mean of x, less that of y, of at most zero."""
    from scipy.special import stdtr

    sides = [x] if y is None else [x, y]
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    squares = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    if squares <= 0:
        return 1.0
    freedom = sum(parts) ** 2 / squares
    difference = float(x.mean()) - (0.0 if y is None else float(y.mean()))
    return float(stdtr(freedom, -difference / math.sqrt(sum(parts))))
