"""Brent's root finder as Kayenta calls it: same steps, same floats, same absolute tolerance.

It evaluates its function at the very points Kayenta evaluates, so where the
function agrees with Kayenta's bit for bit, the root does.

References
----------
.. [1] R. P. Brent, "Algorithms for Minimization without Derivatives", 1973, chapter 4:
   the method. Kayenta's variant is R's ``zeroin`` with a tolerance that does not
   depend on the unit of the data.
"""

from __future__ import annotations

from collections.abc import Callable

TOLERANCE = 1e-4
"""In the unit of the data, whatever that is: why Kayenta's verdicts depend on units."""

EPSILON = 2.220446049250313e-16
ITERATIONS = 1001
"""After so many Kayenta takes the last point as the root, without a word."""

_HALF = TOLERANCE / 2
_TWICE = 2 * EPSILON


def brent(  # noqa: PLR0912 - Brent's steps in one place, as they are compared with Kayenta's
    statistic: Callable[[float], float], target: float, a: float, b: float, *, at_a: float, at_b: float
) -> float:
    """Find where `statistic` meets `target` between a and b.

    Parameters
    ----------
    statistic : callable
        Falls from `at_a` at a to `at_b` at b, in steps.
    target : float
        What is subtracted from it before a root is looked for.

    Examples
    --------
    >>> round(brent(lambda mu: 1 - mu, 0.0, 0.0, 4.0, at_a=1.0, at_b=-3.0), 3)
    1.0
    """
    # Kayenta's zero is "within one unit of the last place of zero". Our statistic is a count over
    # a standard deviation, less a constant: where it is not zero it is never so small.
    fa, fb = at_a - target, at_b - target
    if fa == 0:
        return a
    if fb == 0:
        return b
    c, fc = a, fa
    for _ in range(ITERATIONS):
        previous = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        tol = _TWICE * abs(b) + _HALF
        cb = c - b
        step = cb / 2
        if abs(step) <= tol or fb == 0:
            return b
        if abs(previous) >= tol and abs(fa) > abs(fb):
            if a == c:
                t1 = fb / fa
                p = cb * t1
                q = 1 - t1
            else:
                q = fa / fc
                t1 = fb / fc
                t2 = fb / fa
                p = t2 * (cb * q * (q - t1) - (b - a) * (t1 - 1))
                q = (q - 1) * (t1 - 1) * (t2 - 1)
            if p > 0:
                q = -q
            else:
                p = -p
            if p < 0.75 * cb * q - abs(tol * q) / 2 and p < abs(previous * q / 2):
                step = p / q
        if abs(step) < tol:
            step = tol if step > 0 else -tol
        a, fa = b, fb
        b += step
        fb = statistic(b) - target
        if (fb > 0) if fc > 0 else (fb < 0 and fc < 0):
            c, fc = a, fa
    return b
