"""The ready-made configs: they load, keep the rules for good configs, and every query of every scope is PromQL."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest

from judge.core.templates import PROMQL, placeholders, rate_window, render
from judge.settings import ENVIRONMENT, ServerDocument, load_settings
from judge.sources import Answer, Query, Source
from judge.sources.registry import SOURCES
from judge.verdicts.analysis import run
from tests.configs.exporters import END, HEALTHY
from tests.configs.questions import CONFIGS, ERRORS, FOLDER, SCOPES, question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = {
    "business-metric",
    "grpc-service",
    "http-service",
    "istio",
    "jvm",
    "kubernetes-resources",
    "linkerd",
    "nginx-ingress",
    "traefik",
}
METRICS = [pytest.param(name, metric, id=f"{name}: {metric.name}") for name, config in CONFIGS.items() for metric in config.metrics]
LONGEST_SCRAPE = 30.0
"""Seconds between scrapes that every ready-made config must bear."""


class Recorder(Source):
    """A source that knows nothing, and remembers what it was asked."""

    language = PROMQL

    def __init__(self) -> None:
        self.asked: list[Query] = []

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        self.asked += queries
        return [Answer(query=query) for query in queries]

    def describe(self) -> Mapping[str, str]:
        return {"type": "recorder"}


def asked(name: str, scope: str) -> list[Query]:
    """Every query that a verdict takes."""
    request, config = question(name, HEALTHY, scope=scope, start=str(END - 1800), end=str(END))
    recorder = Recorder()
    run(request, config, recorder, now=END)
    return recorder.asked


def refusal(url: str, text: str) -> str:
    """What Prometheus objects to a query; nothing where it accepts it."""
    body = urllib.parse.urlencode({"query": text, "time": END}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/query", data=body), timeout=10) as answer:
            return "" if json.load(answer)["status"] == "success" else "no success"
    except urllib.error.HTTPError as error:
        return json.load(error)["error"]


def test_all_nine_are_there_and_without_a_fault():
    assert [str(error) for error in ERRORS] == []
    assert set(CONFIGS) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_config_is_named_after_its_file_and_leaves_the_method_to_the_default(name):
    config = CONFIGS[name]

    assert config.name == name
    assert config.description
    assert "judge" not in config.document
    assert config.scope in config.scopes


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_config_says_where_its_metric_names_come_from(name):
    comments = "\n".join(line for line in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines() if line.startswith("#"))

    assert name == "business-metric" or "\n# Metrics: " in comments
    assert "\n# The step is at least twice the scrape interval" in comments


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_step_holds_two_scrapes_and_the_looks_fit_the_window(name):
    config = CONFIGS[name]

    assert config.window.step >= 2 * LONGEST_SCRAPE
    assert config.looks.interval is not None
    assert config.looks.count * config.looks.interval <= config.window.length
    assert config.window.warmup > 0


@pytest.mark.parametrize(("name", "metric"), METRICS)
def test_a_comparison_reads_one_step_and_a_limit_the_whole_window(name, metric):
    texts = [text for text in (metric.query, metric.numerator, metric.denominator) if text]
    spans = {span for text in texts for span in re.findall(r"\[([^\]]*)\]", re.sub(r'"[^"]*"', "", text))}

    assert spans == ({"${window}"} if metric.limit is not None else {"${step}"})
    assert not any("vector(" in text for text in texts)
    assert metric.description
    assert metric.group in CONFIGS[name].groups


@pytest.mark.parametrize(("name", "metric"), METRICS)
def test_a_ratio_is_counts_and_a_quantile_a_rate_of_buckets(name, metric):
    if metric.denominator:
        assert "increase(" in metric.numerator
        assert "increase(" in metric.denominator
    if "histogram_quantile" in metric.query:
        assert "sum by (le)" in metric.query
        assert "rate(" in metric.query
        assert metric.unit in {"s", "ms"}


@pytest.mark.parametrize("name", sorted(NAMES - {"kubernetes-resources"}))
def test_too_little_traffic_is_no_evidence(name):
    traffic = CONFIGS[name].traffic

    assert traffic is not None
    assert "[${window}]" in traffic.query
    assert traffic.min_requests >= 100


@pytest.mark.parametrize("name", sorted(NAMES))
def test_something_is_critical_and_not_everything(name):
    config = CONFIGS[name]

    assert any(metric.critical for metric in config.metrics)
    assert not all(metric.critical for metric in config.metrics)


@pytest.mark.integration
@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_every_query_of_every_scope_is_accepted_by_prometheus(name, scope, exporters_url):
    queries = asked(name, scope)
    refused = {text: found for text in {query.text for query in queries} if (found := refusal(exporters_url, text))}

    assert queries
    assert refused == {}


@pytest.mark.integration
def test_a_query_that_is_no_promql_would_be_noticed(exporters_url):
    assert "parse error" in refusal(exporters_url, 'sum(rate(http_requests_total{code="5"}[1m])')


@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_every_scope_tells_the_sides_apart_in_every_query(name, scope):
    texts: dict[tuple[str, str], dict[str, str]] = {}
    for query in asked(name, scope):
        texts.setdefault((query.metric, query.part), {})[query.side] = query.text
    limits = {metric.name for metric in CONFIGS[name].metrics if metric.limit is not None}

    assert all("${" not in text for sides in texts.values() for text in sides.values())
    assert {metric for (metric, _), sides in texts.items() if set(sides) == {"canary"}} == limits
    assert [key for key, sides in texts.items() if len(set(sides.values())) != len(sides)] == []


@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_no_two_samples_share_data(name, scope):
    compared = [query for query in asked(name, scope) if not query.instant]

    assert compared
    assert {rate_window(query.text) for query in compared} == {60.0}
    assert {query.step for query in compared} == {60.0}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_scope_asks_for_the_rollout_only_to_find_pods_by_name(name):
    for scope, text in CONFIGS[name].scopes.items():
        assert ("rollout" in placeholders(text)) == (scope == "pod-name")


@pytest.mark.parametrize("scope", CONFIGS["istio"].scopes)
def test_istio_counts_a_request_once(scope):
    assert len(re.findall(r'reporter="(?:source|destination|waypoint)"', CONFIGS["istio"].scopes[scope])) == 1


@pytest.mark.parametrize("scope", CONFIGS["linkerd"].scopes)
def test_linkerd_counts_a_request_once(scope):
    assert len(re.findall(r'direction="(?:inbound|outbound)"', CONFIGS["linkerd"].scopes[scope])) == 1


@pytest.mark.parametrize(
    ("label", "is_canary"),
    [
        pytest.param("shop-shop-canary-80@kubernetescrd", True, id="a Service in a TraefikService"),
        pytest.param("shop-shop-canary-http@kubernetescrd", True, id="with a named port"),
        pytest.param("shop-shop-wrr-0-shop-shop-canary-80-c0ae3d501350255537be@kubernetescrd", True, id="a newer release's long name"),
        pytest.param("httproute-shop-web-gw-edge-gate-ep-web-0-9c1f-svc-shop-shop-canary-1@kubernetesgateway", True, id="of an HTTPRoute"),
        pytest.param("shop-shop-80@kubernetescrd", False, id="the stable Service, whose name begins alike"),
        pytest.param("shop-shop-canary-next-80@kubernetescrd", False, id="another Service, whose name begins alike"),
        pytest.param("other-shop-canary-80@kubernetescrd", False, id="another namespace"),
        pytest.param("shop-shop-canary-80@docker", False, id="another provider"),
    ],
)
def test_traefiks_names_are_told_apart(label, is_canary):
    matcher = render(CONFIGS["traefik"].scopes["service"], {"namespace": "shop", "hash": "shop-canary"})
    pattern = re.fullmatch(r'exported_service=~"(.*)"', matcher)

    assert pattern is not None
    assert bool(re.fullmatch(pattern.group(1), label)) == is_canary


def test_server_yaml_is_an_example_of_every_setting():
    text = (FOLDER / "server.yaml").read_text(encoding="utf-8")
    keys = {*ServerDocument.model_fields, *(key for kind in SOURCES.values() for key in kind.model_fields)}

    assert {key for key in keys if not re.search(rf"\b{key}:", text)} == set()
    assert {name for name in ENVIRONMENT if name not in text} == set()


def test_server_yaml_loads_and_the_environment_wins():
    settings = load_settings({}, config_dir=FOLDER)
    told = load_settings({"JUDGE_PROMETHEUS_URL": "http://elsewhere:9091"}, config_dir=FOLDER)

    assert settings.sources["default"].url == "http://prometheus:9090"
    assert told.sources["default"].url == "http://elsewhere:9091"


def test_what_server_yaml_says_in_comments_is_right_too(tmp_path):
    """Every commented setting, switched on, is understood."""
    text = (FOLDER / "server.yaml").read_text(encoding="utf-8")
    on = re.sub(r"^(\s*)# ((?:[a-z_]+): \S.*)$", r"\1\2", text, flags=re.MULTILINE)
    on = re.sub(r"^archive_url: sqlite.*$", "", on, flags=re.MULTILINE)
    (tmp_path / "server.yaml").write_text(on, encoding="utf-8")

    settings = load_settings({"PROMETHEUS_PASSWORD": "p", "PROMETHEUS_TOKEN": "t"}, config_dir=tmp_path)

    assert set(settings.sources) == {"default", "recorded"}
    assert settings.sources["default"].bearer_token == "t"
    assert settings.sources["default"].lookback == 300
    assert settings.public_url == "https://judge.example"
