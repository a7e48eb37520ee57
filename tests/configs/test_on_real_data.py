"""Each ready-made config on what its exporter exports: the healthy canary passes, the broken ones fail for the right reasons."""

from __future__ import annotations

import pytest

from judge.core.model import Classification, Outcome
from judge.verdicts.analysis import run
from tests.configs.exporters import END, FAULTY, HEALTHY, PODS, RPS, SLOW, Version
from tests.configs.questions import CONFIGS, SCOPES, question

pytestmark = pytest.mark.integration

WINDOW = {"start": str(END - 1800), "end": str(END)}
ERRORS_RESTARTS = {"error-ratio", "restarts"}
LATENCY = {"latency-p50", "latency-p99"}


def judged(source, name: str, canary: Version, **more: str):
    request, config = question(name, canary, **more)
    return run(request, config, source, now=END)


@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_the_healthy_canary_passes_in_every_scope(name, scope, exporters_source):
    verdict = judged(exporters_source, name, HEALTHY, scope=scope, **WINDOW).verdict

    assert {result.name: result.classification for result in verdict.results} == {
        metric.name: Classification.PASS for metric in CONFIGS[name].metrics
    }
    assert (verdict.outcome, verdict.score) == (Outcome.PASS, 100)
    assert [warning for result in verdict.results for warning in result.warnings] == []


@pytest.mark.parametrize(
    ("name", "canary", "regressed"),
    [
        pytest.param("http-service", FAULTY, ERRORS_RESTARTS, id="http-service: errors and a kill"),
        pytest.param("http-service", SLOW, LATENCY, id="http-service: slower"),
        pytest.param("grpc-service", FAULTY, ERRORS_RESTARTS, id="grpc-service: errors and a kill"),
        pytest.param("grpc-service", SLOW, LATENCY, id="grpc-service: slower"),
        pytest.param("nginx-ingress", FAULTY, {"error-ratio"}, id="nginx-ingress: errors"),
        pytest.param("nginx-ingress", SLOW, LATENCY, id="nginx-ingress: slower"),
        pytest.param("istio", FAULTY, {"error-ratio"}, id="istio: errors"),
        pytest.param("istio", SLOW, LATENCY, id="istio: slower"),
        pytest.param("linkerd", FAULTY, {"error-ratio"}, id="linkerd: errors"),
        pytest.param("linkerd", SLOW, LATENCY, id="linkerd: slower"),
        pytest.param("traefik", FAULTY, {"error-ratio"}, id="traefik: errors"),
        pytest.param("traefik", SLOW, LATENCY, id="traefik: slower"),
        pytest.param("kubernetes-resources", FAULTY, {"restarts", "oom-kills"}, id="kubernetes-resources: killed for want of memory"),
        pytest.param(
            "kubernetes-resources", SLOW, {"cpu-per-pod", "memory-per-pod", "throttled-ratio"}, id="kubernetes-resources: greedier"
        ),
        pytest.param("jvm", FAULTY, ERRORS_RESTARTS, id="jvm: errors and a kill"),
        pytest.param("jvm", SLOW, {"latency-p99", "cpu-per-request", "heap-after-gc"}, id="jvm: slower and greedier"),
        pytest.param("business-metric", FAULTY, {"conversion"}, id="business-metric: sells less"),
    ],
)
def test_a_bad_canary_fails_for_what_is_bad_about_it(name, canary, regressed, exporters_source):
    verdict = judged(exporters_source, name, canary, **WINDOW).verdict

    assert verdict.outcome is Outcome.FAIL
    assert {result.name for result in verdict.results if result.classification.regressed} == regressed
    assert all(result.classification is Classification.PASS for result in verdict.results if result.name not in regressed)


def test_a_slower_app_sells_as_well(exporters_source):
    assert judged(exporters_source, "business-metric", SLOW, **WINDOW).verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_the_window_is_found_from_the_canarys_first_sample(name, scope, exporters_source):
    analysis = judged(exporters_source, name, HEALTHY, scope=scope)

    assert (analysis.window.start, analysis.window.end) == (END - 1800, END)
    assert analysis.verdict.outcome is Outcome.PASS


def test_a_canary_without_an_error_series_has_no_errors(exporters_source):
    verdict = judged(exporters_source, "http-service", HEALTHY, **WINDOW).verdict
    found = next(result for result in verdict.results if result.name == "error-ratio").comparison

    assert found is not None
    assert found.counts is not None
    assert found.counts.canary_events == 0
    assert found.counts.canary_total > 40_000


@pytest.mark.parametrize(("name", "scope"), [(name, scope) for name, scope in SCOPES if CONFIGS[name].traffic is not None])
def test_each_request_is_counted_once_on_its_own_side_and_no_probe_at_all(name, scope, exporters_source):
    """Both proxies of a mesh report a request, probes look like requests, and NGINX files the canary's under the stable Service."""
    traffic = judged(exporters_source, name, SLOW, scope=scope, **WINDOW).traffic
    expected = pytest.approx(PODS * RPS * 1800, rel=0.02)

    assert traffic is not None
    assert (traffic.baseline, traffic.canary) == (expected, expected)


@pytest.mark.parametrize("scope", CONFIGS["kubernetes-resources"].scopes)
def test_resources_are_those_of_one_pods_containers(scope, exporters_source):
    """The pod's own cgroup holds its containers a second time."""
    verdict = judged(exporters_source, "kubernetes-resources", HEALTHY, scope=scope, **WINDOW).verdict
    found = {result.name: result.comparison for result in verdict.results}

    assert found["cpu-per-pod"].baseline_value == pytest.approx(0.4, rel=0.05)
    assert found["memory-per-pod"].baseline_value == pytest.approx(200e6, rel=0.05)
    assert found["throttled-ratio"].counts.baseline_total == pytest.approx(PODS * 31 * 600, rel=0.01)


def test_a_jvms_cost_is_that_of_one_request(exporters_source):
    verdict = judged(exporters_source, "jvm", HEALTHY, **WINDOW).verdict
    found = {result.name: result.comparison for result in verdict.results}

    assert found["cpu-per-request"].baseline_value == pytest.approx(4, rel=0.05)
    assert found["gc-pause-per-request"].baseline_value == pytest.approx(1000 * 2 * 0.02 / (15 * 15), rel=0.2)
    assert found["heap-after-gc"].baseline_value == pytest.approx(20, rel=0.05)


def test_a_restart_long_ago_is_not_held_against_the_canary(exporters_source):
    """The healthy canary's first pod has a count of 1 and OOMKilled as its last end, from before the window."""
    verdict = judged(exporters_source, "kubernetes-resources", HEALTHY, **WINDOW).verdict

    assert {result.reason for result in verdict.results if result.group == "health"} == {"0 keeps the limit"}


def test_without_kube_state_metrics_a_process_that_began_anew_tells_of_the_restart(exporters_source):
    """In the scope service the pods are not known by name."""
    verdict = judged(exporters_source, "http-service", FAULTY, scope="service", **WINDOW).verdict
    restarts = next(result for result in verdict.results if result.name == "restarts")

    assert restarts.classification is Classification.HIGH
    assert restarts.reason == "canary reached 1, at most 0 is allowed"


def test_an_unknown_canary_is_inconclusive_and_never_passes(exporters_source):
    unknown = Version(name="ghost", hash="0000000000", revision="v0")

    outcomes = {name: judged(exporters_source, name, unknown, **WINDOW).verdict.outcome for name in CONFIGS}

    assert outcomes == dict.fromkeys(CONFIGS, Outcome.INCONCLUSIVE)
