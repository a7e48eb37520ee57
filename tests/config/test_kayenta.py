"""Kayenta's canary configs as they are: queries built as Kayenta builds them, nothing dropped in silence."""

from __future__ import annotations

import copy
import json

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.config.kayenta import config_name, ignored_keys
from judge.config.kayenta_query import build_query, expand
from judge.config.load import load_config, parse_config
from judge.config.yaml import parse
from judge.core.config import ArgType, Direction
from judge.errors import ConfigError
from tests.server.routes.test_kayenta import CONFIG

VALUES = {"scope": "shop-6f9c", "location": "eu-1", "project": "acme", "zone": "a"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"metricName": "cpu", "customInlineTemplate": 'app="${scope}"'}, 'avg(cpu{app="shop-6f9c"})'),
        (
            {"metricName": "cpu", "customInlineTemplate": 'app="${scope}"', "labelBindings": ['a="b"', "c!='d'"]},
            'avg(cpu{app="shop-6f9c",a="b",c!=\'d\'})',
        ),
        (
            {"metricName": "cpu", "customInlineTemplate": 'app="${scope}"', "groupByFields": ["zone", "pod"]},
            'avg(cpu{app="shop-6f9c"}) by (zone,pod)',
        ),
        ({"metricName": "cpu", "customFilterTemplate": "t"}, 'avg(cpu{x="eu-1"})'),
        ({"metricName": "cpu", "customFilterTemplate": "t", "customInlineTemplate": 'y="${zone}"'}, 'avg(cpu{y="a"})'),
        ({"metricName": "cpu", "customInlineTemplate": 'PromQL:rate(cpu{app="${scope}"}[1m])'}, 'rate(cpu{app="shop-6f9c"}[1m])'),
        ({"metricName": "cpu", "customInlineTemplate": 'app="$\\{scope}"'}, 'avg(cpu{app="shop-6f9c"})'),
        ({"metricName": "cpu", "customInlineTemplate": 'app="${missing:-none}"'}, 'avg(cpu{app="none"})'),
        ({"metricName": "cpu", "customInlineTemplate": 'app="$${scope}"'}, 'avg(cpu{app="${scope}"})'),
        (
            {"metricName": "cpu", "resourceType": "gce_instance"},
            'avg(cpu{instance=~"shop-6f9c-.{4}",zone=~".+/projects/acme/zones/eu-1-.{1}"})',
        ),
        ({"metricName": "cpu", "resourceType": "aws_ec2_instance"}, 'avg(cpu{asg_groupName="shop-6f9c",zone=~"eu-1.{1}"})'),
    ],
    ids=[
        "inline",
        "label bindings",
        "group by",
        "filter template",
        "inline wins",
        "PromQL",
        "escaped brace",
        "default",
        "plain brace",
        "gce",
        "aws",
    ],
)
def test_queries_are_built_as_kayenta_builds_them(query, expected):
    metric = {"name": "cpu", "query": query}

    assert build_query(metric, {"t": 'x="${location}"'}, VALUES, path="metrics.0") == expected


def test_a_scope_of_matchers_is_pasted_as_they_are():
    metric = {"name": "cpu", "query": {"metricName": "cpu", "customInlineTemplate": "${scope}"}}
    values = {"scope": 'app=~"guestbook-.+", rollouts_pod_template_hash="6f9c"'}

    assert build_query(metric, {}, values, path="") == 'avg(cpu{app=~"guestbook-.+", rollouts_pod_template_hash="6f9c"})'


@pytest.mark.parametrize("value", ['x"} or vector(1)', "a{b}", 'app="x"} or up{', "rate(x[1m])", 'a="b" or c="d"'])
def test_a_value_outside_strings_can_only_be_matchers_or_a_name(value):
    with pytest.raises(ConfigError, match="stands outside quotes"):
        expand("cpu{${scope}}", {"scope": value}, path="p")


def test_a_value_inside_a_string_stays_inside():
    assert expand('app="${scope}"', {"scope": 'x"} or vector(1) or up{a="'}, path="p") == 'app="x\\u0022} or vector(1) or up{a=\\u0022"'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"metricName": "cpu"}, "needs customInlineTemplate, customFilterTemplate or resourceType"),
        ({"metricName": "cpu", "customFilterTemplate": "nope"}, "there is no template 'nope'"),
        ({"metricName": "cpu", "customInlineTemplate": "${nope}"}, r"\$\{nope\} is not defined"),
    ],
)
def test_queries_that_cannot_be_built(query, message):
    with pytest.raises(ConfigError, match=message):
        build_query({"name": "cpu", "query": query}, {}, VALUES, path="metrics.0")


def test_a_kayenta_config_loads_wherever_a_config_does(tmp_path):
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({**CONFIG, "name": "My Shop"}))

    config = load_config(path)

    assert (config.name, config.judge) == ("my-shop", "kayenta")
    assert [(metric.name, metric.direction, metric.query) for metric in config.metrics] == [
        ("latency-p99", Direction.INCREASE, 'latency{hash="${hash}"}'),
        ("memory", Direction.INCREASE, 'avg(memory{pod=~"${hash}-.+",app="shop"})'),
    ]
    assert config.groups == {"latency": 60, "memory": 40}
    assert config.document["templates"] == CONFIG["templates"]


def test_other_placeholders_become_args():
    document = copy.deepcopy(CONFIG)
    document["metrics"][0]["query"]["customInlineTemplate"] = 'PromQL:latency{hash="${scope}",zone="${zone}",region="${location}"}'

    config = parse_config(document, where="k")

    assert config.metrics[0].query == 'latency{hash="${hash}",zone="${zone}",region="${location}"}'
    assert {name: arg.type for name, arg in config.args.items()} == {"zone": ArgType.TEXT, "location": ArgType.TEXT}


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        (
            lambda c: c["metrics"][0]["query"].update(type="datadog"),
            "metrics.0.query.type",
            "the metric store 'datadog' is not one of ours",
        ),
        (lambda c: c["metrics"][0]["query"].update(customFilter="x"), "metrics.0.query.customFilter", "write customInlineTemplate"),
        (lambda c: c["metrics"][0].pop("query"), "metrics.0.query", "is missing"),
        (lambda c: c["metrics"][1].update(name="latency-p99"), "metrics.1.name", "is the name of an earlier metric"),
        (lambda c: c.update(templates=[]), "templates", "must be an object"),
        (lambda c: c.update(metrics=[]), "metrics", "must be a list of metrics"),
    ],
)
def test_what_means_nothing_here_is_refused_by_name(change, path, message):
    document = copy.deepcopy(CONFIG)
    change(document)

    with pytest.raises(ConfigError) as caught:
        parse_config(document, where="k")

    assert any(fault.path == path and message in fault.message for fault in caught.value.faults)


def test_ignored_keys_are_named():
    document = copy.deepcopy(CONFIG)
    document["foo"] = 1
    document["metrics"][0]["analysisConfigurations"]["canary"]["directon"] = "increase"
    document["metrics"][0]["analysisConfigurations"]["canary"]["effectSize"]["allowedIncreese"] = 2

    assert ignored_keys(document) == [
        "foo",
        "metrics.0.analysisConfigurations.canary.directon",
        "metrics.0.analysisConfigurations.canary.effectSize.allowedIncreese",
    ]


@pytest.mark.parametrize(("name", "ours"), [("My Canary_Config", "my-canary-config"), ("---", "kayenta"), ("x" * 100, "x" * 63)])
def test_names_become_names_of_ours(name, ours):
    assert config_name(name) == ours


def judge(*args):
    found = CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def test_check_explains_a_kayenta_config(tmp_path):
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({**CONFIG, "foo": 1}))

    status, out, _ = judge("check", path)

    assert status == 0
    assert "ok, Kayenta canary config 'shop', 2 metrics, judge kayenta" in out
    assert "ignored: foo" in out


def test_convert_writes_a_config_that_is_read(tmp_path):
    document = copy.deepcopy(CONFIG)
    canary = document["metrics"][0]["analysisConfigurations"]["canary"]
    canary.update(critical=True, nanStrategy="replace", outliers={"strategy": "remove"})
    path, written = tmp_path / "shop.json", tmp_path / "shop.yaml"
    path.write_text(json.dumps(document))

    status, _, _ = judge("convert", path, "-o", written)

    config = load_config(written)
    assert status == 0
    assert (config.name, config.judge) == ("shop", "kayenta")
    assert config.metrics[0].critical
    assert config.metrics[0].tolerance.relative == pytest.approx(0.05)
    assert "# not carried over: metrics.0.analysisConfigurations.canary.nanStrategy" in written.read_text()
    assert parse(written.read_text(), where="")["groups"] == {"latency": 60, "memory": 40}


def test_convert_refuses_what_is_not_kayentas(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nscope: 'a=\"${hash}\"'\nmetrics: [{name: m, query: 'm{${scope}}'}]\n")

    status, _, err = judge("convert", path)

    assert status == 2
    assert "is no Kayenta canary config" in err


def test_two_judges_side_by_side(tmp_path):
    steady = list(range(100, 130))
    pairs = [
        {"name": "same", "values": {"control": steady, "experiment": steady[::-1]}},
        {"name": "tiny", "values": {"control": [1, 2], "experiment": [10, 11]}},
    ]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(pairs))

    status, out, _ = judge("score", path, "--judge", "kayenta,mann-whitney", "--format", "jsonl")

    [found] = [json.loads(line) for line in out.splitlines()]
    assert status == 3
    assert {judge: verdict["verdict"] for judge, verdict in found["verdicts"].items()} == {"kayenta": "fail", "mann-whitney": "pass"}
    [difference] = found["differences"]
    assert difference["metric"] == "tiny"
    assert difference["kayenta"]["classification"] == "high"
    assert difference["mann-whitney"]["reason"] == "2 independent canary samples, at least 5 are needed"
    assert any("5" in warning for warning in difference["kayenta"]["warnings"])


def test_judges_that_agree_end_with_0(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([{"name": "m", "values": {"control": list(range(30)), "experiment": list(range(60, 90))}}]))

    status, out, _ = judge("score", path, "--judge", "kayenta,mann-whitney")

    assert status == 0
    assert "1 canaries, the same verdict for 1, another for 0 (kayenta against mann-whitney)" in out
