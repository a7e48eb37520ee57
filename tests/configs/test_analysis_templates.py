"""The gate and the watch: what Argo fills in is declared, and what it sends the judge understands."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from judge.config.yaml import read
from judge.core.templates import seconds
from judge.settings import Settings, load_settings
from judge.wire.request import parse_request
from tests.configs.questions import CONFIGS, FOLDER

# The other templates, and all of them in Argo's own code: tests/argo.
TEMPLATES = [FOLDER / "argo" / f"{name}.yaml" for name in ("judge-gate", "judge-watch")]
ARG = re.compile(r"\{\{\s*args\.([A-Za-z0-9-]+)\s*\}\}")
# Keys of a metric and of its web provider, argo-rollouts v1.6 to v1.9 (analysis_types.go).
METRIC_KEYS = {
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "provider",
}
WEB_KEYS = {"url", "method", "headers", "timeoutSeconds", "jsonPath", "insecure", "body", "jsonBody"}
# As a Rollout gives them: podTemplateHashValue, fieldRef, value.
GIVEN = {"service": "shop", "namespace": "shop", "rollout": "shop", "stable-hash": "6f9c7b8d5", "canary-hash": "7d4b9c6f8b"}

pytestmark = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)


def metric_of(path) -> dict[str, Any]:
    metrics = read(path)["spec"]["metrics"]
    assert len(metrics) == 1
    return metrics[0]


def filled_in(path) -> dict[str, Any]:
    """The metric as Argo resolves it: as text, every arg replaced by its value."""
    values = {arg["name"]: arg.get("value", GIVEN.get(arg["name"])) for arg in read(path)["spec"]["args"]}
    return json.loads(ARG.sub(lambda found: values[found.group(1)], json.dumps(metric_of(path))))


def test_it_is_an_analysis_template_named_after_its_file(path):
    document = read(path)

    assert (document["apiVersion"], document["kind"]) == ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate")
    assert document["metadata"] == {"name": path.stem}
    assert metric_of(path)["name"] == path.stem


def test_every_arg_is_declared_and_used(path):
    text = json.dumps(read(path)["spec"]["metrics"])
    declared = [arg["name"] for arg in read(path)["spec"]["args"]]

    assert sorted(declared) == sorted(set(ARG.findall(text)))
    assert "{{" not in ARG.sub("", text)
    assert {arg["name"] for arg in read(path)["spec"]["args"] if "value" not in arg} == set(GIVEN)


def test_argo_knows_every_key(path):
    metric = metric_of(path)

    assert set(metric) <= METRIC_KEYS
    assert set(metric["provider"]) == {"web"}
    assert set(metric["provider"]["web"]) <= WEB_KEYS


def test_the_judge_understands_what_argo_sends(path):
    body = filled_in(path)["provider"]["web"]["jsonBody"]

    request, config = parse_request(body, CONFIGS, now=1_700_000_000)

    assert all(isinstance(value, str) for value in body.values())
    assert (request.baseline, request.canary, request.rollout) == ("6f9c7b8d5", "7d4b9c6f8b", "shop")
    assert config.name == "http-service"


@pytest.mark.parametrize("name", ["grpc-service", "jvm", "business-metric"])
def test_it_serves_the_other_configs_of_an_app_as_well(path, name):
    request, _ = parse_request({**filled_in(path)["provider"]["web"]["jsonBody"], "config": name}, CONFIGS, now=1_700_000_000)

    assert request.config == name


def test_the_verdict_alone_decides(path):
    metric = metric_of(path)

    assert metric["successCondition"] == 'result.verdict == "pass"'
    assert metric["failureCondition"] == 'result.verdict == "fail"'
    assert metric["provider"]["web"].get("jsonPath", "{$}") == "{$}"
    assert metric["failureLimit"] == 0


def test_it_asks_the_judges_own_address_by_post(path):
    web = filled_in(path)["provider"]["web"]

    assert re.fullmatch(r"http://[a-z.]+:8080/v1/verdict", web["url"])
    assert web["method"] == "POST"


def test_argo_waits_longer_than_the_judge_takes(path):
    deadlines = {Settings().deadline, load_settings({}, config_dir=FOLDER).deadline}

    assert metric_of(path)["provider"]["web"]["timeoutSeconds"] > max(deadlines) + 2


def test_a_judge_that_is_away_for_two_minutes_aborts_no_rollout(path):
    """Argo asks again 10 s after an error, whatever the interval."""
    assert metric_of(path)["consecutiveErrorLimit"] * 10 >= 120


def test_only_what_watches_bears_inconclusive_answers(path):
    metric = metric_of(path)
    config = CONFIGS[filled_in(path)["provider"]["web"]["jsonBody"]["config"]]

    if path.stem == "judge-gate":
        assert (metric["count"], metric["inconclusiveLimit"]) == (1, 0)
        assert "interval" not in metric
    else:
        assert (metric["count"], seconds(metric["interval"])) == (config.looks.count, config.looks.interval)
        # One more, and twenty answers that say nothing would be a success.
        assert metric["inconclusiveLimit"] == metric["count"] - 1
        assert seconds(metric["initialDelay"]) >= config.window.warmup
