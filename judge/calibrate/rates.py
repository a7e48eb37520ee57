"""Shares with their intervals, and the smallest change that a share of canaries is caught at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from judge.core.statistics.counts import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many, with Wilson's 95 % interval; all NaN of none."""

    count: int
    of: int
    share: float
    low: float
    high: float


def share(count: int, of: int) -> Share:
    """Estimate a share by Wilson's interval: right near 0 and 1, where healthy canaries are.

    Examples
    --------
    >>> found = share(0, 100)
    >>> found.share, round(found.low, 4), round(found.high, 4)
    (0.0, 0.0, 0.037)
    """
    if of <= 0:
        return Share(count=count, of=of, share=math.nan, low=math.nan, high=math.nan)
    low, high = wilson(count, of, level=0.95)
    # The ends are exact: rounding must not leave a hair of doubt where there is none.
    return Share(count=count, of=of, share=count / of, low=0.0 if count == 0 else low, high=1.0 if count == of else high)


def smallest_caught(sizes: Sequence[float], caught: Sequence[float], *, wanted: float) -> float | None:
    """Size at which `wanted` of the canaries are caught, between the sizes tried on a logarithmic scale; None where none is large enough.

    `sizes` grow; `caught` are the shares at each. A share that falls again for a larger size is taken for chance.

    Examples
    --------
    >>> smallest_caught([0.1, 0.2, 0.4], [0.0, 0.6, 1.0], wanted=0.8)
    0.282...
    """
    best, rising = 0.0, []
    for value in caught:
        best = max(best, value)
        rising.append(best)
    for index, value in enumerate(rising):
        if value >= wanted:
            if index == 0 or value == rising[index - 1]:
                return sizes[index]
            part = (wanted - rising[index - 1]) / (value - rising[index - 1])
            return math.exp(math.log(sizes[index - 1]) + part * (math.log(sizes[index]) - math.log(sizes[index - 1])))
    return None


def look_by(looks: Sequence[int], *, wanted: float) -> int | None:
    """Look by which `wanted` of all were caught; 0 in `looks` stands for never.

    Examples
    --------
    >>> look_by([3, 5, 4, 0, 9], wanted=0.8), look_by([0, 0, 1], wanted=0.8)
    (9, None)
    """
    caught = sorted(look for look in looks if look)
    needed = math.ceil(wanted * len(looks) - 1e-9)
    return caught[needed - 1] if 0 < needed <= len(caught) else None


def quantile(values: Sequence[float], at: float) -> float:
    """A quantile of what is finite; NaN of nothing."""
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return math.nan
    place = at * (len(finite) - 1)
    low = math.floor(place)
    high = min(low + 1, len(finite) - 1)
    return finite[low] + (place - low) * (finite[high] - finite[low])


def spread(values: Sequence[float]) -> float:
    """Robust standard deviation: half the width that holds the middle 68 %."""
    return (quantile(values, 0.8413) - quantile(values, 0.1587)) / 2
