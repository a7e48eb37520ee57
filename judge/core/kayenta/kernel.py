r"""Kayenta's rank interval, bit for bit, without ranking everything at every step.

Kayenta asks of a shift :math:`\mu`: rank the samples :math:`x - \mu` among y, and take the
rank sum's deviation from its expectation in standard deviations; then finds with
Brent's method where that is z, -z and 0. The deviation is made of two exact
numbers: the pairs with :math:`x - \mu > y`, ties half, and the tie sum. So any
correct way of counting gives the same float, and Brent, who sees nothing else,
takes the same path. How the pairs are counted is in `probing`.

Brent stops within 1e-4 of the root, in the unit of the data, on either side; his
interval is therefore no statistic of tiny values, and its ends may even lie the
wrong way round. `exact` has the interval without a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judge.core.kayenta.brent import brent
from judge.core.kayenta.counting import LARGEST, Side, Statistic, by_ranking, has_negative_zero
from judge.core.kayenta.shift_counts import Lookup
from judge.core.model import Floats

Z = 2.326347874040841
"""Kayenta's 98 %: commons-math's quantile, one unit of the last place above the standard library's."""

PAIRS_TO_SORT = 16_000
"""Up to so many pairs of distinct values, sorting all differences is quicker than counting probe by probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The shift of x over y with its 98 % interval, in the unit of the data."""

    lower: float
    upper: float
    estimate: float


def rank_interval(x: Floats, y: Floats) -> Interval:
    """Give the interval Kayenta gives for the shift of x over y.

    Parameters
    ----------
    x, y : array of shape (n,) and (m,)
        The canary's and the baseline's samples: at least one each. NaN ranks as infinity.

    Raises
    ------
    AllTied
        Where Kayenta throws because all observations are tied.

    Examples
    --------
    >>> rank_interval(np.arange(2.0, 13, 2), np.arange(1.0, 12, 2))
    Interval(lower=-6.999992458676531, upper=8.999992458676534, estimate=1.0)
    """
    xs, ys = np.sort(x), np.sort(y)
    if not (_ordinary(x, xs) and _ordinary(y, ys)):
        return _ranked_interval(x, y)
    lookup = Lookup(Side.of(xs), Side.of(ys))
    at_low, at_high = lookup.ends()
    if len(lookup.x.values) * len(lookup.y.values) <= PAIRS_TO_SORT:
        statistic = lookup.all_sorted()
        return _solve(statistic, statistic, statistic, lookup.low, lookup.high, at_low, at_high)
    return _solve(lookup.near(Z), lookup.near(-Z), lookup.near(0.0), lookup.low, lookup.high, at_low, at_high)


def _ordinary(values: Floats, ordered: Floats) -> bool:
    """Tell whether values, and the same ones sorted, are finite, of sizes whose differences are too, and hold no -0.0."""
    # NaN sorts last and is under no limit.
    return bool(ordered[0] >= -LARGEST and ordered[-1] <= LARGEST) and not has_negative_zero(values, ordered)


def _ranked_interval(x: Floats, y: Floats) -> Interval:
    """Count by ranking at every probe: for infinities, -0.0 and differences that overflow."""
    statistic = by_ranking(x, y)
    (smallest_x, largest_x), (smallest_y, largest_y) = _extremes(x), _extremes(y)
    low, high = smallest_x - largest_y, largest_x - smallest_y
    return _solve(statistic, statistic, statistic, low, high, statistic(low), statistic(high))


def _extremes(values: Floats) -> tuple[float, float]:
    """Give Kayenta's minimum and maximum: of 0.0 and -0.0 the first, and beside a NaN whatever follows it."""
    smallest = largest = float(values[0])
    for value in values.tolist()[1:]:
        smallest = smallest if smallest <= value else value  # noqa: FURB136 - min() would drop a NaN
        largest = largest if largest >= value else value  # noqa: FURB136
    return smallest, largest


def _solve(
    for_lower: Statistic, for_upper: Statistic, for_estimate: Statistic, low: float, high: float, at_low: float, at_high: float
) -> Interval:
    def end(statistic: Statistic, target: float) -> float:
        if at_low - target <= 0:
            return low
        if at_high - target >= 0:
            return high
        return brent(statistic, target, low, high, at_a=at_low, at_b=at_high)

    return Interval(
        lower=end(for_lower, Z),
        upper=end(for_upper, -Z),
        estimate=brent(for_estimate, 0.0, low, high, at_a=at_low, at_b=at_high),
    )
