"""The whole judge as a function: what must hold for every canary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.core.canary import judge_canary
from judge.core.config import CanaryConfig, Direction, Margin, MetricConfig
from judge.core.model import Classification, Outcome, Series, SeriesPair

JUDGE = "mann-whitney"
"""The others are tested where they live; what is said of judge_canary itself holds for any."""

MIRROR = {"high": "low", "low": "high"}


def series(values, *, step=60.0):
    return Series(t=np.arange(len(values)) * step, v=np.array(values, float))


def judged(baseline, canary, *, scale=1.0, **fields):
    metric = MetricConfig(name="m", **fields)
    pair = SeriesPair(metric="m", baseline=series(np.multiply(baseline, scale)), canary=series(np.multiply(canary, scale)))
    return judge_canary(CanaryConfig(name="c", metrics=(metric,), judge=JUDGE), [pair])


def kind(verdict):
    return verdict.results[0].classification.value


samples = st.lists(st.floats(0.5, 50).map(lambda v: round(v, 3)), min_size=5, max_size=30)
symmetric = {"tolerance": Margin(absolute=0.5), "must_detect": Margin(absolute=2)}


@given(samples, samples)
def test_swapping_the_sides_mirrors_the_classification(baseline, canary):
    # Margins in the metric's unit are the same from either side; a percentage is of the baseline.
    there = judged(np.negative(baseline), np.negative(canary), **symmetric)
    back = judged(np.negative(canary), np.negative(baseline), **symmetric)
    if there.results[0].comparison is None or 0 in {there.results[0].comparison.baseline_value, back.results[0].comparison.baseline_value}:
        return

    assert kind(back) == MIRROR.get(kind(there), kind(there))


@given(samples, samples, st.sampled_from([1e-12, 1e-6, 0.5, 1024.0, 1e9]))
def test_the_unit_changes_nothing(baseline, canary, scale):
    plain, scaled = judged(baseline, canary), judged(baseline, canary, scale=scale)

    assert kind(plain) == kind(scaled)
    first, second = plain.results[0].comparison, scaled.results[0].comparison
    if first is not None:
        assert first.pvalue == pytest.approx(second.pvalue)
        assert first.change == pytest.approx(second.change, rel=1e-6, abs=1e-9)


@given(samples, samples, st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_tolerance_never_makes_a_regression(baseline, canary, first, second):
    small, large = sorted((first, second))
    must_detect = Margin(relative=0.9)

    strict = judged(baseline, canary, tolerance=Margin(relative=small), must_detect=must_detect)
    lenient = judged(baseline, canary, tolerance=Margin(relative=large), must_detect=must_detect)

    if lenient.results[0].classification.regressed:
        assert kind(strict) == kind(lenient)


@given(samples, samples)
@settings(max_examples=30)
def test_the_same_data_gives_the_same_verdict(baseline, canary):
    first, second = judged(baseline, canary), judged(baseline, canary)

    # repr, because NaN is not equal to itself.
    assert repr(first) == repr(second)


def test_a_metric_without_a_pair_has_no_data():
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="a"), MetricConfig(name="b", critical=True)))
    pair = SeriesPair(metric="a", baseline=series(np.arange(1, 21)), canary=series(np.arange(20, 0, -1)))

    verdict = judge_canary(config, [pair])

    assert [result.classification for result in verdict.results][1] is Classification.NODATA
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("critical b is nodata")


def test_a_pair_that_the_config_does_not_know_is_refused():
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="a"),))

    with pytest.raises(KeyError, match="zz"):
        judge_canary(config, [SeriesPair(metric="zz", baseline=Series.empty(), canary=Series.empty())])


def test_each_label_set_is_a_result_of_its_own():
    metric = MetricConfig(name="m", direction=Direction.INCREASE)
    rng = np.random.default_rng(0)
    pairs = [
        SeriesPair(
            metric="m",
            labels={"route": route},
            baseline=series(rng.gamma(900, size=20)),
            canary=series(factor * rng.gamma(900, size=20)),
        )
        for route, factor in (("/a", 1.0), ("/b", 3.0))
    ]

    verdict = judge_canary(CanaryConfig(name="c", metrics=(metric,)), pairs)

    assert [(result.title, result.classification.value, result.weight) for result in verdict.results] == [
        ('m{route="/a"}', "pass", 50.0),
        ('m{route="/b"}', "high", 50.0),
    ]


def test_healthy_independent_samples_fail_at_most_at_the_level():
    # 1,000 seeded rounds without a change, tolerance 0: the level is 1 %, its standard error 0.31 points.
    rng = np.random.default_rng(8)
    fields = {"direction": Direction.INCREASE, "tolerance": Margin(relative=0.0), "must_detect": Margin(relative=0.2)}
    failed = sum(judged(rng.lognormal(0, 0.1, 20), rng.lognormal(0, 0.1, 20), **fields).outcome is Outcome.FAIL for _ in range(1000))

    assert failed / 1000 <= 0.01 + 3 * 0.0031


def test_a_real_change_is_found():
    # 500 seeded rounds of +20 % at cv 10 %, 20 samples a side.
    rng = np.random.default_rng(9)
    fields = {"direction": Direction.INCREASE}
    failed = sum(judged(rng.lognormal(0, 0.1, 20), 1.2 * rng.lognormal(0, 0.1, 20), **fields).outcome is Outcome.FAIL for _ in range(500))

    assert failed / 500 >= 0.9


@pytest.mark.parametrize("judge", ["sequential", "mann-whitney"])
@pytest.mark.parametrize("times", [[0, 60, 60, 120], [0, 120, 60, 180], [0, np.nan, 120, 180]], ids=["twice", "back", "no time"])
def test_times_that_do_not_increase_are_an_error_of_their_metric(judge, times):
    good = series(np.arange(4.0))
    bad = Series(t=np.array(times, dtype=float), v=np.arange(4.0))
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="latency", critical=True),), judge=judge)

    found = judge_canary(config, [SeriesPair(metric="latency", baseline=good, canary=bad)])

    assert found.outcome is not Outcome.PASS
    assert (found.results[0].classification, found.results[0].reason) == (
        Classification.ERROR,
        "the times of the canary do not increase",
    )
