"""Two live apps scraped every second by a real Prometheus; one is made worse, and the verdict turns."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from contextlib import ExitStack

import pytest

from tests.integration.service import post, serving
from tests.servers import free_port, get, process, prometheus, wait_until

CONFIG = """
name: live
args: {service: {}}
scope: 'rollouts_pod_template_hash="${hash}"'
window: {warmup: 2s, step: 2s, length: 24s}
looks: {count: 100, interval: 2s}
traffic: {query: 'sum(increase(http_requests_total{service="${service}",${scope}}[${window}]))', min_requests: 100}
metrics:
  - name: error-ratio
    numerator: sum(increase(http_requests_total{service="${service}",code="500",${scope}}[${step}]))
    denominator: sum(increase(http_requests_total{service="${service}",${scope}}[${step}]))
    direction: increase
    critical: true
    must_detect: {relative: 300%, absolute: 3pp}
  - name: latency-p90
    query: histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{service="${service}",${scope}}[${step}])))
    direction: increase
    unit: s
    tolerance: 10%
    must_detect: 40%
"""
QUESTION = {"config": "live", "baseline": "aaaa", "canary": "bbbb", "service": "shop"}


@pytest.mark.integration
@pytest.mark.extended
def test_the_verdict_turns_when_the_canary_gets_worse(tmp_path):
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "live.yaml").write_text(CONFIG)
    shops = {"aaaa": free_port(), "bbbb": free_port()}
    targets = [(side, f"127.0.0.1:{port}", {"rollouts_pod_template_hash": side}) for side, port in shops.items()]
    with ExitStack() as stack:
        for seed, port in enumerate(shops.values()):
            command = [sys.executable, "-m", "tests.integration.shop", str(port), str(seed)]
            ready = f"http://127.0.0.1:{port}/metrics"
            stack.enter_context(process(command, tmp_path / f"shop-{seed}.log", ready=lambda ready=ready: get(ready)))
        url = stack.enter_context(prometheus(tmp_path / "prometheus", scrape=targets, scrape_interval="1s"))
        judge = stack.enter_context(serving(tmp_path / "judge", prometheus=url, configs=configs))

        first = post(judge, QUESTION)
        healthy = _until(judge, "pass", seconds=60)
        _change(shops["bbbb"], errors=0.3, slowness=2.5)
        bad = _until(judge, "fail", seconds=60)

    assert first["verdict"] == "inconclusive"
    assert healthy["score"] == 100
    assert bad["score"] < 75
    assert bad["metrics"]["regressed"] >= 1


def _until(judge, verdict, *, seconds):
    found = {}

    def reached():
        found.update(post(judge, QUESTION))
        time.sleep(0.5)
        return found["verdict"] == verdict

    wait_until(reached, f"the verdict is {verdict}, last {found}", seconds=seconds)
    return found


def _change(port, **state):
    body = json.dumps(state).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/state", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
