"""What must hold for every canary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.core.config import CanaryConfig, Direction, Margin, MetricConfig, WindowConfig
from judge.core.model import Classification, Outcome
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import DEFAULTS, SequentialSettings
from tests.core.sequential.canaries import STEP, judged, look, pair

LEVELS_ONLY = SequentialSettings(tail=False, spread=False, joint=False)
MIRROR = {Classification.HIGH: Classification.LOW, Classification.LOW: Classification.HIGH}


@st.composite
def canaries(draw):
    """Both sides' values: any length, dependence, noise, shift, onset, paired or not, with spikes or without."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(10, 120))
    phi = draw(st.sampled_from([0.0, 0.5, 0.9]))
    cv = draw(st.sampled_from([0.001, 0.05, 0.1, 0.3]))
    sides = []
    for _ in range(2):
        z = rng.standard_normal(n)
        for i in range(1, n):
            z[i] = phi * z[i - 1] + np.sqrt(1 - phi**2) * z[i]
        sides.append(cv * z)
    shift = draw(st.sampled_from([-0.4, -0.1, 0.0, 0.04, 0.1, 0.2, 0.5]))
    onset = draw(st.sampled_from([0.0, 0.5, 0.8]))
    canary = 100 * np.exp(sides[1] + shift * (np.arange(n) >= onset * n))
    for place in draw(st.lists(st.integers(0, n - 1), max_size=5)):
        canary[place] *= 3
    return 100 * np.exp(sides[0]), canary


@settings(max_examples=80, deadline=None)
@given(canaries(), st.integers(1, 20))
def test_swapping_the_sides_mirrors_a_metric_that_is_bad_both_ways(sides, number):
    baseline, canary = sides
    # On ratios -20 % undoes +25 %, so only without a tolerance are both ways exactly alike.
    more = {"direction": Direction.EITHER, "tolerance": Margin(), "window": look(number, 20), "settings": LEVELS_ONLY}

    there, back = judged(pair(baseline, canary), **more), judged(pair(canary, baseline), **more)

    found = there.results[0].classification
    assert back.results[0].classification is MIRROR.get(found, found)
    assert back.outcome is there.outcome


@settings(max_examples=60, deadline=None)
@given(canaries(), st.integers(1, 20))
def test_swapping_sides_of_different_times_mirrors_the_whole_window(sides, number):
    # The later half and healing are questions to the canary alone, so they are left out.
    baseline, canary = sides
    late = np.arange(len(canary)) * STEP + 1e6
    plain = replace(LEVELS_ONLY, recent=False, healing=0.0)
    more = {"direction": Direction.EITHER, "tolerance": Margin(), "window": look(number, 20), "settings": plain}

    there, back = judged(pair(baseline, canary, t_canary=late), **more), judged(pair(canary, baseline, t_canary=late), **more)

    found = there.results[0].classification
    assert back.results[0].classification is MIRROR.get(found, found)


@settings(max_examples=60, deadline=None)
@given(canaries(), st.integers(1, 20))
def test_a_rise_one_way_is_a_fall_the_other(sides, number):
    baseline, canary = sides
    more = {"window": look(number, 20), "settings": LEVELS_ONLY}

    rise = judged(
        pair(baseline, canary), direction=Direction.INCREASE, tolerance=Margin(relative=0.25), must_detect=Margin(relative=0.4), **more
    )
    fall = judged(
        pair(canary, baseline), direction=Direction.DECREASE, tolerance=Margin(relative=0.2), must_detect=Margin(relative=0.4), **more
    )

    found = rise.results[0].classification
    assert fall.results[0].classification is MIRROR.get(found, found)


@settings(max_examples=60, deadline=None)
@given(canaries(), st.integers(1, 20), st.sampled_from([1e-9, 1 / 1024, 7.0, 1e9]))
def test_scaling_both_sides_changes_nothing(sides, number, factor):
    baseline, canary = sides

    plain = judged(pair(baseline, canary), window=look(number, 20))
    scaled = judged(pair(baseline * factor, canary * factor), window=look(number, 20))

    assert scaled.reason == plain.reason
    assert scaled.outcome is plain.outcome


@settings(max_examples=80, deadline=None)
@given(canaries(), st.integers(1, 20), st.lists(st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.9, 2.0]), min_size=2, max_size=2))
@pytest.mark.parametrize("direction", list(Direction))
def test_more_tolerance_never_makes_a_fail(direction, sides, number, tolerances):
    less, more = (
        judged(pair(*sides), window=look(number, 20), tolerance=Margin(relative=relative), direction=direction)
        for relative in sorted(tolerances)
    )

    assert not (more.outcome is Outcome.FAIL and less.outcome is not Outcome.FAIL)


@settings(max_examples=25, deadline=None)
@given(st.lists(canaries(), min_size=3, max_size=6), st.randoms(use_true_random=False), st.integers(1, 20))
def test_shuffling_the_metrics_changes_nothing(sides, random, number):
    metrics = [MetricConfig(name=f"m{i}", direction=Direction.INCREASE, critical=i == 0) for i in range(len(sides))]
    pairs = [pair(*side, metric=metric.name) for side, metric in zip(sides, metrics, strict=True)]
    config = CanaryConfig(name="c", metrics=tuple(metrics), judge="sequential", window=WindowConfig(step=STEP))
    mixed_metrics, mixed_pairs = metrics.copy(), pairs.copy()
    random.shuffle(mixed_metrics)
    random.shuffle(mixed_pairs)

    plain = judge_sequential(config, pairs, window=look(number, 20))
    mixed = judge_sequential(replace(config, metrics=tuple(mixed_metrics)), mixed_pairs, window=look(number, 20))

    assert (mixed.outcome, mixed.score) == (plain.outcome, plain.score)
    assert {r.name: r.reason for r in mixed.results} == {r.name: r.reason for r in plain.results}


@settings(max_examples=60, deadline=None)
@given(canaries(), st.integers(1, 25))
def test_without_sentences_the_decisions_are_the_same(sides, number):
    whole = judged(pair(*sides), window=look(number, 20))
    quiet = judged(pair(*sides), window=look(number, 20), settings=replace(DEFAULTS, explain=False))

    assert (quiet.outcome, quiet.score) == (whole.outcome, whole.score)
    assert quiet.results[0].classification is whole.results[0].classification


@settings(max_examples=60, deadline=None)
@given(canaries(), st.integers(1, 20))
def test_a_regression_has_its_interval_beyond_the_tolerance_and_a_pass_below_must_detect(sides, number):
    verdict = judged(pair(*sides), window=look(number, 20), settings=LEVELS_ONLY)

    found = verdict.results[0].comparison
    if found is None:
        return
    assert found.change_low <= found.change <= found.change_high
    if verdict.results[0].classification is Classification.HIGH:
        assert found.change_low >= 0.05 - 1e-6
    if verdict.results[0].classification is Classification.PASS and "healed" not in verdict.results[0].reason:
        assert found.change_high <= 0.20 + 1e-6
