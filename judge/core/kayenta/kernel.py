r"""Kayenta's rank interval, bit for bit, without ranking anything twice.

Kayenta asks of a shift :math:`\mu`: rank the samples :math:`x - \mu` among y, take
the rank sum's deviation from its expectation in standard deviations, and find
with Brent's method where that is z, -z and 0. Both ingredients of the statistic
are exact in a double: twice the number of pairs with :math:`x - \mu > y`, ties
half, and the tie sum. So any correct way of counting gives the same float, and
Brent, who sees nothing else, takes the same path.

Three ways of counting:

* few pairs: sort all differences x - y once, and look each probe up;
* many: look the sorted :math:`x - \mu` up in the sorted y, probe by probe;
* infinities, negative zeros, overflow: rank on integers that sort as Kayenta sorts.

The first two compare :math:`x - y` with :math:`\mu` where Kayenta compares the
rounded :math:`x - \mu` with y, so a probe within `_GUARD` roundings of a difference
is counted as Kayenta counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judge.core.kayenta.brent import EPSILON, brent
from judge.core.model import Floats

Z = 2.326347874040841
"""Kayenta's 98 %: commons-math's quantile, one unit of the last place above the standard library's."""

PAIRS_TO_SORT = 12_000
"""Up to this many pairs of distinct values their differences are sorted; above, each probe is counted."""

LONG = 600
"""From this many distinct values np.interp, which goes along the sorted values, beats a binary search for each."""

_GUARD = 8 * EPSILON
_LARGEST = 1e290
_SMALLEST_GAP = 1e-290


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The shift of x over y with its 98 % interval, in the unit of the data; an end may lie above the other."""

    lower: float
    upper: float
    estimate: float


class AllTied(ArithmeticError):
    """Every observation ties with every other at some probe: there is no interval."""

    def __init__(self) -> None:
        super().__init__("cannot compute confidence interval when all observations are tied")


Statistic = Callable[[float], float]


def rank_interval(x: Floats, y: Floats) -> Interval:
    """Give the interval Kayenta gives for the shift of x over y.

    Parameters
    ----------
    x, y : array of shape (n,) and (m,)
        The canary's and the baseline's samples: at least one each, no NaN.

    Raises
    ------
    AllTied
        Where Kayenta throws that all observations are tied.

    Examples
    --------
    >>> rank_interval(np.array([2.0, *range(4, 13)]), np.array([1.0, *range(3, 12)]))
    Interval(lower=-6.999992458676531, upper=8.999992458676534, estimate=1.0)
    """
    xs, ys = np.sort(x), np.sort(y)
    statistic, low, high, at_low, at_high = _prepare(x, y, xs, ys)
    return Interval(
        lower=_end(statistic, Z, low, high, at_low=at_low, at_high=at_high),
        upper=_end(statistic, -Z, low, high, at_low=at_low, at_high=at_high),
        estimate=brent(statistic, 0.0, low, high, at_a=at_low, at_b=at_high),
    )


def _end(statistic: Statistic, target: float, low: float, high: float, *, at_low: float, at_high: float) -> float:
    if at_low - target <= 0:
        return low
    if at_high - target >= 0:
        return high
    return brent(statistic, target, low, high, at_a=at_low, at_b=at_high)
