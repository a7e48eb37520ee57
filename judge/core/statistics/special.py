r"""The incomplete beta function and what follows from it, on arrays, without scipy.

scipy.special has the same functions, faster for millions of values; loading it
costs more than judging a canary, so the hot path does without. The tests compare
with it.

References
----------
.. [1] NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/8.17,
   release 1.2: 8.17.22 is the continued fraction, 8.17.4 the reflection.
.. [2] W. J. Lentz, "Generating Bessel functions in Mie scattering calculations using
   continued fractions", Appl. Opt. 15 (1976) 668-671, as modified by Thompson and Barnett.
"""

from __future__ import annotations

import math

import numpy as np

from judge.core.model import Floats

_TINY = 1e-300
_PRECISION = 4e-16
_MOST_TERMS = 20_000

_lgamma = np.vectorize(math.lgamma, otypes=[float])


def betainc(a: Floats | float, b: Floats | float, x: Floats | float) -> Floats:
    """Regularised incomplete beta function I_x(a, b), elementwise.

    Parameters
    ----------
    a, b : float or array
        Positive.
    x : float or array
        Between 0 and 1.

    Examples
    --------
    The chance of at least 2 heads in 3 throws of a fair coin:

    >>> float(betainc(2, 2, 0.5))
    0.5
    """
    a, b, x = (np.asarray(part, dtype=float) for part in np.broadcast_arrays(a, b, x))
    # The fraction converges fast on this side of its turning point; beyond it, reflect.
    reflect = x > (a + 1) / (a + b + 2)
    p, q = np.where(reflect, b, a), np.where(reflect, a, b)
    y = np.where(reflect, 1 - x, x)
    inside = (x > 0) & (x < 1)
    safe = np.where(inside, y, 0.5)
    log_front = _lgamma(p + q) - _lgamma(p) - _lgamma(q) + p * np.log(safe) + q * np.log1p(-safe)
    found = np.exp(log_front) * _fraction(p, q, safe) / p
    value = np.where(reflect, 1 - found, found)
    result: Floats = np.where(inside, np.clip(value, 0.0, 1.0), (x >= 1).astype(float))
    return result


def _fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """Value of the continued fraction ([1]_ 8.17.22), by Lentz's method ([2]_)."""

    def away_from_zero(value: Floats) -> Floats:
        return np.where(np.abs(value) < _TINY, _TINY, value)

    c = np.ones_like(x)
    d = 1 / away_from_zero(1 - (a + b) * x / (a + 1))
    value = d.copy()
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / away_from_zero(1 + even * d)
        c = away_from_zero(1 + even / c)
        value = value * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / away_from_zero(1 + odd * d)
        c = away_from_zero(1 + odd / c)
        step = d * c
        value = value * step
        if bool(np.all(np.abs(step - 1) < _PRECISION)):
            break
    return value
