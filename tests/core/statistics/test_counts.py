"""Counts against statsmodels, scipy and Newcombe's own table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from judge.core.statistics.counts import dispersion, newcombe, ratio_exceeds, wilson

counts = st.integers(0, 200).flatmap(lambda total: st.tuples(st.integers(0, total + 1), st.just(total + 1)))


@given(counts, counts, st.sampled_from([0.9, 0.95, 0.98, 0.99]))
def test_newcombe_interval_is_that_of_statsmodels(canary, baseline, level):
    expected = confint_proportions_2indep(*canary, *baseline, method="newcomb", compare="diff", alpha=1 - level)

    assert newcombe(*canary, *baseline, level=level) == pytest.approx(expected, abs=1e-9)


@given(counts, st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_interval_is_that_of_statsmodels(count, level):
    assert wilson(*count, level=level) == pytest.approx(proportion_confint(*count, alpha=1 - level, method="wilson"), abs=1e-9)


# Newcombe (1998), Table II, method 10: a/m against b/n, 95 %.
@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 20, 0.6791, 1.0000),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_newcombe_interval_is_that_of_his_paper(a, m, b, n, low, high):
    assert newcombe(a, m, b, n, level=0.95) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1.0, 1.25, 2.0]))
def test_p_value_is_that_of_the_conditional_binomial(events, base_events, total, base_total, ratio):
    share = ratio * total / (ratio * total + base_total)
    expected = stats.binom.sf(events - 1, events + base_events, share)

    assert ratio_exceeds(events, total, base_events, base_total, ratio=ratio) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_no_events_is_no_evidence():
    assert ratio_exceeds(0, 100, 5, 100, ratio=1.0) == 1.0


def test_dispersion_of_binomial_counts_is_one():
    rng = np.random.default_rng(3)
    totals = rng.integers(200, 400, size=5000).astype(float)

    statistic, degrees = dispersion(rng.binomial(totals.astype(int), 0.02).astype(float), totals)

    # The statistic is chi-squared: its mean is the degrees of freedom, its variance twice that.
    assert statistic / degrees == pytest.approx(1.0, abs=4 * np.sqrt(2 / degrees))


def test_dispersion_of_errors_that_come_in_bursts_is_their_inflation():
    rng = np.random.default_rng(4)
    totals = np.full(5000, 300.0)
    shares = rng.beta(2, 98, size=5000)

    statistic, degrees = dispersion(rng.binomial(300, shares).astype(float), totals)

    # Beta-binomial: 1 + (n - 1) / (a + b + 1).
    assert statistic / degrees == pytest.approx(1 + 299 / 101, rel=0.1)


@pytest.mark.parametrize(
    ("events", "totals"),
    [([0, 0, 0], [10, 10, 10]), ([10, 10], [10, 10]), ([1], [10]), ([0, 0], [0, 0]), ([], [])],
    ids=["no errors", "all errors", "one sample", "no requests", "nothing"],
)
def test_dispersion_says_nothing_where_there_is_nothing_to_say(events, totals):
    assert dispersion(np.array(events, float), np.array(totals, float)) == (0.0, 0)


def test_false_alarms_of_the_count_test_stay_below_its_level():
    # 1,500 seeded rounds at the level 1 %: the standard error of the share is 0.26 points.
    rng = np.random.default_rng(5)
    flagged = 0
    for _ in range(1500):
        events, base = rng.binomial(3000, 0.004), rng.binomial(6000, 0.004)
        flagged += ratio_exceeds(float(events), 3000, float(base), 6000, ratio=1.0) <= 0.01

    assert flagged / 1500 <= 0.01 + 3 * 0.0026
