"""The kernel against a plain port that ranks everything at every step: the same floats on every shape."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from judge.core.kayenta import kernel
from judge.core.kayenta import shift_counts as probing
from judge.core.kayenta.brent import brent
from judge.core.kayenta.counting import AllTied, by_ranking, has_negative_zero
from judge.core.kayenta.kernel import rank_interval
from tests.benchmarks.kayenta_batch import rank_intervals
from tests.core.kayenta import oracle

TIED = "all observations tied"

FAMILIES = {
    "gamma": lambda rng, n: rng.gamma(2, 50, n),
    "normal": lambda rng, n: rng.normal(0, 1, n),
    "poisson": lambda rng, n: rng.poisson(4, n).astype(float),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.gamma(2, 50, n)),
    "zeros of both signs": lambda rng, n: rng.choice([0.0, -0.0, 1.0, -1.0, 0.5], n),
    "negative zero among normal": lambda rng, n: np.where(rng.random(n) < 0.1, -0.0, rng.normal(0, 1, n)),
    "error ratios": lambda rng, n: rng.binomial(50, 0.1, n) / 50,
    "rounded latencies": lambda rng, n: np.round(rng.gamma(2, 0.05, n), 3),
    "large counters": lambda rng, n: 3e6 + rng.poisson(1000, n),
    "one ulp apart": lambda rng, n: 1 / 30 + rng.integers(-3, 4, n) * 2.0**-57,
    "sums of tenths": lambda rng, n: rng.choice([0.3, 0.1 + 0.2, 0.6, 0.1 * 6, 1.0, 2.0], n),
    "one giant": lambda rng, n: np.where(np.arange(n) == 0, 1e18, rng.gamma(2, 50, n)),
    "infinities": lambda rng, n: rng.choice([np.inf, -np.inf, 1.0, 2.0, 3.0], n),
    "constant": lambda rng, n: np.full(n, 5.0),
}


@st.composite
def pairs(draw, most=500, rows=None):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = st.sampled_from(sorted(FAMILIES))
    first = draw(names)
    second = draw(st.one_of(st.just(first), names))
    n = draw(st.one_of(st.integers(1, 12), st.integers(1, most)))
    m = draw(st.one_of(st.just(n), st.integers(1, most)))
    scale = draw(st.sampled_from([1.0, 1.0, 1.0, 1e-12, 1e-6, 1e-4, 3e-3, 1e6, 1e12, 1e100, 1e-300]))
    shift = draw(st.sampled_from([0.0, 0.0, 0.1, 1.0, 40.0]))
    if rows is None:
        return (FAMILIES[first](rng, n) + shift) * scale, FAMILIES[second](rng, m) * scale
    x = np.array([FAMILIES[first](rng, n) + shift for _ in range(rows)]) * scale
    return x, np.array([FAMILIES[second](rng, m) for _ in range(rows)]) * scale


def found_by(solve, x, y):
    """The three numbers as written, so that NaN, 0.0 and -0.0 are themselves; or that all is tied."""
    try:
        found = solve(x, y)
    except (AllTied, oracle.AllTied):
        return TIED
    return repr(found if isinstance(found, tuple) else (found.lower, found.upper, found.estimate))


@pytest.fixture(params=[0, kernel.PAIRS_TO_SORT, 10**9], ids=["counting probe by probe", "as chosen", "sorting all differences"])
def way(request, monkeypatch):
    monkeypatch.setattr(kernel, "PAIRS_TO_SORT", request.param)


@pytest.mark.extended
@pytest.mark.parametrize("long", [2, probing.LONG], ids=["walking", "as chosen"])
def test_the_kernel_gives_the_ports_floats(way, long, monkeypatch):
    monkeypatch.setattr(probing, "LONG", long)

    @settings(max_examples=120)
    @given(pairs())
    @example((np.array([5.0]), np.array([5.0])))
    @example((np.array([1.0]), np.array([1000.0])))
    @example((np.array([-0.0, 5.0, 6.0]), np.array([0.0, 3.0, 4.0])))
    @example((np.append(np.arange(1.0, 10.0), 1e308), np.arange(1.0, 11.0)))
    @example((np.arange(1.0, 11.0), np.append(np.arange(1.0, 10.0), 1e100)))
    def same(pair):
        assert found_by(rank_interval, *pair) == found_by(oracle.interval, *pair)

    same()


@settings(max_examples=60)
@given(pairs(most=120, rows=3))
def test_the_batch_gives_the_kernels_floats(pair):
    x, y = pair
    found = rank_intervals(x, y)

    together = [
        TIED if tied else repr((float(lower), float(upper), float(estimate)))
        for lower, upper, estimate, tied in zip(found.lower, found.upper, found.estimate, found.tied, strict=True)
    ]
    assert together == [found_by(rank_interval, one, other) for one, other in zip(x, y, strict=True)]


def test_a_batch_may_mix_what_can_be_searched_together_and_what_cannot():
    x = np.array([[1.0, 2.0, 4.0], [np.inf, 1.0, 2.0], [-0.0, 0.0, 1.0], [7.0, 7.0, 7.0], [1e-300, 1.0, 2.0]])
    y = np.array([[0.5, 3.0, 9.0], [1.0, 2.0, 3.0], [0.0, -0.0, 2.0], [7.0, 7.0, 7.0], [0.0, 1.0, 2.0]])
    found = rank_intervals(x, y)

    assert found.tied.tolist() == [False, False, False, True, False]
    assert [repr(float(value)) for value in found.lower[:3]] == [
        repr(rank_interval(*pair).lower) for pair in zip(x[:3], y[:3], strict=True)
    ]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(np.ones(3), np.ones((1, 3)), id="one dimension"),
        pytest.param(np.ones((2, 3)), np.ones((3, 3)), id="rows differ"),
        pytest.param(np.ones((2, 0)), np.ones((2, 3)), id="no samples"),
    ],
)
def test_a_batch_of_another_shape_is_refused(x, y):
    with pytest.raises(ValueError, match=r"need arrays of shape \(rows, n\) and \(rows, m\)"):
        rank_intervals(x, y)


def test_infinities_end_as_kayenta_ends_and_in_time():
    x, y = np.append(np.arange(50.0), np.inf), np.arange(50.0) - 100

    assert found_by(rank_interval, x, y) == "(inf, inf, inf)"


def test_brent_gives_up_silently_after_1001_points():
    x, y = np.append(np.arange(1.0, 11.0), 1e308), np.arange(1.0, 11.0)
    ranked, probes = by_ranking(x, y), []

    def statistic(mu):
        probes.append(mu)
        return ranked(mu)

    low, high = float(x.min() - y.max()), float(x.max() - y.min())
    found = brent(statistic, -kernel.Z, low, high, at_a=ranked(low), at_b=ranked(high))

    assert len(probes) == 1001
    assert found == probes[-1] == rank_interval(x, y).upper


def test_a_negative_zero_is_found_where_sorting_loses_it():
    # Some processors sort by minimum and maximum, for which the two zeros are equal.
    assert has_negative_zero(np.array([-0.0, 1.0]), np.array([0.0, 1.0]))
    assert not has_negative_zero(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
