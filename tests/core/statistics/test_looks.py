"""Boundaries of repeated looks, against published ones and the multivariate normal distribution."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import special, stats

from judge.core.statistics.looks import boundary, levels, spent_power

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def spent_obrien_fleming(share: float, alpha: float) -> float:
    """Lan and DeMets' approximation of O'Brien and Fleming's boundary, one-sided."""
    return float(2 * special.ndtr(special.ndtri(alpha / 2) / math.sqrt(share)))


def spent_pocock(share: float, alpha: float) -> float:
    """Lan and DeMets' approximation of Pocock's boundary, one-sided."""
    return alpha * math.log1p((math.e - 1) * share)


@pytest.mark.parametrize(
    ("spent", "published"),
    [
        # Reboussin, DeMets, Kim, Lan: "Computations for group sequential boundaries using the Lan-DeMets spending function
        # method", Control. Clin. Trials 21 (2000) 190-207; five looks, one-sided 0.025.
        pytest.param(spent_obrien_fleming, [4.877, 3.357, 2.680, 2.290, 2.031], id="O'Brien-Fleming"),
        pytest.param(spent_pocock, [2.438, 2.427, 2.410, 2.397, 2.386], id="Pocock"),
    ],
)
def test_the_boundary_is_the_published_one(spent, published):
    assert [round(z, 3) for z in boundary(FIFTHS, 0.025, spent)] == published


def test_the_chance_of_ever_crossing_is_what_was_to_be_spent():
    shares, alpha = (0.3, 0.5, 1.0), 0.05
    z = boundary(shares, alpha)
    covariance = [[np.sqrt(min(a, b) / max(a, b)) for a in shares] for b in shares]

    for looks in (1, 2, 3):
        below = stats.multivariate_normal([0] * looks, np.array(covariance)[:looks, :looks]).cdf(z[:looks])
        assert 1 - below == pytest.approx(spent_power(shares[looks - 1], alpha), abs=2e-5)


def test_one_look_has_the_whole_budget():
    assert levels(1, 0.0123) == (0.0123,)


@pytest.mark.parametrize("alpha", [1e-5, 0.004, 0.05])
def test_levels_grow_and_stay_within_the_budget(alpha):
    found = levels(20, alpha, 2.5)

    assert all(one < other for one, other in pairwise(found))
    assert found[-1] < alpha < sum(found)


def test_a_steeper_spending_leaves_more_for_the_last_look():
    assert levels(20, 0.01, 2.5)[-1] > levels(20, 0.01, 2.0)[-1]
    assert levels(20, 0.01, 2.5)[0] < levels(20, 0.01, 2.0)[0]
