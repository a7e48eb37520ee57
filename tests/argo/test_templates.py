"""The templates themselves: what the custom resource definitions allow, what Argo fills in, what the job and the thresholds do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from judge.config.load import load_configs
from judge.wire.request import parse_request
from tests.argo.argo import ROLLOUT, module_folder
from tests.argo.conftest import GUIDE, RELEASED_ALONE, ROOT
from tests.servers import free_port

pytestmark = pytest.mark.integration

FOLDER = ROOT / "configs" / "argo"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GIVEN = {
    "config": "http-service",
    "service": "healthy",
    "namespace": "default",
    "rollout": "shop",
    "stable-hash": "6f9c7b8d5",
    "canary-hash": "7d4b9c6f8b",
    "application": "shop",
    "canary-config": "shop",
}
CRDS = {
    "AnalysisTemplate": "analysis-template-crd.yaml",
    "ClusterAnalysisTemplate": "cluster-analysis-template-crd.yaml",
    "Rollout": "rollout-crd.yaml",
}


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def closed(schema: Any) -> Any:
    """The schema with every object closed, so that a misspelt field is none that Kubernetes drops without a word."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    described = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if described and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture(scope="module")
def validator(argo):
    """Checks a manifest against the schema that comes with the release."""
    folder = module_folder(argo.version) / "manifests" / "crds"
    known = {}

    def check(manifest):
        kind = manifest["kind"]
        if kind not in known:
            crd = argo.ask("json", yaml=(folder / CRDS[kind]).read_text(encoding="utf-8"))
            schema = closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
            # The definition leaves these to Kubernetes.
            schema["properties"]["metadata"] = {"type": "object"}
            known[kind] = jsonschema.Draft7Validator(schema)
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in known[kind].iter_errors(manifest)]

    return check


@pytest.fixture
def resolved(argo):
    """The metrics of a template with every arg filled in, by name."""

    def resolve(name, **given):
        declared = {arg["name"] for arg in argo.ask("json", yaml=text_of(name))["spec"]["args"]}
        args = [{"name": key, "value": value} for key, value in {**GIVEN, **given}.items() if key in declared]
        found = argo.ask("resolve", template=text_of(name), args=args, rollout=ROLLOUT, stable="a", latest="b")
        assert "error" not in found, found
        return {metric["name"]: metric for metric in found}

    return resolve


@pytest.mark.parametrize("name", NAMES)
def test_the_definitions_allow_every_field(argo, validator, name):
    manifest = argo.ask("json", yaml=text_of(name))

    assert validator(manifest) == []
    assert manifest["metadata"] == {"name": name}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        pytest.param("timeoutSeconds: 15", "timeout: 15", "'timeout' was unexpected", id="misspelt deep down"),
        pytest.param("failureLimit: 0", "failLimit: 0", "'failLimit' was unexpected", id="misspelt in a metric"),
        pytest.param("timeoutSeconds: 15", "timeoutSeconds: 15s", "is not of type 'integer'", id="a number with a unit"),
    ],
)
def test_a_fault_is_found(argo, validator, old, new, fault):
    text = text_of("judge-gate")
    assert old in text

    found = validator(argo.ask("json", yaml=text.replace(old, new)))

    assert any(fault in message for message in found), found


def example_in(text: str) -> str:
    """The part of a Rollout that a template's comment shows."""
    head = text[: text.index("apiVersion:")].splitlines()
    begin = head.index("#   strategy:")
    end = next((index for index in range(begin, len(head)) if head[index] == "#"), len(head))
    return "\n".join(line.removeprefix("#") for line in head[begin:end])


@pytest.mark.parametrize("name", [name for name in NAMES if "#   strategy:" in text_of(name)])
def test_the_example_in_the_comment_is_a_rollout(argo, validator, name):
    shown = argo.ask("json", yaml=example_in(text_of(name)).replace("args: …", "args: []"))
    selector = {"matchLabels": {"app": "shop"}}
    pods = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}

    assert set(shown) == {"strategy"}
    assert (
        validator(
            {
                "kind": "Rollout",
                "apiVersion": "argoproj.io/v1alpha1",
                "metadata": {},
                "spec": {"selector": selector, "template": pods, **shown},
            }
        )
        == []
    )
    assert name in json.dumps(shown)


def test_the_guides_rollout_is_one(argo, validator):
    [text] = re.findall(r"^```yaml\n(apiVersion:.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert validator(argo.ask("json", yaml=text)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_arg_is_filled_in(resolved, name):
    found = resolved(name)

    assert found
    assert "{{" not in json.dumps(found)


@pytest.mark.parametrize("name", [name for name in NAMES if "provider:\n        web:" in text_of(name)])
def test_the_judge_understands_every_question(resolved, name):
    configs, errors = load_configs(ROOT / "configs")
    questions = [metric["provider"]["web"]["jsonBody"] for metric in resolved(name).values() if "web" in metric["provider"]]

    assert errors == []
    assert questions
    for question in questions:
        request, _ = parse_request(question, configs, now=1_700_000_000)
        assert (request.baseline, request.canary, request.rollout) == ("6f9c7b8d5", "7d4b9c6f8b", "shop")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "judge-job"])
def test_a_judge_that_is_away_for_two_minutes_aborts_nothing(resolved, name):
    """Argo asks again 10 s after an error, whatever the interval."""
    for metric in resolved(name).values():
        assert metric["consecutiveErrorLimit"] * 10 >= 120


@pytest.mark.parametrize("name", NAMES)
def test_no_accident_promotes(resolved, name):
    for metric in resolved(name).values():
        count = metric["count"]
        assert metric.get("inconclusiveLimit", 0) < count
        assert metric.get("failureLimit", 0) < count


@RELEASED_ALONE
@pytest.mark.parametrize(
    ("scenario", "status"),
    [pytest.param("healthy", 0, id="pass"), pytest.param("errors", 1, id="fail"), pytest.param("quiet", 3, id="inconclusive")],
)
def test_the_jobs_command_ends_as_the_verdict_says(resolved, shops, shops_prometheus, configs, scenario, status):
    assert run_job(resolved, shops[scenario], shops_prometheus, configs) == status


@RELEASED_ALONE
def test_the_jobs_command_fails_where_prometheus_is_away(resolved, shops, configs):
    assert run_job(resolved, shops["healthy"], f"http://127.0.0.1:{free_port()}", configs) == 4


def run_job(resolved, shop, prometheus, configs):
    sides = {"stable-hash": shop.baseline.hash, "canary-hash": shop.canary.hash}
    job = resolved("judge-job", service=shop.service, prometheus=prometheus, **sides)["judge-job"]["provider"]["job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["judge"]
    command = [sys.executable, "-m", "judge", *container["args"]]
    environ = {**os.environ, "JUDGE_CONFIG_DIR": str(configs)}
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("metric", "result", "phase"),
    [
        ("success-rate", ["0.99"], "Successful"),
        ("success-rate", ["0.95"], "Successful"),
        ("success-rate", ["0.94"], "Failed"),
        ("success-rate", ["NaN"], "Inconclusive"),
        ("success-rate", [], "Inconclusive"),
        ("latency-p99", ["0.4"], "Successful"),
        ("latency-p99", ["1.2"], "Failed"),
        ("latency-p99", ["NaN"], "Inconclusive"),
        ("latency-p99", ["+Inf"], "Failed"),
        ("latency-p99", [], "Inconclusive"),
        ("oom-kills", [], "Successful"),
        ("oom-kills", ["0"], "Successful"),
        ("oom-kills", ["1"], "Failed"),
        ("oom-kills", ["NaN"], "Inconclusive"),
    ],
)
def test_the_thresholds_beside_the_judge(argo, resolved, metric, result, phase):
    found = argo.ask("evaluate", metric=json.dumps(resolved("judge-and-thresholds")[metric]), result=result)

    assert found == {"phase": phase}


@pytest.mark.parametrize("metric", ["success-rate", "latency-p99", "oom-kills"])
def test_prometheus_understands_the_thresholds(argo, resolved, shops, shops_prometheus, metric):
    shop = shops["healthy"]
    found = resolved("judge-and-thresholds", **{"canary-hash": shop.canary.hash})[metric]
    query = quote(found["provider"]["prometheus"]["query"])
    with urllib.request.urlopen(f"{shops_prometheus}/api/v1/query?time={shop.canary.end}&query={query}", timeout=10) as answer:
        vector = [item["value"][1] for item in json.load(answer)["data"]["result"]]

    assert len(vector) == (0 if metric == "oom-kills" else 1)
    assert argo.ask("evaluate", metric=json.dumps(found), result=vector) == {"phase": "Successful"}
