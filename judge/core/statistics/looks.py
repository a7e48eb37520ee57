r"""How an error budget is spent over repeated looks at growing data.

Looking twenty times at five percent is not five percent. With the number of looks
known, the budget is spent by a function of the share of the data that is there
([1]_): here :math:`\alpha t^2` ([2]_), which spends little while estimates are
poor. The boundary makes the chance of ever crossing it by look k exactly what may
be spent by then, for a statistic with independent increments.

References
----------
.. [1] K. K. G. Lan, D. L. DeMets, "Discrete sequential boundaries for clinical
   trials", Biometrika 70 (1983) 659-663.
.. [2] K. Kim, D. L. DeMets, "Design and analysis of group sequential tests based on
   the type I error spending rate function", Biometrika 74 (1987) 149-154.
.. [3] P. Armitage, C. K. McPherson, B. C. Rowe, "Repeated significance tests on
   accumulating data", J. R. Stat. Soc. A 132 (1969) 235-244: the recursion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from judge.core.model import Floats

_NODES = 48
_FLOOR = -9.0
"""Standard deviations below which a path no longer matters."""


def spent_power(share: float, alpha: float, *, power: float = 2.0) -> float:
    """Budget spent when this share of the data is there."""
    return float(alpha * min(share, 1.0) ** power)


@lru_cache(maxsize=256)
def _nodes(count: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(count)


def boundary(shares: tuple[float, ...], alpha: float, spent: Callable[[float, float], float] = spent_power) -> tuple[float, ...]:
    """Normal quantiles that the statistic must reach at each look, one-sided.

    Parameters
    ----------
    shares : tuple of float
        Share of the data at each look, increasing, in (0, 1].
    alpha : float
        Budget of all looks together.
    spent : callable
        Cumulated budget as a function of share and `alpha`.

    Examples
    --------
    >>> [round(z, 3) for z in boundary((0.5, 1.0), 0.025)]
    [2.498, 2.018]
    """
    found: list[float] = []
    # A path is the score B(t), variance t; `at`, `mass` is where it may be, below every boundary so far.
    at, mass = np.zeros(1), np.ones(1)
    before, gone = 0.0, 0.0
    for share in shares:
        step = math.sqrt(share - before)
        may = min(spent(share, alpha), alpha)
        more = max(may - gone, 1e-16)

        z = _solve(_Crossing(at=at, mass=mass, step=step, root=math.sqrt(share)), more)
        found.append(z)
        node, weight = _nodes(_NODES)
        top, bottom = z * math.sqrt(share), min(_FLOOR * math.sqrt(share), -1.0 * math.sqrt(share))
        # Paths far below no boundary can be reached again; two panels keep the upper edge sharp.
        cut = bottom + 0.5 * (top - bottom)
        here = np.concatenate([_scaled(node, bottom, cut), _scaled(node, cut, top)])
        width = np.concatenate([weight * (cut - bottom) / 2, weight * (top - cut) / 2])
        density = np.exp(-0.5 * ((here[:, None] - at[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        at, mass = here, width * (density @ mass)
        before, gone = share, gone + more
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Crossing:
    """Chance that a path which is at `at` with weight `mass` lies above z after one more step."""

    at: Floats
    mass: Floats
    step: float
    root: float

    def __call__(self, z: float) -> float:
        from scipy.special import ndtr

        return float(self.mass @ ndtr((self.at - z * self.root) / self.step))


def _scaled(node: Floats, low: float, high: float) -> Floats:
    scaled: Floats = low + (node + 1) * (high - low) / 2
    return scaled


def _solve(crossing: Callable[[float], float], target: float) -> float:
    """Find z where the chance of crossing is `target`: it falls with z."""
    low, high = -2.0, 9.0
    at_low, at_high = math.log(max(crossing(low), 1e-300)), math.log(max(crossing(high), 1e-300))
    wanted = math.log(target)
    if wanted <= at_high:
        return high
    for turn in range(80):
        middle = (low + high) / 2 if turn < 4 else low + (at_low - wanted) * (high - low) / max(at_low - at_high, 1e-300)
        middle = min(max(middle, low + 1e-3 * (high - low)), high - 1e-3 * (high - low))
        value = math.log(max(crossing(middle), 1e-300))
        if abs(value - wanted) < 1e-10 or high - low < 1e-12:
            return middle
        if value > wanted:
            low, at_low = middle, value
        else:
            high, at_high = middle, value
    return (low + high) / 2


@lru_cache(maxsize=512)
def levels(looks: int, alpha: float, power: float = 2.0) -> tuple[float, ...]:
    """One-sided level of each of `looks` even looks, spending `alpha` by :math:`t^{power}`.

    Examples
    --------
    >>> [round(level, 4) for level in levels(4, 0.05)]
    [0.0031, 0.0107, 0.0222, 0.0384]
    """
    from scipy.special import ndtr

    if looks <= 1:
        return (alpha,)
    shares = tuple((look + 1) / looks for look in range(looks))
    return tuple(float(ndtr(-z)) for z in boundary(shares, alpha, lambda share, budget: spent_power(share, budget, power=power)))
