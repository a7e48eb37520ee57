"""Pairs at a longer step are those that a source would have answered at that step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.calibrate.downsample import coarser, steps
from judge.calibrate.healthy_pairs import Case, Kind
from judge.config.load import parse_config
from judge.core.model import Series, SeriesPair

START, STEP = 6000.0, 60.0
CONFIG = parse_config(
    {
        "name": "c",
        "scope": 'hash="${hash}"',
        "window": {"step": "60s", "length": "30m"},
        "looks": {"count": 20, "interval": "90s"},
        "metrics": [
            {"name": "errors", "numerator": "increase(e{${scope}}[${step}])", "denominator": "increase(r{${scope}}[${step}])"},
            {"name": "rate", "query": "sum(rate(r{${scope}}[${step}]))"},
            {"name": "fixed", "query": "sum(rate(r{${scope}}[5m]))"},
            {"name": "counted", "numerator": "increase(e{${scope}}[1m])", "denominator": "increase(r{${scope}}[1m])"},
            {"name": "restarts", "query": "increase(k{${scope}}[${window}])", "limit": {"max": 0}},
        ],
    },
    where="test",
)


def series(values, *, start=START) -> Series:
    values = np.asarray(values, dtype=np.float64)
    return Series(t=start + STEP * np.arange(len(values)), v=values)


def case(metric: str, values, *, shift: float = 0.0, rate_window: float | None = None) -> Case:
    counted = bool(CONFIG.metric(metric).denominator)
    sides = {"baseline": series(values, start=START - shift), "canary": series(values)}
    totals = {f"{side}_total": replace(one, v=one.v * 10) for side, one in sides.items()} if counted else {}
    pair = SeriesPair(metric=metric, **sides, **totals, rate_window=rate_window)
    return Case(kind=Kind.SPLIT, start=START, length=1800.0, shift=shift, pairs=(pair,))


def canary(metric: str, values, factor: int = 2, **more) -> list[tuple[float, float]]:
    (pair,) = coarser(case(metric, values, **more), CONFIG, factor).pairs
    return list(zip(((pair.canary.t - START) / STEP).tolist(), pair.canary.v.tolist(), strict=True))


def test_counts_of_a_step_add_up():
    assert canary("errors", [9, 1, 2, 3, 4, 5]) == [(2, 3), (4, 7), (6, 5)]


def test_totals_add_up_with_their_events():
    (pair,) = coarser(case("errors", [9, 1, 2, 3, 4]), CONFIG, 4).pairs

    assert pair.canary.v.tolist() == [10]
    assert pair.canary_total.v.tolist() == pair.baseline_total.v.tolist() == [100]


def test_a_rate_over_the_step_is_the_mean_of_both():
    assert canary("rate", [9, 1, 2, 3, 5]) == [(2, 1.5), (4, 4)]


@pytest.mark.parametrize("metric", ["fixed", "counted"])
def test_a_query_of_its_own_range_gives_fewer_of_the_same_samples(metric):
    assert canary(metric, [9, 1, 2, 3, 5]) == [(0, 9), (2, 2), (4, 5)]


def test_a_broken_limit_stays_broken():
    assert canary("restarts", [0, 1, 0]) == [(0, 0), (1, 1), (2, 0)]


def test_a_baseline_of_another_time_has_the_same_steps():
    (pair,) = coarser(case("rate", [9, 1, 2, 3, 5], shift=86_400.0 + 90.0), CONFIG, 2).pairs

    assert pair.baseline.v.tolist() == pair.canary.v.tolist() == [1.5, 4]
    assert (pair.canary.t - pair.baseline.t).tolist() == [86_490.0, 86_490.0]


def test_a_range_that_is_the_step_grows_with_it_and_others_do_not():
    (grown,) = coarser(case("rate", [1] * 5, rate_window=60.0), CONFIG, 2).pairs
    (kept,) = coarser(case("fixed", [1] * 5, rate_window=300.0), CONFIG, 2).pairs

    assert (grown.rate_window, kept.rate_window) == (120.0, 300.0)


def test_gaps_and_empty_series_stay_what_they_are():
    (pair,) = coarser(case("rate", []), CONFIG, 2).pairs
    assert len(pair.canary) == 0

    one = case("rate", range(10)).pairs[0]
    gappy = replace(one.canary, t=one.canary.t[[1, 2, 7]], v=one.canary.v[[1, 2, 7]])
    (pair,) = coarser(replace(case("rate", []), pairs=(replace(one, canary=gappy),)), CONFIG, 2).pairs
    assert list(zip(((pair.canary.t - START) / STEP).tolist(), pair.canary.v.tolist(), strict=True)) == [(2, 1.5), (8, 7)]


def test_steps_are_tried_as_long_as_the_window_has_ten_of_them():
    found = [(name, changed.window.step) for name, changed, _ in steps(CONFIG, [case("rate", range(31))])]
    short = replace(CONFIG, window=replace(CONFIG.window, length=1200.0))

    assert found == [("a sample every 2 min", 120.0)]
    assert [changed.window.step for _, changed, _ in steps(short, [case("rate", range(21))])] == [120.0]
    assert list(steps(CONFIG, [])) == []
