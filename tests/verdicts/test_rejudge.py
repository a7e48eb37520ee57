"""A record holds all that the judge was given: judged again, the verdict is the same to the last digit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from judge.config.load import load_config, parse_config
from judge.core.canary import JUDGES, judge_canary
from judge.core.conditions import Conditions, SideConditions
from judge.core.model import Classification, Problem, Series, SeriesPair, Traffic, Window
from judge.errors import ConfigError, DumpError
from judge.sources.dumps.read import RawCanary, load_dump, parse, split
from judge.verdicts.analysis import Analysis
from judge.verdicts.import_dump import adopt
from judge.verdicts.records import versions, write_record
from judge.verdicts.rejudge import AS_IT_WAS, Change, rejudge, with_values
from judge.wire.json import dumps
from judge.wire.request import Request

DEMO = Path(__file__).parents[2] / "judge" / "demo"
REAL = Path(__file__).parents[3] / "shared" / "data" / "real_canaries"
CONFIG = parse_config(
    {
        "name": "shop",
        "scope": 'hash="${hash}"',
        "looks": {"count": 5},
        "traffic": {"query": "sum(x{${scope}})", "min_requests": 100},
        "metrics": [
            {"name": "latency", "query": "l{${scope}}", "direction": "increase", "group": "slow"},
            {"name": "errors", "numerator": "e{${scope}}", "denominator": "r{${scope}}", "critical": True, "group": "bad"},
            {"name": "kills", "query": "k{${scope}}", "limit": {"max": 0}, "group": "bad"},
        ],
        "groups": {"slow": 40, "bad": 60},
    },
    where="test",
)


def series(level: float, *, n: int = 40, seed: int = 1) -> Series:
    rng = np.random.default_rng(seed)
    return Series(t=1e9 + 60.0 * np.arange(n), v=level * (1 + 0.1 * rng.standard_normal(n)))


def counts(rate: float, seed: int) -> tuple[Series, Series]:
    rng = np.random.default_rng(seed)
    t = 1e9 + 60.0 * np.arange(40)
    total = rng.poisson(500, 40).astype(float)
    return Series(t=t, v=rng.binomial(total.astype(int), rate).astype(float)), Series(t=t, v=total)


def odd(values: Series) -> Series:
    """A series with a gap and with values that JSON has no number for."""
    v = values.v.copy()
    v[3], v[5], v[7] = np.nan, np.inf, -np.inf
    return Series(t=np.delete(values.t, 10), v=np.delete(v, 10))


def pairs(kind: str) -> list[SeriesPair]:
    """What a source may have answered."""
    (old_errors, old_total), (new_errors, new_total) = counts(0.01, 2), counts(0.03 if kind == "bad" else 0.01, 3)
    latency = SeriesPair(
        metric="latency",
        baseline=series(0.1),
        canary=series(0.15 if kind == "bad" else 0.1, seed=4),
        queries={"baseline": 'l{hash="a"}', "canary": 'l{hash="b"}'},
        rate_window=300.0,
        warnings=("baseline: a store was away",),
    )
    errors = SeriesPair(
        metric="errors", baseline=old_errors, canary=new_errors, baseline_total=old_total, canary_total=new_total, labels={"pod": "x"}
    )
    kills = SeriesPair(metric="kills", baseline=Series.empty(), canary=series(0.0))
    away = Problem(classification=Classification.NODATA, message="http://prometheus:9090 did not answer")
    refused = Problem(classification=Classification.ERROR, message="the query was refused: parse error")
    if kind == "odd":
        latency = replace(latency, baseline=odd(latency.baseline), canary=odd(latency.canary))
    elif kind == "away":
        latency = replace(latency, baseline=Series.empty(), canary=Series.empty(), problem=away)
    elif kind == "refused":
        errors = replace(
            errors, baseline=Series.empty(), canary=Series.empty(), baseline_total=None, canary_total=None, labels={}, problem=refused
        )
    elif kind == "empty":
        latency, kills = replace(latency, canary=Series.empty()), replace(kills, canary=Series.empty())
    elif kind == "same queries":
        latency = replace(latency, canary=latency.baseline, queries={"baseline": "l", "canary": "l"})
    return [latency, errors, kills]


def recorded(kind: str, judge: str = "sequential", **changed: object) -> dict:
    """A record as it comes back from an archive."""
    config = replace(CONFIG, judge=judge)
    document = {**CONFIG.document, "judge": judge}
    config = parse_config(document, where="test")
    given = {
        "traffic": Traffic(baseline=20_000.0, canary=19_000.0, queries={"baseline": "sum(x)", "canary": "sum(y)"}),
        "conditions": Conditions(baseline=SideConditions(pods=10.0, age=9e5, places={"a": 10.0}), canary=SideConditions(pods=1.0, age=9e2)),
        "window": Window(start=1e9, end=1e9 + 2400, step=60.0, look=3, of=5, first_sample=1e9 - 90),
        "warnings": ("look 3 was late",),
    } | changed
    verdict = judge_canary(config, pairs(kind), **given)
    analysis = Analysis(
        request=Request(config="shop", baseline="a", canary="b", scope="scope"),
        config=config,
        verdict=verdict,
        pairs=tuple(pairs(kind)),
        source={"type": "test"},
        **given,
    )
    return json.loads(dumps(write_record(analysis, id="01A", asked_at=1e9, question="", settings={})))


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("kind", ["good", "bad", "odd", "away", "refused", "empty", "same queries"])
def test_a_record_judged_again_is_identical(judge, kind):
    found = rejudge(recorded(kind, judge), versions=versions())

    assert (found.differences, found.why) == ((), ())
    assert found.is_identical
    assert found.is_same_verdict


@pytest.mark.parametrize(
    "traffic",
    [None, Traffic(baseline=None, canary=None, problem="the source was away"), Traffic(baseline=5.0, canary=3.0)],
    ids=["nobody counted", "unknown", "too few"],
)
def test_so_is_one_whose_requests_were(traffic):
    if traffic is None:
        record = recorded("bad")
        record["traffic"] = None
        assert rejudge(record).is_same_verdict
    else:
        assert rejudge(recorded("bad", traffic=traffic)).is_identical


def test_so_are_the_recordings_of_the_demo():
    for dump in load_dump(DEMO / "canaries.jsonl.gz"):
        assert rejudge(json.loads(dumps(adopt(dump)))).is_identical


@pytest.mark.extended
@pytest.mark.skipif(not REAL.is_dir(), reason="the real canaries do not come with the project")
def test_so_are_the_real_canaries():
    raws = [raw for path in sorted(REAL.glob("*.jsonl.gz")) for raw in split(path)]
    records = [json.loads(dumps(adopt(parse(raw)))) for raw in raws[::9] if isinstance(raw, RawCanary)]

    assert len(records) > 50
    assert [record["id"] for record in records if not rejudge(record).is_identical] == []


def test_a_verdict_from_nothing_stands():
    from judge.verdicts.analysis import uncompared

    record = recorded("good")
    verdict = {**record["verdict"], "verdict": "inconclusive", "score": 75.0, "reason": "the canary has no samples yet"}
    verdict |= {"results": [], "groups": [], "warnings": ["the source answered 3 of 3 queries in part only"]}
    empty = uncompared(CONFIG, "the canary has no samples yet")
    assert empty.results[0].reason == "not compared"

    found = rejudge({**record, "samples": [], "verdict": verdict}, Change(values=(("alpha", 0.01),)))

    assert found.is_same_verdict
    assert found.now["warnings"] == verdict["warnings"]


def test_an_older_record_that_mixes_its_warnings_is_identical_too():
    record = recorded("bad")
    del record["warnings"]
    for sample in record["samples"]:
        del sample["problem"]

    assert rejudge(record).is_identical


def test_what_differs_is_named_with_its_place_and_why():
    record = recorded("bad")
    record["versions"]["judge"] = "0.0.1"
    record["verdict"]["score"] = 50.0
    record["verdict"]["results"][0]["comparison"]["u"] += 1.0

    found = rejudge(record, versions=versions())

    assert found.why == (f"judge 0.0.1 then, {versions()['judge']} now",)
    assert [one.path for one in found.differences] == ["score", "results.latency.comparison.u"]
    assert found.is_same_verdict


def test_a_key_that_the_record_does_not_know_is_no_difference():
    record = recorded("bad")
    for result in record["verdict"]["results"]:
        del result["decision"]

    assert rejudge(record).is_identical


def test_a_config_that_is_read_otherwise_now_is_told():
    record = recorded("bad")
    record["config_digest"] = "another"

    assert rejudge(record).why == ("the config in the record has another meaning to this version: its digest differs",)


@pytest.mark.parametrize(
    ("change", "why", "verdict"),
    [
        (AS_IT_WAS, (), "fail"),
        (Change(judge="sequential"), (), "fail"),
        (
            Change(values=(("tolerance", "500%"), ("must_detect", "900%"), ("metrics.errors.critical", False))),
            ("tolerance set to 500%", "must_detect set to 900%", "metrics.errors.critical set to False"),
            "pass",
        ),
        (Change(values=(("traffic.min_requests", 1e6),)), ("traffic.min_requests set to 1000000.0",), "inconclusive"),
    ],
)
def test_other_settings_may_be_tried(change, why, verdict):
    found = rejudge(recorded("bad"), change)

    assert (found.before["verdict"], found.now["verdict"], found.why) == ("fail", verdict, why)


def test_metrics_that_another_config_lacks_are_told():
    other = parse_config({**CONFIG.document, "metrics": CONFIG.document["metrics"][:1], "groups": {}}, where="other")

    found = rejudge(recorded("bad"), Change(config=other))

    assert found.why[-1] == "not in the config, so not judged: errors, kills"
    assert [result["name"] for result in found.now["results"]] == ["latency"]


def test_a_config_of_other_metrics_is_refused():
    with pytest.raises(DumpError, match="verdict 01A: metrics: none of its metrics is in the config 'http-service'"):
        rejudge(recorded("bad"), Change(config=load_config(DEMO / "http-service.yaml")))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([("nope", 1)], "nope: is no key of a config"),
        ([("metrics.nope.tolerance", 1)], "there is no metric 'nope' .*allowed: latency, errors, kills"),
        ([("metrics.latency.tolerence", "5%")], "unknown key; did you mean 'tolerance'"),
        ([("tolerance", "much")], "tolerance"),
        ([("alpha", 7)], "alpha"),
    ],
)
def test_a_value_that_cannot_be_set_is_named(values, said):
    with pytest.raises(ConfigError, match=said):
        rejudge(recorded("bad"), Change(values=tuple(values)))


def test_single_values_of_kayentas_configs_cannot_be_set():
    with pytest.raises(ConfigError, match="single values of Kayenta's canary configs cannot be set"):
        with_values({"classifier": {}, "metrics": []}, [("tolerance", "5%")])


def test_setting_values_leaves_the_record_as_it_was():
    record = recorded("bad")
    before = json.dumps(record)

    rejudge(record, Change(values=(("tolerance", "50%"), ("must_detect", "90%"))))

    assert json.dumps(record) == before


@pytest.mark.parametrize("lost", ["config", "samples", "window", "verdict"])
def test_a_record_that_is_not_whole_is_named(lost):
    record = recorded("bad")
    del record[lost]

    with pytest.raises(DumpError, match=f"verdict 01A: cannot be judged again, its record is not whole: it has no '{lost}'"):
        rejudge(record)
