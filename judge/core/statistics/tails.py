r"""Rare large samples: spikes that one side has and the other has not.

Ranks and means hardly see three samples of thirty that are four times too large.
They are counted instead: samples that stand out of their own surroundings by more
than a baseline's noise ever does. The counts are compared by the chance that a
service like the baseline would show so many: the baseline's own share of spikes
is known only roughly, so it is averaged over what its counts leave open, starting
from the belief that most metrics have none ([1]_).

References
----------
.. [1] J. G. Skellam, "A probability distribution derived from the binomial
   distribution by regarding the probability of success as variable between the
   sets of trials", J. R. Stat. Soc. B 10 (1948) 257-261: the beta-binomial.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from judge.core.model import Floats, Mask

Indices: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.intp]]"

SURROUNDINGS = 7
"""Samples whose median is what a sample is held against: up to three neighbours may be spikes too."""


@lru_cache(maxsize=256)
def _surroundings(n: int) -> Indices:
    """Indices of each sample's seven, shape (n - 6, 7)."""
    return np.arange(n - SURROUNDINGS + 1)[:, None] + np.arange(SURROUNDINGS)


def residuals(values: Floats) -> Floats:
    """Subtract from each sample the median of the seven around it (the first and last seven at the ends).

    Levels, drifts and a warm-up of several samples vanish, isolated spikes stay.

    Parameters
    ----------
    values : array of shape (n,)
        At least 7 values.

    Examples
    --------
    >>> residuals(np.array([1.0, 1, 1, 1, 9, 1, 1, 1, 1])).tolist()
    [0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0]
    """
    half = SURROUNDINGS // 2
    around = values[_surroundings(len(values))]
    around.sort(axis=1)
    middle = around[:, half]
    level = np.concatenate([np.full(half, middle[0]), middle, np.full(half, middle[-1])])
    found: Floats = values - level
    return found


def clusters(hits: Mask) -> int:
    """Count the runs of neighbouring hits.

    Examples
    --------
    >>> clusters(np.array([True, True, False, True]))
    2
    """
    return int(hits[0]) + int((hits[1:] & ~hits[:-1]).sum()) if len(hits) else 0


@lru_cache(maxsize=4096)
def at_least(hits: int, n: int, other_hits: int, other_n: int, *, rarity: float) -> float:
    r"""Chance of at least `hits` of `n` where the other side has `other_hits` of `other_n`.

    The share of hits has the prior :math:`\mathrm{Beta}(\text{rarity}, 1)`: the smaller
    `rarity`, the firmer the belief that a side without spikes has none to come.

    Examples
    --------
    >>> round(at_least(3, 31, 0, 31, rarity=0.0125), 5), round(at_least(3, 31, 2, 31, rarity=0.0125), 2)
    (0.00079, 0.31)
    """
    if hits <= 0:
        return 1.0
    a, b = other_hits + rarity, other_n - other_hits + 1.0
    start = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    total = 0.0
    for k in range(hits, n + 1):
        choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        total += math.exp(start + choose + math.lgamma(k + a) + math.lgamma(n - k + b) - math.lgamma(n + a + b))
    return min(total, 1.0)
