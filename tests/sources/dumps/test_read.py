"""Saved canaries in three forms, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest

from judge.core.canary import judge_canary
from judge.core.config import CanaryConfig, Direction, Margin
from judge.core.model import Outcome
from judge.errors import DumpError
from judge.sources.dumps.read import load_dump, parse, split

SIDE = {"t": [0, 60, 120], "v": [1.0, 2.0, 3.0]}
CANARY = {"id": "c1", "metrics": [{"name": "latency", "direction": "increase", "baseline": SIDE, "canary": SIDE}]}


def write(path, *documents, lines=True):
    text = "".join(json.dumps(document) + "\n" for document in documents) if lines else json.dumps(documents[0], indent=1)
    path.write_bytes(gzip.compress(text.encode()) if path.name.endswith(".gz") else text.encode())
    return path


def change(**fields):
    return {**CANARY, "metrics": [{**CANARY["metrics"][0], **fields}]}


@pytest.mark.parametrize("name", ["d.json", "d.jsonl", "d.jsonl.gz"])
def test_json_lines_plain_and_gzipped(tmp_path, name):
    first, second = load_dump(write(tmp_path / name, CANARY, {**CANARY, "id": "c2"}))

    assert (first.id, second.id) == ("c1", "c2")
    assert first.metrics[0].direction is Direction.INCREASE
    assert first.pairs[0].baseline.v.tolist() == [1, 2, 3]


@pytest.mark.parametrize("document", [CANARY, [CANARY]], ids=["one object", "a list"])
def test_one_document_over_many_lines(tmp_path, document):
    [dump] = load_dump(write(tmp_path / "d.json", document, lines=False))

    assert dump.id == "c1"


def test_everything_a_dump_may_say_of_itself(tmp_path):
    document = {
        **change(
            tolerance="10%",
            must_detect={"relative": "50%"},
            critical=True,
            group="g",
            unit="ms",
            rate_window=60,
            labels={"route": "/a"},
            extra=1,
        ),
        "config": "http-service",
        "args": {"baseline": "a", "canary": "b", "n": 5},
        "look": 3,
        "looks": {"count": 20, "interval": 90},
        "window": {"start": 0, "end": 120, "step": 60},
        "traffic": {"baseline": 100, "canary": 50},
        "label": "regression",
    }

    [dump] = load_dump(write(tmp_path / "d.json", document))

    metric, pair = dump.metrics[0], dump.pairs[0]
    assert (metric.tolerance, metric.must_detect) == (Margin(relative=0.1), Margin(relative=0.5))
    assert (metric.critical, metric.group, metric.unit) == (True, "g", "ms")
    assert (pair.rate_window, pair.labels) == (60, {"route": "/a"})
    assert (dump.config, dump.look, dump.looks, dump.start, dump.end, dump.step) == ("http-service", 3, 20, 0, 120, 60)
    assert dump.args == {"baseline": "a", "canary": "b", "n": "5"}
    assert (dump.traffic.baseline, dump.traffic.canary) == (100, 50)


@pytest.mark.parametrize(
    "fields",
    [
        {side: {"t": [0, 60], "numerator": [1, 0], "denominator": [100, 90]} for side in ("baseline", "canary")},
        {
            "numerator": {side: {"t": [0, 60], "v": [1, 0]} for side in ("baseline", "canary")},
            "denominator": {side: {"t": [0, 60], "v": [100, 90]} for side in ("baseline", "canary")},
        },
    ],
    ids=["beside each other", "as series of their own"],
)
def test_counts_instead_of_values(tmp_path, fields):
    [dump] = load_dump(write(tmp_path / "d.json", {"metrics": [{"name": "errors", **fields}]}))

    pair = dump.pairs[0]
    assert (pair.baseline.v.tolist(), pair.baseline_total.v.tolist()) == ([1, 0], [100, 90])
    assert dump.metrics[0].tolerance == Margin(relative=0.25, absolute=0.001)


def test_null_is_a_missing_sample_and_words_are_the_numbers_json_lacks(tmp_path):
    side = {"t": [0, 60, 120, 180], "v": [1, None, "NaN", "Infinity"]}

    [dump] = load_dump(write(tmp_path / "d.json", change(canary=side)))

    assert dump.pairs[0].canary.t.tolist() == [0, 180]
    assert dump.pairs[0].canary.v.tolist() == [1, math.inf]


def test_samples_are_put_in_order_of_time(tmp_path):
    [dump] = load_dump(write(tmp_path / "d.json", change(canary={"t": [60, 0], "v": [2, 1]})))

    assert dump.pairs[0].canary.v.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({"id": "x"}, r"d\.json:1 \(x\): metrics: is missing", id="no metrics"),
        pytest.param({"metrics": {}}, "metrics: must be a list", id="metrics of a wrong type"),
        pytest.param({"metrics": [5]}, "metrics.0: must be an object", id="a metric that is a number"),
        pytest.param({"metrics": [{"baseline": SIDE, "canary": SIDE}]}, "metrics.0.name: is missing", id="no name"),
        pytest.param(change(canary=None), "metrics.0.canary: is missing", id="one side missing"),
        pytest.param(
            change(canary={"t": [0], "v": ["1"]}), r"metrics.0.canary.v.0: must be a number or null, found '1'", id="a string for a number"
        ),
        pytest.param(change(canary={"t": ["0"], "v": [1]}), r"metrics.0.canary.t.0: must be a number, found '0'", id="a string for a time"),
        pytest.param(change(canary={"t": [0], "v": [True]}), "must be a number or null, found True", id="a boolean for a number"),
        pytest.param(change(canary={"t": [0, 1], "v": [1]}), "has 2 times and 1 values", id="lengths that differ"),
        pytest.param(change(canary={"t": [5, 5], "v": [1, 2]}), "has the time 5 twice", id="a time twice"),
        pytest.param(change(canary={"t": [0]}), "metrics.0.canary.v: is missing", id="no values"),
        pytest.param(change(canary=[1, 2]), "metrics.0.canary: must be", id="a bare list"),
        pytest.param(change(direction="up"), r"unknown direction 'up' \(allowed: increase, decrease, either\)", id="unknown direction"),
        pytest.param(change(tolerance="lots"), "metrics.0.tolerance: not a percentage", id="no margin"),
        pytest.param({"metrics": CANARY["metrics"] * 2}, "metrics.1.name: 'latency' is there twice", id="a metric twice"),
        pytest.param({**CANARY, "config": 5}, "config: must be the name", id="config of a wrong type"),
        pytest.param({**CANARY, "look": "3"}, "look: must be a number", id="look of a wrong type"),
        pytest.param(
            change(canary={"t": [0, 1], "numerator": [1, 1], "denominator": [2, 2]}), "counts on one side", id="counts on one side only"
        ),
        pytest.param(change(canary={"t": [10**400], "v": [1]}), "too large", id="a number beyond floats"),
        pytest.param(change(critical="yes"), "metrics.0.critical: must be true or false, found 'yes'", id="critical as a word"),
        pytest.param(change(critical=1), "metrics.0.critical: must be true or false, found 1", id="critical as a number"),
        pytest.param(change(limit={}), "metrics.0.limit: needs min or max", id="a limit without bounds"),
        pytest.param(change(limit={"maximum": 1}), "metrics.0.limit: needs min or max", id="a misspelt bound"),
        pytest.param(change(limit={"max": math.nan}), "metrics.0.limit.max: must be a finite number, found nan", id="no bound"),
        pytest.param(change(limit=5), "metrics.0.limit: must be an object, found int", id="a bare limit"),
        pytest.param(change(tolerance=math.nan), "metrics.0.tolerance: must be a finite number", id="a tolerance of NaN"),
        pytest.param(change(tolerance=math.inf), "metrics.0.tolerance: must be a finite number", id="a tolerance without end"),
        pytest.param(change(must_detect=-0.1), "metrics.0.must_detect: must not be negative, found -0.1", id="a negative must_detect"),
        pytest.param(change(rate_window=math.nan), "metrics.0.rate_window: must be a finite number", id="a rate window of NaN"),
        pytest.param(change(rate_window=-60), "metrics.0.rate_window: must be seconds, found -60", id="a negative rate window"),
        pytest.param(change(labels=["a"]), "metrics.0.labels: must be an object, found list", id="labels in a list"),
        pytest.param({**CANARY, "traffic": {"baseline": math.nan, "canary": 5}}, "traffic.baseline: must be a finite", id="traffic of NaN"),
        pytest.param({**CANARY, "traffic": 5}, "traffic: must be an object, found int", id="bare traffic"),
        pytest.param({**CANARY, "look": 0}, "look: must be a whole number from 1 to 999999, found 0", id="look 0"),
        pytest.param({**CANARY, "looks": {"count": 10**9}}, "looks.count: must be a whole number from 1 to 10000", id="too many looks"),
        pytest.param({**CANARY, "looks": 20}, "looks: must be an object, found int", id="bare looks"),
        pytest.param({**CANARY, "window": {"step": 0}}, "window.step: must be more than 0 seconds", id="a step of nothing"),
        pytest.param({**CANARY, "window": {"start": 60, "end": 0}}, "window.start: is after window.end: 60 and 0", id="a turned window"),
        pytest.param({**CANARY, "args": ["a"]}, "args: must be an object, found list", id="args in a list"),
        pytest.param(change(canary={"t": [1.7e12], "v": [1]}), "1700000000000, which is no time in unix seconds", id="milliseconds"),
        pytest.param(change(canary={"t": [math.nan], "v": [1]}), "holds nan, which is no time", id="a time of NaN"),
    ],
)
def test_faults_name_their_place(tmp_path, document, message):
    with pytest.raises(DumpError, match=message):
        load_dump(write(tmp_path / "d.json", document))


def test_all_faults_of_a_canary_at_once(tmp_path):
    document = change(direction="up", canary={"t": [0], "v": ["1"]}, baseline=None)

    with pytest.raises(DumpError) as caught:
        load_dump(write(tmp_path / "d.json", document))

    assert [fault.path for fault in caught.value.faults] == ["metrics.0.baseline", "metrics.0.canary.v.0", "metrics.0.direction"]


def items(path):
    return [str(item) if isinstance(item, DumpError) else parse(item).id for item in split(path)]


def test_a_truncated_gzip_gives_what_came_before_and_then_its_fault(tmp_path):
    path = tmp_path / "d.jsonl.gz"
    rng = np.random.default_rng(0)
    many = [{**change(canary={"t": list(range(300)), "v": rng.normal(size=300).tolist()}), "id": f"c{n}"} for n in range(30)]
    write(path, *many)
    path.write_bytes(path.read_bytes()[:-2000])

    found = items(path)

    assert found[0] == "c0"
    assert len(found) > 15
    assert "broken or cut off after" in found[-1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.json", b"", "holds no canary"),
        ("d.jsonl", b"\n\n", "holds no canary"),
        ("d.json", b"{nope", "not JSON"),
        ("d.json", b"\xff\xfe", "not UTF-8"),
        ("d.json.gz", b"plain", "gzip data is broken"),
        ("d.csv", b"", "not a table"),
        ("d.csv", b"a,b\n1,2\n", "metric: the column is missing"),
        ("d.csv", b"metric;side;timestamp;value\nx;canary;0;1,5\n", "its columns are separated by ';', and must be by commas"),
        ("d.csv", b"metric,side,timestamp,value\nm,left,0,1\n", "unknown side 'left'"),
        ("d.csv", b"metric,side,timestamp,value\nm,canary,0,x\n", "value.0: not a number: 'x'"),
        ("d.csv", b"metric,side,timestamp,value\nm,canary,soon,1\n", "timestamp.0: not a time: 'soon'"),
        ("d.parquet", b"nothing of the kind", "not a table"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)

    [fault] = items(path)

    assert message in fault
    assert str(path) in fault


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000], ids=["lists", "objects"])
def test_what_is_nested_without_end_is_named(tmp_path, text):
    (tmp_path / "deep.json").write_text(text)

    [found] = items(tmp_path / "deep.json")

    assert "deep.json: not JSON" in found


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(CANARY), encoding="utf-8-sig")

    assert [dump.id for dump in load_dump(path)] == ["c1"]


def test_a_file_that_is_not_there(tmp_path):
    [fault] = items(tmp_path / "nowhere.json")

    assert "cannot be read: No such file" in fault


def test_a_broken_line_does_not_lose_the_others(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(CANARY) + "\n{broken\n" + json.dumps({**CANARY, "id": "c3"}) + "\n")
    first, broken, last = split(path)

    assert (parse(first).id, parse(last).id) == ("c1", "c3")
    with pytest.raises(DumpError, match=r"d\.jsonl:2: not JSON"):
        parse(broken)


def table(times):
    rows = [("latency", side, at, value) for side in ("baseline", "canary") for at, value in zip(times, (1.0, math.nan, 3.0), strict=True)]
    return pd.DataFrame(rows, columns=["metric", "side", "timestamp", "value"])


@pytest.mark.parametrize("name", ["shop.csv", "shop.csv.gz", "shop.parquet"])
@pytest.mark.parametrize(
    "times", [[0, 60, 120], ["1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z", "1970-01-01T01:02:00+01:00"]], ids=["unix", "RFC 3339"]
)
def test_a_tidy_table(tmp_path, name, times):
    path = tmp_path / name
    frame = table(times)
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)

    [dump] = load_dump(path)

    assert dump.id == "shop"
    assert dump.pairs[0].canary.t.tolist() == [0, 120]
    assert dump.pairs[0].canary.v.tolist() == [1, 3]


def test_a_table_with_several_canaries(tmp_path):
    path = tmp_path / "d.csv"
    pd.concat([table([0, 60, 120]).assign(id=name) for name in ("a", "b")]).to_csv(path, index=False)

    assert [dump.id for dump in load_dump(path)] == ["a", "b"]


def kayenta_pair(name, control, experiment):
    scope = {"startTimeIso": "1970-01-01T00:01:00Z", "startTimeMillis": 60_000, "stepMillis": 30_000}
    return {
        "name": name,
        "id": "x",
        "tags": {},
        "values": {"control": control, "experiment": experiment},
        "scopes": {"control": scope, "experiment": scope},
    }


def test_kayentas_metric_set_pairs(tmp_path):
    [dump] = load_dump(write(tmp_path / "pairs.json", [kayenta_pair("cpu", [1, "NaN", 3], [4, 5, 6])], lines=False))

    assert dump.id == "pairs"
    assert (dump.pairs[0].baseline.t.tolist(), dump.pairs[0].baseline.v.tolist()) == ([60, 120], [1, 3])
    assert dump.pairs[0].canary.v.tolist() == [4, 5, 6]


def test_kayentas_pairs_with_their_config(tmp_path):
    document = {
        "canaryConfig": {
            "metrics": [
                {"name": "cpu", "groups": ["system"], "analysisConfigurations": {"canary": {"direction": "increase", "critical": True}}}
            ],
            "classifier": {"groupWeights": {"system": 100.0}},
        },
        "scoreThresholds": {"pass": 90, "marginal": 60},
        "metricSetPairList": [kayenta_pair("cpu", [1], [2]), kayenta_pair("mem", [1], [2])],
    }

    [dump] = load_dump(write(tmp_path / "d.json", document))

    assert [(metric.name, metric.direction.value, metric.critical, metric.group) for metric in dump.metrics] == [
        ("cpu", "increase", True, "system"),
        ("mem", "either", False, "metrics"),
    ]
    assert dump.groups == {"system": 100}
    assert (dump.score.passing, dump.score.marginal) == (90, 60)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"name": "cpu", "values": {"control": [1]}}, "0.values.experiment: is missing"),
        ({"name": "cpu", "values": {"control": ["1"], "experiment": [1]}}, "0.values.control.0: must be a number"),
        ({"values": {"control": [1], "experiment": [1]}}, "0: must have a name and values"),
    ],
)
def test_faults_of_kayentas_pairs(tmp_path, pair, message):
    with pytest.raises(DumpError, match=message):
        load_dump(write(tmp_path / "d.json", {"metricSetPairList": [pair]}))


@pytest.mark.parametrize(
    ("events", "verdict", "n"),
    [
        pytest.param([None] * 31, Outcome.PASS, 31, id="none"),
        pytest.param(["NaN"] * 31, Outcome.INCONCLUSIVE, 0, id="not known"),
        pytest.param(["NaN"] * 6 + [5] * 25, Outcome.PASS, 25, id="not known for a while"),
    ],
)
def test_no_events_and_an_unknown_number_of_them_are_two_things(tmp_path, events, verdict, n):
    times = [60 * i for i in range(31)]
    baseline = {"t": times, "numerator": [5] * 31, "denominator": [1000] * 31}
    metric = {
        "name": "errors",
        "critical": True,
        "direction": "increase",
        "baseline": baseline,
        "canary": {**baseline, "numerator": events},
    }
    path = tmp_path / "dump.json"
    path.write_text(json.dumps({"id": "x", "metrics": [metric]}))

    [dump] = load_dump(path)
    found = judge_canary(CanaryConfig(name="x", metrics=dump.metrics), dump.pairs)

    assert (found.outcome, found.results[0].n_canary) == (verdict, n)
