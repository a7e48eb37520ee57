"""What is unlike between the sides is said with its numbers, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.canary import JUDGES, judge_canary
from judge.core.conditions import Conditions, SideConditions, unlike
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.model import Traffic
from tests.core.sequential.canaries import noise, pair

DAY, HOUR = 86400.0, 3600.0


def sides(baseline, canary, **more):
    return Conditions(baseline=SideConditions(**baseline), canary=SideConditions(**canary), **more)


@pytest.mark.parametrize(
    ("conditions", "traffic", "said"),
    [
        pytest.param(
            sides({"pods": 10.0}, {"pods": 2.0}),
            Traffic(baseline=10_000, canary=400),
            ["the canary's 2 pods answered 0.2 times as many requests a pod as the 10 of the baseline: unlike load"],
            id="load a pod",
        ),
        pytest.param(sides({"pods": 10.0}, {"pods": 2.0}), Traffic(baseline=10_000, canary=1_900), [], id="as many a pod"),
        pytest.param(
            sides({"pods": 10.0}, {"pods": 1.0}),
            None,
            ["the canary has 1 pod, the baseline 10, and how the requests are shared between them is not known"],
            id="pods without traffic",
        ),
        pytest.param(sides({"pods": 3.0}, {"pods": 2.0}), None, [], id="nearly as many pods"),
        pytest.param(sides({"pods": 3.0}, {}), None, [], id="pods of one side only"),
        pytest.param(
            sides({}, {}, share=0.2),
            Traffic(baseline=9_600, canary=400),
            ["the canary got 4% of the requests, 20% are expected"],
            id="share",
        ),
        pytest.param(sides({}, {}, share=0.2), Traffic(baseline=800, canary=210), [], id="share as expected"),
        pytest.param(sides({}, {}, share=0.2), Traffic(baseline=9, canary=0), [], id="share of nine requests"),
        pytest.param(sides({}, {}, share=0.5), Traffic(baseline=0, canary=0), [], id="share of no requests"),
        pytest.param(
            sides({}, {}, share=0.2),
            Traffic(baseline=0, canary=400),
            ["the canary got 100% of the requests, 20% are expected"],
            id="share of everything",
        ),
        pytest.param(
            sides({"age": 9 * DAY}, {"age": 900.0}),
            None,
            ["the baseline's oldest pod has run for 9 d, the canary's for 15 min: caches, pools and memory may differ for that alone"],
            id="age",
        ),
        pytest.param(sides({"age": 1.5 * HOUR}, {"age": HOUR}), None, [], id="nearly as old"),
        pytest.param(sides({"age": 900.0}, {"age": 60.0}), None, [], id="both young"),
        pytest.param(sides({"age": 900.0}, {"age": 9 * DAY}), None, [], id="a fresh baseline"),
        pytest.param(
            sides({"places": {"a": 4.0, "b": 4.0}}, {"places": {"c": 2.0, "a": 1.0}}),
            None,
            [
                "2 of the canary's 3 pods are where the baseline has none (c)",
                "4 of the baseline's 8 pods are where the canary has none (b)",
            ],
            id="places",
        ),
        pytest.param(
            sides({"places": {f"node-{i}": 1.0 for i in range(10)}}, {"places": {"node-3": 1.0}}),
            None,
            [],
            id="one pod cannot be everywhere",
        ),
        pytest.param(
            sides({"places": {"a": 1.0}}, {"places": dict.fromkeys("bcdef", 1.0)}),
            None,
            [
                "5 of the canary's 5 pods are where the baseline has none (b, c, d and 2 more)",
                "1 of the baseline's 1 pod are where the canary has none (a)",
            ],
            id="many places",
        ),
        pytest.param(
            sides({}, {}, problems=("the canary's age could not be found out: no answer",)), None, None, id="a problem is passed on"
        ),
        pytest.param(None, Traffic(baseline=1, canary=1), [], id="not asked"),
    ],
)
def test_what_is_unlike_is_said(conditions, traffic, said):
    assert unlike(conditions, traffic) == (list(conditions.problems) if said is None else said)


numbers = st.none() | st.floats(allow_nan=True, allow_infinity=True)
told = st.builds(SideConditions, pods=numbers, age=numbers, places=st.dictionaries(st.text(max_size=5), st.floats(), max_size=3))


@given(
    st.builds(Conditions, baseline=told, canary=told, share=st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True)),
    st.none() | st.builds(Traffic, baseline=st.none() | st.floats(0, 1e12), canary=st.none() | st.floats(0, 1e12)),
)
def test_whatever_a_source_says_there_is_a_sentence_or_none(conditions, traffic):
    assert all(isinstance(said, str) and said for said in unlike(conditions, traffic))


@pytest.mark.parametrize("judge", JUDGES)
def test_every_judge_says_it_and_decides_as_without_it(judge):
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="latency"),), judge=judge)
    pairs = [pair(noise(60), noise(60, seed=4))]
    old = sides({"age": 9 * DAY}, {"age": 900.0})

    bare, found = judge_canary(config, pairs), judge_canary(config, pairs, conditions=old)

    assert [warning for warning in found.warnings if warning not in bare.warnings] == unlike(old, None)
    assert (found.outcome, found.score, found.reason) == (bare.outcome, bare.score, bare.reason)
