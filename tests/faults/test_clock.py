"""The judge's clock steps between two looks: nothing passes by it, looks stay in their plan, and all is well once it is right."""

from __future__ import annotations

from contextlib import closing

import pytest

from judge.archive import open_archive
from judge.server.app import create_app
from judge.settings import Settings
from judge.sources.prometheus.settings import PrometheusSettings
from judge.verdicts.service import Service
from tests.integration.test_scenarios import CONFIGS

pytestmark = pytest.mark.integration

HOUR, DAY = 3600.0, 86400.0


class Clock:
    """Unix seconds, as somebody sets them."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock(world):
    return Clock(world.rollout.canary.end - 1200)


@pytest.fixture
def ask(world, clock, tmp_path):
    """Ask about the bad canary as it is now, whatever now is."""
    settings = Settings(
        sources={"default": PrometheusSettings(type="prometheus", url=world.address)},
        config_dir=CONFIGS,
        archive_url=f"sqlite:///{tmp_path / 'judge.sqlite'}",
    )
    question = {key: value for key, value in world.question.items() if key != "end"}
    with closing(open_archive(settings.archive_url)) as archive:
        client = create_app(Service(settings, archive), clock=clock).test_client()
        yield lambda **more: client.post("/v1/verdict", json={**question, **more}).get_json()


@pytest.mark.parametrize("step", [HOUR, -HOUR, DAY, -DAY], ids=lambda step: f"{step / HOUR:+g} h")
def test_a_clock_that_steps_lets_nothing_pass_and_does_no_lasting_harm(ask, clock, step):
    right = clock.now
    before = ask()

    clock.now = right + step
    meanwhile = [ask() for _ in range(2)]
    clock.now = right
    after = ask()
    clock.now = right + 180
    later = ask()

    assert before["verdict"] == "fail"
    for answer in meanwhile:
        assert answer["verdict"] in {"inconclusive", "fail"}, answer
        assert 1 <= answer["window"]["look"] <= answer["window"]["of"]
    # The same question as before: the same answer, and no second look.
    assert (after["id"], after["window"]) == (before["id"], before["window"])
    assert (later["verdict"], later["window"]["look"] - before["window"]["look"]) == ("fail", 2)


@pytest.mark.parametrize("step", [-HOUR, -DAY], ids=lambda step: f"{step / HOUR:+g} h")
def test_an_end_that_a_slow_clock_takes_for_the_future_is_refused_with_both_times(ask, clock, step):
    end = clock.now
    clock.now += step

    answer = ask(end=str(end))

    assert "verdict" not in answer
    assert answer["path"] == "end"
    assert "lies in the future" in answer["error"]
    assert "and now is" in answer["error"]


@pytest.mark.parametrize("step", [HOUR, DAY], ids=lambda step: f"{step / HOUR:+g} h")
def test_with_an_end_a_fast_clock_changes_nothing(ask, clock, world, step):
    end = str(world.rollout.canary.end - 1500)
    before = ask(end=end)
    clock.now += step

    assert ask(end=end) == before
    assert before["verdict"] == "fail"


def test_looks_only_ever_grow_with_the_canarys_age(ask, clock):
    """Small steps there and back, as a badly kept clock makes them: never two numbers for one time, never beyond the plan."""
    right, seen = clock.now, {}
    for step in (0, -15, 30, -45, 60, 0, 90, -15, 180):
        clock.now = right + step
        answer = ask()
        look = answer["window"]["look"]
        assert seen.setdefault(answer["window"]["end"], look) == look
        assert answer["verdict"] == "fail"
    looks = [look for _, look in sorted(seen.items())]

    assert looks == sorted(looks)
