"""The interval without a solver: order statistics of all differences, in whatever unit."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from judge.core.kayenta import exact
from judge.core.kayenta.exact import exact_interval, ordered_differences
from judge.core.kayenta.kernel import rank_interval
from tests.core.kayenta import oracle


def gamma(seed, n=60, ratio=1.0):
    return np.random.default_rng(seed).gamma(4, 50, n) * ratio


@pytest.mark.parametrize("power", [-12, -6, 0, 6, 12])
def test_the_exact_interval_scales_with_the_unit(power):
    x, y, unit = gamma(1, ratio=2), gamma(2), 2.0 ** (3 * power)
    here, there = exact_interval(x, y), exact_interval(x * unit, y * unit)

    assert (there.lower, there.upper, there.estimate) == (here.lower * unit, here.upper * unit, here.estimate * unit)


def test_kayentas_interval_loses_a_doubled_metric_when_its_unit_is_large():
    x, y = gamma(1, ratio=2) * 1e-9, gamma(2) * 1e-9

    assert rank_interval(x, y).lower == x.min() - y.max() < 0
    assert exact_interval(x, y).lower > 0


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 80), st.sampled_from([0.5, 1.0, 3.0]))
def test_kayentas_ends_are_the_exact_ones_to_its_tolerance(seed, n, m, shift):
    rng = np.random.default_rng(seed)
    x, y = rng.gamma(2, 50, n) + shift, rng.gamma(2, 50, m)
    found, solved = exact_interval(x, y), oracle.interval(x, y) if n * m > 1 else None

    assert found.lower <= found.estimate <= found.upper
    if solved is not None:
        assert (solved[0], solved[1]) == pytest.approx((found.lower, found.upper), abs=1.01e-4)


@settings(max_examples=80)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["gamma", "poisson", "one value", "two clusters"]),
    st.integers(1, 90),
    st.integers(1, 400),
    st.floats(0, 1, exclude_max=True),
)
def test_any_order_statistic_is_found_without_all_differences(seed, family, n, m, share):
    rng = np.random.default_rng(seed)
    draw = {
        "gamma": lambda k: rng.gamma(2, 50, k),
        "poisson": lambda k: rng.poisson(4, k).astype(float),
        "one value": lambda k: np.full(k, 3.0),
        "two clusters": lambda k: rng.choice([0.0, 1e9], k) + rng.random(k),
    }[family]
    xs, ys = np.sort(draw(n)), np.sort(draw(m))
    everything = np.sort(np.subtract.outer(xs, ys), axis=None)
    ranks = [int(share * n * m), 0, n * m - 1, (n * m - 1) // 2, n * m // 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "PAIRS_TO_PARTITION", 0)
        patch.setattr(exact, "_FEW", 50)

        found = ordered_differences(xs, ys, ranks)

    assert found == pytest.approx(everything[ranks].tolist(), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        pytest.param([], [1.0], "need samples on both sides, got 0 and 1", id="empty"),
        pytest.param([np.inf, 1.0], [1.0], "need finite values", id="infinite"),
        pytest.param([1.0], [np.nan, 1.0], "need finite values", id="NaN"),
    ],
)
def test_what_has_no_order_statistics_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        exact_interval(np.array(x), np.array(y))
