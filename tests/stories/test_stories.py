"""What happens to teams that roll out canaries, and how it ends."""

from __future__ import annotations

import numpy as np
import pytest

from tests.argo.runs import Judge, answers, phases
from tests.servers import free_port, prometheus
from tests.stories.conftest import Teller
from tests.stories.world import after, openmetrics, story

pytestmark = pytest.mark.integration


def warming(minutes):
    """Three times as slow at first; a third of the rest is gone with every minute."""
    return 1 + 2 * np.exp(-np.maximum(minutes, 0) / 1.5)


WARMS_UP = story("warms-up", canary={"slowness": warming}, exports=("jvm",))
STAYS_SLOW = story("stays-slow", canary={"slowness": lambda minutes: 1.5 * warming(minutes)}, exports=("jvm",))


def test_a_young_jvm_is_slow_until_its_code_is_compiled_and_is_promoted(tell):
    watched, gated = tell.watch(WARMS_UP, "jvm"), tell.gate(WARMS_UP, "jvm")

    assert (watched["phase"], gated["phase"]) == ("Successful", "Successful")
    assert "Failed" not in phases(watched)


def test_a_jvm_that_stays_slow_is_aborted(tell):
    run = tell.watch(STAYS_SLOW, "jvm")

    assert run["phase"] == "Failed"
    assert "latency-p99" in tell.regressed(run)


NIGHT = story("night", baseline={"rps": 0.3}, canary={"rps": 0.3})
BAD_NIGHT = story("bad-night", baseline={"rps": 0.3}, canary={"rps": 0.3, "errors": 0.1})


def test_at_three_in_the_morning_too_few_requests_neither_promote_nor_abort(tell):
    watched, gated = tell.watch(NIGHT), tell.gate(NIGHT)

    assert set(phases(watched)) == {"Inconclusive"}
    assert answers(watched)[0]["reason"].startswith("too little traffic: the canary answered ")
    assert (watched["phase"], gated["phase"]) == ("Inconclusive", "Inconclusive")
    assert answers(gated)[0]["reason"].startswith("critical error-ratio is undecided: ")


def test_at_three_in_the_morning_a_tenth_of_errors_is_seen_all_the_same(tell):
    run = tell.watch(BAD_NIGHT)

    assert run["phase"] == "Failed"
    assert set(tell.regressed(run)) == {"error-ratio"}


SILENT = story("silent", canary={"conversion": 0.2}, exports=("http", "business"))


def test_payments_that_do_not_complete_while_every_answer_is_200(tell):
    """A third of the sales is lost; to HTTP nothing is wrong."""
    http, business = tell.watch(SILENT, "http-service"), tell.watch(SILENT, "business-metric")

    assert http["phase"] == "Successful"
    assert business["phase"] == "Failed"
    assert set(tell.regressed(business)) == {"conversion"}


AMBIGUOUS = story("ambiguous", canary={"slowness": 1.11})


def test_a_canary_that_is_a_little_slower_waits_for_a_person(tell):
    """11 % is more than is accepted, and less than what must not slip through."""
    watched, gated = tell.watch(AMBIGUOUS), tell.gate(AMBIGUOUS)

    assert "Failed" not in phases(watched)
    assert gated["phase"] == "Inconclusive"
    assert answers(gated)[0]["verdict"] == "marginal"
    assert set(tell.regressed(gated)) == {"latency-p50"}


NEW_ERRORS = story("new-errors", baseline={"errors": 0.0}, canary={"errors": 0.02})


def test_errors_that_only_the_canary_has(tell):
    """The baseline has no series of errors at all; that means none, not unknown."""
    run = tell.watch(NEW_ERRORS)

    assert run["phase"] == "Failed"
    counts = tell.regressed(run)["error-ratio"]["comparison"]["counts"]
    assert (counts["baseline_events"], counts["canary_events"] > 100) == (0, True)


def canary_share(minutes):
    """5 %, 20 %, 50 % of 60 requests a second, ten minutes each."""
    return 60 * np.select([minutes < 10, minutes < 20], [0.05, 0.2], 0.5)


def baseline_share(minutes):
    return 60 - np.where(minutes < 0, 0, canary_share(minutes))


OVERLOADED = story("overloaded", baseline={"rps": baseline_share}, canary={"rps": canary_share, "slowness": after(20, 1.8, 1.0)})
FAILING = story("failing", baseline={"rps": baseline_share}, canary={"rps": canary_share, "errors": after(20, 0.05, 0.005)})


def test_latency_that_gives_way_at_half_of_the_traffic_does_not_pass_the_gate(tell):
    run = tell.gate(OVERLOADED)

    assert run["phase"] == "Failed"
    assert {"latency-p99", "latency-p50"} <= set(tell.regressed(run))
    assert "got worse lately" in tell.regressed(run)["latency-p99"]["reason"]


FAR_OVERLOADED = story("far-overloaded", baseline={"rps": baseline_share}, canary={"rps": canary_share, "slowness": after(20, 3.0, 1.0)})


@pytest.mark.parametrize("minute", [28, 31])
@pytest.mark.parametrize("told", [OVERLOADED, FAR_OVERLOADED], ids=["1.8 times", "3 times"])
def test_latency_that_gives_way_just_before_the_gate_waits_for_a_person(tell, told, minute):
    """Eight minutes are too few to call it a regression, and too bad to promote."""
    run = tell.gate(told, after=60.0 * minute)

    assert run["phase"] == "Inconclusive"
    assert answers(run)[0]["reason"].startswith("55% of the weight is not decided; latency-p99: ")


STEADILY_SLOWER = story("steadily-slower", canary={"slowness": 1.3})


def test_latency_of_which_too_little_is_known_does_not_pass_an_early_gate(tell):
    run = tell.gate(STEADILY_SLOWER, after=630.0)

    assert run["phase"] == "Inconclusive"
    assert tell.gate(STEADILY_SLOWER, after=1800.0)["phase"] == "Failed"


def test_errors_that_begin_at_half_of_the_traffic_end_the_watch(tell):
    run = tell.watch(FAILING)

    assert run["phase"] == "Failed"
    assert run["at"] > 20 * 60
    assert set(tell.regressed(run)) == {"error-ratio"}


def leaking(minutes):
    """Twice as much after twenty minutes."""
    return 200e6 * (1 + np.maximum(minutes, 0) / 20)


LEAK = story("leak", canary={"memory": leaking}, exports=("http", "container"))
KILLED = story(
    "killed",
    canary={"memory": lambda minutes: 200e6 + 17e6 * (np.maximum(minutes, 0) % 18), "restarts": (18.0, 36.0)},
    exports=("container",),
)


def test_memory_that_leaks_waits_for_a_person(tell):
    """Every request is answered well, and the pods still live."""
    run = tell.gate(LEAK, "kubernetes-resources")

    assert run["phase"] == "Inconclusive"
    assert answers(run)[0]["verdict"] == "marginal"
    assert set(tell.regressed(run)) == {"memory-per-pod"}


def test_memory_that_leaks_until_the_kernel_ends_it_is_aborted_at_the_next_look(tell):
    run = tell.watch(KILLED, "kubernetes-resources")

    assert run["phase"] == "Failed"
    assert run["at"] == 1170  # killed after 1080 s; the looks are 90 s apart
    assert {"restarts", "oom-kills"} <= set(tell.regressed(run))


def test_prometheus_is_gone_for_ninety_seconds(argo, configs, tmp_path):
    """What it did not see in that time stays unseen; the looks in between say so, and the next ones go on."""
    told = story("unseen", unseen=(8.5, 10.0))
    port = free_port()
    with Judge(tmp_path, prometheus=f"http://127.0.0.1:{port}", configs=configs) as judge:
        tell = Teller(argo, judge)
        with prometheus(tmp_path / "prometheus", blocks=openmetrics([told]), port=port):
            tell.begin(told)
            argo.until(510)
        gone = argo.until(600)
        with prometheus(tmp_path / "prometheus", port=port):
            run = argo.until()

    [look] = [answer for measured, answer in zip(gone["measurements"], answers(gone), strict=True) if measured["at"] > 510]
    assert look["verdict"] == "inconclusive"
    assert "Connection refused" in look["reason"]
    assert (run["phase"], phases(run)[-1]) == ("Successful", "Successful")
    assert not {"Failed", "Error"} & set(phases(run))
