"""Argo's Kayenta provider against a running service on a real Prometheus, and executions that nothing loses."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from judge.wire.request import format_time
from tests.integration.service import fetch, serving

CONFIGS = Path(__file__).parent / "configs"
CONFIG = {
    "name": "shop",
    "applications": ["shop"],
    "metrics": [
        {
            "name": "errors-percent",
            "query": {
                "type": "prometheus",
                "customInlineTemplate": 'PromQL:100 * sum(rate(http_requests_total{code="500",rollouts_pod_template_hash="${scope}"}[1m]))'
                ' / sum(rate(http_requests_total{rollouts_pod_template_hash="${scope}"}[1m]))',
            },
            "groups": ["errors"],
            "analysisConfigurations": {"canary": {"direction": "increase", "critical": True, "effectSize": {"allowedIncrease": 1.5}}},
        },
        {
            "name": "memory",
            "query": {
                "type": "prometheus",
                "metricName": "process_resident_memory_bytes",
                "labelBindings": ['namespace="default"'],
                "customFilterTemplate": "hash",
            },
            "groups": ["memory"],
            "analysisConfigurations": {"canary": {"direction": "increase", "effectSize": {"allowedIncrease": 1.1}}},
        },
    ],
    "templates": {"hash": 'rollouts_pod_template_hash="${scope}"'},
    "classifier": {"groupWeights": {"errors": 60, "memory": 40}},
}


def send(url, document):
    headers = {"User-Agent": "Go-http-client/1.1", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=json.dumps(document).encode(), headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200
        return json.loads(answer.read())


def request_of(rollout, end):
    def scope(side):
        return {"scope": side.hash, "location": "default", "step": 60, "start": format_time(end - 1800), "end": format_time(end)}

    scopes = {"default": {"controlScope": scope(rollout.baseline), "experimentScope": scope(rollout.canary)}}
    return {"scopes": scopes, "thresholds": {"pass": 90, "marginal": 75}}


@pytest.fixture(scope="module")
def judge_url(prometheus_url, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("judge-kayenta"), prometheus=prometheus_url, configs=CONFIGS) as url:
        send(f"{url}/canaryConfig?configurationAccountName=gcs", CONFIG)
        yield url


def find_config(url):
    """As the provider does: list, take the first of this name."""
    listed = fetch(f"{url}/canaryConfig?application=shop&configurationAccountName=my-storage")
    return next(item["id"] for item in listed if item["name"] == "shop")


def poll(url, execution):
    """As the provider does, every 15 s there; `complete` a boolean, the score a number."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = fetch(f"{url}/canary/{execution}")
        assert found["complete"] in {True, False}
        if found["complete"]:
            return found
        time.sleep(0.2)
    raise TimeoutError(execution)


@pytest.mark.integration
@pytest.mark.parametrize(("scenario", "score"), [("healthy", 100), ("errors", 0), ("latency", 100)])
def test_argos_kayenta_provider(judge_url, history, history_end, scenario, score):
    accounts = "application=shop&metricsAccountName=prom&configurationAccountName=my-storage&storageAccountName=my-storage"
    asked = request_of(history[scenario], history_end)

    execution = send(f"{judge_url}/canary/{find_config(judge_url)}?{accounts}", asked)["canaryExecutionId"]
    found = poll(judge_url, execution)

    # Argo truncates the score to a whole number, and needs it in this place.
    assert int(found["result"]["judgeResult"]["score"]["score"]) == score


@pytest.mark.integration
def test_a_side_without_series_is_no_pass(judge_url, history, history_end):
    asked = request_of(history["healthy"], history_end)
    asked["scopes"]["default"]["experimentScope"]["scope"] = "nowhere"

    found = poll(judge_url, send(f"{judge_url}/canary/{find_config(judge_url)}", asked)["canaryExecutionId"])

    assert found["result"]["judgeResult"]["score"]["score"] == 0
    assert found["result"]["judgeResult"]["score"]["classification"] == "Fail"


@pytest.mark.integration
@pytest.mark.extended
def test_a_hundred_executions_survive_a_killed_worker_and_are_judged_once(prometheus_url, history, history_end, tmp_path):
    with serving(tmp_path / "judge", prometheus=prometheus_url, configs=CONFIGS) as url:
        config = send(f"{url}/canaryConfig", CONFIG)["canaryConfigId"]
        asked = request_of(history["errors"], history_end)

        with ThreadPoolExecutor(16) as pool:
            ids = list(pool.map(lambda _: send(f"{url}/canary/{config}?application=shop", asked)["canaryExecutionId"], range(100)))
        os.kill(_workers(url)[0], signal.SIGKILL)
        found = [poll(url, execution) for execution in ids]
        listed = fetch(f"{url}/canary/executions?application=shop&limit=500")

    assert len(set(ids)) == 100
    assert {item["result"]["judgeResult"]["score"]["score"] for item in found} == {0.0}
    assert sorted(item["pipelineId"] for item in listed) == sorted(ids)
    assert {item["status"] for item in listed} == {"succeeded"}


def _workers(url):
    """The worker processes of the service that listens there."""
    port = int(url.rpartition(":")[2])
    masters = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and "serve" in process.info["cmdline"] and str(port) in process.info["cmdline"]
    ]
    children = [child.pid for master in masters for child in master.children()]
    assert children
    return children
