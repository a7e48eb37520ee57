"""Healthy pairs: which windows are quiet, who plays the canary, and that a pair is judged as a live canary would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from judge.calibrate.cache import Cache
from judge.calibrate.healthy_pairs import Asking, Kind, plan
from judge.calibrate.history_reader import Reader
from judge.calibrate.scopes import Asked
from judge.calibrate.study import Options, look_around, plan_pairs
from judge.calibrate.timeline import Rollout, Stretch, Timeline
from judge.calibrate.trials import judge_all, judge_at, judge_case
from judge.config.load import load_config
from judge.core.model import Series, Window
from judge.core.sequential.judge import judge_sequential
from judge.parallel import Workers
from judge.sources import Source
from judge.sources.prometheus.settings import PrometheusSettings
from judge.verdicts.analysis import look_number, run
from judge.wire.request import Request
from tests.calibrate.conftest import victoria
from tests.calibrate.history import import_into, past

CONFIG = load_config(Path(__file__).parents[2] / "configs" / "http-service.yaml")
HOUR = 3600.0
PODS = tuple(f"p{number}" for number in range(8))


def quiet(*, hours: float = 48.0, pods: tuple[str, ...] = PODS, **more) -> Timeline:
    stretch = Stretch(version="a", pods=pods, start=0.0, end=hours * HOUR)
    return Timeline(start=0.0, end=hours * HOUR, step=60.0, versions=("a",), stretches=(stretch,), seen=(0.0, hours * HOUR), **more)


def planned(timeline: Timeline, *, pods: int | None = None, seed: int = 1):
    return plan(timeline, length=1800.0, settle=90.0, pods=pods, seed=seed, step=60.0)


def windows_of(plan):
    """Windows in which nothing changed."""
    return sum(len(part.windows) for part in plan.parts)


def test_every_window_is_used_or_counted_with_what_it_touches():
    rollout = Rollout(baseline="a", canary="b", start=10 * HOUR, end=11 * HOUR, ending="promoted", pods=(8, 2))
    found = planned(quiet(rollouts=(rollout,), gaps=((20 * HOUR, 21 * HOUR),), restarts=((30.2 * HOUR, "p1"),)))

    assert windows_of(found) + sum(found.left_out.values()) == found.windows
    # The rollout with what settles after it, the gap, and the two windows that a restart may lie in.
    assert found.left_out == {"rollout": 4, "gap": 3, "restart": 1}


def test_each_part_splits_the_pods_anew_and_never_shares_one():
    found = planned(quiet(), pods=2)

    assert len(found.parts) == 6
    assert len({part.canary for part in found.parts}) > 1
    for part in found.parts:
        assert len(part.canary) == 2
        assert sorted(part.canary + part.baseline) == sorted(PODS)


@pytest.mark.parametrize(
    ("pods", "canary"),
    [
        pytest.param(None, 4, id="half where nobody says"),
        pytest.param(3, 3, id="as many as asked for"),
        pytest.param(7, 4, id="never more than half"),
    ],
)
def test_how_many_pods_play_the_canary(pods, canary):
    assert {len(part.canary) for part in planned(quiet(), pods=pods).parts} == {canary}


def test_the_seed_decides_who_plays_the_canary():
    assert planned(quiet(), seed=3) == planned(quiet(), seed=3)
    assert planned(quiet(), seed=3) != planned(quiet(), seed=4)


def test_one_pod_cannot_be_split():
    found = planned(quiet(pods=("p1",)))

    assert found.parts == ()
    assert found.left_out == {"one pod": found.windows}


def test_without_a_pod_label_nothing_is_split():
    assert set(planned(quiet(pods=("",))).left_out) == {"no pod label"}


def test_a_query_without_scope_cannot_be_split():
    metrics = tuple(replace(metric, query=metric.query.replace("${scope}", 'job="x"')) for metric in CONFIG.metrics)
    asked = Asked(config=replace(CONFIG, metrics=metrics), scope=CONFIG.scope, args={"service": "shop", "namespace": "shop"})

    assert Asking(asked=asked, pod_label="pod", plan=planned(quiet())).unsplit() == ["latency-p99", "latency-p50"]


@pytest.fixture(scope="module")
def healthy(short_past, past_url, past_cache):
    """Pairs of a real server, their questions, and a source to ask it directly."""
    from judge.calibrate.cache import Cache
    from judge.calibrate.history_reader import Reader

    config = replace(CONFIG, conditions=None, traffic=None, metrics=tuple(metric for metric in CONFIG.metrics if metric.limit is None))
    asked = Asked(config=config, scope=config.scope, args={"service": "checkout", "namespace": "shop"})
    source = PrometheusSettings(url=past_url, max_series=20_000, read_timeout=30).open()
    reader = Reader(source, address=past_url, cache=Cache(past_cache), rate=0.0)
    options = Options(start=short_past.start, end=short_past.end)
    found = look_around(asked, reader, options)
    asking = plan_pairs(asked, found, options)
    cases, broken = asking.cases(reader)
    assert broken == {}
    yield asking, cases, source
    source.close()


@pytest.mark.integration
def test_a_pair_is_judged_at_each_look_as_a_live_canary_of_these_pods_would_be(healthy):
    asking, cases, source = healthy
    part = asking.plan.parts[0]
    case = next(one for one in cases if one.kind is Kind.SPLIT and one.start == part.windows[0])
    config = asking.config
    config = asking.config
    scope = config.scopes[asking.asked.scope].replace("${hash}", part.version)
    live = replace(config, scopes={asking.asked.scope: f'{scope},side="${{hash}}"'})
    pods = {f'side="{side}"': f'pod=~"{"|".join(names)}"' for side, names in (("canary", part.canary), ("baseline", part.baseline))}
    for elapsed in (900.0, 1800.0):
        number = look_number(config, elapsed)
        request = Request(
            config=config.name,
            scope=asking.asked.scope,
            args=asking.asked.args,
            start=case.start,
            end=case.start + elapsed,
            look=number,
            baseline="baseline",
            canary="canary",
        )
        mine = judge_at(config, case, elapsed, number=number)
        there = run(request, live, Rewriting(source, pods), now=case.start + elapsed)

        assert [(one.name, one.classification) for one in mine.results] == [(one.name, one.classification) for one in there.verdict.results]
        assert mine.outcome is there.verdict.outcome
        assert mine.score == there.verdict.score
        assert [len(pair.canary) for pair in there.pairs] == [round(elapsed / 60) + 1] * 3


class Rewriting(Source):
    """A live source whose queries have other matchers: those that name the pods of a side."""

    def __init__(self, source, matchers) -> None:
        self.source, self.matchers, self.language = source, matchers, source.language

    def describe(self):
        return self.source.describe()

    def fetch(self, queries, *, deadline):
        rewritten = []
        for query in queries:
            text = query.text
            for before, after in self.matchers.items():
                text = text.replace(before, after)
            rewritten.append(replace(query, text=text))
        return self.source.fetch(rewritten, deadline=deadline)


@pytest.mark.integration
def test_what_the_quick_way_decides_the_whole_judge_decides(healthy):
    asking, cases, _ = healthy
    config = asking.config
    for case in [one for one in cases if one.kind is Kind.SPLIT][:5]:
        window = Window(start=case.start, end=case.start + case.length, step=60.0, look=20, of=20)
        whole = judge_sequential(config, case.pairs, window=window)
        quick = judge_at(config, case, case.length, number=20)

        assert [one.classification for one in quick.results] == [one.classification for one in whole.results]
        assert quick.outcome is whole.outcome


@pytest.mark.extended
@pytest.mark.integration
def test_sides_are_of_different_pods_and_hardly_ever_stopped(healthy):
    asking, cases, _ = healthy
    split = [one for one in cases if one.kind is Kind.SPLIT]
    judged = [judge_case(asking.config, one) for one in split]

    assert len(split) == windows_of(asking.plan) > 40
    assert all(pair.queries["baseline"] != pair.queries["canary"] for one in split for pair in one.pairs)
    assert sum(one.stopped > 0 for one in judged) <= 2
    assert sum(one.outcome == "pass" for one in judged) >= 0.9 * len(judged)


@pytest.mark.integration
def test_pairs_in_time_are_of_the_same_pods_one_window_apart(healthy):
    _, cases, _ = healthy
    adjacent = [one for one in cases if one.kind is Kind.ADJACENT]

    assert len(adjacent) > 20
    for one in adjacent:
        pair = one.pairs[1]
        assert pair.canary.t[0] - pair.baseline.t[0] == pytest.approx(1800, abs=60)
        assert isinstance(pair.baseline, Series)
        assert not np.intersect1d(pair.baseline.t[:-1], pair.canary.t).size


@pytest.mark.extended
@pytest.mark.integration
def test_pairs_a_week_apart_are_of_the_same_pods_and_of_the_same_hour(tmp_path):
    whole = past(days=8.0, scrape=60.0, rollouts=0, bad=())
    whole = replace(whole, services=whole.services[:1])
    config = replace(CONFIG, conditions=None, traffic=None, metrics=tuple(metric for metric in CONFIG.metrics if metric.limit is None))
    asked = Asked(config=config, scope=config.scope, args={"service": whole.services[0].name, "namespace": "shop"})
    with victoria(tmp_path) as url:
        import_into(url, whole)
        source = PrometheusSettings(url=url, max_series=20_000, read_timeout=30).open()
        reader = Reader(source, address=url, cache=Cache(None), rate=0.0)
        options = Options(start=whole.start, end=whole.end)
        found = look_around(asked, reader, options)
        cases, broken = plan_pairs(asked, found, options).cases(reader)
        source.close()
    weekly = [case for case in cases if case.kind is Kind.WEEK]

    assert broken == {}
    # What is left of the eighth day, less the windows with a restart or the gap in either week.
    assert 20 <= len(weekly) <= 48
    assert {case.shift for case in weekly} == {7 * 24 * HOUR}
    for case in weekly:
        for pair in case.pairs:
            assert case.start <= pair.canary.t[0]
            assert pair.canary.t[-1] <= case.start + case.length
            assert case.start - case.shift <= pair.baseline.t[0]
            assert pair.baseline.t[-1] <= case.start - case.shift + case.length
            assert len(pair.baseline) == pytest.approx(len(pair.canary), abs=1)
    judged = judge_all(config, weekly, workers=Workers())
    assert sum(one.outcome == "pass" for one in judged) > 0.5 * len(judged)
