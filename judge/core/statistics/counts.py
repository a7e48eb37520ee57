r"""Two proportions compared as the counts they are.

A ratio of small counts is two counts: 1 error of 40 requests is not "2.5 %".

References
----------
.. [1] J. Przyborowski, H. Wilenski, "Homogeneity of results in testing samples from
   Poisson series", Biometrika 31 (1940) 313-323: the conditional binomial test.
.. [2] R. G. Newcombe, "Interval estimation for the difference between independent
   proportions: comparison of eleven methods", Stat. Med. 17 (1998) 873-890, method 10.
.. [3] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed., 1989,
   section 4.5: dispersion from Pearson's statistic.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from judge.core.model import Floats


def ratio_exceeds(events: float, total: float, base_events: float, base_total: float, *, ratio: float) -> float:
    r"""One-sided p-value against "the rate is at most `ratio` times the base's rate".

    Given the events of both sides together, this side's share of them is binomial
    with probability :math:`q = r n_1 / (r n_1 + n_0)` ([1]_). Counts need not be whole
    numbers (Prometheus extrapolates, and over-dispersed counts are divided):
    the binomial tail is continued by the incomplete beta function.

    Examples
    --------
    20 errors of 1000 against 5 of 1000, no tolerance: P(at least 20 of 25 at 1/2).

    >>> round(ratio_exceeds(20, 1000, 5, 1000, ratio=1.0), 6)
    0.002039
    """
    if events <= 0:
        return 1.0
    if total <= 0 or base_total <= 0:
        msg = f"both totals must be positive, got {total} and {base_total}"
        raise ValueError(msg)
    from scipy.special import betainc

    share = ratio * total / (ratio * total + base_total)
    return float(betainc(events, base_events + 1, share))


def wilson(events: float, total: float, *, level: float) -> tuple[float, float]:
    """Wilson's score interval of one proportion, two-sided at `level`.

    Examples
    --------
    >>> low, high = wilson(0, 100, level=0.95)
    >>> low, round(high, 4)
    (0.0, 0.037)
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    proportion = events / total
    centre = proportion + z * z / (2 * total)
    spread = z * math.sqrt(max(proportion * (1 - proportion) / total + z * z / (4 * total * total), 0.0))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def newcombe(events: float, total: float, base_events: float, base_total: float, *, level: float) -> tuple[float, float]:
    """Interval of the difference of two proportions, this side minus the base ([2]_, method 10).

    Examples
    --------
    The first row of Newcombe's Table II, 56/70 against 48/80:

    >>> low, high = newcombe(56, 70, 48, 80, level=0.95)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    p, q = events / total, base_events / base_total
    p_low, p_high = wilson(events, total, level=level)
    q_low, q_high = wilson(base_events, base_total, level=level)
    return (
        p - q - math.hypot(p - p_low, q_high - q),
        p - q + math.hypot(p_high - p, q - q_low),
    )


def dispersion(events: Floats, totals: Floats) -> tuple[float, int]:
    """Pearson's statistic of one side's samples over its degrees of freedom ([3]_).

    Returns the statistic itself and its degrees of freedom, so that two sides can be
    pooled. Samples without requests say nothing and are left out; the statistic is 0
    with 0 degrees of freedom where the proportion is 0 or 1 or fewer than 2 samples are left.

    Parameters
    ----------
    events, totals : arrays of shape (n,)
        Counts per sample.
    """
    asked = totals > 0
    events, totals = events[asked], totals[asked]
    proportion = float(events.sum() / totals.sum()) if len(totals) else 0.0
    if len(totals) < 2 or not 0 < proportion < 1:
        return 0.0, 0
    expected = totals * proportion
    return float((np.square(events - expected) / (expected * (1 - proportion))).sum()), len(totals) - 1
