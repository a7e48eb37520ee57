"""The Rollouts in configs/argo: Kubernetes takes every field, what they name is there, and what they ask the judge understands.

Argo's own kinds are held against the definitions of its release, Kubernetes' kinds against its own document. Argo CD's Application has
no definition at hand: its fields are checked against a small closed schema of ours (schemas.yaml).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest

from judge.cli.main import cli
from judge.config.load import load_configs
from judge.core.templates import seconds
from judge.wire.request import parse_request
from tests.configs.manifests import documents, faults, own_faults, read_all
from tests.configs.questions import CONFIGS, FOLDER

ROLLOUTS = sorted((FOLDER / "argo" / "rollouts").glob("*.yaml"))
GITOPS = FOLDER / "argo" / "gitops"
OWN_CONFIGS, OWN_ERRORS = load_configs(FOLDER / "deploy" / "base" / "configs")
ALL_CONFIGS = {**CONFIGS, **OWN_CONFIGS}
CASES = {
    "bluegreen",
    "canary-alb",
    "canary-anti-affinity",
    "canary-approval",
    "canary-experiment",
    "canary-header-route",
    "canary-istio",
    "canary-linkerd",
    "canary-nginx",
    "canary-replicas",
    "canary-soak",
    "canary-steps",
    "canary-traefik",
}
ARG = re.compile(r"\{\{\s*args\.([A-Za-z0-9-]+)\s*\}\}")
HASHES = {"Stable": "6f9c7b8d5", "Latest": "7d4b9c6f8b"}

pytestmark = pytest.mark.integration
each = pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: path.stem)


def templates(path) -> dict[tuple[str, str], dict[str, Any]]:
    """What a Rollout of this file may name: the shipped templates, and those of the file, by kind and name."""
    found = [document for file in (*(FOLDER / "argo").glob("*.yaml"), path) for document in read_all(file)]
    return {(one["kind"], one["metadata"]["name"]): one for one in found if one["kind"].endswith("AnalysisTemplate")}


def rollout_in(path) -> dict[str, Any]:
    [found] = [document for document in read_all(path) if document["kind"] == "Rollout"]
    return found


def analyses(rollout) -> list[dict[str, Any]]:
    """Every analysis of a Rollout, as its references with the args that they get."""
    strategy = rollout["spec"]["strategy"]
    canary, bluegreen = strategy.get("canary", {}), strategy.get("blueGreen", {})
    steps = canary.get("steps", [])
    blocks = [canary.get("analysis"), *(step.get("analysis") for step in steps)]
    blocks += [bluegreen.get(key) for key in ("prePromotionAnalysis", "postPromotionAnalysis")]
    found = [{**one, "args": block.get("args", [])} for block in blocks if block for one in block["templates"]]
    return found + [one for step in steps for one in step.get("experiment", {}).get("analyses", [])]


def value_of(arg: dict[str, Any], rollout: dict[str, Any]) -> str:
    """What Argo makes of an arg."""
    if "value" in arg:
        return {"{{templates.baseline.podTemplateHash}}": "6f9c7b8d5", "{{templates.canary.podTemplateHash}}": "7d4b9c6f8b"}.get(
            arg["value"], arg["value"]
        )
    source = arg["valueFrom"]
    if "podTemplateHashValue" in source:
        return HASHES[source["podTemplateHashValue"]]
    found: Any = rollout
    for part in source["fieldRef"]["fieldPath"].split("."):
        found = found[part]
    return found


def resolved(path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each template that the Rollout names, with its metrics as Argo resolves them."""
    rollout, known = rollout_in(path), templates(path)
    found = []
    for analysis in analyses(rollout):
        kind = "ClusterAnalysisTemplate" if analysis.get("clusterScope") else "AnalysisTemplate"
        template = known[kind, analysis["templateName"]]
        values = {arg["name"]: arg.get("value") for arg in template["spec"]["args"]}
        given = {arg["name"]: value_of(arg, rollout) for arg in analysis["args"]}
        assert set(given) <= set(values), "an arg that the template does not declare is dropped"
        values |= given
        assert None not in values.values(), values
        text = ARG.sub(lambda match, values=values: values[match.group(1)], json.dumps(template["spec"]["metrics"]))
        found.append((template, json.loads(text)))
    return found


def test_every_case_has_its_file():
    assert {path.stem for path in ROLLOUTS} == CASES
    assert OWN_ERRORS == []


@pytest.mark.extended
@each
def test_the_definitions_allow_every_field(path):
    found = {f"{one['kind']} {one['metadata']['name']}": faults(one) for one in read_all(path)}

    assert found
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.extended
@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        pytest.param("canary-steps", "startingStep:", "startStep:", "'startStep' was unexpected", id="a Rollout's field"),
        pytest.param("canary-steps", "containerPort:", "containerport:", "'containerport' was unexpected", id="a pod's field"),
        pytest.param("canary-nginx", "stableIngress:", "ingress:", "'ingress' was unexpected", id="a router's field"),
        pytest.param("canary-nginx", "pathType: Prefix", "pathtype: Prefix", "'pathtype' was unexpected", id="an Ingress's field"),
        pytest.param("canary-alb", "targetPort: http", "targetport: http", "'targetport' was unexpected", id="a Service's field"),
        pytest.param("canary-istio", "hosts:", "host:", "'host' was unexpected", id="a VirtualService's field"),
        pytest.param("canary-traefik", "weighted:", "weights:", "'weights' was unexpected", id="a TraefikService's field"),
        pytest.param("canary-experiment", "requiredForCompletion:", "required:", "'required' was unexpected", id="an Experiment's field"),
    ],
)
def test_a_misspelt_field_is_found(name, old, new, fault):
    text = (FOLDER / "argo" / "rollouts" / f"{name}.yaml").read_text(encoding="utf-8")
    assert old in text

    found = [wrong for one in documents(text.replace(old, new)) for wrong in faults(one)]

    assert any(fault in wrong for wrong in found), found


@each
def test_it_says_when_to_use_it(path):
    comment = path.read_text(encoding="utf-8").partition("apiVersion:")[0]

    assert all(line.startswith("#") for line in comment.splitlines())
    assert len(comment.splitlines()) >= 3


@each
def test_the_judge_understands_every_question(path):
    found = resolved(path)

    assert found
    for template, metrics in found:
        for metric in metrics:
            assert "{{" not in json.dumps(metric)
            body = metric["provider"]["web"]["jsonBody"]
            request, config = parse_request(body, ALL_CONFIGS, now=1_700_000_000)
            assert (request.baseline, request.canary, request.rollout) == ("6f9c7b8d5", "7d4b9c6f8b", "shop"), template["metadata"]
            if metric["count"] > 1:
                assert metric["count"] <= config.looks.count
                assert seconds(metric["interval"]) >= config.looks.interval


@each
def test_every_service_and_route_that_it_names_is_in_the_file(path):
    rollout = rollout_in(path)
    there = {(one["kind"], one["metadata"]["name"]) for one in read_all(path)}
    assert {one["metadata"]["namespace"] for one in read_all(path)} == {"shop"}
    canary, bluegreen = (rollout["spec"]["strategy"].get(key, {}) for key in ("canary", "blueGreen"))
    router = canary.get("trafficRouting", {})
    wanted = {("Service", canary[key]) for key in ("stableService", "canaryService") if key in canary}
    wanted |= {("Service", bluegreen[key]) for key in ("activeService", "previewService") if key in bluegreen}
    wanted |= {("Service", router[key]["rootService"]) for key in ("smi", "alb") if key in router}
    wanted |= {("Ingress", router["nginx"]["stableIngress"])} if "nginx" in router else set()
    wanted |= {("Ingress", router["alb"]["ingress"])} if "alb" in router else set()
    wanted |= {("VirtualService", router["istio"]["virtualService"]["name"])} if "istio" in router else set()
    wanted |= {("TraefikService", router["traefik"]["weightedTraefikServiceName"])} if "traefik" in router else set()

    assert wanted <= there
    assert bool(router) == bool(canary.get("stableService"))


@each
def test_a_word_of_the_judge_stands_before_the_last_weight(path):
    """A background analysis does not gate: the last thing before all requests go to the canary is a question with an answer."""
    strategy = rollout_in(path)["spec"]["strategy"]
    if "blueGreen" in strategy:
        assert strategy["blueGreen"]["prePromotionAnalysis"]
        return
    steps = [step for step in strategy["canary"]["steps"] if "pause" not in step or "duration" in step["pause"]]

    assert steps[-1]["analysis"]["templates"] == [{"templateName": "judge-gate", "clusterScope": True}]


@each
def test_a_gate_has_ten_minutes_of_samples(path):
    """The warm-up (90 s) and eight samples of 60 s."""
    waited = 0.0
    for step in rollout_in(path)["spec"]["strategy"].get("canary", {}).get("steps", []):
        if "setWeight" in step or "setCanaryScale" in step:
            waited = 0.0
        waited += seconds(step.get("pause", {}).get("duration", "0s"))
        if "analysis" in step and step["analysis"]["templates"][0]["templateName"] == "judge-gate":
            assert waited >= 600
        if "analysis" in step:
            waited += 86400 * (step["analysis"]["templates"][0]["templateName"] == "judge-soak")


def test_the_way_back_after_a_blue_green_switch_is_longer_than_its_analysis():
    rollout = rollout_in(FOLDER / "argo" / "rollouts" / "bluegreen.yaml")
    [(_, [metric])] = [one for one in resolved(FOLDER / "argo" / "rollouts" / "bluegreen.yaml") if "post" in one[0]["metadata"]["name"]]
    lasts = seconds(metric["initialDelay"]) + (metric["count"] - 1) * seconds(metric["interval"])

    assert rollout["spec"]["strategy"]["blueGreen"]["scaleDownDelaySeconds"] > lasts


def test_the_soak_asks_as_its_config_plans():
    config = OWN_CONFIGS["http-service-soak"]
    [(_, [metric])] = [
        one for one in resolved(FOLDER / "argo" / "rollouts" / "canary-soak.yaml") if one[0]["metadata"]["name"] == "judge-soak"
    ]

    assert (metric["count"], seconds(metric["interval"])) == (config.looks.count, config.looks.interval)
    assert config.window.length == config.looks.count * config.looks.interval == 86400


def test_the_applications_hold_known_fields_and_leave_argos_own_changes_alone():
    judge, shop = read_all(GITOPS / "application.yaml")

    assert [faults(judge), faults(shop)] == [[], []]
    assert "RespectIgnoreDifferences=true" in shop["spec"]["syncPolicy"]["syncOptions"]
    paths = [source["path"] for source in judge["spec"]["sources"]]
    assert [path for path in paths if not (FOLDER.parent / path).is_dir()] == []
    misspelt = json.loads(json.dumps(shop).replace("ignoreDifferences", "ignoreDifference"))
    assert any("'ignoreDifference' was unexpected" in wrong for wrong in faults(misspelt))


def pipeline() -> dict[str, Any]:
    [found] = read_all(GITOPS / "pipeline.yaml")
    return found


def scripts() -> list[str]:
    return [step["run"] for job in pipeline()["jobs"].values() for step in job["steps"] if "run" in step]


def test_the_pipeline_holds_known_fields():
    assert own_faults("workflow", pipeline()) == []
    assert own_faults("workflow", {**pipeline(), "job": {}}) == [": Additional properties are not allowed ('job' was unexpected)"]


def test_every_judge_command_of_the_pipeline_is_understood():
    lines = [line for script in scripts() for line in script.replace("\\\n", " ").splitlines() if line.strip().startswith("judge ")]

    assert len(lines) == 3
    for line in lines:
        _, name, *args = re.split(r"\s+(?:\|\||>)\s*", line.strip())[0].split()
        command = cli.get_command(None, name)
        assert command is not None
        assert command.make_context(name, [arg.strip('"') if not arg.startswith("configs") else str(FOLDER.parent / arg) for arg in args])


@pytest.mark.parametrize(
    ("statuses", "ends", "asked"),
    [
        pytest.param([0], 0, 1, id="pass goes on"),
        pytest.param([1], 1, 1, id="fail stops"),
        pytest.param([4], 4, 1, id="trouble stops"),
        pytest.param([3, 3, 0], 0, 3, id="inconclusive is asked again"),
        pytest.param([3], 3, 20, id="twenty times and no more"),
    ],
)
def test_the_pipelines_loop_ends_as_the_verdict_says(tmp_path, statuses, ends, asked):
    """The script as it is, with a judge that ends with these statuses, the last one from then on."""
    (tmp_path / "judge").write_text(
        f"#!/bin/sh\necho asked >> asked\nn=$(wc -l < asked)\nset -- {' '.join(map(str, statuses))}\n"
        'if [ "$n" -gt $# ]; then n=$#; fi\nshift $((n - 1))\necho verdict\nexit "$1"\n',
        encoding="utf-8",
    )
    (tmp_path / "judge").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SECONDS_BETWEEN": "0", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    done = subprocess.run(["bash", "-eo", "pipefail", "-c", scripts()[-1]], cwd=tmp_path, env=environ, check=False)

    assert done.returncode == ends
    assert (tmp_path / "asked").read_text().count("asked") == asked
    assert (tmp_path / "summary.md").read_text() == "verdict\n"
