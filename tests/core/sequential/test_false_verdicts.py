"""Series that once fooled the judge: a sick canary passed, or a healthy one was failed."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, CanaryConfig, Direction, Margin, MetricConfig, WindowConfig
from judge.core.model import Classification, Outcome
from judge.core.sequential.judge import judge_sequential
from tests.core.sequential.canaries import STEP, counts, judged, look, noise, pair

C = Classification
N = 60


def glitch(values, what, *, at=30):
    values = values.copy()
    values[at] = what
    return values


@pytest.mark.parametrize("what", [1e6, -1e6, 1e300, -1e300])
def test_one_glitch_of_the_baseline_does_not_hide_a_regression(what):
    """With a zero among the values they are compared as shares of the baseline's level, which a glitch must not be."""
    baseline = glitch(glitch(noise(N), 0.0, at=7), what)

    assert judged(pair(baseline, 1.5 * noise(N, seed=4))).outcome is Outcome.FAIL
    assert judged(pair(baseline, noise(N, seed=4))).outcome is Outcome.PASS


@pytest.mark.parametrize("what", [-1e300, -1e200, 1e300, -np.finfo(float).max, np.finfo(float).max])
def test_one_glitch_of_the_canary_is_no_regression(what):
    assert judged(pair(noise(N), glitch(noise(N, seed=4), what))).outcome is Outcome.PASS


def test_the_largest_number_stands_for_infinity():
    found = judged(pair(noise(N), np.full(N, np.finfo(float).max))).results[0]

    assert found.reason.startswith("60 of 60 canary samples are infinite")


def episodes(n, every, lasting, times, *, first=9):
    at = np.arange(n)
    return np.where((at + first) % every < lasting, times, 1.0)


def test_two_bad_minutes_in_every_quarter_of_an_hour_do_not_pass():
    """Most samples are well, and each bad stretch is its own surroundings: only the plain mean tells."""
    one = pair(noise(240, cv=0.1), noise(240, seed=4, cv=0.1) * episodes(240, 60, 8, 20.0))
    verdict = judged(one, window=look(20, 20, n=240))
    found = verdict.results[0]

    assert (found.classification, found.suspect, verdict.outcome) == (C.UNDECIDED, True, Outcome.INCONCLUSIVE)
    assert "in most samples" in found.reason
    assert "on average: a part of them is far from the others" in found.reason


def test_two_slightly_worse_minutes_in_every_quarter_of_an_hour_pass():
    one = pair(noise(240, cv=0.1), noise(240, seed=4, cv=0.1) * episodes(240, 60, 8, 1.5))

    assert judged(one, window=look(20, 20, n=240)).outcome is Outcome.PASS


def sawtooth(phase, period, n=N, *, seed):
    """Memory between 50 and 100 that is collected every `period` samples."""
    return 50 + 50 * ((np.arange(n) + phase) % period) / period + np.random.default_rng(seed).normal(0, 1, n)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("phase", [1, 2, 8, 9])
def test_a_baseline_whose_memory_is_collected_at_another_time_makes_no_spikes_on_the_canary(phase, direction):
    verdict = judged(pair(sawtooth(0, 10, seed=3), sawtooth(phase, 10, seed=4)), direction=direction)

    assert verdict.outcome is not Outcome.FAIL


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_spikes_are_still_found_whatever_both_sides_share(shared):
    moves = np.exp(shared * np.random.default_rng(6).standard_normal(N))
    spiked = noise(N, seed=4)
    spiked[[5, 18, 33, 47, 55]] *= 4
    found = judged(pair(noise(N) * moves, spiked * moves)).results[0]

    assert (found.classification, found.decision.test) == (C.HIGH, "tail")


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pair(np.full(N, 100.0), np.full(N, 500.0)), id="constants"),
        pytest.param(counts(np.zeros(N), np.full(N, 3e4), np.full(N, 3e4), np.full(N, 3e4)), id="nothing but errors"),
    ],
)
def test_beyond_the_plan_not_even_certainty_fails_a_canary(one):
    counted = {"tolerance": COUNT_TOLERANCE, "must_detect": COUNT_MUST_DETECT} if one.canary_total is not None else {}
    verdict = judged(one, window=look(25, 20, n=N), **counted)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the error budget is spent" in verdict.reason


def fall(by, *, tolerance, must_detect, cv=0.05):
    """One throughput that falls by this share."""
    metric = MetricConfig(
        name="latency",
        critical=True,
        direction=Direction.DECREASE,
        tolerance=Margin(relative=tolerance),
        must_detect=Margin(relative=must_detect),
    )
    config = CanaryConfig(name="c", metrics=(metric,), window=WindowConfig(step=STEP))
    return judge_sequential(config, [pair(noise(N, cv=cv), (1 - by) * noise(N, seed=4, cv=cv))]).results[0]


@pytest.mark.parametrize(
    ("by", "classification"),
    [(0.5, C.PASS), (0.59, C.PASS), (0.7, C.LOW), (0.9, C.LOW)],
)
def test_a_fall_within_a_wide_tolerance_is_not_beyond_must_detect(by, classification):
    assert fall(by, tolerance=0.6, must_detect=0.8).classification is classification


def test_a_fall_that_would_be_seen_is_never_one_of_more_than_all():
    found = fall(0.32, tolerance=0.3, must_detect=0.5, cv=0.6)

    assert found.classification is C.UNDECIDED
    assert found.wait is not None
    assert 0.3 < found.wait.detectable < 1


def test_a_share_of_successes_is_written_with_the_digits_that_tell_it_from_all():
    failures = np.tile([1.0, 2.0, 1.0], N // 3)
    found = judged(
        counts(300 - failures / 4, np.full(N, 300.0), 300 - failures, np.full(N, 300.0)),
        direction=Direction.DECREASE,
        tolerance=COUNT_TOLERANCE,
        must_detect=COUNT_MUST_DETECT,
    ).results[0]

    assert "(99.56%) on the canary" in found.reason
    assert "(99.89%) on the baseline" in found.reason


def test_hardly_any_requests_are_none():
    found = judged(counts(np.zeros(N), np.full(N, 1e-200), np.zeros(N), np.full(N, 1e-200))).results[0]

    assert (found.classification, found.reason[:38]) == (C.UNDECIDED, "too little to tell: 0 samples with req")
