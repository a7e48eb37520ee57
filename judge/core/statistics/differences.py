"""The differences of two samples by rank, without sorting all of them.

The Hodges-Lehmann shift and its interval are three of the n*m differences x - y in
order. With both samples sorted, how many differences lie below a value takes one
search per x; so each wanted one is bracketed by the differences of every fourth
sample, and only what lies in the bracket is looked at; of very many samples, by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from judge.core.model import Floats

_ALL_AT_ONCE = 4000
_EVERY = 4
_TOO_MANY_TO_BRACKET = 16_000_000
"""Above this many differences the brackets themselves would take hundreds of MB: there each is found by counting."""


def ordered_differences(x: Floats, y: Floats, ranks: Sequence[int]) -> list[float]:
    """Pick the differences x - y of these ranks (0 is the smallest) out of all n*m.

    Examples
    --------
    >>> ordered_differences(np.array([5.0, 1.0]), np.array([0.0, 2.0]), [0, 3])
    [-1.0, 5.0]
    """
    if len(x) * len(y) <= _ALL_AT_ONCE:
        flat = np.subtract.outer(x, y).ravel()
        flat.partition(sorted(set(ranks)))
        return [float(flat[rank]) for rank in ranks]
    xs, ys = np.sort(x), np.sort(y)
    if len(x) * len(y) > _TOO_MANY_TO_BRACKET:
        return [_difference_of_rank(xs, ys, rank) for rank in ranks]
    coarse = np.sort(np.subtract.outer(xs[_EVERY // 2 :: _EVERY], ys[_EVERY // 2 :: _EVERY]).ravel())
    wanted = sorted(set(ranks))
    groups: list[list[int]] = []
    for rank in wanted:
        if groups and rank == groups[-1][-1] + 1:
            groups[-1].append(rank)
        else:
            groups.append([rank])
    found = {rank: value for group in groups for rank, value in zip(group, _pick(xs, ys, coarse, group), strict=True)}
    return [found[rank] for rank in ranks]


def _pick(xs: Floats, ys: Floats, coarse: Floats, ranks: list[int]) -> list[float]:
    """Pick neighbouring ranks: widen the bracket until the ranks are inside, then look at what is inside."""
    total = len(xs) * len(ys)
    centre = ranks[0] / total * len(coarse)
    margin = max(0.01 * len(coarse), 8.0)
    pad = 1e-12 * max(abs(float(xs[-1] - ys[0])), abs(float(xs[0] - ys[-1])), 1e-300)
    while True:
        below, above = math.floor(centre - margin), math.ceil(centre + margin)
        low = float(coarse[below]) - pad if below >= 0 else -math.inf
        high = float(coarse[above]) + pad if above < len(coarse) else math.inf
        # x - y > low  <=>  y < x - low: in each row the differences between low and high are neighbours.
        ends = np.searchsorted(ys, xs - low, side="left") if below >= 0 else np.full(len(xs), len(ys))
        starts = np.searchsorted(ys, xs - high, side="left") if above < len(coarse) else np.zeros(len(xs), dtype=np.intp)
        smaller = total - int(ends.sum())
        inside = ends - starts
        count = int(inside.sum())
        if smaller <= ranks[0] and ranks[-1] < smaller + count:
            rows = np.repeat(np.arange(len(xs)), inside)
            offsets = np.arange(count) - np.repeat(np.cumsum(inside) - inside, inside)
            values = xs[rows] - ys[starts[rows] + offsets]
            places = [rank - smaller for rank in ranks]
            values.partition(places)
            return [float(values[place]) for place in places]
        margin *= 3


def _difference_of_rank(x: Floats, y_sorted: Floats, rank: int) -> float:
    """Bisect on the value, counting differences, until one difference is left in between."""
    low = float(x.min() - y_sorted[-1])
    high = float(x.max() - y_sorted[0])
    while True:
        middle = low + (high - low) / 2
        if middle in {low, high}:
            return high
        # x - y <= middle  <=>  y >= x - middle
        count = len(x) * len(y_sorted) - int(np.searchsorted(y_sorted, x - middle, side="left").sum())
        if count > rank:
            high = middle
        else:
            low = middle
