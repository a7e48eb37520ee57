"""The posterior of a mean, against its definition worked out the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from judge.core.statistics.dependence import (
    batch_length,
    batch_means,
    difference_of,
    mean_of,
    median,
    robust_scale,
    winsorise,
)

PHI = np.arange(0.0, 0.961, 0.04)


def by_definition(sides, value):
    """P(mean below value): generalised least squares with the whole covariance matrix, one autocorrelation at a time."""
    logs, means, scales = [], [], []
    freedom = sum(len(side) - 1 for side in sides)
    for phi in PHI:
        log, errors, parts, location = 2 * np.log(1 - phi), 0.0, [], 0.0
        for sign, side in zip((1, -1), sides, strict=False):
            n = len(side)
            covariance = phi ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (1 - phi**2)
            inverse = np.linalg.inv(covariance)
            amount = inverse.sum()
            mean = inverse.sum(axis=0) @ side / amount
            own = (side - mean) @ inverse @ (side - mean)
            log += -0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * np.log(amount)
            errors, location = errors + own, location + sign * mean
            parts.append((own / (n - 1), amount))
        pooled = errors / freedom * sum(1 / amount for _, amount in parts)
        apart = sum(variance / amount for variance, amount in parts)
        logs.append(log - freedom / 2 * np.log(errors))
        means.append(location)
        scales.append(np.sqrt(max(pooled, apart)))
    weight = np.exp(np.array(logs) - max(logs))
    weight /= weight.sum()
    return float(weight @ stats.t.cdf((value - np.array(means)) / np.array(scales), freedom))


@pytest.mark.parametrize("n", [8, 30])
@pytest.mark.parametrize("value", [-0.1, 0.0, 0.05])
def test_the_mean_of_one_series_is_its_posterior(n, value):
    d = np.random.default_rng(n).standard_normal(n).cumsum() * 0.05

    found = mean_of(d)

    assert found.below(value) == pytest.approx(by_definition([d], value), rel=1e-9)
    assert found.above(value) == pytest.approx(1 - by_definition([d], value), rel=1e-9)


def test_two_series_share_their_autocorrelation():
    rng = np.random.default_rng(5)
    x, y = 0.1 + 0.1 * rng.standard_normal(12), 0.3 * rng.standard_normal(20)

    assert difference_of(x, y).below(0.05) == pytest.approx(by_definition([x, y], 0.05), rel=1e-9)


def test_without_dependence_in_a_long_series_it_comes_near_a_t_test():
    d = np.random.default_rng(1).standard_normal(2000)

    assert mean_of(d).below(0.02) == pytest.approx(1 - stats.ttest_1samp(d, 0.02, alternative="less").pvalue, abs=0.05)


@pytest.mark.parametrize("tail", [1e-6, 0.001, 0.05, 0.3])
@pytest.mark.parametrize("n", [8, 30])
def test_the_interval_leaves_its_tail_on_each_side(n, tail):
    found = mean_of(np.random.default_rng(n).standard_normal(n))

    low, high = found.interval(tail)

    assert found.below(low) == pytest.approx(tail, rel=1e-6)
    assert found.above(high) == pytest.approx(tail, rel=1e-6)


def test_turning_the_sign_mirrors_it():
    d = np.random.default_rng(2).standard_normal(25)

    assert mean_of(d).below(0.1) == pytest.approx(mean_of(-d).above(-0.1), rel=1e-12)


def test_dependent_samples_are_worth_fewer():
    rng = np.random.default_rng(4)
    white = rng.standard_normal(30)
    drift = np.linspace(0, 1, 30) + 0.02 * rng.standard_normal(30)

    assert mean_of(drift).effective < 6
    assert mean_of(white).effective > 12


def test_a_constant_series_is_known_exactly():
    found = mean_of(np.full(12, 0.2))

    assert found.mean == pytest.approx(0.2)
    assert found.effective == 12
    assert found.below(0.19) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_the_median_is_numpys(n):
    values = np.random.default_rng(n).standard_normal(n)

    assert median(values) == pytest.approx(np.median(values), abs=0)


def test_the_robust_scale_is_scipys():
    values = np.random.default_rng(0).standard_normal(41)

    assert robust_scale(values)[1] == pytest.approx(stats.median_abs_deviation(values, scale="normal"), rel=1e-4)


def test_winsorising_does_nothing_where_most_values_are_equal():
    values = np.array([0.0, 0, 0, 0, 9])

    assert winsorise(values).tolist() == values.tolist()


@pytest.mark.parametrize(
    ("n", "stride", "length"),
    [
        pytest.param(30, 1, 1, id="as many as there may be"),
        pytest.param(31, 1, 2, id="one too many"),
        pytest.param(240, 1, 8, id="a long window"),
        pytest.param(60, 20, 20, id="never shorter than a rate window"),
    ],
)
def test_a_batch_is_long_enough(n, stride, length):
    assert batch_length(n, stride=stride) == length
    assert len(batch_means(np.arange(float(n)), length=length)) == n // length
