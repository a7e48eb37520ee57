"""The PrometheusRules in configs/deploy: promtool accepts them, each alert is raised by what it is for and by nothing less.

What is recorded is held against the ready-made configs: with the recorded series in place of the rate, each quantile is the same.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from judge.core.templates import Matcher, render
from judge.server.telemetry import metrics as signals
from tests.configs.kustomizations import DEPLOY
from tests.configs.manifests import faults, read_all
from tests.configs.questions import CONFIGS
from tests.servers import require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

FOLDER = DEPLOY / "components" / "monitoring"
[ALERTS], [RECORDING] = (read_all(FOLDER / f"{name}.yaml") for name in ("alerts", "recording"))
RULES = [rule for document in (ALERTS, RECORDING) for group in document["spec"]["groups"] for rule in group["rules"]]
BY_ALERT = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RATE = re.compile(r"rate\((\w+_bucket)(\{.*?\})\[\$\{step\}\]\)", re.DOTALL)
QUANTILES = [
    pytest.param(name, metric.query, id=f"{name}: {metric.name}")
    for name, config in CONFIGS.items()
    for metric in config.metrics
    if "histogram_quantile" in metric.query
]


@pytest.fixture(scope="module")
def rule_files(tmp_path_factory) -> list[Path]:
    """The groups, as Prometheus itself reads them."""
    folder = tmp_path_factory.mktemp("rules")
    found = []
    for document in (ALERTS, RECORDING):
        path = folder / f"{document['metadata']['name']}.yaml"
        path.write_text(json.dumps({"groups": document["spec"]["groups"]}), encoding="utf-8")
        found.append(path)
    return found


def promtool(*arguments: object) -> str:
    """What promtool says; it must be content."""
    done = subprocess.run([require("promtool", "prometheus"), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def try_rules(rule_files, series, folder: Path, **expected: Any) -> None:
    """Run promtool's unit tests: `series` by name with their values, a minute apart."""
    test = {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()], **expected}
    path = folder / "test.yaml"
    path.write_text(json.dumps({"rule_files": [str(file) for file in rule_files], "evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", path)


def test_the_manifests_hold_known_fields():
    assert [faults(ALERTS), faults(RECORDING)] == [[], []]


def test_promtool_accepts_every_rule(rule_files):
    out = promtool("check", "rules", "--lint-fatal", *rule_files)

    assert [int(found) for found in re.findall(r"SUCCESS: (\d+) rules found", out)] == [len(BY_ALERT), len(RULES) - len(BY_ALERT)]


def test_the_alerts_use_metrics_that_the_judge_has():
    collectors = [found for found in vars(signals).values() if isinstance(found, MetricWrapperBase)]
    names = {sample for family in (one for found in collectors for one in found.describe()) for sample in _samples(family)}
    used = {name for rule in BY_ALERT.values() for name in re.findall(r"\b(\w+)\{", rule["expr"])}

    assert used <= names | {"up"}
    assert len(used & names) > 10


def _samples(family) -> set[str]:
    return {
        family.name + ending for ending in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}[family.type]
    }


JUDGE = 'job="judge",namespace="judge",pod="judge-1"'
WELL = {f"up{{{JUDGE}}}": "1x3000"}


def verdicts(word: str, values: str, config: str = "shop") -> dict[str, str]:
    return {f'judge_verdicts_total{{{JUDGE},config="{config}",verdict="{word}"}}': values}


def buckets(fast: str, slow: str) -> dict[str, str]:
    """Verdicts under 1 s, and all."""
    return {
        f'judge_verdict_seconds_bucket{{{JUDGE},le="1"}}': fast,
        f'judge_verdict_seconds_bucket{{{JUDGE},le="7.5"}}': fast,
        f'judge_verdict_seconds_bucket{{{JUDGE},le="10"}}': slow,
        f'judge_verdict_seconds_bucket{{{JUDGE},le="+Inf"}}': slow,
    }


def source(state: str, queries: str) -> dict[str, str]:
    """State of the circuit to a source, and what was asked of it."""
    told = f'{JUDGE},source="default"'
    return {f"judge_source_circuit{{{told}}}": state, f'judge_source_queries_total{{{told},outcome="skipped"}}': queries}


def declined(some: str, every: str) -> dict[str, str]:
    """Questions that were declined, and all that were asked."""
    asked = f'judge_requests_total{{{JUDGE},route="/v1/verdict",method="POST",status="2xx"}}'
    return {f"judge_questions_declined_total{{{JUDGE}}}": some, asked: every}


def transactions(fast: str, every: str) -> dict[str, str]:
    """Transactions of the archive that took at most 1 s, and all."""
    told = f'{JUDGE},operation="write"'
    bounds = {"0.1": fast, "1.0": fast, "2.5": every, "+Inf": every}
    return {f'judge_archive_seconds_bucket{{{told},le="{bound}"}}': values for bound, values in bounds.items()}


FAULTY = f'judge_configs{{{JUDGE},state="faulty"}}'
REPLACED = f"judge_workers_replaced_total{{{JUDGE}}}"
WAITING = f'judge_executions{{{JUDGE},state="waiting"}}'
RAISED = {
    "JudgeDown": [
        pytest.param({f"up{{{JUDGE}}}": "1x10 0x10"}, "14m", {}, id="the only judge is down"),
        pytest.param({f"up{{{JUDGE}}}": "1x5"}, "18m", {}, id="there is no judge any more"),
        pytest.param({'up{job="other"}': "1x30"}, "2m", {}, id="there never was one"),
    ],
    "JudgeAnswersLate": [pytest.param(buckets("0+8x60", "0+10x60"), "40m", {}, id="two in ten are late")],
    "JudgeInternalError": [pytest.param({f"judge_internal_errors_total{{{JUDGE}}}": "0x20 1x20"}, "22m", {}, id="one")],
    "JudgeVerdictsNotKept": [pytest.param({f"judge_verdicts_unkept_total{{{JUDGE}}}": "0x20 3x20"}, "22m", {}, id="three")],
    "JudgeConfigBroken": [pytest.param(verdicts("error", "1x20 2x20"), "22m", {"config": "shop"}, id="an error more")],
    "JudgeDecidesNothing": [
        pytest.param(
            {**verdicts("inconclusive", "0+0.1x3000"), **verdicts("pass", "0+0.002x3000")},
            "1800m",
            {"config": "shop"},
            id="98 of 100 are inconclusive",
            marks=pytest.mark.extended,
        )
    ],
    "JudgeSourceAway": [pytest.param(source("0x10 2x20", "0+30x30"), "15m", {"source": "default"}, id="its circuit is open")],
    "JudgeDeclines": [pytest.param(declined("0+1x40", "0+10x40"), "30m", {}, id="one in ten")],
    "JudgeArchiveSlow": [pytest.param(transactions("0+9x60", "0+10x60"), "40m", {"operation": "write"}, id="one in ten writes")],
    "JudgeConfigNotRead": [pytest.param({FAULTY: "0x10 1x20"}, "17m", {}, id="one fault")],
    "JudgeWorkerReplaced": [pytest.param({REPLACED: "0x20 1x20"}, "22m", {}, id="one")],
    "JudgeExecutionsWait": [pytest.param({WAITING: "0x10 21x30"}, "25m", {}, id="twenty-one for a quarter of an hour")],
}
SILENT = {
    "JudgeDown": [
        pytest.param({**WELL, 'up{job="judge",pod="judge-2"}': "0x60"}, "30m", id="one of two is down"),
        pytest.param({f"up{{{JUDGE}}}": "1x10 0 1x10"}, "12m", id="one scrape has failed"),
    ],
    "JudgeAnswersLate": [pytest.param(buckets("0+19x60", "0+20x60"), "40m", id="one in twenty is late")],
    "JudgeInternalError": [pytest.param({f"judge_internal_errors_total{{{JUDGE}}}": "1x60"}, "40m", id="an old one")],
    "JudgeVerdictsNotKept": [pytest.param({f"judge_verdicts_unkept_total{{{JUDGE}}}": "7x60"}, "40m", id="old ones")],
    "JudgeConfigBroken": [pytest.param(verdicts("fail", "1x20 2x20"), "22m", id="a fail is none")],
    "JudgeDecidesNothing": [
        pytest.param(
            {**verdicts("inconclusive", "0+0.1x3000"), **verdicts("pass", "0+0.1x3000")},
            "1800m",
            id="half are inconclusive",
            marks=pytest.mark.extended,
        ),
        pytest.param(verdicts("inconclusive", "0+0.01x3000"), "1800m", id="too few to tell", marks=pytest.mark.extended),
    ],
    "JudgeSourceAway": [
        pytest.param(source("0x10 2 0x20", "0+30x30"), "13m", id="it was away for a minute"),
        pytest.param(source("1x30", "0+30x30"), "20m", id="one question is on trial"),
        pytest.param(source("2x60", "9x60"), "40m", id="nobody asks it any more"),
    ],
    "JudgeDeclines": [
        pytest.param(declined("0+1x40", "0+100x40"), "30m", id="one in a hundred"),
        pytest.param({}, "30m", id="nothing asked"),
    ],
    "JudgeArchiveSlow": [pytest.param(transactions("0+1000x60", "0+1001x60"), "40m", id="one in a thousand")],
    "JudgeConfigNotRead": [pytest.param({FAULTY: "0x10 1x2 0x20"}, "17m", id="mended within three minutes")],
    "JudgeWorkerReplaced": [pytest.param({REPLACED: "3x100"}, "90m", id="old ones")],
    "JudgeExecutionsWait": [
        pytest.param({WAITING: "20x40"}, "30m", id="twenty"),
        pytest.param({WAITING: "0x10 90x5 0x20"}, "18m", id="a crowd that is gone after five minutes"),
    ],
}


def cases(table):
    return [pytest.param(name, *case.values, id=f"{name}: {case.id}", marks=case.marks) for name, those in table.items() for case in those]


def test_every_alert_is_tried():
    assert set(RAISED) == set(SILENT) == set(BY_ALERT)


@pytest.mark.parametrize(("alert", "series", "at", "labels"), cases(RAISED))
def test_it_is_raised(rule_files, tmp_path, alert, series, at, labels):
    rule = BY_ALERT[alert]
    annotations = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found.group(1)], text) for name, text in rule["annotations"].items()
    }
    expected = {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": annotations}

    try_rules(rule_files, series, tmp_path, alert_rule_test=[{"eval_time": at, "alertname": alert, "exp_alerts": [expected]}])


@pytest.mark.parametrize(("alert", "series", "at"), cases(SILENT))
def test_it_is_silent(rule_files, tmp_path, alert, series, at):
    try_rules(rule_files, series, tmp_path, alert_rule_test=[{"eval_time": at, "alertname": alert, "exp_alerts": []}])


# Recording rules

# Labels that each exporter gives, of both sides' pods; the config's own matchers must find them.
LABELS = {
    "http-service": {"namespace": "shop", "service": "shop", "rollouts_pod_template_hash": "HASH", "pod": "shop-HASH-POD"},
    "grpc-service": {
        "namespace": "shop",
        "service": "shop",
        "grpc_type": "unary",
        "rollouts_pod_template_hash": "HASH",
        "pod": "shop-HASH-POD",
    },
    "jvm": {"namespace": "shop", "service": "shop", "uri": "/pay", "rollouts_pod_template_hash": "HASH", "pod": "shop-HASH-POD"},
    "istio": {
        "destination_service_namespace": "shop",
        "reporter": "destination",
        "rollouts_pod_template_hash": "HASH",
        "pod": "shop-HASH-POD",
    },
    "linkerd": {"namespace": "shop", "direction": "inbound", "rollouts_pod_template_hash": "HASH", "pod": "shop-HASH-POD"},
    "nginx-ingress": {"exported_namespace": "shop", "exported_service": "HASH", "ingress": "shop", "pod": "nginx-POD"},
    "traefik": {"exported_service": "shop-HASH-80@kubernetescrd", "protocol": "http", "pod": "traefik-POD"},
}
SPEED = {"0.1": 4, "0.5": 9, "+Inf": 10}
"""Requests a minute and pod that took at most so long."""


def recorded(query: str) -> str:
    """The query with the recorded series in place of the rate, as docs/deploy.md says."""
    return RATE.sub(r"judge:\1:rate1m\2", query)


def test_every_histogram_of_the_ready_made_configs_is_recorded():
    asked = {found for case in QUANTILES for found in re.findall(r"\b(\w+_bucket)\b", case.values[1])}

    assert {f"judge:{name}:rate1m" for name in asked} == {rule["record"] for rule in RULES if "record" in rule}
    assert {case.values[0] for case in QUANTILES} == set(LABELS)


@pytest.mark.parametrize(("name", "query"), QUANTILES)
def test_the_recorded_series_gives_the_same_quantile(rule_files, tmp_path, name, query):
    assert RATE.search(query)
    assert "rate(" not in recorded(query)
    config = CONFIGS[name]
    [metric] = set(re.findall(r"\b(\w+_bucket)\b", query))
    series = {}
    for hash_, slower in (("6f9c7b8d5", 1), ("7d4b9c6f8b", 3)):
        for pod in ("a1", "b2", "c3"):
            for bound, count in SPEED.items():
                faster = count if bound == "+Inf" else count / slower
                labels = {label: value.replace("HASH", hash_).replace("POD", pod) for label, value in LABELS[name].items()}
                text = ",".join(f'{label}="{value}"' for label, value in {**labels, "le": bound}.items())
                series[f"{metric}{{{text}}}"] = f"0+{faster / 4}x160"
    tests = []
    for hash_ in ("6f9c7b8d5", "7d4b9c6f8b"):
        given = {"hash": hash_, "namespace": "shop", "service": "shop", "ingress": "shop", "step": "60s"}
        scope = Matcher(render(config.scopes[config.scope], given))
        raw, ours = (render(text, {**given, "scope": scope}) for text in (query, recorded(query)))
        # The difference is there, so both sides have samples, and it is nothing.
        tests.append({"expr": f"abs(({raw}) - ({ours})) < 1e-9", "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 0}]})
    test = {
        "interval": "15s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": tests,
    }
    path = tmp_path / "test.yaml"
    path.write_text(json.dumps({"rule_files": [str(file) for file in rule_files], "evaluation_interval": "1m", "tests": [test]}))

    promtool("test", "rules", path)
