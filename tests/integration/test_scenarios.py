"""Histories of rollouts in a real Prometheus and a real VictoriaMetrics, judged through HTTP as Argo asks."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.service import ask, fetch, post, serving

CONFIGS = Path(__file__).parent / "configs"

EXPECTED = {
    "healthy": ("pass", "3 of 3 metrics within what is accepted; score 100"),
    "errors": ("fail", "critical error-ratio: "),
    "latency": ("fail", "critical latency-p99: +"),
    "quiet": ("inconclusive", "too little traffic: the canary answered "),
    "young": ("inconclusive", "the canary's first sample is "),
    "gap": ("pass", "3 of 3 metrics within what is accepted; score 100"),
    "restart": ("pass", "3 of 3 metrics within what is accepted; score 100"),
    "crash": ("pass", "3 of 3 metrics within what is accepted; score 100"),
    "flawless": ("pass", "3 of 3 metrics within what is accepted; score 100"),
}


@pytest.fixture(scope="module")
def judge_url(prometheus_url, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("judge"), prometheus=prometheus_url, configs=CONFIGS) as url:
        yield url


@pytest.fixture(scope="module")
def victoria_judge_url(victoria_metrics_url, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("judge-victoria"), prometheus=victoria_metrics_url, configs=CONFIGS) as url:
        yield url


@pytest.fixture
def question(history, history_end):
    def about(scenario, **more):
        rollout = history[scenario]
        hashes = {"stable-hash": rollout.baseline.hash, "canary-hash": rollout.canary.hash}
        return {"config": "http-service", **hashes, "service": scenario, "end": str(history_end), **more}

    return about


@pytest.mark.integration
@pytest.mark.parametrize("scenario", EXPECTED)
def test_verdicts_on_prometheus(judge_url, question, scenario):
    posted, got = post(judge_url, question(scenario)), ask(judge_url, question(scenario))

    verdict, reason = EXPECTED[scenario]
    assert posted["verdict"] == verdict, posted
    assert posted["reason"].startswith(reason)
    assert got["verdict"] == verdict
    # A question that had all its data is answered once; one for want of data is looked at anew.
    assert (got["id"] == posted["id"]) == (scenario != "young")


@pytest.mark.integration
@pytest.mark.parametrize("scenario", EXPECTED)
def test_verdicts_on_victoria_metrics_are_the_same(victoria_judge_url, question, scenario):
    found = post(victoria_judge_url, question(scenario))

    verdict, reason = EXPECTED[scenario]
    assert found["verdict"] == verdict, found
    assert found["reason"].startswith(reason)


@pytest.mark.integration
def test_a_scope_by_pod_name_gives_the_same_verdict(judge_url, question):
    for scenario in ("healthy", "errors", "latency"):
        by_name = post(judge_url, question(scenario, scope="pod-name", rolloutName=scenario))
        by_hash = post(judge_url, question(scenario))

        assert (by_name["verdict"], by_name["score"]) == (by_hash["verdict"], by_hash["score"])


@pytest.mark.integration
def test_a_gap_in_the_baseline_takes_the_canarys_samples_with_it(judge_url, question):
    record = fetch(f"{judge_url}/v1/verdicts/{post(judge_url, question('gap'))['id']}")

    results = {result["name"]: result for result in record["verdict"]["results"]}
    memory = next(sample for sample in record["samples"] if sample["metric"] == "memory")
    # 20 of 31 minutes are missing; the carried-over minutes of the gauge are not taken for samples.
    assert 8 <= results["memory"]["n_baseline"] <= 12
    assert results["memory"]["n_baseline"] == results["memory"]["n_canary"]
    assert any("had no partner at their time" in warning for warning in results["latency-p99"]["warnings"])
    assert len(memory["canary"]["t"]) >= 28


@pytest.mark.integration
def test_no_error_series_at_all_means_no_errors(judge_url, question):
    record = fetch(f"{judge_url}/v1/verdicts/{post(judge_url, question('flawless'))['id']}")

    errors = next(result for result in record["verdict"]["results"] if result["name"] == "error-ratio")
    assert errors["classification"] == "pass"
    assert errors["comparison"]["counts"]["canary_events"] == 0
    assert errors["comparison"]["counts"]["canary_total"] > 10_000


@pytest.mark.integration
def test_a_counter_reset_is_no_drop(judge_url, question):
    record = fetch(f"{judge_url}/v1/verdicts/{post(judge_url, question('restart'))['id']}")

    counts = next(result for result in record["verdict"]["results"] if result["name"] == "error-ratio")["comparison"]["counts"]
    assert counts["baseline_total"] == pytest.approx(counts["canary_total"], rel=0.05)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"canary-hash": "nowhere"}, "inconclusive", "the canary has no samples yet"),
        ({"stable-hash": "nowhere"}, "inconclusive", "too little traffic: the baseline answered 0 requests"),
        ({"service": "other"}, "inconclusive", "the canary has no samples yet"),
    ],
)
def test_sides_that_are_not_there(judge_url, question, changes, verdict, reason):
    found = post(judge_url, question("healthy") | changes)

    assert found["verdict"] == verdict
    assert found["reason"].startswith(reason)


@pytest.mark.integration
def test_a_canary_against_itself_in_other_words_is_noticed(judge_url, question, history):
    # The same pods on both sides, by a label value that looks different to us but not to the regex.
    same = question("healthy") | {"stable-hash": history["healthy"].canary.hash}

    assert "nothing to compare" in post(judge_url, same)["reason"]


@pytest.mark.integration
def test_a_wrong_question_is_400(judge_url, question):
    found = post(judge_url, question("healthy") | {"servce": "x"})

    assert found["status"] == 400
    assert found["path"] == "servce"


@pytest.mark.integration
def test_queries_as_sent_are_in_the_record_and_prometheus_accepts_them(judge_url, prometheus_url, question):
    record = fetch(f"{judge_url}/v1/verdicts/{post(judge_url, question('latency'))['id']}")

    sent = [query for result in record["verdict"]["results"] for query in result["queries"].values()]
    assert len(sent) == 8
    for query in sent:
        answer = fetch(f"{prometheus_url}/api/v1/query?query={quote(query)}")
        assert answer["status"] == "success"
    assert record["source"] == {"type": "prometheus", "url": prometheus_url}


@pytest.mark.integration
def test_conditions_of_both_sides_are_asked_and_what_is_unlike_is_said(judge_url, question):
    """The baseline ran for an hour, the canary for 40 minutes; both have three pods and the same load."""
    record = fetch(f"{judge_url}/v1/verdicts/{post(judge_url, question('healthy', weight='10'))['id']}")

    told = record["conditions"]
    assert told["problems"] == []
    assert (told["baseline"]["pods"], told["canary"]["pods"]) == (3, 3)
    assert told["baseline"]["age"] == pytest.approx(3600, abs=60)
    assert told["canary"]["age"] == pytest.approx(2400, abs=60)
    assert told["baseline"]["places"] == told["canary"]["places"] == {"default": 3}
    assert told["queries"]["pods canary"].startswith("count(count by (pod) (http_requests_total{")
    assert record["traffic"]["queries"]["baseline"].startswith("sum(increase(http_requests_total{")
    assert record["verdict"]["verdict"] == "pass"
    (warning,) = record["verdict"]["warnings"]
    assert warning.startswith("the canary got ")
    assert warning.endswith("% of the requests, 10% are expected")
