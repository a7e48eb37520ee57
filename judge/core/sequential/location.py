"""Shifts of level: how far the canary's usual value lies from the baseline's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.core.model import Classification, Floats
from judge.core.sequential.directions import beyond
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.dependence import (
    Posterior,
    batch_length,
    batch_means,
    contrast,
    difference_of,
    mean_of,
    winsorise,
)
from judge.core.statistics.tails import SURROUNDINGS, residuals

FEWEST = 10
"""Samples a side that a paired comparison needs, whatever their dependence."""

FEWEST_LATE = 6
"""Batches that the later part of a window needs; the earlier part helps to tell their noise."""

_FEW = 0.05
"""Up to this share of the samples on either end are outliers; more of them are what the metric does."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shift:
    """The difference canary minus baseline on its scale; `posterior` is None where there is too little to tell."""

    posterior: Posterior | None
    batches: int
    lacking: str = ""


def shift(
    evidence: Evidence, scaled: Scaled, settings: SequentialSettings, *, last: float = 1.0, first: float = 0.0, fewest: int = FEWEST
) -> Shift:
    """Estimate the shift over part of the canary's window.

    Parameters
    ----------
    last, first : float
        The part: from `first` to `last` of its samples, as shares.
    fewest : int
        Samples needed where paired.
    """
    x, y = scaled.canary, scaled.baseline
    n = len(x)
    begin, end = int(n * first), round(n * last)
    x = x[begin:end]
    if evidence.paired:
        return _paired(x - y[begin:end], evidence.stride, settings, fewest)
    return _unpaired(x, y, evidence.stride, settings)


def late_shift(evidence: Evidence, scaled: Scaled, settings: SequentialSettings, *, since: float) -> Posterior | None:
    """Estimate the shift since this share of the canary's window; what was before it only tells the noise.

    None where a part is too short to have `FEWEST_LATE` batches.
    """
    x, y = scaled.canary, scaled.baseline
    begin = int(len(x) * since)
    if evidence.paired:
        d = winsorise_apart(x - y, begin)
        length = batch_length(len(x) - begin, stride=evidence.stride, most=settings.most_batches)
        early, late = batch_means(d[:begin], length=length), batch_means(d[begin:], length=length)
        return contrast((1.0, late), (0.0, early)) if min(len(early), len(late)) >= FEWEST_LATE else None
    x = winsorise_apart(x, begin)
    length = batch_length(min(len(x) - begin, len(y)), stride=evidence.stride, most=settings.most_batches)
    early, late = batch_means(x[:begin], length=length), batch_means(x[begin:], length=length)
    base = batch_means(winsorise(y), length=length)
    if min(len(early), len(late), len(base)) < FEWEST_LATE:
        return None
    return contrast((1.0, late), (-1.0, base), (0.0, early))


def on_average(evidence: Evidence, scaled: Scaled, *, first: float = 0.0, stretches: bool = False) -> float:
    """Difference of the plain means over the window from the share `first` on; only a few samples on either end are pulled in.

    Winsorised differences tell what most samples do. Where a fifth of them is far off (a bad minute in every five, or a baseline
    whose memory is collected at another time) that is not what the canary does on average. With `stretches` only those count that
    have company: single spikes are the tail's to judge.
    """
    begin = int(len(scaled.canary) * first)
    x, y = scaled.canary[begin:], scaled.baseline
    parts = [x - y[begin:]] if evidence.paired else [x, -y]
    if stretches:
        parts = [part - residuals(part) if len(part) >= SURROUNDINGS else part for part in parts]
    return sum(_mean_but_few(part) for part in parts)


def noticed_on_average(evidence: Evidence, scaled: Scaled, sides: Sequence[Classification], *, first: float = 0.0) -> float | None:
    """Difference of the plain means where it is beyond `must_detect`, single spikes or not, on one of these sides; else None."""
    mean = 0.0
    for stretches in (False, True):
        mean = on_average(evidence, scaled, first=first, stretches=stretches)
        if not any(beyond(mean, scaled.must_detect, side) for side in sides):
            return None
    return mean


def _mean_but_few(values: Floats) -> float:
    ordered = np.sort(values)
    few = min(math.ceil(_FEW * len(ordered)), (len(ordered) - 1) // 2)
    ordered[:few], ordered[len(ordered) - few :] = ordered[few], ordered[-1 - few]
    return float(ordered.mean())


def winsorise_apart(values: Floats, begin: int) -> Floats:
    """Winsorise what is before and after `begin` each around its own median."""
    joined: Floats = np.concatenate([winsorise(values[:begin]), winsorise(values[begin:])])
    return joined


def _paired(d: Floats, stride: int, settings: SequentialSettings, fewest: int) -> Shift:
    n = len(d)
    length = batch_length(n, stride=stride, most=settings.most_batches)
    batches = n // length
    needed = min(settings.min_batches, fewest)
    if n < fewest or batches < needed:
        return Shift(posterior=None, batches=batches, lacking=_lacking(n, fewest, batches, needed, stride))
    return Shift(posterior=mean_of(batch_means(winsorise(d), length=length)), batches=batches)


def _unpaired(x: Floats, y: Floats, stride: int, settings: SequentialSettings) -> Shift:
    lengths = [batch_length(len(values), stride=stride, most=settings.most_batches) for values in (x, y)]
    batches = [len(values) // length for values, length in zip((x, y), lengths, strict=True)]
    few, many = sorted(batches)
    if few < 3 or few + many < 15:
        needed = 3 if many >= 12 else settings.min_batches
        n = min(len(x), len(y))
        return Shift(posterior=None, batches=few, lacking=_lacking(n, needed, few, needed, stride))
    means = [batch_means(winsorise(values), length=length) for values, length in zip((x, y), lengths, strict=True)]
    return Shift(posterior=difference_of(means[0], means[1]), batches=few)


def _lacking(n: int, fewest: int, batches: int, needed: int, stride: int) -> str:
    if stride > 1 and n >= fewest:
        return f"{n} samples that overlap are {batches} independent ones, {needed} are needed"
    return f"{n} samples, {fewest} are needed"
