r"""Counts at one shift after another, where all values are finite and zeros have one sign.

`Lookup.all_sorted` sorts all differences x - y once and looks every probe up.
`Lookup.near` looks the sorted :math:`x - \mu` up in the sorted y, probe by probe, and
once a probe is near the root gathers and sorts the differences around it, for
Brent spends most of his probes there.

Both compare x - y with :math:`\mu` where Kayenta compares the rounded
:math:`x - \mu` with y. A probe within `guard` of a difference could tell them apart and is
counted on the rounded values (`Lookup.statistic`). Rounding may also make two distinct
x equal, who then tie with each other: `Lookup.merges` tells.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cached_property

import numpy as np

from judge.core.kayenta.counting import GUARD, Integers, Side, Spread, Statistic
from judge.core.model import Floats

LONG = 600
"""From this many distinct values np.interp, which walks along them, beats a binary search for each."""

NEAR = 512
"""A probe whose count is so near the root's begins a window."""

MARGIN = 64
"""Differences a window reaches beyond the root, by the slope of the last two probes."""

MOST = 8_192
"""Differences gathered at most."""

_TRIES = 2

_SMALLEST_GAP = 1e-300


class Lookup:
    """Counts pairs by looking every moved x up in y."""

    def __init__(self, x: Side, y: Side) -> None:
        """Take both sides: finite, no -0.0."""
        self.x, self.y = x, y
        self.spread = Spread(x.n, y.n)
        self.ties = x.ties + y.ties
        self.sigma = self.spread.deviation(self.ties)
        self.low = float(x.values[0]) - float(y.values[-1])
        self.high = float(x.values[-1]) - float(y.values[0])
        scale = sum(max(abs(float(side.values[0])), abs(float(side.values[-1]))) for side in (x, y))
        self.guard = GUARD * scale
        self._plain = x.counts is None and y.counts is None
        # Rounding x - mu may make neighbours equal that are no further apart than this.
        self.close = np.flatnonzero(x.values[1:] - x.values[:-1] <= self.guard) if x.gap <= self.guard else None
        m = len(y.values)
        self._padded = np.empty(m + 1)
        self._padded[:m] = y.values
        self._padded[m] = math.inf
        self._beyond = m + 0.5
        self._walk = np.arange(1.0, m + 1) if min(m, len(x.values)) >= LONG and y.gap > _SMALLEST_GAP else None

    @cached_property
    def _cumulated(self) -> Floats:
        cumulated = np.zeros(len(self.y.values) + 1)
        np.cumsum(self.y.weights, out=cumulated[1:])
        return cumulated

    def merges(self, mu: float) -> bool:
        """Tell whether rounding x - mu makes distinct x equal."""
        if self.close is None:
            return False
        values = self.x.values
        return bool(np.count_nonzero(values[self.close] - mu == values[self.close + 1] - mu))

    def count(self, mu: float) -> tuple[float, Integers, bool]:
        """Count the pairs with x - mu > y; give also how many y lie below each x, and whether any tie."""
        moved = self.x.values - mu
        if self._walk is not None:
            # Between two y the result is no whole number. Where rounding makes it one, that counts as a tie.
            walked = np.interp(moved, self.y.values, self._walk, 0.5, self._beyond)
            below = np.floor(walked)
            if not np.count_nonzero(below == walked):
                if self._plain:
                    return float(np.add.reduce(below)), below, False
                below = below.astype(np.intp)
                return float(self.x.weights.dot(self._cumulated.take(below))), below, False
        below = self.y.values.searchsorted(moved)
        u = float(np.add.reduce(below)) if self._plain else float(self.x.weights.dot(self._cumulated.take(below)))
        return u, below, bool(np.count_nonzero(self._padded.take(below) == moved))

    def statistic(self, mu: float) -> float:
        """Give Kayenta's statistic, counted on the rounded values."""
        if self.merges(mu):
            return self._merged(mu)
        u, below, tied = self.count(mu)
        if tied:
            return self._with_ties(mu, u, below)
        dz = u - self.spread.half
        return (dz - 0.5 if dz > 0 else dz + 0.5 if dz < 0 else dz) / self.sigma

    def _with_ties(self, mu: float, u: float, below: Integers) -> float:
        """Add half of the tied pairs, and what they add to the tie sum: (a + b)^3 - a^3 - b^3 for a x and b y."""
        at = np.flatnonzero(self._padded.take(below) == self.x.values - mu)
        a, b = self.x.weights[at], self.y.weights[below[at]]
        pairs = a * b
        return self.spread.statistic(u + float(pairs.sum()) / 2, self.ties + 3 * float((pairs * (a + b)).sum()))

    def _merged(self, mu: float) -> float:
        """Count where several distinct x round to one value: they tie with each other too."""
        moved = self.x.values - mu
        starts = np.flatnonzero(moved[1:] != moved[:-1]) + 1
        starts = np.concatenate([[0], starts])
        moved, a = moved[starts], np.add.reduceat(self.x.weights, starts)
        below = self.y.values.searchsorted(moved)
        u = float(a.dot(self._cumulated.take(below)))
        ties = self.y.ties + float((a**3 - a).sum())
        at = np.flatnonzero(self._padded.take(below) == moved)
        a, b = a[at], self.y.weights[below[at]]
        pairs = a * b
        return self.spread.statistic(u + float(pairs.sum()) / 2, ties + 3 * float((pairs * (a + b)).sum()))

    def ends(self) -> tuple[float, float]:
        """Give the statistic at the smallest and the largest difference, where mostly one pair is in doubt."""
        x, y = self.x.values, self.y.values
        lonely = self.close is None and x.size > 1 and y.size > 1
        if lonely and min(x[1] - x[0], y[-1] - y[-2], x[-1] - x[-2], y[1] - y[0]) > 2 * self.guard:
            pairs = float(self.x.n) * self.y.n
            return self._one_pair(0, -1, self.low, pairs), self._one_pair(-1, 0, self.high, 0.0)
        return self.statistic(self.low), self.statistic(self.high)

    def _one_pair(self, i: int, j: int, mu: float, others: float) -> float:
        a = 1.0 if self.x.counts is None else float(self.x.counts[i])
        b = 1.0 if self.y.counts is None else float(self.y.counts[j])
        moved, y = float(self.x.values[i]) - mu, float(self.y.values[j])
        if others:
            others -= a * b
        if moved == y:
            return self.spread.statistic(others + a * b / 2, self.ties + 3 * a * b * (a + b))
        return self.spread.statistic(others + a * b if moved > y else others, self.ties)

    def near(self, target: float) -> Statistic:
        """Give the statistic for one search of `target`: counted far from its root, looked up near it."""
        half, sigma, count = self.spread.half, self.sigma, self.count
        wanted = half + target * sigma
        lower = upper = math.nan
        look_up: Statistic = self.statistic
        last, last_u, tries = self.low, float(self.x.n) * self.y.n, _TRIES

        def statistic(mu: float) -> float:
            nonlocal lower, upper, look_up, last, last_u, tries
            if lower < mu < upper:
                return look_up(mu)
            if self.close is not None and self.merges(mu):
                return self._merged(mu)
            u, below, tied = count(mu)
            if tied:
                return self._with_ties(mu, u, below)
            if tries and abs(u - wanted) <= NEAR and (mu - last) * (last_u - u) > 0:
                tries -= 1
                reach = (abs(u - wanted) + MARGIN) * (mu - last) / (last_u - u)
                window = self._window((mu, u, below), mu + reach if u > wanted else mu - reach)
                if window is not None:
                    lower, upper, look_up = window
            last, last_u = mu, u
            dz = u - half
            return (dz - 0.5 if dz > 0 else dz + 0.5 if dz < 0 else dz) / sigma

        return statistic

    def _window(self, here: tuple[float, float, Integers], there: float) -> tuple[float, float, Statistic] | None:
        """Gather the differences between two probes; None where they are too many to be worth it."""
        u, below, _ = self.count(there)
        (lower, _, many), (upper, u_upper, few) = (here, (there, u, below)) if here[0] < there else ((there, u, below), here)
        few = few.astype(np.intp, copy=False)
        widths = many.astype(np.intp, copy=False) - few
        ends = widths.cumsum()
        total = int(ends[-1])
        if total > MOST:
            return None
        columns = np.arange(total) + np.repeat(few - ends + widths, widths)
        differences = np.repeat(self.x.values, widths) - self.y.values.take(columns)
        weights = None if self._plain else np.repeat(self.x.weights, widths) * self.y.weights.take(columns)
        # Within a guard of either end, which difference lies on which side is a matter of rounding.
        return lower + self.guard, upper - self.guard, self.looked_up(differences, weights, above=u_upper)

    def all_sorted(self) -> Statistic:
        """Give the statistic from all differences, sorted once."""
        differences = np.subtract.outer(self.x.values, self.y.values).ravel()
        weights = None if self._plain else np.multiply.outer(self.x.weights, self.y.weights).ravel()
        return self.looked_up(differences, weights, above=0.0)

    def looked_up(self, differences: Floats, weights: Floats | None, *, above: float) -> Statistic:
        """Give the statistic from some differences, each `weights` times, and the number of pairs above them all."""
        exact, guard, half, sigma, close = self.statistic, self.guard, self.spread.half, self.sigma, self.close
        padded = np.empty(len(differences) + 2)
        padded[0], padded[-1] = -math.inf, math.inf
        table = None
        if weights is None:
            differences.sort()
            padded[1:-1] = differences
        else:
            order = differences.argsort()
            padded[1:-1] = differences[order]
            passed = np.zeros(len(padded))
            np.cumsum(weights[order], out=passed[2:])
            table = (above + passed[-1] - half - passed).data
        # The items of an array's memory view are Python's floats, quicker to get at than the array's own.
        view = padded.data
        top = above + len(differences) + 1 - half

        def statistic(mu: float) -> float:
            at = bisect_left(view, mu)
            if view[at] - mu <= guard or mu - view[at - 1] <= guard or (close is not None and self.merges(mu)):
                return exact(mu)
            dz = top - at if table is None else table[at]
            return (dz - 0.5 if dz > 0 else dz + 0.5 if dz < 0 else dz) / sigma

        return statistic
