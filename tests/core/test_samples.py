"""Which samples may be compared: finite, sharing no data, from both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.model import Classification, Series, SeriesPair
from judge.core.samples import overlap, prepare, repeated, same_samples, thin

T = np.arange(20) * 60.0


def pair(baseline, canary, *, step=60.0, **more):
    def series(values):
        return Series(t=np.arange(len(values)) * step, v=np.array(values, float))

    return SeriesPair(metric="m", baseline=series(baseline), canary=series(canary), **more)


def noise(seed, n=20):
    return np.random.default_rng(seed).gamma(20, size=n)


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.repeat(np.arange(8.0), 4), 4),
        (np.repeat(np.arange(8.0), 2), 2),
        (np.repeat(np.arange(8.0), 4)[2:], 4),
        (np.arange(20.0), 1),
        (np.ones(20), 1),
        (np.array([0.0, 0, 0, 5, 5, 5]), 1),
        (np.array([0.0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]), 1),
    ],
    ids=["4 times", "2 times", "cut at the start", "never", "constant", "too few runs", "irregular"],
)
def test_how_often_the_source_repeats_a_sample(values, times):
    assert repeated(values) == times


@pytest.mark.parametrize(
    ("step", "window", "stride"),
    [(15, 60, 4), (60, 60, 1), (60, 15, 1), (15, 50, 4), (15, None, 1), (15, 300, 20), (0.1, 0.3, 3)],
)
def test_stride_is_how_many_samples_share_a_rate_window(step, window, stride):
    assert overlap(step=step, rate_window=window, repeats=1).stride == stride


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60, unique=True), st.integers(2, 9))
def test_thinned_samples_share_no_data(steps, stride):
    t = np.array(sorted(steps)) * 15.0
    kept = thin(t, t, stride=stride, step=15.0)

    assert kept[-1] == t[-1]
    # One sample in each stretch of time, whatever the gaps.
    stretches = np.floor((kept - t[-1]) / (stride * 15.0) - 1e-9)
    assert len(np.unique(stretches)) == len(kept)


def test_a_rate_window_thins_both_sides_at_the_same_times():
    ready = prepare(pair(noise(1, 40), noise(2, 40), step=15.0), rate_window=60.0, step=15.0)

    assert (ready.sample.n_canary, len(ready.sample.canary)) == (40, 10)
    assert ready.warnings == ("each sample covers 60 s, asked every 15 s: one in 4 is compared",)


def test_nan_is_a_missing_sample_on_both_sides_of_its_time():
    values = noise(1)
    values[3] = math.nan

    ready = prepare(pair(values, noise(2)), rate_window=None, step=60.0)

    assert (ready.sample.n_baseline, ready.sample.n_canary) == (19, 19)


def test_a_few_infinite_samples_are_left_out_and_said():
    values = noise(1)
    values[3] = math.inf

    ready = prepare(pair(noise(2), values), rate_window=None, step=60.0)

    assert ready.sample.n_canary == 19
    assert ready.warnings == ("1 infinite canary samples were left out",)


def test_many_infinite_samples_decide_nothing():
    values = noise(1)
    values[:5] = math.inf

    ready = prepare(pair(noise(2), values), rate_window=None, step=60.0)

    assert ready.sample is None
    assert ready.classification is Classification.UNDECIDED
    assert ready.reason.startswith("5 of 20 canary samples are infinite")


def test_the_same_samples_on_both_sides_are_an_error():
    ready = prepare(pair(noise(1), noise(1)), rate_window=None, step=60.0)

    assert ready.classification is Classification.ERROR
    assert "the same samples" in ready.reason


@pytest.mark.parametrize(
    ("baseline", "canary", "same"),
    [
        (np.ones(20), np.ones(20), False),
        (np.tile([1.0, 2.0], 10), np.tile([1.0, 2.0], 10), False),
        (T, T, True),
        (T, T[::-1], False),
    ],
    ids=["a constant may be equal", "two values may be equal", "varying", "another order"],
)
def test_equal_is_suspicious_only_where_values_vary(baseline, canary, same):
    assert same_samples(baseline, canary) is same


def counted(events, totals, other_events=(2.0,) * 20):
    series = [Series(t=T, v=np.array(values, float)) for values in (events, totals, other_events, np.arange(100, 120))]
    return SeriesPair(metric="m", baseline=series[0], baseline_total=series[1], canary=series[2], canary_total=series[3])


@pytest.mark.parametrize(
    ("events", "totals", "reason"),
    [([30] * 20, [10] * 20, "must be a part of the denominator"), ([-1] * 20, [10] * 20, "negative counts")],
    ids=["more events than requests", "negative"],
)
def test_counts_that_cannot_be_are_an_error(events, totals, reason):
    ready = prepare(counted(events, totals), rate_window=None, step=60.0)

    assert ready.classification is Classification.ERROR
    assert reason in ready.reason


def test_extrapolated_counts_may_exceed_their_total_a_little():
    assert prepare(counted([10.2] * 20, [10] * 20), rate_window=None, step=60.0).sample is not None


def test_a_source_that_repeats_each_sample_is_noticed():
    ready = prepare(pair(np.repeat(noise(1), 4), np.repeat(noise(2), 4), step=15.0), rate_window=None, step=15.0)

    assert (ready.sample.n_canary, len(ready.sample.canary)) == (80, 20)
    assert "repeats each sample 4 times" in ready.warnings[0]
