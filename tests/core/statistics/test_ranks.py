"""Mann-Whitney and Hodges-Lehmann against scipy, R, published tables, and their own symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from judge.core.statistics.ranks import EXACT_LIMIT, hodges_lehmann, mann_whitney, min_samples, null_cdf

ALTERNATIVES = (("greater", "greater"), ("less", "less"), ("two-sided", "pvalue"))


def sample(min_size=1, max_size=40):
    values = st.one_of(
        st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False).map(lambda v: round(v, 6)),
        st.integers(0, 5).map(float),
    )
    return st.lists(values, min_size=min_size, max_size=max_size).map(np.array)


@given(sample(), sample())
def test_p_values_are_those_of_scipy(x, y):
    if len(np.unique(np.concatenate([x, y]))) < 2:
        return
    tied = len(np.unique(np.concatenate([x, y]))) < len(x) + len(y)
    method = "exact" if not tied and max(len(x), len(y)) <= EXACT_LIMIT else "asymptotic"

    found = mann_whitney(x, y)

    for alternative, field in ALTERNATIVES:
        expected = stats.mannwhitneyu(x, y, alternative=alternative, method=method)
        assert found.u == expected.statistic
        assert getattr(found, field) == pytest.approx(expected.pvalue, abs=1e-12)


def test_interval_and_p_value_are_those_of_the_textbook():
    # Hollander & Wolfe (1973), p. 69f, the example of R's own help page:
    # R 4.2.2: wilcox.test(x, y, alternative = "g") gives W = 35, p-value = 0.1272
    # R 4.2.2: wilcox.test(x, y, conf.int = TRUE) gives -0.15 to 0.76, estimate 0.305, p-value = 0.2544
    x = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    y = np.array([1.15, 0.88, 0.90, 0.74, 1.21])

    found = mann_whitney(x, y)
    shift = hodges_lehmann(x, y, level=0.95)

    assert found.u == 35
    assert found.greater == pytest.approx(0.1272, abs=5e-5)
    assert found.pvalue == pytest.approx(0.2544, abs=5e-5)
    assert (shift.low, shift.estimate, shift.high) == pytest.approx((-0.15, 0.305, 0.76))


def test_the_sample_named_first_is_the_one_that_is_larger():
    found = mann_whitney(np.array([10.0, 11, 12, 13, 14]), np.array([1.0, 2, 3, 4, 5]))

    assert found.u == 25
    assert found.effect == 1.0
    assert found.greater < 0.01 < found.less


@pytest.mark.parametrize("n", [EXACT_LIMIT - 1, EXACT_LIMIT, EXACT_LIMIT + 1])
def test_p_value_runs_on_across_the_border_of_the_exact_method(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(0.3, 1, n), rng.normal(0, 1, n)

    exact = stats.mannwhitneyu(x, y, method="exact").pvalue

    assert mann_whitney(x, y).pvalue == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (5, 2), (8, 8), (25, 25)])
def test_null_distribution_is_a_distribution_and_symmetric(n, m):
    cdf = null_cdf(n, m)
    steps = np.diff(cdf, prepend=0.0)

    assert len(cdf) == n * m + 1
    assert cdf[-1] == pytest.approx(1.0)
    assert cdf[0] == pytest.approx(1 / math.comb(n + m, n))
    assert steps == pytest.approx(steps[::-1])


@given(sample(2, 30), sample(2, 30))
def test_swapping_the_sides_mirrors_the_result(x, y):
    there, back = mann_whitney(x, y), mann_whitney(y, x)
    shift, mirrored = hodges_lehmann(x, y, level=0.9), hodges_lehmann(y, x, level=0.9)

    assert there.pvalue == pytest.approx(back.pvalue)
    assert there.effect == pytest.approx(1 - back.effect)
    assert (shift.low, shift.estimate, shift.high) == pytest.approx((-mirrored.high, -mirrored.estimate, -mirrored.low))


@given(sample(2, 25), sample(2, 25), st.floats(0.8, 0.999))
def test_estimate_lies_inside_its_interval(x, y, level):
    shift = hodges_lehmann(x, y, level=level)

    assert shift.low <= shift.estimate <= shift.high


@given(
    arrays(float, st.integers(2, 25), elements=st.floats(-1e3, 1e3), unique=True),
    arrays(float, st.integers(2, 25), elements=st.floats(-1e3, 1e3), unique=True),
)
def test_interval_excludes_zero_exactly_where_the_test_rejects(x, y):
    if len(np.unique(np.concatenate([x, y]))) < len(x) + len(y):
        return
    shift = hodges_lehmann(x, y, level=0.98)

    assert (shift.low > 0) == (mann_whitney(x, y).greater <= 0.01)
    assert (shift.high < 0) == (mann_whitney(x, y).less <= 0.01)


@pytest.mark.parametrize("n", [300, 450, 600])
def test_counting_gives_what_sorting_all_differences_gives(n):
    rng = np.random.default_rng(n)
    x, y = np.round(rng.gamma(4, size=n), 2), np.round(rng.gamma(4, size=n + 1), 2)

    shift = hodges_lehmann(x, y, level=0.98)

    differences = np.sort(np.subtract.outer(x, y).ravel())
    middle = (differences[(len(differences) - 1) // 2] + differences[len(differences) // 2]) / 2
    assert shift.estimate == pytest.approx(middle, abs=1e-9)
    assert np.min(np.abs(differences - shift.low)) < 1e-9
    assert np.min(np.abs(differences - shift.high)) < 1e-9


def test_interval_is_infinite_where_so_few_samples_cannot_give_the_level():
    shift = hodges_lehmann(np.array([1.0, 2]), np.array([3.0, 4]), level=0.98)

    assert (shift.low, shift.high) == (-math.inf, math.inf)
    assert shift.estimate == -2


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.01, 0.001, 0.0001])
def test_min_samples_is_the_first_size_that_can_reject(alpha):
    n = min_samples(alpha)

    def best(size):
        return mann_whitney(np.arange(size) + 100.0, np.arange(size) * 1.0).greater

    assert best(n) <= alpha
    assert n == 2 or best(n - 1) > alpha


def test_coverage_of_the_interval_is_its_level():
    # 4,000 seeded rounds; the standard error of a share of 0.98 is then 0.0022.
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(4000):
        shift = hodges_lehmann(rng.exponential(size=12) + 1.0, rng.exponential(size=15), level=0.98)
        covered += shift.low <= 1.0 <= shift.high

    assert covered / 4000 == pytest.approx(0.98, abs=0.008)


def test_no_samples_is_an_error():
    with pytest.raises(ValueError, match="values on both sides"):
        mann_whitney(np.array([]), np.array([1.0]))
