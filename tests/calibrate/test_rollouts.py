"""Rollouts found in a real server's history, and judged again as they would have been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from judge.calibrate.discovery import Found, discover
from judge.calibrate.past_rollouts import replay
from judge.calibrate.scopes import Asked, versions_of
from judge.calibrate.timeline import Ending
from judge.config.load import load_config
from judge.core.model import Outcome
from tests.calibrate.history import BAD

pytestmark = [pytest.mark.integration, pytest.mark.extended]

CONFIG = load_config(Path(__file__).parents[2] / "configs" / "http-service.yaml")
SERVICES = ("cart", "checkout", "search")


def asked(service: str) -> Asked:
    return Asked(config=CONFIG, scope=CONFIG.scope, args={"service": service, "namespace": "shop"})


@pytest.fixture(scope="module")
def found(short_past, past_url, past_cache) -> dict[str, Found]:
    """What discovery makes of each service."""
    from judge.calibrate.cache import Cache
    from judge.calibrate.history_reader import Reader
    from judge.sources.prometheus.settings import PrometheusSettings

    source = PrometheusSettings(url=past_url, max_series=20_000, read_timeout=30).open()
    reader = Reader(source, address=past_url, cache=Cache(past_cache), rate=0.0)
    yield {name: discover(reader, versions_of(asked(name)), start=short_past.start, end=short_past.end) for name in SERVICES}
    source.close()


def test_at_least_29_of_30_rollouts_are_found_and_none_is_invented(found, short_past):
    real = {(one.service, one.baseline, one.canary) for one in short_past.rollouts}
    seen = [(name, one.baseline, one.canary) for name, each in found.items() for one in each.timeline.rollouts]

    assert len(real) == 30
    assert len(set(seen) & real) >= 29
    assert set(seen) <= real
    assert len(seen) == len(set(seen))


def test_start_end_ending_and_share_are_those_of_the_rollout(found, short_past):
    real = {(one.service, one.canary): one for one in short_past.rollouts}
    for name, each in found.items():
        for one in each.timeline.rollouts:
            was = real[name, one.canary]

            assert abs(one.start - was.start) <= 120
            assert abs(one.end - was.end) <= 120
            assert one.ending is (Ending.PROMOTED if was.promoted else Ending.ROLLED_BACK)
            assert one.share == pytest.approx(one.pods[1] / sum(one.pods), abs=0.03)


def test_the_gap_the_pods_and_the_scrape_interval_are_found(found, short_past):
    for each in found.values():
        ((since, to),) = each.timeline.gaps

        assert each.pod_label == "pod"
        assert each.scrape == 30
        assert abs(since - short_past.gap[0]) <= 120
        assert abs(to - short_past.gap[1]) <= 120


def test_replay_stops_the_bad_rollouts_and_hardly_any_good_one(found, short_past, past_url, past_cache, open_reader):
    kinds = {one.canary: one.kind for one in short_past.rollouts}
    reader = open_reader(past_url, folder=past_cache)
    stopped = {}
    for name, each in found.items():
        for one in replay(each.timeline.rollouts, asked(name), reader):
            assert one.outcome is not None
            assert all(look.verdict.outcome is not Outcome.FAIL for look in one.looks[:-1])
            assert all(look.window.end <= one.rollout.end for look in one.looks)
            stopped[one.rollout.canary] = one.stopped

    assert sum(stopped[canary] for canary, kind in kinds.items() if kind) >= len(BAD) - 1
    assert sum(stopped[canary] for canary, kind in kinds.items() if not kind) <= 1
    assert not next(stopped[canary] for canary, kind in kinds.items() if kind == "cold")


def test_a_second_replay_asks_the_source_nothing(found, past_url, past_cache, open_reader):
    rollouts = found["cart"].timeline.rollouts[:2]
    first, second = open_reader(past_url, folder=past_cache), open_reader(past_url, folder=past_cache)
    before = [one.outcome for one in replay(rollouts, asked("cart"), first)]
    again = [one.outcome for one in replay(rollouts, asked("cart"), second)]

    assert again == before
    assert second.tally.asked == 0
    assert second.tally.cached > 0


def test_versions_in_pod_names_tell_the_same_rollouts(found, short_past, past_url, past_cache, open_reader):
    by_name = Asked(config=CONFIG, scope="pod-name", args={"service": "cart", "namespace": "shop"}, rollout="cart")
    versions = versions_of(by_name)
    reader = open_reader(past_url, folder=past_cache)
    there = discover(reader, versions, start=short_past.start, end=short_past.end)

    assert versions.label == there.pod_label == "pod"
    # Sums of rates may differ in their last digit.
    assert [replace(one, share=None) for one in there.timeline.rollouts] == [
        replace(one, share=None) for one in found["cart"].timeline.rollouts
    ]
    assert there.timeline.restarts == found["cart"].timeline.restarts
