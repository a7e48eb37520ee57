"""Metrics to verdict: one row a rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.config import CanaryConfig, MetricConfig, ScoreThresholds, TrafficConfig
from judge.core.model import Classification, Comparison, MetricResult, Outcome, Traffic
from judge.core.scoring import decide, score_groups, weigh

C = Classification


def found(*, pvalue, change):
    return Comparison(
        method="m", level=0.05, u=0.0, pvalue=pvalue, pvalue_directed=pvalue, effect=0.5, shift=0.0, shift_low=0.0, shift_high=0.0,
        change=change, change_low=0.0, change_high=0.0, n_baseline=9, n_canary=9, n_effective=9, baseline_value=1.0, canary_value=1.0,
    )  # fmt: skip


def metric(classification, *, critical=False, group="g", name="m", comparison=None):
    return MetricResult(
        name=name,
        classification=classification,
        reason=f"is {classification.value}",
        group=group,
        weight=0.0,
        critical=critical,
        direction="increase",
        tolerance="5%",
        must_detect="20%",
        comparison=comparison,
    )


def config(**fields):
    return CanaryConfig(name="c", metrics=(MetricConfig(name="m"),), **fields)


@pytest.mark.parametrize(
    ("results", "outcome", "score"),
    [
        pytest.param([metric(C.PASS)] * 4, Outcome.PASS, 100, id="all pass"),
        pytest.param([metric(C.PASS)] * 3 + [metric(C.HIGH)], Outcome.MARGINAL, 75, id="marginal is inclusive"),
        pytest.param([metric(C.PASS)] * 19 + [metric(C.LOW)], Outcome.PASS, 95, id="pass is inclusive"),
        pytest.param([metric(C.PASS)] * 2 + [metric(C.HIGH)], Outcome.FAIL, 66.67, id="below marginal fails"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.HIGH, critical=True)], Outcome.FAIL, 0, id="critical fails all"),
        pytest.param(
            [metric(C.HIGH)] + [metric(C.UNDECIDED)] * 3, Outcome.INCONCLUSIVE, 75, id="one of four bad, the rest open: no fail yet"
        ),
        pytest.param([metric(C.HIGH)] * 2 + [metric(C.UNDECIDED)] * 2, Outcome.FAIL, 0, id="cannot reach marginal any more"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.UNDECIDED)], Outcome.PASS, 100, id="a little undecided passes"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.NODATA)], Outcome.PASS, 100, id="a little without data passes"),
        pytest.param([metric(C.PASS)] * 2 + [metric(C.UNDECIDED)] * 2, Outcome.PASS, 100, id="half undecided still passes"),
        pytest.param([metric(C.PASS)] * 2 + [metric(C.UNDECIDED)] * 3, Outcome.INCONCLUSIVE, 94.99, id="more than half undecided does not"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.UNDECIDED, critical=True)], Outcome.INCONCLUSIVE, 94.99, id="critical undecided"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.NODATA, critical=True)], Outcome.INCONCLUSIVE, 94.99, id="critical without data"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.ERROR)], Outcome.INCONCLUSIVE, 94.99, id="an error is not a pass"),
        pytest.param([metric(C.PASS)] * 9 + [metric(C.ERROR, critical=True)], Outcome.ERROR, 94.99, id="a critical error"),
        pytest.param([metric(C.ERROR)], Outcome.ERROR, 75, id="nothing but errors"),
        pytest.param([metric(C.NODATA)] * 3, Outcome.INCONCLUSIVE, 75, id="no data at all"),
        pytest.param(
            [metric(C.ERROR), metric(C.HIGH, critical=True)], Outcome.FAIL, 0, id="a critical regression is shown whatever else broke"
        ),
        pytest.param([], Outcome.ERROR, 75, id="no metric"),
    ],
)
def test_decide(results, outcome, score):
    verdict = decide(results, config())

    assert (verdict.outcome, verdict.score) == (outcome, score)
    assert verdict.reason


def test_trouble_of_the_source_keeps_anything_from_passing():
    verdict = decide([metric(C.PASS)] * 9 + [metric(C.NODATA)], config(), source_trouble="m: Prometheus did not answer within 7 s")

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "m: Prometheus did not answer within 7 s"


@pytest.mark.parametrize(
    ("traffic", "outcome", "reason"),
    [
        (Traffic(baseline=1000, canary=100), Outcome.FAIL, "critical m: is high"),
        (Traffic(baseline=1000, canary=99), Outcome.INCONCLUSIVE, "too little traffic: the canary answered 99 requests, 100 are needed"),
        (Traffic(baseline=10, canary=990), Outcome.INCONCLUSIVE, "too little traffic: the baseline answered 10 requests, 100 are needed"),
        (Traffic(baseline=None, canary=None, problem="timed out"), Outcome.INCONCLUSIVE, "traffic is unknown: timed out"),
        (None, Outcome.INCONCLUSIVE, "traffic is unknown: not asked"),
        (
            Traffic(baseline=1000, canary=math.nan),
            Outcome.INCONCLUSIVE,
            "traffic is unknown: the requests of the canary are nan, which is no number of requests",
        ),
        (
            Traffic(baseline=math.inf, canary=1000),
            Outcome.INCONCLUSIVE,
            "traffic is unknown: the requests of the baseline are inf, which is no number of requests",
        ),
    ],
)
def test_too_little_traffic_never_fails(traffic, outcome, reason):
    asked = config(traffic=TrafficConfig(query="q", min_requests=100))

    verdict = decide([metric(C.HIGH, critical=True)], asked, traffic=traffic)

    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_weights_of_groups_are_split_within_the_group():
    results = [metric(C.PASS, group="a"), metric(C.PASS, group="b"), metric(C.HIGH, group="b")]

    weighed = weigh(results, {"a": 30, "b": 60})
    groups = score_groups(weighed)

    assert [round(result.weight, 6) for result in weighed] == [33.333333, 33.333333, 33.333333]
    assert [(group.name, round(group.weight, 6), group.score) for group in groups] == [("a", 33.333333, 100), ("b", 66.666667, 50)]


def test_the_regressed_metric_of_the_largest_weight_gives_the_reason():
    results = [metric(C.HIGH, group="a", name="small"), metric(C.HIGH, group="b", name="large")]

    verdict = decide(results, config(groups={"a": 10, "b": 90}))

    assert verdict.reason.startswith("large: is high (score at best 0 < 75)")


kinds = st.sampled_from(list(C))


@given(st.lists(st.tuples(kinds, st.booleans(), st.sampled_from(["a", "b"])), max_size=12), st.floats(0, 100), st.floats(0, 100))
def test_the_score_never_says_more_than_the_verdict(parts, first, second):
    thresholds = ScoreThresholds(passing=max(first, second), marginal=min(first, second))
    results = [metric(kind, critical=critical, group=group) for kind, critical, group in parts]

    verdict = decide(results, config(score=thresholds))

    assert 0 <= verdict.score <= 100
    if verdict.outcome is Outcome.PASS:
        assert verdict.score >= round(thresholds.passing, 2) - 0.01
        assert not any(critical and kind is not C.PASS for kind, critical, _ in parts)
        assert C.ERROR not in [kind for kind, _, _ in parts]
    elif thresholds.passing > 0.01:
        # A template that only asks for `score >= pass` must not promote either.
        assert verdict.score < thresholds.passing or verdict.outcome is Outcome.MARGINAL


@given(st.lists(st.tuples(kinds, st.booleans()), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_shuffling_metrics_changes_nothing(parts, random):
    results = [metric(kind, critical=critical, name=f"m{index}") for index, (kind, critical) in enumerate(parts)]
    shuffled = random.sample(results, len(results))

    first, second = decide(results, config()), decide(shuffled, config())

    assert (first.outcome, first.score) == (second.outcome, second.score)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(found(pvalue=1e-3, change=0.9), found(pvalue=1e-9, change=0.2), id="more evidence"),
        pytest.param(found(pvalue=0.0, change=0.2), found(pvalue=0.0, change=0.9), id="as much evidence, further off"),
        pytest.param(found(pvalue=0.0, change=5.0), found(pvalue=0.0, change=float("nan")), id="from nothing"),
        pytest.param(found(pvalue=1e-9, change=5.0), None, id="a broken limit"),
    ],
)
def test_of_metrics_that_weigh_the_same_the_worst_gives_the_reason(first, second):
    regressed = [metric(C.HIGH, name="first", comparison=first), metric(C.HIGH, name="second", comparison=second)]

    for results in (regressed, regressed[::-1]):
        assert decide(results, config()).reason.startswith("second: ")


def test_a_metric_without_samples_gives_the_reason_only_where_nothing_else_is_open():
    empty, slow = metric(C.NODATA, name="empty"), metric(C.UNDECIDED, name="slow", comparison=found(pvalue=0.2, change=0.1))

    assert "; slow: " in decide([metric(C.PASS), empty, slow], config()).reason
    assert "; empty: " in decide([empty], config()).reason


def test_the_metric_that_weighs_most_gives_the_reason_however_bad_the_others_are():
    light = metric(C.HIGH, name="light", group="a", comparison=found(pvalue=0.0, change=9.0))
    heavy = metric(C.HIGH, name="heavy", group="b", comparison=found(pvalue=0.01, change=0.1))

    assert decide([light, heavy], config(groups={"a": 20.0, "b": 80.0})).reason.startswith("heavy: ")
