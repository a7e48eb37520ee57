"""Argo's run loop: its analysis controller takes every measurement of a whole AnalysisRun, and decides when it is enough."""

from __future__ import annotations

import pytest

from tests.argo.conftest import ROOT
from tests.argo.runs import Judge, answers, begin, phases
from tests.argo.test_verdicts import VERDICTS

pytestmark = pytest.mark.integration

LOOKS = [180.0 + 90 * look for look in range(20)]
"""Seconds after the beginning: the template's initialDelay, then each interval."""


def template(name):
    return (ROOT / "configs" / "argo" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def judge(past_prometheus, configs, tmp_path_factory):
    with Judge(tmp_path_factory.mktemp("watched-judge"), prometheus=past_prometheus, configs=configs) as running:
        yield running


@pytest.fixture
def watch(argo, judge, past):
    """Begin an AnalysisRun about a rollout of the past."""

    def begun(scenario, name="judge-watch", config="http-service", **more):
        return begin(argo, template(name), {"judge": judge.url, "config": config}, past[scenario], **more)

    return begun


def test_a_healthy_canary_is_promoted_after_twenty_looks(argo, watch):
    watch("healthy")
    run = argo.until()

    assert (run["phase"], run["message"]) == ("Successful", "")
    assert [measured["at"] for measured in run["measurements"]] == LOOKS
    assert set(phases(run)) == {"Inconclusive", "Successful"}
    assert phases(run)[-1] == "Successful"
    # Each is a question of its own, about what is known by then.
    ends = [answer["window"]["end"] for answer in answers(run)]
    assert len(set(ends)) == len({answer["id"] for answer in answers(run)}) == 20
    assert ends == sorted(ends)


@pytest.mark.parametrize(("scenario", "metric"), [("errors", "critical error-ratio"), ("latency", "latency-p99")])
def test_a_bad_canary_is_aborted_at_the_first_look_that_shows_it(argo, watch, scenario, metric):
    watch(scenario)
    run = argo.until()

    assert run["phase"] == "Failed"
    assert run["message"] == 'Metric "judge-watch" assessed Failed due to failed (1) > failureLimit (0)'
    assert phases(run).index("Failed") == len(phases(run)) - 1
    assert answers(run)[-1]["reason"].startswith(f"{metric}: ")
    # The sixth look is the first with enough independent samples; a third more latency takes twice as long to be sure of.
    assert run["measurements"][-1]["at"] == {"errors": LOOKS[5], "latency": LOOKS[11]}[scenario]


def test_early_answers_that_say_nothing_end_nothing(argo, watch):
    watch("healthy")
    early = argo.until(300)

    assert phases(early) == ["Inconclusive", "Inconclusive"]
    assert early["phase"] == "Running"
    assert argo.until()["phase"] == "Successful"


def test_a_watch_that_learned_nothing_pauses_for_a_person(argo, watch):
    watch("quiet")
    run = argo.until()

    assert run["phase"] == "Inconclusive"
    assert run["message"] == 'Metric "judge-watch" assessed Inconclusive due to inconclusive (20) > inconclusiveLimit (19)'


def test_steps_that_are_through_end_a_watch_as_successful_whatever_it_knows(argo, watch):
    """Why there must be a gate behind it."""
    watch("quiet")
    argo.until(600)

    assert argo.terminate()["phase"] == "Successful"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_gate_says_it_in_one_look(argo, watch, verdict):
    scenario, config, phase = VERDICTS[verdict]

    # The gate is a step: its AnalysisRun begins when the steps before it are through.
    watch(scenario, "judge-gate", config=config, after=1800)
    run = argo.until()

    assert (run["phase"], phases(run)) == (phase, [phase])
    assert answers(run)[0]["verdict"] == verdict


@pytest.mark.parametrize(
    ("scenario", "phase"),
    [
        pytest.param("healthy", "Successful", id="a healthy canary is promoted none the less"),
        pytest.param("errors", "Failed", id="a bad canary is aborted none the less"),
        pytest.param("quiet", "Inconclusive", id="a canary without traffic still pauses"),
    ],
)
def test_a_judge_that_is_away_for_two_minutes_decides_nothing(argo, judge, watch, scenario, phase):
    watch(scenario)
    argo.until(400)
    judge.stop()
    away = argo.until(520)
    judge.start()
    run = argo.until()

    errors = [measured for measured in run["measurements"] if measured["phase"] == "Error"]
    assert (away["phase"], phases(away)[:3]) == ("Running", ["Inconclusive"] * 3)
    assert [measured["at"] for measured in errors] == [450.0, 460.0, 470.0, 480.0, 490.0, 500.0, 510.0, 520.0]
    # The first may meet connections that are still being torn down.
    assert all("connection refused" in measured["message"] for measured in errors[-4:])
    assert run["phase"] == phase
    # Errors are no looks: twenty answers are as far as it goes.
    assert len(answers(run)) == {"healthy": 20, "errors": 5, "quiet": 20}[scenario]
    assert run["asked"] == len(answers(run)) + len(errors)


def test_a_judge_that_stays_away_aborts_after_three_minutes(argo, judge, watch):
    watch("healthy")
    argo.until(400)
    judge.stop()
    run = argo.until()
    judge.start()

    assert (run["phase"], run["at"]) == ("Error", 650.0)
    assert run["message"].startswith('Metric "judge-watch" assessed Error due to consecutiveErrors (21) > consecutiveErrorLimit (20)')


def test_what_kubernetes_does_not_take_is_asked_again_and_answered_the_same(argo, judge, watch):
    """A change of the AnalysisRun that is lost makes Argo measure again; that spends no look."""
    watch("healthy", refused=3)
    run = argo.until()

    assert run["phase"] == "Successful"
    assert run["asked"] == 20 + 3
    assert len(answers(run)) == 20


def test_the_shadow_sees_a_bad_canary_to_the_end_and_decides_nothing(argo, watch):
    watch("errors", "judge-shadow")
    run = argo.until()

    assert (run["phase"], len(phases(run))) == ("Successful", 20)
    assert run["dryRun"] == {"count": 1, "successful": 1}
    assert phases(run).count("Failed") >= 14
