"""Every template and every verdict, read by Argo's own providers: the phase is what the documentation says."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.argo.argo import running
from tests.argo.conftest import RELEASED_ALONE, ROOT
from tests.integration.service import serving
from tests.servers import free_port, loopback

pytestmark = pytest.mark.integration

FOLDER = ROOT / "configs" / "argo"
WEB = [
    "judge-gate",
    "judge-watch",
    "judge-shadow",
    "judge-experiment",
    "judge-and-thresholds",
    "judge-bluegreen-pre",
    "judge-bluegreen-post",
]
VERDICTS = {
    "pass": ("healthy", "http-service", "Successful"),
    "fail": ("errors", "http-service", "Failed"),
    "marginal": ("latency", "latency-counts-little", "Inconclusive"),
    "inconclusive": ("quiet", "http-service", "Inconclusive"),
    "error": ("healthy", "refused", "Inconclusive"),
}
"""The verdict: (whose rollout, by which config, Argo's phase)."""


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def hurried(template: str) -> str:
    """The template with a time-out of a second, so that a test need not wait for fifteen."""
    changed = re.sub(r"timeoutSeconds: \d+", "timeoutSeconds: 1", template)
    assert changed != template
    return changed


@pytest.fixture
def of_the_judge(argo, shops):
    """Measure a template about a rollout; what its metrics of the judge became."""

    def measure(template, judge, scenario="healthy", config="http-service"):
        shop = shops[scenario]
        args = {"judge": judge, "config": config, "service": scenario}
        found = argo.measure(template, args, stable=shop.baseline.hash, latest=shop.canary.hash)
        return [measured for measured in found if not measured.get("skipped")]

    return measure


def phases(found):
    return {measured["phase"] for measured in found}


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("name", WEB)
def test_every_verdict_becomes_its_phase(of_the_judge, judge_url, name, verdict):
    scenario, config, phase = VERDICTS[verdict]

    found = of_the_judge(text_of(name), judge_url, scenario, config)

    assert found
    assert phases(found) == {phase}, found
    for measured in found:
        assert json.loads(measured["value"])["verdict"] == verdict
        assert measured["message"] == ""


@pytest.mark.parametrize("name", WEB)
def test_only_the_shadow_decides_nothing(of_the_judge, judge_url, name):
    assert {measured["dryRun"] for measured in of_the_judge(text_of(name), judge_url)} == {name == "judge-shadow"}


@pytest.mark.parametrize("name", WEB)
def test_no_judge_is_an_error(of_the_judge, name):
    found = of_the_judge(text_of(name), f"http://127.0.0.1:{free_port()}")

    assert phases(found) == {"Error"}
    assert all("connection refused" in measured["message"] for measured in found)


def test_a_judge_that_is_too_slow_is_an_error(argo, argo_programs, shops):
    def measured(name):
        with running(argo_programs[argo.version], argo.version) as client:
            hashes = {"stable": shops["healthy"].baseline.hash, "latest": shops["healthy"].canary.hash}
            return client.measure(hurried(text_of(name)), {"judge": slow.url, "config": "http-service", "service": "healthy"}, **hashes)

    # All at once: each takes the second that it waits.
    with loopback(lambda asked: (time.sleep(1.3), asked.say_json({"verdict": "pass"}))) as slow, ThreadPoolExecutor() as pool:
        found = dict(zip(WEB, pool.map(measured, WEB), strict=True))

    for each in found.values():
        asked = [one for one in each if not one.get("skipped")]
        assert phases(asked) == {"Error"}
        assert all("Client.Timeout exceeded" in one["message"] for one in asked)


@RELEASED_ALONE
def test_a_judge_that_takes_its_time_is_waited_for(of_the_judge):
    with loopback(lambda asked: (time.sleep(1.3), asked.say_json({"verdict": "pass"}))) as slow:
        found = of_the_judge(text_of("judge-gate"), slow.url)

    assert phases(found) == {"Successful"}


@pytest.mark.parametrize("name", WEB)
def test_503_is_an_error_whatever_its_body_says(of_the_judge, name):
    with loopback(lambda asked: asked.say_json({"verdict": "pass"}, status=503)) as busy:
        found = of_the_judge(text_of(name), busy.url)

    assert phases(found) == {"Error"}
    assert {measured["message"] for measured in found} == {"received non 2xx response code: 503"}


@RELEASED_ALONE
def test_503_of_the_judge_itself_is_an_error(of_the_judge, configs, tmp_path):
    with serving(tmp_path / "judge", prometheus=f"http://127.0.0.1:{free_port()}", configs=configs) as url:
        asked_for_503 = of_the_judge(text_of("judge-gate"), url, config="says-503")
        by_default = of_the_judge(text_of("judge-gate"), url)

    assert [measured["message"] for measured in asked_for_503] == ["received non 2xx response code: 503"]
    assert phases(asked_for_503) == {"Error"}
    assert phases(by_default) == {"Inconclusive"}
    assert "Connection refused" in json.loads(by_default[0]["value"])["reason"]


@pytest.mark.parametrize("name", WEB)
def test_a_wrong_question_is_an_error(of_the_judge, judge_url, name):
    found = of_the_judge(text_of(name), judge_url, config="there-is-none")

    assert phases(found) == {"Error"}
    assert {measured["message"] for measured in found} == {"received non 2xx response code: 400"}


@pytest.mark.parametrize("name", [name for name in WEB if name != "judge-bluegreen-post"])
def test_a_first_deployment_pauses(argo, judge_url, shops, name):
    only = shops["healthy"].canary.hash

    found = argo.measure(text_of(name), {"judge": judge_url, "service": "healthy"}, stable=only, latest=only)

    assert phases(measured for measured in found if not measured.get("skipped")) == {"Inconclusive"}


@pytest.mark.parametrize("name", WEB)
def test_an_arg_that_nobody_gives_is_named_before_anything_is_asked(argo, name):
    with pytest.raises(ValueError, match=r"args\.service was not resolved"):
        argo.measure(text_of(name), {"config": "http-service"}, stable="aaa", latest="bbb")


@pytest.mark.parametrize(("scenario", "phase"), [("healthy", "Successful"), ("errors", "Failed")])
def test_limits_judge_the_new_version_alone_after_the_switch(of_the_judge, judge_url, scenario, phase):
    found = of_the_judge(text_of("judge-bluegreen-post"), judge_url, scenario, "after-switch")

    assert phases(found) == {phase}, found


def test_limits_need_no_baseline(argo, judge_url, shops):
    args = {"judge": judge_url, "config": "after-switch", "service": "healthy"}

    found = argo.measure(text_of("judge-bluegreen-post"), args, stable="gone", latest=shops["healthy"].canary.hash)

    assert phases(found) == {"Successful"}, found


def test_every_template_is_here():
    kinds = {path.stem for path in FOLDER.glob("*.yaml")}

    assert kinds == {*WEB, "judge-job", "judge-kayenta"}
