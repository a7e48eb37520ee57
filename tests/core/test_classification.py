"""One pair, one classification, one plain sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from judge.core.classification import classify
from judge.core.config import CanaryConfig, Direction, Limit, Margin, MetricConfig
from judge.core.model import Classification, Problem, Series, SeriesPair

C = Classification

N = 30
T = np.arange(N) * 60.0


def around(level, *, seed, spread=0.03, n=N):
    values = level * (1 + spread * np.random.default_rng(seed).normal(size=n))
    return Series(t=np.arange(n) * 60.0, v=values)


def const(value, n=N):
    return Series(t=np.arange(n) * 60.0, v=np.full(n, float(value)))


def judged(baseline, canary, *, totals=None, config=None, **fields):
    metric = MetricConfig(name="m", **fields)
    extra = {} if totals is None else {"baseline_total": totals[0], "canary_total": totals[1]}
    pair = SeriesPair(metric="m", baseline=baseline, canary=canary, **extra)
    return classify(pair, metric, CanaryConfig(name="c", metrics=(metric,)) if config is None else config)


@pytest.mark.parametrize(
    ("factor", "direction", "expected"),
    [
        pytest.param(1.30, Direction.INCREASE, C.HIGH, id="30% up is bad when up is bad"),
        pytest.param(1.30, Direction.DECREASE, C.PASS, id="30% up is fine when down is bad"),
        pytest.param(1.30, Direction.EITHER, C.HIGH, id="30% up is bad when any change is"),
        pytest.param(0.70, Direction.INCREASE, C.PASS, id="30% down is fine when up is bad"),
        pytest.param(0.70, Direction.DECREASE, C.LOW, id="30% down is bad when down is bad"),
        pytest.param(0.70, Direction.EITHER, C.LOW, id="30% down is bad when any change is"),
        pytest.param(1.00, Direction.EITHER, C.PASS, id="no change passes"),
        pytest.param(1.10, Direction.INCREASE, C.HIGH, id="10% up is more than the 5% accepted"),
        pytest.param(1.03, Direction.INCREASE, C.PASS, id="3% up is accepted"),
    ],
)
def test_direction_and_size(factor, direction, expected):
    result = judged(around(100, seed=1), around(100 * factor, seed=2), direction=direction)

    assert result.classification is expected


def test_noise_that_hides_a_change_is_undecided_and_says_what_is_missing():
    result = judged(around(100, seed=1, spread=0.5), around(112, seed=3, spread=0.5), direction=Direction.INCREASE)

    assert result.classification is C.UNDECIDED
    assert "neither shown to exceed 5% nor to stay below 20%; more samples are needed" in result.reason


def test_result_carries_the_numbers():
    result = judged(around(100, seed=1), around(130, seed=2), direction=Direction.INCREASE, unit="ms")
    found = result.comparison

    assert result.reason.startswith("+30%, 98% interval +2")
    assert "Mann-Whitney p<0.0001, n=30" in result.reason
    assert (found.n_baseline, found.n_canary, found.n_effective) == (N, N, N)
    assert found.u == N * N
    assert found.effect == 1.0
    assert found.shift == pytest.approx(30, abs=2)
    assert found.change_low < found.change < found.change_high
    assert found.baseline_value == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(
    ("baseline", "canary", "sentence"),
    [
        (Series.empty(), const(1), "the baseline has no samples"),
        (const(1), Series.empty(), "the canary has no samples"),
        (Series.empty(), Series.empty(), "neither side has samples"),
        (const(math.nan), const(1), "the baseline has no samples"),
    ],
)
def test_no_data(baseline, canary, sentence):
    result = judged(baseline, canary)

    assert (result.classification, result.reason) == (C.NODATA, sentence)


def test_a_label_set_on_one_side_only_is_named():
    pair = SeriesPair(metric="m", baseline=Series.empty(), canary=const(1), labels={"route": "/new"})
    metric = MetricConfig(name="m")

    result = classify(pair, metric, CanaryConfig(name="c", metrics=(metric,)))

    assert result.classification is C.NODATA
    assert result.reason == 'only the canary has {route="/new"}: there is nothing to compare it with'
    assert result.title == 'm{route="/new"}'


@pytest.mark.parametrize(
    ("n", "fields", "needed"),
    [
        pytest.param(4, {}, 5, id="fewer than min_samples"),
        pytest.param(2, {}, 5, id="two"),
        pytest.param(8, {"min_samples": 10}, 10, id="the metric asks for more"),
        pytest.param(4, {"min_samples": 2, "direction": Direction.INCREASE}, 5, id="fewer than can ever reach the level"),
    ],
)
def test_too_few_samples_are_undecided_however_large_the_change(n, fields, needed):
    result = judged(around(100, seed=1, n=n), around(900, seed=2, n=n), **fields)

    assert result.classification is C.UNDECIDED
    assert result.reason == f"{n} independent canary samples, at least {needed} are needed"


def test_fewest_samples_that_can_reach_the_level_are_enough():
    result = judged(around(100, seed=1, n=5), around(900, seed=2, n=5), direction=Direction.INCREASE)

    assert result.classification is C.HIGH


def test_a_problem_of_the_source_is_passed_on():
    problem = Problem(classification=C.NODATA, message="Prometheus did not answer within 7 s")
    metric = MetricConfig(name="m")
    pair = SeriesPair(metric="m", baseline=Series.empty(), canary=Series.empty(), problem=problem)

    result = classify(pair, metric, CanaryConfig(name="c", metrics=(metric,)))

    assert (result.classification, result.reason) == (C.NODATA, problem.message)


def test_the_very_same_query_on_both_sides_is_an_error():
    metric = MetricConfig(name="m")
    queries = {"baseline": "up", "canary": "up"}
    pair = SeriesPair(metric="m", baseline=around(1, seed=1), canary=around(1, seed=2), queries=queries)

    result = classify(pair, metric, CanaryConfig(name="c", metrics=(metric,)))

    assert result.classification is C.ERROR
    assert "the very same query" in result.reason
    assert result.queries == queries


@pytest.mark.parametrize(
    ("baseline", "canary", "expected"),
    [
        pytest.param(const(3), const(3), C.PASS, id="constant and equal"),
        pytest.param(const(3), const(4), C.HIGH, id="constant and different"),
        pytest.param(const(0), const(0), C.PASS, id="all zeros"),
        pytest.param(const(0), const(5), C.HIGH, id="something where nothing was"),
        pytest.param(around(-100, seed=1), around(-60, seed=2), C.HIGH, id="negative values that rise"),
        pytest.param(around(-100, seed=1), around(-140, seed=2), C.LOW, id="negative values that fall"),
        pytest.param(around(1e-12, seed=1), around(1.3e-12, seed=2), C.HIGH, id="tiny values"),
        pytest.param(around(1e12, seed=1), around(1.3e12, seed=2), C.HIGH, id="huge values"),
    ],
)
def test_odd_values(baseline, canary, expected):
    assert judged(baseline, canary).classification is expected


def test_a_zero_baseline_asks_for_an_absolute_margin():
    sparse = Series(t=T, v=np.where(np.arange(N) % 5 == 0, 1.0, 0.0))
    busier = Series(t=T, v=np.where(np.arange(N) % 5 < 2, 1.0, 0.0))

    result = judged(sparse, busier, direction=Direction.INCREASE)
    with_margin = judged(sparse, busier, direction=Direction.INCREASE, must_detect=Margin(relative=0.2, absolute=2))

    assert result.classification is C.UNDECIDED
    assert "must_detect.absolute" in result.reason
    assert with_margin.classification is C.PASS


def counts(errors_b, errors_c, *, requests_b=300, requests_c=300, seed=7, **fields):
    rng = np.random.default_rng(seed)
    events = [Series(t=T, v=rng.binomial(n, p, N).astype(float)) for n, p in ((requests_b, errors_b), (requests_c, errors_c))]
    totals = [const(requests_b), const(requests_c)]
    # Equal totals on both sides would look like one and the same side.
    totals = [Series(t=total.t, v=total.v + rng.integers(0, 9, N)) for total in totals]
    return judged(
        *events, totals=totals, tolerance=Margin(relative=0.25, absolute=0.001), must_detect=Margin(relative=1, absolute=0.005), **fields
    )


@pytest.mark.parametrize(
    ("baseline", "canary", "expected"),
    [
        pytest.param(0.005, 0.04, C.HIGH, id="0.5% to 4%"),
        pytest.param(0.005, 0.005, C.PASS, id="0.5% stays"),
        pytest.param(0.001, 0.005, C.HIGH, id="0.1% to 0.5%"),
        pytest.param(0.0, 0.0, C.PASS, id="no errors on either side"),
        pytest.param(0.04, 0.005, C.PASS, id="fewer errors"),
        pytest.param(0.0, 0.02, C.HIGH, id="errors that only the canary has"),
    ],
)
def test_counts(baseline, canary, expected):
    result = counts(baseline, canary, direction=Direction.INCREASE)

    assert result.classification is expected


def test_counts_are_said_as_counts():
    result = counts(0.0, 0.02, direction=Direction.INCREASE)

    found = result.comparison.counts
    assert f"{found.canary_events:.0f} of {found.canary_total:,.0f}" in result.reason
    assert "0 of" in result.reason
    assert result.comparison.change != result.comparison.change


def test_one_error_of_ten_requests_fails_nobody():
    result = counts(0.0, 0.1, requests_b=1, requests_c=1, direction=Direction.INCREASE)

    assert result.classification is C.UNDECIDED


def test_falling_success_ratio_is_low():
    assert counts(0.995, 0.96, direction=Direction.DECREASE).classification is C.LOW


def test_bursts_of_errors_weigh_less_than_their_number():
    rng = np.random.default_rng(1)
    total = Series(t=T, v=np.full(N, 1000.0) + rng.integers(0, 9, N))
    steady = Series(t=T, v=rng.binomial(1000, 0.005, N).astype(float))
    burst = Series(t=T, v=np.where(np.arange(N) == 10, 300.0, 4.0))
    other = Series(t=T, v=np.full(N, 1000.0) + rng.integers(0, 9, N))

    result = judged(steady, burst, totals=(total, other), direction=Direction.INCREASE, tolerance=Margin(relative=0.25, absolute=0.001))

    assert result.comparison.counts.dispersion > 100
    assert result.classification is C.UNDECIDED


@pytest.mark.parametrize(
    ("limit", "values", "expected", "sentence"),
    [
        (Limit(max=0), [0, 0], C.PASS, "0 keeps the limit"),
        (Limit(max=0), [0, 1], C.HIGH, "canary reached 1, at most 0 is allowed"),
        (Limit(min=0.95), [0.99, 0.9], C.LOW, "canary fell to 0.9, at least 0.95 is required"),
        (Limit(min=1, max=3), [1, 3], C.PASS, "3 keeps the limit"),
        (Limit(max=0), [], C.NODATA, "the canary has no samples"),
        (Limit(max=10), [math.inf], C.HIGH, "canary reached inf, at most 10 is allowed"),
    ],
)
def test_a_limit_needs_no_baseline(limit, values, expected, sentence):
    canary = Series(t=np.arange(len(values)) * 60.0, v=np.array(values, float))

    result = judged(Series.empty(), canary, limit=limit)

    assert (result.classification, result.reason) == (expected, sentence)
