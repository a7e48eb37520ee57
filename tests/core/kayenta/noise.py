"""Java's seeded noise: what Kayenta would have rolled.

In production Kayenta adds unseeded noise where both sides are constant, and its
verdict is then a roll of dice. This judge never does; `rolled` makes it do so with a seed.

Java's logarithm here is StrictMath's, which is that of fdlibm: its last place is
specified, and is not the platform's.

References
----------
.. [1] K. C. Ng, "fdlibm, the Freely Distributable Math Library", 1993, e_log.c: the
   reduction to 2^k (1 + f), the polynomial in s = f / (2 + f), and its coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from judge.core.kayenta.classify import Found, classify
from judge.core.kayenta.java_json import MetricRule
from judge.core.kayenta.kernel import rank_interval
from judge.core.model import Floats

_MASK = (1 << 48) - 1
_MULTIPLIER = 0x5DEECE66D


_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)
_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)


def strict_log(x: float) -> float:
    """Give Java's StrictMath.log of a positive normal number, to the last place.

    Examples
    --------
    >>> strict_log(1.0), strict_log(0.5)
    (0.0, -0.6931471805599453)
    """
    mantissa, exponent = math.frexp(x)
    # fdlibm looks at the upper 20 bits of the mantissa in [1, 2): from about sqrt(2) on it takes the half.
    k, upper = exponent - 1, int((2 * mantissa - 1) * 2.0**20)
    halve = upper + 0x95F64 >= 0x100000
    f = (mantissa if halve else 2 * mantissa) - 1
    k += halve
    high, low = k * _LN2_HIGH, k * _LN2_LOW
    if ((upper + 2) & 0xFFFFF) < 3:  # |f| < 2^-20
        if f == 0:
            return high + low
        rest = f * f * (0.5 - 0.33333333333333333 * f)
        return high - ((rest - low) - f)
    s = f / (2 + f)
    z = s * s
    w = z * z
    even = w * (_EVEN[0] + w * (_EVEN[1] + w * _EVEN[2]))
    odd = z * (_ODD[0] + w * (_ODD[1] + w * (_ODD[2] + w * _ODD[3])))
    rest = odd + even
    if (upper - 0x6147A) | (0x6B851 - upper) > 0:
        half = 0.5 * f * f
        return high - ((half - (s * (half + rest) + low)) - f)
    return high - ((s * (f - rest) - low) - f)


class JavaGaussians:
    """The numbers that ``new java.util.Random(seed).nextGaussian()`` gives, one after another.

    Examples
    --------
    >>> JavaGaussians(42).next()
    1.1419053154730547
    """

    def __init__(self, seed: int) -> None:
        """Start from a seed of 64 bits, of which Java uses 48."""
        self._state = (seed ^ _MULTIPLIER) & _MASK
        self._kept: float | None = None

    def next(self) -> float:
        """Give the next number of the standard normal distribution."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        while True:
            a, b = 2 * self._double() - 1, 2 * self._double() - 1
            square = a * a + b * b
            if 0 < square < 1:
                scale = math.sqrt(-2 * strict_log(square) / square)
                self._kept = b * scale
                return a * scale

    def _bits(self, count: int) -> int:
        self._state = (self._state * _MULTIPLIER + 0xB) & _MASK
        return self._state >> (48 - count)

    def _double(self) -> float:
        return ((self._bits(26) << 27) + self._bits(27)) * 2.0**-53


def noisy(values: Floats, gaussians: JavaGaussians) -> Floats:
    """Add Kayenta's noise: a hundred-thousandth of the first value is one standard deviation."""
    deviation = float(values[0]) * 1e-5
    return np.array([value + (gaussians.next() * deviation + 0.0) for value in values.tolist()])


@contextmanager
def rolled(seed: int) -> Iterator[None]:
    """Give two different constants Kayenta's noise, from this seed, in every metric judged inside."""
    gaussians = JavaGaussians(seed)

    def classify_noisy(rule: MetricRule, canary: Floats, baseline: Floats) -> Found:
        constant = all(len(side) and side.min() == side.max() for side in (canary, baseline))
        if constant and canary[0] != baseline[0]:
            canary, baseline = noisy(canary, gaussians), noisy(baseline, gaussians)
        return classify(rule, canary, baseline)

    with (
        mock.patch("judge.core.kayenta.judge.classify", classify_noisy),
        # Single samples are constants with noise, too, and Kayenta ranks them.
        mock.patch("judge.core.kayenta.classify._between_constants", rank_interval),
    ):
        yield
