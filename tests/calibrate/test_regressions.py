"""Known regressions: each shape changes what it says, and the quick way to judge one metric is the judge's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from judge.calibrate.healthy_pairs import Case, Kind
from judge.calibrate.rates import look_by, share, smallest_caught
from judge.calibrate.regressions import COUNTED, SHAPES, caught_at, is_regressed, put_into, try_shapes
from judge.calibrate.trials import judge_all, judge_at
from judge.core.config import CanaryConfig, Direction, LooksConfig, MetricConfig, WindowConfig
from judge.core.model import Series, SeriesPair
from judge.parallel import Workers
from tests.dask_cluster import cluster

N = 31
LATENCY = MetricConfig(name="latency", query="x", direction=Direction.INCREASE, critical=True)
SPEED = MetricConfig(name="speed", query="x", direction=Direction.DECREASE)
ERRORS = MetricConfig(name="errors", numerator="x", denominator="y", direction=Direction.INCREASE)
CONFIG = CanaryConfig(
    name="c",
    metrics=(LATENCY, SPEED, ERRORS),
    window=WindowConfig(step=60.0, length=1800.0),
    looks=LooksConfig(count=20, interval=90.0),
)


def series(rng: np.random.Generator, level: float, noise: float) -> Series:
    return Series(t=np.arange(N) * 60.0, v=level * np.exp(noise * rng.standard_normal(N)))


def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    totals = [Series(t=np.arange(N) * 60.0, v=rng.poisson(1000, N).astype(float)) for _ in range(2)]
    events = [replace(one, v=rng.binomial(one.v.astype(int), 0.004).astype(float)) for one in totals]
    pairs = (
        SeriesPair(metric="latency", baseline=series(rng, 0.2, 0.04), canary=series(rng, 0.2, 0.04)),
        SeriesPair(metric="speed", baseline=series(rng, 50.0, 0.04), canary=series(rng, 50.0, 0.04)),
        SeriesPair(metric="errors", baseline=events[0], canary=events[1], baseline_total=totals[0], canary_total=totals[1]),
    )
    return Case(kind=Kind.SPLIT, start=0.0, length=1800.0, shift=0.0, pairs=pairs)


CASES = [case(seed) for seed in range(12)]


def changed(metric: MetricConfig, shape: str, size: float):
    before = next(pair for pair in CASES[0].pairs if pair.metric == metric.name)
    return before.canary.v, put_into(before, metric, shape, size, seed=1)


@pytest.mark.parametrize(
    ("shape", "ratio"),
    [
        pytest.param("level", lambda r: np.allclose(r, 1.2), id="level: all of it, always"),
        pytest.param("drift", lambda r: np.allclose(r, np.linspace(1, 1.2, N)), id="drift: from nothing to all of it"),
        pytest.param("late", lambda r: np.allclose(r[:15], 1) and np.allclose(r[16:], 1.2), id="late: from half-time on"),
        pytest.param("tail", lambda r: 1 <= np.isclose(r, 1.2).sum() <= 8 and np.isclose(r, 1).sum() >= 23, id="tail: some samples"),
    ],
)
def test_a_shape_changes_the_canary_as_it_says(shape, ratio):
    before, pair = changed(LATENCY, shape, 0.2)

    assert ratio(pair.canary.v / before)


def test_spread_keeps_the_middle_and_widens_around_it():
    before, pair = changed(LATENCY, "spread", 2.0)

    assert np.median(pair.canary.v) == pytest.approx(np.median(before), rel=0.03)
    assert 2 < pair.canary.v.std() / before.std() < 4


def test_where_less_is_worse_the_canary_gets_less():
    before, pair = changed(SPEED, "level", 0.25)

    assert np.allclose(pair.canary.v, before / 1.25)


@pytest.mark.parametrize("shape", COUNTED)
def test_counts_get_more_events_and_the_same_requests(shape):
    before, pair = changed(ERRORS, shape, 0.05)
    total = pair.canary_total.v.sum()
    expected = {"counts": 0.05, "drift": 0.025, "late": 0.05 * 16 / 31}[shape]

    assert (pair.canary.v - before).sum() / total == pytest.approx(expected, rel=0.15)
    assert (pair.canary.v <= pair.canary_total.v).all()


@pytest.mark.parametrize("metric", CONFIG.metrics, ids=lambda metric: metric.name)
def test_the_quick_way_finds_what_the_whole_judge_finds(metric):
    shape, sizes = ("counts", (0.002, 0.01)) if metric.denominator else ("level", (0.06, 0.15))
    found = []
    for one in CASES:
        for size in sizes:
            pairs = tuple(put_into(pair, metric, shape, size, seed=1) if pair.metric == metric.name else pair for pair in one.pairs)
            worse = replace(one, pairs=pairs)
            for number, elapsed in ((8, 660.0), (20, 1800.0)):
                whole = judge_at(CONFIG, worse, elapsed, number=number)
                expected = next(result for result in whole.results if result.name == metric.name).classification.regressed

                assert is_regressed(CONFIG, worse, metric, elapsed, number=number) == expected
                found.append(expected)

    assert set(found) == {True, False}


def test_other_judges_are_asked_whole():
    config = replace(CONFIG, judge="kayenta")

    assert caught_at(config, CASES[0], LATENCY, "level", 0.5, seed=1) > 0


@pytest.mark.extended
def test_what_is_larger_is_caught_more_often_and_sooner():
    trials = {(one.metric, one.shape, one.size): one for one in try_shapes(CONFIG, CASES, workers=Workers())}
    small, large = trials["latency", "level", 0.05], trials["latency", "level", 1.0]

    assert set(trials) == {(m, s, size) for m in ("latency", "speed") for s, (_, sizes) in SHAPES.items() for size in sizes} | {
        ("errors", s, size) for s, sizes in COUNTED.items() for size in sizes
    }
    assert small.caught <= 1
    assert large.caught == len(CASES)
    assert look_by(large.looks, wanted=0.95) < look_by(trials["latency", "level", 0.2].looks, wanted=0.8)


@pytest.mark.parametrize(("count", "of"), [(0, 100), (3, 100), (50, 50), (1, 7)])
def test_wilson_intervals_are_those_of_statsmodels(count, of):
    found = share(count, of)

    assert (found.low, found.high) == pytest.approx(proportion_confint(count, of, method="wilson"), abs=1e-9)


def test_a_share_of_nothing_is_not_known():
    assert np.isnan(share(0, 0).share)


@pytest.mark.parametrize(
    ("caught", "size"),
    [
        pytest.param([0.9, 1.0, 1.0], 0.1, id="the smallest size is enough"),
        pytest.param([0.0, 0.1, 0.5], None, id="no size is enough"),
        pytest.param([0.0, 0.8, 0.7], 0.2, id="a fall for a larger size is chance"),
    ],
)
def test_smallest_change_caught(caught, size):
    assert smallest_caught([0.1, 0.2, 0.4], caught, wanted=0.8) == (None if size is None else pytest.approx(size))


@pytest.mark.extended
@pytest.mark.parametrize("where", ["two processes", "a cluster"])
def test_cases_are_judged_alike_wherever(where, request):
    """The whole of what a calibration hands to its workers."""
    with Workers() as here:
        expected = [judge_all(CONFIG, CASES, workers=here), try_shapes(CONFIG, CASES, workers=here, seed=3)]
    more = {"jobs": 2} if where == "two processes" else {"dask": request.getfixturevalue("dask_address")}
    with Workers(**more) as there:
        found = [judge_all(CONFIG, CASES, workers=there), try_shapes(CONFIG, CASES, workers=there, seed=3)]

    assert repr(found) == repr(expected)


@pytest.fixture(scope="module")
def dask_address(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask")) as dask:
        yield dask.address
