"""Questions as they arrive from Argo: everything a string, anything odd refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.args import KINDS
from judge.core.config import ArgConfig, ArgType, CanaryConfig, MetricConfig
from judge.errors import RequestError
from judge.wire.request import ALIASES, format_time, parse_request, parse_time

NOW = 1_763_629_200.0
CONFIG = CanaryConfig(
    name="shop",
    metrics=(MetricConfig(name="m"),),
    args={
        "service": ArgConfig(description="the Service"),
        "namespace": ArgConfig(default="default"),
        "host": ArgConfig(default="${service}.${namespace}"),
        "quantile": ArgConfig(default="0.99", type=ArgType.NUMBER),
        "range": ArgConfig(default="5m", type=ArgType.DURATION),
        "note": ArgConfig(default="none", type=ArgType.TEXT),
    },
    scope="hash",
    scopes={"hash": 'h="${hash}"', "pod": 'pod=~"${rollout}-${hash}-.+"'},
)
CONFIGS = {"shop": CONFIG}
GOOD = {"config": "shop", "baseline": "6f9c7b8d5", "canary": "7d4b9c6f8", "service": "cart"}


def ask(**changes):
    raw = {**GOOD, **changes}
    return parse_request({key: value for key, value in raw.items() if value is not ...}, CONFIGS, now=NOW)[0]


def faults(**changes):
    with pytest.raises(RequestError) as caught:
        ask(**changes)
    return {fault.path: fault for fault in caught.value.faults}


def test_a_question_with_defaults_filled_in():
    request = ask()

    assert request.args == {
        "service": "cart",
        "namespace": "default",
        "host": "cart.default",
        "quantile": "0.99",
        "range": "5m",
        "note": "none",
    }
    assert (request.scope, request.detail, request.start, request.look) == ("hash", "short", None, None)


def test_everything_may_be_a_string_or_a_number():
    as_text = ask(start="1763627400", end="2025-11-20T09:00:00Z", look="7", window="15m", quantile="0.5")
    as_numbers = ask(start=1763627400, end=1763629200, look=7, window=900, quantile=0.5)

    assert as_text == as_numbers
    assert (as_text.start, as_text.end, as_text.look, as_text.window) == (1763627400, 1763629200, 7, 900)


def test_args_may_stand_in_an_object_of_their_own():
    assert ask(service=..., args={"service": "cart"}) == ask()


@pytest.mark.parametrize("alias", sorted(set(ALIASES) - {"service-name"}))
def test_names_that_templates_in_use_have(alias):
    target = ALIASES[alias]
    value = {"start": "1763627400", "end": "1763629100", "rollout": "cart"}.get(target, "abc123")

    assert getattr(ask(**{target: ..., alias: value}), target) == getattr(ask(**{target: value}), target)


def test_service_name_is_the_service():
    assert ask(service=..., **{"service-name": "cart"}) == ask()


def test_empty_options_are_not_given_as_argo_sends_them():
    assert ask(start="", end="", window="", look="", rollout="", scope="", detail="", args="") == ask()


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        pytest.param({"config": "shp"}, "config", "there is no config 'shp'; did you mean 'shop'?", id="unknown config"),
        pytest.param({"config": ...}, "config", "is missing", id="no config"),
        pytest.param({"config": 5}, "config", "must be a name, found a number", id="config of a wrong type"),
        pytest.param({"service": ...}, "service", "is missing; the config declares it: the Service", id="missing arg"),
        pytest.param({"servce": "x"}, "servce", "did you mean 'service'?", id="extra arg"),
        pytest.param({"args": {"x": "y"}}, "args.x", "does not declare this arg", id="extra arg in args"),
        pytest.param({"service": ""}, "service", "is empty", id="empty arg"),
        pytest.param({"namespace": ""}, "namespace", "is empty; leave it out to get the default", id="empty arg with a default"),
        pytest.param({"canary": ""}, "canary", "would select series that lack the label", id="empty canary"),
        pytest.param({"baseline": ...}, "baseline", "podTemplateHashValue", id="missing baseline"),
        pytest.param({"service": 'a"b'}, "service", "is not a Kubernetes name", id="a quote"),
        pytest.param({"service": "a{b}"}, "service", "is not a Kubernetes name", id="braces"),
        pytest.param({"service": "a\nb"}, "service", "is not a Kubernetes name", id="a newline"),
        pytest.param({"canary": ".*"}, "canary", "is not a Kubernetes name", id="a regex"),
        pytest.param({"canary": "abc|.+"}, "canary", "is not a Kubernetes name", id="an alternative"),
        pytest.param({"canary": "{{args.canary-hash}}"}, "canary", "was not filled in by Argo Rollouts", id="braces left unrendered"),
        pytest.param({"canary": {"a": 1}}, "canary", "must be a string or a number, found an object", id="an object"),
        pytest.param({"canary": ["a"]}, "canary", "must be a string or a number, found a list", id="a list"),
        pytest.param({"canary": None}, "canary", "must be a string or a number, found null", id="null"),
        pytest.param({"look": True}, "look", "found a boolean", id="a boolean"),
        pytest.param({"look": "0"}, "look", "a whole number from 1", id="look 0"),
        pytest.param({"look": "1.5"}, "look", "a whole number from 1", id="half a look"),
        pytest.param({"start": "yesterday"}, "start", "not a time", id="no time"),
        pytest.param({"start": "2025-11-20T08:00:00"}, "start", "has no time zone", id="a time without zone"),
        pytest.param({"start": 1763629100, "end": 1763629000}, "start", "is not before end", id="start after end"),
        pytest.param({"start": NOW + 60}, "start", "lies in the future", id="start in the future"),
        pytest.param({"end": NOW + 3600}, "end", "lies in the future", id="end in the future"),
        pytest.param({"start": 1e18}, "start", "outside the years", id="a time beyond time"),
        pytest.param({"start": -5}, "start", "outside the years", id="before 1970"),
        pytest.param({"window": "5"}, "window", "at least|between one step", id="a window shorter than a step"),
        pytest.param({"window": "ages"}, "window", "not a duration", id="no duration"),
        pytest.param({"window": "800d"}, "window", "between one step", id="a window of years"),
        pytest.param({"quantile": "high"}, "quantile", "is not a number", id="an arg that is no number"),
        pytest.param({"range": "5m]) or vector(1"}, "range", "is not a duration", id="an arg that is no duration"),
        pytest.param({"scope": "pd"}, "scope", "has no scope 'pd'; did you mean 'pod'?", id="unknown scope"),
        pytest.param({"scope": "pod"}, "rollout", "selects pods by the rollout's name", id="a scope that needs the rollout"),
        pytest.param({"detail": "lots"}, "detail", "unknown detail", id="unknown detail"),
        pytest.param({"stable-hash": "other"}, "stable-hash", "baseline is given twice", id="given twice under two names"),
        pytest.param({"note": "x" * 1001}, "note", "longer than 1000", id="too long"),
        pytest.param({"args": "x"}, "args", "must be an object", id="args that are no object"),
        pytest.param({"start": float("nan")}, "start", "must be a finite number", id="NaN"),
    ],
)
def test_refused(changes, path, message):
    import re

    found = faults(**changes)

    assert path in found
    assert any(part in found[path].message for part in re.split(r"\|", message))


def test_every_fault_is_said_at_once():
    found = faults(canary="{{x}}", service='"', look="x", start="y", foo="bar")

    assert set(found) == {"canary", "service", "look", "start", "foo"}


def test_allowed_names_are_listed():
    assert set(faults(foo="bar")["foo"].allowed) >= {"config", "baseline", "canary", "service", "namespace"}


def test_free_text_is_allowed_where_the_config_says_so():
    assert ask(note='any "thing" {here}').args["note"] == 'any "thing" {here}'


def typed(*, sides=ArgType.NAME, **args):
    """A config whose args are these."""
    return {"shop": replace(CONFIG, args=args, sides=ArgConfig(type=sides))}


@pytest.mark.parametrize(
    ("arg", "good", "bad"),
    [
        pytest.param(ArgConfig(), ["a", "Shop_1", "ghcr.io/a/b:v1@x", "a" * 253], ["-a", "a b", 'a"', "a|b", "a" * 254, "é"], id="name"),
        pytest.param(
            ArgConfig(type=ArgType.KUBERNETES_NAME),
            ["a", "shop-1", "a.b", "a" * 253],
            ["Shop", "a_b", "a..b", "a-", "a/b", "a" * 254],
            id="kubernetes-name",
        ),
        pytest.param(ArgConfig(type=ArgType.HASH), ["6f9c7b8d5", "a", "a" * 63], ["6F9C", "6f-9c", "a" * 64, "6f9c\n"], id="hash"),
        pytest.param(ArgConfig(type=ArgType.LABEL_VALUE), ["v1.2_A", "a" * 63], ["v1:2", "a/b", ".a", "a" * 64], id="label-value"),
        pytest.param(
            ArgConfig(type=ArgType.NUMBER),
            ["1", "-0.5", "1e-3", 7, 0.25],
            ["NaN", "Inf", "1e309", "0x1", "1_0", "٣", "1 ", "1,5"],
            id="number",
        ),
        pytest.param(
            ArgConfig(type=ArgType.DURATION),
            ["90s", "1h30m", "366d"],
            ["90", "0s", "-5m", "367d", "9999999999999y", "5 m", "٣s"],
            id="duration",
        ),
        pytest.param(ArgConfig(type=ArgType.TEXT), ["GET /cart/{id}", '"', "é"], ["a" * 1001], id="text"),
        pytest.param(
            ArgConfig(allowed=("eu-west-1", "us-*")),
            ["eu-west-1", "us-1", "us-east"],
            ["eu-west-2", "EU-WEST-1", "x-us-1", "us-a b"],
            id="allowed",
        ),
        pytest.param(ArgConfig(type=ArgType.NUMBER, allowed=("5", "0.5")), ["5", 5, 5.0, "0.50"], ["4", "*"], id="allowed numbers"),
        pytest.param(ArgConfig(type=ArgType.DURATION, allowed=("60s",)), ["1m", "60s"], ["61s"], id="allowed durations"),
        pytest.param(
            ArgConfig(type=ArgType.TEXT, allowed=("*a*a*a*a*a*a*a*a*b",)),
            ["a" * 9 + "b"],
            ["a" * 1000],
            id="a pattern takes no longer than its value",
        ),
    ],
)
def test_each_type_takes_what_it_is_for_and_nothing_else(arg, good, bad):
    for value in good:
        request, _ = parse_request({**GOOD, "service": ..., "x": value} | {"service": "s"}, typed(x=arg, service=ArgConfig()), now=NOW)
        assert request.args["x"] == str(value).strip()
    for value in bad:
        if value != str(value).strip():
            continue  # spaces around a value are not part of it
        with pytest.raises(RequestError) as caught:
            parse_request({**GOOD, "x": value}, typed(x=arg, service=ArgConfig()), now=NOW)
        assert [fault.path for fault in caught.value.faults] == ["x"]
        assert len(caught.value.faults[0].message) < 200


def test_a_refusal_names_the_arg_the_value_cut_the_type_and_what_is_allowed():
    with pytest.raises(RequestError) as caught:
        parse_request({**GOOD, "x": "B" * 200}, typed(x=ArgConfig(type=ArgType.HASH), service=ArgConfig()), now=NOW)

    assert str(caught.value) == f"x: '{'B' * 76}... is not a pod-template hash (allowed: lower-case letters and digits, at most 63)"


def test_the_sides_are_held_against_the_type_of_the_config():
    configs = typed(sides=ArgType.HASH, service=ArgConfig())

    assert parse_request(GOOD, configs, now=NOW)[0].canary == GOOD["canary"]
    with pytest.raises(RequestError, match="canary: 'shop-canary' is not a pod-template hash"):
        parse_request({**GOOD, "canary": "shop-canary"}, configs, now=NOW)


def test_a_default_made_of_other_args_is_held_against_its_type():
    configs = typed(service=ArgConfig(type=ArgType.TEXT), host=ArgConfig(type=ArgType.KUBERNETES_NAME, default="${service}.shop"))

    assert parse_request(GOOD, configs, now=NOW)[0].args["host"] == "cart.shop"
    with pytest.raises(RequestError, match=r"host: 'a b\.shop' is not a Kubernetes name"):
        parse_request({**GOOD, "service": "a b"}, configs, now=NOW)


@given(st.sampled_from([kind for kind in ArgType if kind is not ArgType.TEXT]), st.text(max_size=300))
def test_no_type_but_text_lets_through_what_a_query_reads(kind, value):
    if KINDS[kind].fits(value):
        assert not set(value) & set("\"'`\\{}()[]|*+?^$#,=~<> \n\r\t\0") - ({"+"} if kind is ArgType.NUMBER else set())
        assert value.isascii()


@pytest.mark.parametrize("raw", [None, [], "x", 5, True])
def test_a_body_that_is_no_object(raw):
    with pytest.raises(RequestError, match="expected a JSON object"):
        parse_request(raw, CONFIGS, now=NOW)


def test_an_end_a_little_ahead_is_a_clock_and_not_a_mistake():
    assert ask(end=NOW + 30).end == NOW + 30


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-20T09:00:00Z",
        "2025-11-20T10:00:00+01:00",
        "2025-11-20T10:00:00 01:00",
        "1763629200",
        "1763629200.0",
        "2025-11-20T09:00:00.000Z",
    ],
)
def test_spellings_of_one_time(text):
    assert parse_time(text) == NOW
    assert format_time(NOW) == "2025-11-20T09:00:00Z"


keys = st.sampled_from([*GOOD, "look", "start", "end", "window", "args", "scope", "detail", "rollout", "latest-hash"]) | st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(keys, values, max_size=8))
def test_whatever_is_asked_is_a_request_or_a_refusal(raw):
    found = None
    try:
        found, _ = parse_request({**GOOD, **raw}, CONFIGS, now=NOW)
    except RequestError as error:
        faults_found = error.faults

    if found is None:
        assert faults_found
        assert all(fault.message for fault in faults_found)
    else:
        assert found.canary
        assert found.baseline
        assert all(found.args.values())
