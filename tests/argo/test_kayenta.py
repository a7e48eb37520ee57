"""Argo's own Kayenta provider at our door."""

from __future__ import annotations

import time

import pytest

from tests.argo.conftest import RELEASED_ALONE, ROOT
from tests.integration.service import serving
from tests.servers import free_port, loopback

pytestmark = pytest.mark.integration

TEMPLATE = (ROOT / "configs" / "argo" / "judge-kayenta.yaml").read_text(encoding="utf-8")


@pytest.fixture
def measure(argo, shops):
    def measured(judge, scenario="healthy", *, latest=None, config="shop", patience=0):
        shop = shops[scenario]
        args = {"judge": judge, "application": "shop", "canary-config": config}
        hashes = {"stable": shop.baseline.hash, "latest": shop.canary.hash if latest is None else latest}
        [found] = argo.measure(TEMPLATE, args, **hashes, patience=patience)
        return found["phase"], found["value"], found["message"]

    return measured


@pytest.mark.parametrize(
    ("scenario", "phase", "score"),
    [
        pytest.param("healthy", "Successful", "100", id="pass"),
        pytest.param("latency", "Inconclusive", "80", id="marginal"),
        pytest.param("errors", "Failed", "0", id="fail"),
    ],
)
def test_the_score_becomes_the_phase(measure, judge_url, scenario, phase, score):
    assert measure(judge_url, scenario) == (phase, score, "")


def test_a_canary_without_samples_does_not_pass(measure, judge_url):
    assert measure(judge_url, latest="nowhere")[0] == "Failed"


def test_a_config_that_is_not_there_is_named(measure, judge_url):
    assert measure(judge_url, config="other") == ("Error", "", "Canary config not found")


@RELEASED_ALONE
def test_a_prometheus_that_is_away_is_an_error_and_no_score(measure, configs, tmp_path):
    with serving(tmp_path / "judge", prometheus=f"http://127.0.0.1:{free_port()}", configs=configs) as url:
        assert measure(url) == ("Error", "", "Missing Score")


def test_no_judge_is_an_error(measure):
    phase, value, message = measure(f"http://127.0.0.1:{free_port()}")

    assert (phase, value) == ("Error", "")
    assert "connection refused" in message


def test_503_is_an_error(measure):
    with loopback(lambda asked: asked.say_json([], status=503)) as busy:
        assert measure(busy.url) == ("Error", "", "Invalid Response: HTTP 503")


def test_a_judge_that_is_too_slow_is_an_error(measure):
    with loopback(lambda _: time.sleep(2)) as slow:
        phase, value, message = measure(slow.url, patience=1)

    assert (phase, value) == ("Error", "")
    assert "Client.Timeout exceeded" in message
