r"""The mean of samples that depend on each other in time.

Consecutive samples of one service resemble each other, so n of them carry less
than n samples' information, and how much less must itself be learnt from few
samples. The answer used here does not pick one autocorrelation but averages over
all of them: it is the posterior of the mean of an AR(1) process ([1]_) on batch
means ([2]_), with the prior :math:`\varphi \sim \mathrm{Beta}(1, 3)` on the
autocorrelation and none on mean and variance. Given :math:`\varphi` the mean has a
t distribution, so everything is a weighted sum of t distributions.

References
----------
.. [1] A. Zellner, G. C. Tiao, "Bayesian analysis of the regression model with
   autocorrelated errors", J. Am. Stat. Assoc. 59 (1964) 763-778.
.. [2] R. Ibragimov, U. K. Müller, "t-statistic based correlation and heterogeneity
   robust inference", J. Bus. Econ. Stat. 28 (2010) 453-468.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from judge.core.model import Floats

_PHI = np.arange(0.0, 0.961, 0.04)
_ONE_MINUS = 1 - _PHI
_ONE_MINUS_SQUARE = 1 - _PHI**2
_LOG_PRIOR = 2 * np.log(_ONE_MINUS)
_LOG_STATIONARY = 0.5 * np.log(_ONE_MINUS_SQUARE)
_MAD_TO_SD = 1.4826
_NEWTON_STEPS = 20
_SMALLEST_VARIANCE = 1e-20
"""Below this variance (of relative differences) a series counts as constant."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """What the samples say of a mean, or of a difference of two: a weighted sum of t distributions.

    `location`, `scale` and `weight` have one element for each autocorrelation;
    `weight` adds up to 1. `n` counts independent samples if there were no
    dependence, `effective` what is left of them.
    """

    location: Floats
    scale: Floats
    weight: Floats
    freedom: int
    n: int
    effective: float

    @property
    def mean(self) -> float:
        """The estimate."""
        return float(self.weight @ self.location)

    @property
    def deviation(self) -> float:
        """How uncertain the estimate is, as the standard error of one mean."""
        mean = self.weight @ self.location
        return math.sqrt(float(self.weight @ (self.scale**2 + (self.location - mean) ** 2)))

    def below(self, value: float) -> float:
        """Probability that the true mean lies below this value."""
        if math.isinf(value):
            return 1.0 if value > 0 else 0.0
        from scipy.special import stdtr

        return float(self.weight @ stdtr(self.freedom, (value - self.location) / self.scale))

    def above(self, value: float) -> float:
        """Probability that the true mean lies above this value, exact where it is tiny."""
        if math.isinf(value):
            return 0.0 if value > 0 else 1.0
        from scipy.special import stdtr

        return float(self.weight @ stdtr(self.freedom, (self.location - value) / self.scale))

    def interval(self, tail: float) -> tuple[float, float]:
        """Give the values that leave `tail` (below 0.5) of the probability on each side."""
        from scipy.special import gammaln, stdtr, stdtrit

        freedom, middle, deviation = self.freedom, self.mean, self.deviation
        reach = -float(stdtrit(freedom, tail)) * deviation
        sides = np.array([[-1.0], [1.0]])
        place = self.location * sides
        end = middle * sides + reach
        height = math.exp(float(gammaln((freedom + 1) / 2) - gammaln(freedom / 2))) / math.sqrt(freedom * math.pi)
        power = -(freedom + 1) / 2
        for _ in range(_NEWTON_STEPS):
            z = (place - end) / self.scale
            outside = np.maximum(stdtr(freedom, z) @ self.weight, 1e-300)
            slope = (height * (1 + z**2 / freedom) ** power / self.scale) @ self.weight
            # Newton's step on the logarithm of the tail, which is nearly straight.
            step = np.log(outside / tail) * outside / np.maximum(slope, 1e-300)
            end = end + np.clip(step, -4 * deviation, 4 * deviation)[:, None]
            # Newton's error is about the square of its last step.
            if float(np.abs(step).max()) < 1e-5 * deviation:
                break
        return -float(end[0, 0]), float(end[1, 0])


@lru_cache(maxsize=1024)
def _information(n: int) -> tuple[Floats, Floats]:
    """Information on the mean for each autocorrelation, and its logarithm; shape of the grid."""
    amount: Floats = _ONE_MINUS_SQUARE + (n - 1) * _ONE_MINUS**2
    return amount, np.log(amount)


def _moments(d: Floats) -> tuple[Floats, Floats]:
    """Generalised least squares for each autocorrelation: estimate and squared error sum."""
    n = len(d)
    first, last = float(d[0]), float(d[-1])
    total, squares = float(np.add.reduce(d)), float(d @ d)
    lagged = float(d[1:] @ d[:-1]) if n > 1 else 0.0
    amount, _ = _information(n)
    mean = (_ONE_MINUS_SQUARE * first + _ONE_MINUS * ((total - first) - _PHI * (total - last))) / amount
    form = _ONE_MINUS_SQUARE * first**2 + (squares - first**2) - 2 * _PHI * lagged + _PHI**2 * (squares - last**2)
    return mean, np.maximum(form - amount * mean**2, n * _SMALLEST_VARIANCE)


def _mean(values: Floats) -> float:
    """Mean without numpy's checks, which cost more than the sum."""
    return float(np.add.reduce(values)) / len(values)


def _weights(log_weight: Floats) -> Floats:
    weight: Floats = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return weight


def mean_of(d: Floats) -> Posterior:
    """Estimate the mean of dependent samples.

    Parameters
    ----------
    d : array of shape (n,)
        At least 3 finite values, in order of time, evenly spaced.

    Examples
    --------
    >>> found = mean_of(np.array([1.0, 2, 3, 2, 1, 2, 3, 2, 1, 2]))
    >>> round(found.mean, 3), found.n, found.above(1.0) > 0.99
    (1.877, 10, False)
    """
    n = len(d)
    centre = _mean(d)
    around = d - centre
    mean, errors = _moments(around)
    amount, log_amount = _information(n)
    freedom = n - 1
    weight = _weights(_LOG_PRIOR + _LOG_STATIONARY - 0.5 * log_amount - 0.5 * freedom * np.log(errors))
    scale = np.sqrt(errors / (freedom * amount))
    variance = float(around @ around) / freedom
    spread = float(weight @ (scale**2 + (mean - weight @ mean) ** 2))
    effective = float(n) if variance <= _SMALLEST_VARIANCE else min(float(n), variance / spread)
    return Posterior(location=mean + centre, scale=scale, weight=weight, freedom=freedom, n=n, effective=effective)


def difference_of(x: Floats, y: Floats) -> Posterior:
    """Estimate the mean of x less the mean of y where they are from different times; see `contrast`."""
    return contrast((1.0, x), (-1.0, y))


def contrast(*groups: tuple[float, Floats]) -> Posterior:
    """Estimate a weighted sum of the means of several series.

    All are taken to have the same autocorrelation. The standard error is that of a
    common variance or of each one's own (Welch's), whichever is larger, so that a
    noisy short series is not lent the calm of a long one. A series of weight 0
    only helps to tell the noise.

    Parameters
    ----------
    groups : tuple of float and array of shape (n,)
        Weight and at least 2 finite values each, in order of time, evenly spaced.
    """
    log_weight = _LOG_PRIOR.copy()
    errors, location, own, ideal = np.zeros(len(_PHI)), np.zeros(len(_PHI)), np.zeros(len(_PHI)), 0.0
    parts: list[tuple[float, Floats]] = []
    freedom, variation, fewest = 0, 0.0, math.inf
    for factor, values in groups:
        n, centre = len(values), _mean(values)
        around = values - centre
        mean, squares = _moments(around)
        amount, log_amount = _information(n)
        log_weight += _LOG_STATIONARY - 0.5 * log_amount
        errors += squares
        freedom += n - 1
        variation += float(around @ around)
        if factor:
            location += factor * (mean + centre)
            own += factor**2 * squares / ((n - 1) * amount)
            parts.append((factor**2, amount))
            ideal += factor**2 / n
            fewest = min(fewest, n)
    weight = _weights(log_weight - 0.5 * freedom * np.log(errors))
    pooled = errors / freedom * sum(square / amount for square, amount in parts)
    scale = np.sqrt(np.maximum(pooled, own))
    spread = float(weight @ (scale**2 + (location - weight @ location) ** 2))
    variance = variation / freedom
    share = 1.0 if variance <= _SMALLEST_VARIANCE else min(1.0, variance * ideal / spread)
    return Posterior(location=location, scale=scale, weight=weight, freedom=freedom, n=int(fewest), effective=fewest * share)


def robust_scale(values: Floats) -> tuple[float, float]:
    """Median and robust standard deviation (1.4826 times the median absolute deviation)."""
    middle = median(values)
    return middle, _MAD_TO_SD * median(np.abs(values - middle))


def median(values: Floats) -> float:
    """Median, several times faster than numpy's for the few values there are."""
    ordered = values.copy()
    ordered.sort()
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float(ordered[half - 1] / 2 + ordered[half] / 2)


def winsorise(values: Floats, *, reach: float = 4.0) -> Floats:
    """Pull values further than `reach` robust standard deviations from the median back to there.

    Nothing changes where more than half of the values are equal.

    Examples
    --------
    >>> winsorise(np.array([0.0, 1, 2, 3, 4, 100]), reach=2).round(2).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.95]
    """
    middle, scale = robust_scale(values)
    if scale <= 0:
        return values
    clipped: Floats = np.minimum(np.maximum(values, middle - reach * scale), middle + reach * scale)
    return clipped


def batch_means(values: Floats, *, length: int) -> Floats:
    """Average stretches of `length` values; what does not fill a stretch is left out at the start.

    Examples
    --------
    >>> batch_means(np.array([9.0, 1, 3, 5, 7]), length=2)
    array([2., 6.])
    """
    if length <= 1:
        return values
    number = len(values) // length
    means: Floats = np.add.reduce(values[len(values) - number * length :].reshape(number, length), axis=1) / length
    return means


def batch_length(n: int, *, stride: int, most: int = 30) -> int:
    """Give the length of a batch: at least one rate window, and at most `most` batches.

    Averaging to few batches is what keeps the AR(1) model honest: noise on top of a
    slow drift is no AR(1) process, its batch means nearly are.
    """
    return max(math.ceil(n / most), stride, 1)
