"""Configs as they are written: every fault at once, with its place."""

from __future__ import annotations

import json

import jsonschema
import pytest

from judge.config.load import config_schema, load_config, load_configs, parse_config
from judge.config.yaml import parse
from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, ArgType, Direction, Margin
from judge.errors import ConfigError

MINIMAL = """
name: shop
scope: 'hash="${hash}"'
metrics:
  - name: latency
    query: avg(latency{${scope}})
"""

WHOLE = """
name: http-service
description: from the design
args:
  service: {}
  namespace: {default: default}
scope: 'rollouts_pod_template_hash="${hash}"'
window: {warmup: 90s, step: 15s, length: 30m}
looks: {count: 20, interval: 90s}
traffic:
  query: sum(increase(http_requests_total{service="${service}",${scope}}[${window}]))
  min_requests: 100
metrics:
  - name: error-ratio
    numerator: sum(increase(http_requests_total{service="${service}",code=~"5..",${scope}}[${step}]))
    denominator: sum(increase(http_requests_total{service="${service}",${scope}}[${step}]))
    direction: increase
    tolerance: {relative: 25%, absolute: 0.1pp}
    must_detect: {relative: 100%, absolute: 0.5pp}
    critical: true
    group: errors
  - name: latency-p99
    query: histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="${service}",${scope}}[1m])))
    direction: increase
    tolerance: 5%
    must_detect: 20%
    group: latency
  - name: oom-kills
    query: sum(increase(kube_pod_container_status_restarts_total{namespace="${namespace}",${scope}}[${window}]))
    limit: {max: 0}
    critical: true
    group: saturation
groups: {errors: 50, latency: 30, saturation: 20}
score: {pass: 95, marginal: 75}
"""


def read(text, where="c.yaml"):
    return parse_config(parse(text, where=where), where=where)


def faults(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    return {fault.path: fault for fault in caught.value.faults}


def test_the_designs_own_config_means_what_it_says():
    config = read(WHOLE)

    assert (config.window.warmup, config.window.step, config.window.length) == (90, 15, 1800)
    assert (config.looks.count, config.looks.interval) == (20, 90)
    assert config.scopes[config.scope] == 'rollouts_pod_template_hash="${hash}"'
    assert (config.args["service"].default, config.args["namespace"].default) == (None, "default")
    errors, latency, kills = config.metrics
    assert (errors.tolerance, errors.must_detect) == (Margin(relative=0.25, absolute=0.001), Margin(relative=1.0, absolute=0.005))
    assert (latency.tolerance, latency.direction) == (Margin(relative=0.05), Direction.INCREASE)
    assert (kills.limit.max, kills.critical) == (0, True)
    assert (config.score.passing, config.score.marginal) == (95, 75)
    assert config.groups == {"errors": 50, "latency": 30, "saturation": 20}


def test_defaults():
    config = read(MINIMAL + "  - {name: errors, numerator: 'e{${scope}}', denominator: 'r{${scope}}'}\n")

    latency, errors = config.metrics
    assert (latency.direction, latency.tolerance, latency.must_detect) == (Direction.EITHER, Margin(relative=0.05), Margin(relative=0.2))
    assert (errors.tolerance, errors.must_detect) == (COUNT_TOLERANCE, COUNT_MUST_DETECT)
    assert (config.judge, config.source, config.min_samples, config.on_source_error) == ("sequential", "default", 5, "inconclusive")


def test_yaml_is_1_2():
    config = read(MINIMAL.replace("name: latency", "name: no") + "    unit: yes\n    description: 12:30:45\n")

    assert (config.metrics[0].name, config.metrics[0].unit, config.metrics[0].description) == ("no", "yes", "12:30:45")


def test_all_faults_at_once_with_their_paths():
    found = faults("""
name: Shop
judge: mann-witney
window: {step: 1500ms, length: 1s}
args: {a: {default: "${b}"}, b: {default: "${a}"}, end: {}}
scope: 'hash="${hsh}"'
metrics:
  - name: a
    directon: increase
    query: up
    tolerance: 5
  - name: b
    query: 'x{a="{{args.x}}",${scope}}'
    limit: {}
  - {name: b, numerator: 'x{${scope}}', group: foo}
groups: {errors: 50}
score: {pass: 50, marginal: 75}
""")

    assert set(found) == {
        "name",
        "judge",
        "window.step",
        "window.length",
        "args.a.default",
        "args.end",
        "scope",
        "metrics.0.directon",
        "metrics.0.tolerance",
        "metrics.1.query",
        "metrics.1.limit",
        "metrics.1.group",
        "metrics.2",
        "metrics.2.name",
        "metrics.2.group",
        "groups.errors",
        "score",
    }
    assert "did you mean 'direction'" in found["metrics.0.directon"].message
    assert "direction" in found["metrics.0.directon"].allowed
    assert found["judge"].allowed == ("kayenta", "mann-whitney", "sequential")
    assert "a -> b -> a" in found["args.a.default"].message


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        pytest.param(("query: avg(latency{${scope}})", "query: avg(latency)"), "metrics.0.query", "uses neither", id="both sides the same"),
        pytest.param(
            ("avg(latency{${scope}})", "avg(latency{${scop}})"), "metrics.0.query", "did you mean 'scope'", id="misspelt placeholder"
        ),
        pytest.param(
            ("avg(latency{${scope}})", "avg(x{${scope}}[${window}])"), "metrics.0.query", "one value", id="${window} in a comparison"
        ),
        pytest.param(("'hash=\"${hash}\"'", "hash"), "scope", "neither a label matcher nor", id="a scope that is no matcher"),
        pytest.param(("'hash=\"${hash}\"'", "'a=\"b\"'"), "scope", "does not use ${hash}", id="a scope without the hash"),
        pytest.param(("name: latency", "name: ''"), "metrics.0.name", "should match", id="an empty name"),
        pytest.param(("metrics:", "metrics: []\nx:"), "metrics", "must not be empty", id="no metric"),
        pytest.param(("name: shop", "name: shop\nwindow: {warmup: -5s}"), "window.warmup", "not a duration", id="a negative duration"),
        pytest.param(("name: shop", "name: shop\nlooks: {count: 0}"), "looks.count", "greater than or equal to 1", id="no look"),
        pytest.param(("name: shop", "name: shop\nmin_samples: true"), "min_samples", "valid integer", id="a boolean for a number"),
        pytest.param(("name: shop", "name: shop\nargs: {1a: {}}"), "args.1a.[key]", "should match", id="an arg that is no name"),
    ],
)
def test_faults(change, path, message):
    found = faults(MINIMAL.replace(*change))

    assert message in found[path].message


@pytest.mark.parametrize(
    ("margin", "message"),
    [
        ("5", "not a percentage"),
        ("five", "not a percentage"),
        ("-5%", "not a percentage"),
        ("{relativ: 5%}", "write 5% or"),
        ("{absolute: -1}", "not an amount"),
        ("{absolute: .nan}", "not an amount"),
        ("{}", "write 5% or"),
    ],
)
def test_margins_that_are_none(margin, message):
    assert message in faults(MINIMAL + f"    tolerance: {margin}\n")["metrics.0.tolerance"].message


def test_what_is_accepted_cannot_be_what_must_not_slip_through():
    assert "must be at least the tolerance" in faults(MINIMAL + "    tolerance: 30%\n")["metrics.0.must_detect"].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name: a\nname: b\n", 'line 2, column 1: found duplicate key "name"', id="a key twice"),
        pytest.param("name: [\n", "not YAML at line", id="cut off"),
        pytest.param("name: x\nargs: &a {b: *a}\n", "args.b: refers to itself in a circle", id="an alias inside its own anchor"),
        pytest.param("- a\n", "expected a mapping with keys, found list", id="a list"),
        pytest.param("", "expected a mapping with keys, found nothing", id="empty"),
        pytest.param(
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{c}: &{c} [{', '.join(['*' + p] * 10)}]\n" for p, c in zip("abcde", "bcdef", strict=True)),
            "more than 20000 nodes",
            id="aliases that multiply",
        ),
        pytest.param("name: !!python/object/apply:os.system [ls]\n", "not YAML", id="a tag that would run something"),
        pytest.param(
            "name: kayenta\nclassifier: {}\nmetrics: []\n", "metrics: must be a list of metrics", id="Kayenta's form without metrics"
        ),
    ],
)
def test_documents_that_cannot_be_read(text, message):
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert message in str(caught.value)
    assert str(caught.value).startswith("c.yaml: ")


def test_json_is_read_and_a_key_twice_refused(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(parse(MINIMAL, where="")))
    bad.write_text('{"name": "a", "name": "b"}')

    assert load_config(good).name == "shop"
    with pytest.raises(ConfigError, match="'name' is there twice"):
        load_config(bad)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file or directory$"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "sixteen.yaml"
    path.write_text(MINIMAL, encoding="utf-16")

    with pytest.raises(ConfigError, match=r"sixteen\.yaml: cannot be read: it is not UTF-8 text \(invalid start byte at byte 0\)"):
        load_config(path)


def test_a_broken_file_does_not_keep_the_good_ones_from_being_used(tmp_path):
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "b.yaml").write_text("name: [")
    (tmp_path / "c.yaml").write_text(MINIMAL)
    (tmp_path / "server.yaml").write_text("sources: {}")
    (tmp_path / "notes.txt").write_text("nothing")

    configs, errors = load_configs(tmp_path)

    assert list(configs) == ["shop"]
    assert [error.where.rpartition("/")[2] for error in errors] == ["b.yaml", "c.yaml"]
    assert "already defined by a.yaml" in str(errors[1])


def test_two_spellings_of_one_config_have_one_digest_and_a_change_another():
    assert read(MINIMAL).digest == read(MINIMAL.replace("name: shop", "name: shop\nmin_samples: 5")).digest
    assert read(MINIMAL).digest != read(MINIMAL.replace("name: shop", "name: shop\nmin_samples: 6")).digest


def test_arg_types_and_defaults():
    config = read(MINIMAL.replace("scope:", "args: {n: {type: number, default: 3}, w: {type: duration}, free: {type: text}}\nscope:"))

    assert [(name, arg.type, arg.default) for name, arg in config.args.items()] == [
        ("n", ArgType.NUMBER, "3"),
        ("w", ArgType.DURATION, None),
        ("free", ArgType.TEXT, None),
    ]


@pytest.mark.parametrize(
    ("arg", "path", "message"),
    [
        pytest.param(
            "{type: number, default: high}", "args.x.default", "'high' is not a number (allowed: 0.99", id="a default of another type"
        ),
        pytest.param("{default: a b}", "args.x.default", "'a b' is not a Kubernetes name", id="a default that is no name"),
        pytest.param("{type: hash, default: 6F9C}", "args.x.default", "'6F9C' is not a pod-template hash", id="a default that is no hash"),
        pytest.param("{default: c, allowed: [a, 'b*']}", "args.x.default", "(allowed: a, b*)", id="a default that is not allowed"),
        pytest.param(
            "{type: duration, allowed: [5m, soon]}", "args.x.allowed.1", "'soon' is not a duration", id="an allowed value of another type"
        ),
        pytest.param("{allowed: []}", "args.x.allowed", "must not be empty", id="nothing allowed"),
        pytest.param("{type: secret}", "args.x.type", "kubernetes-name", id="no such type"),
    ],
)
def test_an_arg_that_contradicts_itself_is_refused(arg, path, message):
    with pytest.raises(ConfigError) as caught:
        read(MINIMAL.replace("scope:", f"args: {{x: {arg}}}\nscope:"))

    assert [fault.path for fault in caught.value.faults] == [path]
    assert message in str(caught.value)


def test_a_default_that_names_other_args_is_checked_when_it_is_filled_in():
    read(MINIMAL.replace("scope:", "args: {a: {type: text}, b: {type: hash, default: '${a}'}}\nscope:"))


def test_the_sides_may_be_typed():
    assert read(MINIMAL).sides.type is ArgType.NAME
    assert read(MINIMAL.replace("scope:", "sides: {type: hash}\nscope:")).sides.type is ArgType.HASH
    with pytest.raises(ConfigError, match=r"sides\.type"):
        read(MINIMAL.replace("scope:", "sides: {type: text}\nscope:"))


@pytest.mark.parametrize("text", [MINIMAL, WHOLE])
def test_schema_accepts_what_the_reader_accepts(text):
    jsonschema.validate(parse(text, where=""), config_schema())


@pytest.mark.parametrize(
    "change",
    [
        ("name: shop", "name: shop\nfoo: 1"),
        ("query:", "qury:"),
        ("name: shop", "judge: magic\nname: shop"),
        ("name: shop", "name: shop\nargs: {x: {type: secret}}"),
    ],
)
def test_schema_refuses_what_the_reader_refuses(change):
    document = parse(MINIMAL.replace(*change), where="")

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, config_schema())
    with pytest.raises(ConfigError, match=r"unknown|is missing|needs either|args\.x\.type"):
        parse_config(document, where="")
