"""Whatever arrives has an outcome and a sentence that says why."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, Direction, LooksConfig, Margin
from judge.core.model import Classification, Outcome
from judge.core.sequential.settings import SequentialSettings
from tests.core.sequential.canaries import STEP, counts, judged, look, noise, pair

C = Classification
T = np.arange(40) * STEP
ONE = np.ones(40)
RNG = np.random.default_rng(11)


def with_values(values, where, what):
    values = values.copy()
    values[where] = what
    return values


@pytest.mark.parametrize(
    ("one", "classification", "outcome", "said"),
    [
        pytest.param(pair(ONE * 3, ONE * 3), C.PASS, Outcome.PASS, "+0%: a change of 20% is ruled out", id="constant and equal"),
        pytest.param(pair(ONE * 3, ONE * 4), C.HIGH, Outcome.FAIL, "+33%: more than the 5% that is accepted", id="constant and higher"),
        pytest.param(pair(ONE * 100, noise()), C.PASS, Outcome.PASS, "a change of 20% is ruled out", id="only the canary varies"),
        pytest.param(pair(noise(), ONE * 100), C.PASS, Outcome.PASS, "a change of 20% is ruled out", id="only the baseline varies"),
        pytest.param(pair(ONE * 0, ONE * 0), C.PASS, Outcome.PASS, "zero throughout on both sides; n=40", id="all zeros"),
        pytest.param(
            pair(ONE * 0, ONE * 2), C.HIGH, Outcome.FAIL, "+2 on average where the baseline is zero", id="zero baseline, busy canary"
        ),
        pytest.param(
            pair(ONE * 0, with_values(ONE * 0, [7], 1.0)),
            C.UNDECIDED,
            Outcome.INCONCLUSIVE,
            "say in the config how much is too much (must_detect.absolute)",
            id="zero baseline, one event",
        ),
        pytest.param(pair([3.0], [4.0]), C.UNDECIDED, Outcome.INCONCLUSIVE, "1 independent canary sample, at least 5 are needed", id="one"),
        pytest.param(pair(noise(6), noise(6, seed=4)), C.UNDECIDED, Outcome.INCONCLUSIVE, "too little to tell: 6 samples, 10", id="six"),
        pytest.param(pair([], []), C.NODATA, Outcome.INCONCLUSIVE, "neither side has samples", id="none"),
        pytest.param(pair(noise(), []), C.NODATA, Outcome.INCONCLUSIVE, "the canary has no samples", id="no canary"),
        pytest.param(pair(noise(), ONE * np.nan), C.NODATA, Outcome.INCONCLUSIVE, "the canary has no samples", id="nothing but NaN"),
        pytest.param(pair(-noise(), -noise(seed=4)), C.PASS, Outcome.PASS, "a change of 20% is ruled out", id="negative and equal"),
        pytest.param(pair(-noise(), -0.5 * noise(seed=4)), C.HIGH, Outcome.FAIL, "+50%: more than the 5%", id="negative and higher"),
        pytest.param(pair(1e-14 * noise(), 1.3e-14 * noise(seed=4)), C.HIGH, Outcome.FAIL, "more than the 5%", id="near 1e-12, worse"),
        pytest.param(pair(1e-14 * noise(), 1e-14 * noise(seed=4)), C.PASS, Outcome.PASS, "ruled out", id="near 1e-12, equal"),
        pytest.param(pair(1e10 * noise(), 1.3e10 * noise(seed=4)), C.HIGH, Outcome.FAIL, "more than the 5%", id="near 1e12, worse"),
        pytest.param(pair(1e298 * noise(), 1e298 * noise(seed=4)), C.PASS, Outcome.PASS, "ruled out", id="near the largest number"),
        pytest.param(
            pair(noise(), with_values(noise(seed=4), slice(0, 8), np.inf)),
            C.UNDECIDED,
            Outcome.INCONCLUSIVE,
            "8 of 40 canary samples are infinite",
            id="a fifth infinite",
        ),
        pytest.param(
            pair(noise(), with_values(noise(seed=4), slice(None, None, 2), np.nan)),
            C.PASS,
            Outcome.PASS,
            "n=20",
            id="every other one missing",
        ),
        pytest.param(
            pair(noise(), with_values(noise(seed=4), [20], -5000.0)),
            C.PASS,
            Outcome.PASS,
            "a change of 20% is ruled out",
            id="a counter reset",
        ),
        pytest.param(pair(noise(), noise()), C.ERROR, Outcome.ERROR, "the same samples", id="the same samples"),
        pytest.param(
            pair(noise(37), noise(37, seed=4), t=np.arange(37) * 7.0, t_canary=np.arange(37) * 7.0),
            C.PASS,
            Outcome.PASS,
            "ruled out",
            id="a step that does not divide the window",
        ),
        pytest.param(
            pair(noise(), noise(seed=4), rate_window=300.0),
            C.UNDECIDED,
            Outcome.INCONCLUSIVE,
            "20 consecutive samples share data, so 40 are but 2",
            id="a rate window longer than half the window",
        ),
        pytest.param(
            counts(ONE * 2, ONE, ONE * 2, ONE),
            C.ERROR,
            Outcome.ERROR,
            "the numerator must be a part of the denominator",
            id="more errors than requests",
        ),
        pytest.param(counts(-ONE, ONE * 9, ONE, ONE * 9), C.ERROR, Outcome.ERROR, "negative counts", id="negative counts"),
        pytest.param(
            counts(ONE, ONE * 9, ONE * 0, ONE * 0), C.NODATA, Outcome.INCONCLUSIVE, "the canary has no requests", id="no requests"
        ),
        pytest.param(
            counts(ONE * 0, ONE * 90, ONE * 0, ONE * 90),
            C.UNDECIDED,
            Outcome.INCONCLUSIVE,
            "0 of 3,600 (0%) on the baseline: say in the config how much is too much (must_detect.absolute)",
            id="no errors at all and no amount to hold them against",
        ),
        pytest.param(
            counts(ONE[:6], ONE[:6] * 900, ONE[:6], ONE[:6] * 900),
            C.UNDECIDED,
            Outcome.INCONCLUSIVE,
            "6 samples with requests",
            id="six counts",
        ),
    ],
)
def test_it_has_an_outcome_and_a_sentence(one, classification, outcome, said):
    verdict = judged(one)

    assert said in verdict.results[0].reason
    assert (verdict.results[0].classification, verdict.outcome) == (classification, outcome)


def test_no_errors_at_all_pass_with_an_amount_to_hold_them_against():
    verdict = judged(counts(ONE * 0, ONE * 90, ONE * 0, ONE * 90), tolerance=COUNT_TOLERANCE, must_detect=COUNT_MUST_DETECT)

    assert verdict.outcome is Outcome.PASS
    assert "0 of 3,600 (0%) on the canary" in verdict.results[0].reason


@pytest.mark.parametrize(
    ("t", "t_canary"),
    [
        pytest.param(T, T + STEP / 2, id="clocks off by half a step"),
        pytest.param(T * 2, T * 2 + STEP, id="alternating gaps"),
    ],
)
def test_sides_without_common_times_are_compared_unpaired_and_it_is_said(t, t_canary):
    worse = judged(pair(noise(), 1.5 * noise(seed=4), t=t, t_canary=t_canary))
    equal = judged(pair(noise(), noise(seed=4), t=t, t_canary=t_canary))

    assert (worse.outcome, equal.outcome) == (Outcome.FAIL, Outcome.PASS)
    assert "no sample times in common" in equal.results[0].warnings[0]


def test_a_baseline_of_another_day_is_compared_unpaired_and_it_is_said():
    verdict = judged(pair(noise(), 1.3 * noise(seed=4), t_canary=T + 86400))

    assert verdict.outcome is Outcome.FAIL
    assert "the sides are from different times, so what hit both is not cancelled" in verdict.reason
    assert verdict.results[0].warnings == ()


def test_a_few_infinite_samples_are_left_out_and_it_is_said():
    verdict = judged(pair(noise(), with_values(noise(seed=4), [3, 9], np.inf)))

    assert verdict.outcome is Outcome.PASS
    assert verdict.results[0].warnings == ("2 infinite canary samples were left out",)


def test_values_on_both_sides_of_zero_ask_for_amounts():
    relative = judged(pair(RNG.standard_normal(40), RNG.standard_normal(40)))
    absolute = judged(
        pair(RNG.standard_normal(40), RNG.standard_normal(40)), tolerance=Margin(absolute=0.5), must_detect=Margin(absolute=2.0)
    )

    assert "give tolerance and must_detect as amounts" in relative.results[0].warnings[0]
    assert (absolute.outcome, absolute.results[0].warnings) == (Outcome.PASS, ())


def test_beyond_the_plan_nothing_is_failed_and_passing_goes_on():
    worse = judged(pair(noise(), 1.5 * noise(seed=4)), window=look(23, 20))
    equal = judged(pair(noise(), noise(seed=4)), window=look(23, 20))

    assert (worse.outcome, equal.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert "look 23 is beyond the 20 planned and the error budget is spent" in worse.reason
    assert "plan more looks for a longer rollout" in worse.warnings[0]


def test_a_plan_changed_in_mid_rollout_is_noticed():
    plan = LooksConfig(count=20, interval=60.0)

    changed = judged(pair(noise(), noise(seed=4)), window=look(2, 20), looks=plan)
    kept = judged(pair(noise(), noise(seed=4)), window=look(10, 20), looks=plan)

    assert "this is look 2 of 20, but the window is as long as 10 intervals of 60 s" in changed.warnings[0]
    assert kept.warnings == ()


def test_a_repeated_question_gets_the_same_answer():
    one = pair(noise(), 1.1 * noise(seed=4))

    assert judged(one, window=look(7, 20)).reason == judged(one, window=look(7, 20)).reason


def test_three_canary_samples_are_judged_where_the_config_allows_so_few():
    base, canary = noise(15), 2 * noise(3, seed=4)
    late = np.arange(3) * STEP + 9000

    assert judged(pair(base, canary, t_canary=late)).outcome is Outcome.INCONCLUSIVE
    assert judged(pair(base, canary, t_canary=late), min_samples=3).outcome is Outcome.FAIL


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("explain", [False, True])
def test_nothing_in_the_arithmetic_warns(direction, explain):
    settings = SequentialSettings(explain=explain)
    for scale in (0.0, 1e-300, 1e-12, 1.0, 1e12, 1e300):
        for values in (ONE, noise() / 100, RNG.standard_normal(40), RNG.poisson(0.2, 40).astype(float)):
            verdict = judged(pair(values * scale, noise(seed=9) / 100 * scale), direction=direction, settings=settings)
            assert verdict.outcome in set(Outcome)
