"""Spikes: what stands out, how it is counted, how likely so many are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from judge.core.statistics.tails import at_least, clusters, residuals


@pytest.mark.parametrize(("hits", "n", "other_hits", "other_n"), [(3, 31, 0, 31), (1, 10, 2, 40), (12, 240, 3, 120), (31, 31, 0, 31)])
def test_the_chance_of_so_many_is_the_beta_binomial_tail(hits, n, other_hits, other_n):
    expected = stats.betabinom.sf(hits - 1, n, other_hits + 0.0125, other_n - other_hits + 1)

    assert at_least(hits, n, other_hits, other_n, rarity=0.0125) == pytest.approx(expected, rel=1e-6)


def test_none_is_always_likely():
    assert at_least(0, 30, 5, 30, rarity=0.01) == 1


def test_residuals_are_from_the_median_of_seven():
    values = np.random.default_rng(0).standard_normal(40)

    found = residuals(values)

    assert found[3:-3] == pytest.approx([values[i] - np.median(values[i - 3 : i + 4]) for i in range(3, 37)])
    assert found[:3] == pytest.approx(values[:3] - np.median(values[:7]))
    assert found[-3:] == pytest.approx(values[-3:] - np.median(values[-7:]))


@pytest.mark.parametrize(
    ("values", "stands_out"),
    [
        pytest.param([1.0] * 5 + [9] + [1.0] * 5, 1, id="a spike stays"),
        pytest.param([9.0] * 12 + [1.0] * 12, 0, id="a level that changes vanishes"),
        pytest.param([1.0] * 5 + [9, 9, 9] + [1.0] * 5, 3, id="three neighbours stay"),
        pytest.param([1.0] * 5 + [9, 9, 9, 9] + [1.0] * 5, 0, id="four are a level"),
    ],
)
def test_what_stands_out(values, stands_out):
    assert int((np.abs(residuals(np.array(values))) > 1).sum()) == stands_out


def test_neighbours_are_one_event():
    assert clusters(np.array([True, True, True, False, False, True])) == 2
    assert clusters(np.array([], dtype=bool)) == 0
