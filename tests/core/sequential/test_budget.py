"""Who gets which part of the error budget."""

from __future__ import annotations

import pytest

from judge.core.config import CanaryConfig, LooksConfig, MetricConfig
from judge.core.model import Window
from judge.core.sequential.budget import Look, fewest_to_fail, look_of, share_out, split
from judge.core.sequential.settings import SequentialSettings

PLAIN = SequentialSettings(joint=False, critical_share=0.5)


def metrics(critical, others):
    return [MetricConfig(name=f"m{i}", critical=i < critical) for i in range(critical + others)]


@pytest.mark.parametrize(
    ("critical", "others", "each_critical", "each_other"),
    [
        pytest.param(2, 8, 0.0125, 0.025 * 3 / 8, id="half and half"),
        pytest.param(4, 0, 0.0125, 0, id="only critical ones"),
        pytest.param(0, 10, 0, 0.05 * 3 / 10, id="none critical"),
        pytest.param(0, 1, 0, 0.05, id="one alone has all"),
        pytest.param(0, 0, 0, 0, id="nothing to test"),
    ],
)
def test_the_budget_is_shared(critical, others, each_critical, each_other):
    total = critical + others
    found = share_out(metrics(critical, others), [100 / total] * total if total else [], marginal=75, settings=PLAIN)

    assert (found.critical, found.other) == (pytest.approx(each_critical), pytest.approx(each_other))


def test_what_is_shared_out_never_exceeds_the_budget():
    settings = SequentialSettings()
    found = share_out(metrics(3, 7), [10] * 10, marginal=75, settings=settings)

    assert found.joint + 3 * found.critical + 7 * found.other / 3 == pytest.approx(settings.alpha)


@pytest.mark.parametrize(
    ("weights", "marginal", "fewest"),
    [
        pytest.param([10] * 10, 75, 3, id="two of ten leave 80"),
        pytest.param([25] * 4, 75, 2, id="75 is not below 75"),
        pytest.param([60, 20, 20], 75, 1, id="the heaviest alone"),
        pytest.param([5, 5], 75, 2, id="too light to fail: all of them"),
    ],
)
def test_how_many_must_regress(weights, marginal, fewest):
    assert fewest_to_fail(weights, marginal) == fewest


@pytest.mark.parametrize(
    ("settings", "counted", "tests"),
    [
        pytest.param(SequentialSettings(), False, {"whole", "recent", "tail", "spread"}, id="all"),
        pytest.param(SequentialSettings(), True, {"whole", "recent"}, id="counts have no shape"),
        pytest.param(SequentialSettings(tail=False, recent=False), False, {"whole", "spread"}, id="switched off"),
        pytest.param(SequentialSettings(off={"cpu": frozenset({"spread"})}), False, {"whole", "recent", "tail"}, id="for this one"),
    ],
)
def test_a_test_that_is_off_leaves_its_share_to_the_others(settings, counted, tests):
    found = split(0.01, settings, name="cpu", counted=counted)

    assert set(found) == tests
    assert sum(found.values()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        pytest.param(None, Look(number=20, of=20), id="unknown: the last one planned"),
        pytest.param(Window(start=0, end=60, step=15, look=3, of=10), Look(number=3, of=10), id="as the window says"),
    ],
)
def test_the_look_is_numbered(window, expected):
    config = CanaryConfig(name="c", metrics=(), looks=LooksConfig(count=20))

    assert look_of(config, window) == expected


def test_beyond_the_plan_nothing_is_left():
    assert Look(number=21, of=20).level(0.05, 2) == 0
    assert Look(number=20, of=20).level(0.05, 2) > 0
