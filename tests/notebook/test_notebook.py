"""Frames and pictures for notebooks."""

from __future__ import annotations

import copy
import gzip
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.api import types

import judge
from judge import notebook
from judge.archive import open_archive
from judge.archive.types import Label
from judge.core.config import Limit, MetricConfig
from judge.core.statistics.ranks import mann_whitney
from judge.errors import ArchiveError, ConfigError, RequestError
from tests.demo_service import DEMO

RECORDED = DEMO / "canaries.jsonl.gz"


@pytest.fixture(scope="module")
def records():
    return notebook.score(RECORDED)


@pytest.fixture
def bad(records):
    return copy.deepcopy(records[1])


def split_by_route(record, metric):
    """The record as a query would give it that answers this metric twice, by route."""
    for parts, key in ((record["samples"], "metric"), (record["verdict"]["results"], "name")):
        one = next(part for part in parts if part[key] == metric)
        rest = [part for part in parts if part is not one]
        parts[:] = [*rest, *({**one, "labels": {"route": route}} for route in ("/a", "/b"))]
    return record


def kinds(frame):
    """Text, truth, whole or number, for each column."""
    checks = {"truth": types.is_bool_dtype, "whole": types.is_integer_dtype, "number": types.is_float_dtype, "text": types.is_string_dtype}
    return {name: next(kind for kind, check in checks.items() if check(dtype)) for name, dtype in frame.dtypes.items()}


def test_the_page_names_every_function_and_nothing_else():
    page = (Path(__file__).parents[2] / "docs" / "notebooks.md").read_text(encoding="utf-8")
    called = set(re.findall(r"`(\w+)\(", page))

    assert called == set(notebook.__all__)


def test_the_library_has_it_by_name():
    assert judge.notebook is notebook


def test_one_row_a_canary(records):
    frame = notebook.verdicts(records)

    assert frame[["id", "verdict", "score", "metrics", "passed", "regressed"]].to_numpy().tolist() == [
        ["shop-healthy", "pass", 100, 4, 4, 0],
        ["shop-bad", "fail", 0, 4, 1, 3],
    ]
    assert frame["window_s"].tolist() == [1800, 1800]
    assert frame["reason"].str.startswith("critical error-ratio").tolist() == [False, True]


def test_every_metric_is_counted_once(records):
    counted = notebook.verdicts(records)[["passed", "regressed", "undecided", "nodata", "error"]].sum(axis=1)

    assert counted.tolist() == notebook.verdicts(records)["metrics"].tolist()


def test_one_row_a_metric(bad):
    frame = notebook.metrics(bad).set_index("metric")

    assert frame["classification"].to_dict() == {"error-ratio": "high", "latency-p99": "high", "latency-p50": "high", "memory": "pass"}
    assert frame["unit"].to_dict() == {"error-ratio": "", "latency-p99": "s", "latency-p50": "s", "memory": "bytes"}
    assert frame["critical"].to_dict()["error-ratio"] is True
    assert frame["weight"].sum() == 100
    assert (frame["change_low"] <= frame["change"]).all()
    assert (frame["change"] <= frame["change_high"]).all()
    assert frame["change"]["latency-p99"] == pytest.approx(0.23, abs=0.001)
    assert frame["shift"]["latency-p99"] == pytest.approx(0.076, abs=0.001)


@pytest.mark.parametrize("rows", ["all", "none"])
def test_columns_are_typed_with_rows_and_without(records, rows):
    chosen = records if rows == "all" else []
    nothing = {"verdict": {"results": []}}

    assert kinds(notebook.verdicts(chosen)) == {
        **dict.fromkeys(("id", "verdict", "reason"), "text"),
        **dict.fromkeys(("score", "window_s"), "number"),
        **dict.fromkeys(("metrics", "passed", "regressed", "undecided", "nodata", "error"), "whole"),
    }
    assert kinds(notebook.metrics(records[0] if rows == "all" else nothing)) == {
        **dict.fromkeys(("metric", "classification", "unit", "reason"), "text"),
        **dict.fromkeys(("weight", "change", "change_low", "change_high", "shift", "pvalue", "pvalue_directed", "effect"), "number"),
        **dict.fromkeys(("n_baseline", "n_canary"), "whole"),
        "critical": "truth",
    }


def test_a_metric_that_was_not_compared_has_no_numbers(bad):
    bad["verdict"]["results"][0] |= {"comparison": None, "classification": "nodata"}

    first = notebook.metrics(bad).iloc[0]

    assert first["classification"] == "nodata"
    assert math.isnan(first["change"])
    assert math.isnan(first["pvalue"])


def test_samples_of_measured_values(bad):
    frame = notebook.samples(bad, "latency-p99")

    assert list(frame.columns) == ["baseline", "canary"]
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    assert (frame.index[0], frame.index[-1]) == (pd.Timestamp("2025-11-20T08:30Z"), pd.Timestamp("2025-11-20T09:00Z"))
    assert frame["canary"].median() == pytest.approx(0.405, abs=0.001)


def test_samples_of_counts_are_ratios_with_their_counts(bad):
    frame = notebook.samples(bad, "error-ratio")

    assert set(frame.columns) == {f"{side}{part}" for side in ("baseline", "canary") for part in ("", "_total", "_events")}
    assert frame["canary_events"].sum() == pytest.approx(860)
    assert frame["canary"].to_numpy() == pytest.approx((frame["canary_events"] / frame["canary_total"]).to_numpy())


def test_absent_events_are_none_and_a_minute_without_requests_has_no_ratio(bad):
    part = next(part for part in bad["samples"] if part["metric"] == "error-ratio")
    part["canary"] = {"t": part["canary"]["t"][1:], "v": part["canary"]["v"][1:]}
    part["canary_total"]["v"][1] = 0.0

    frame = notebook.samples(bad, "error-ratio")

    assert frame["canary_events"].iloc[0] == 0
    assert frame["canary"].iloc[0] == 0
    assert math.isnan(frame["canary"].iloc[1])


def test_a_gap_is_a_missing_sample(bad):
    part = next(part for part in bad["samples"] if part["metric"] == "memory")
    part["baseline"] = {"t": part["baseline"]["t"][5:], "v": part["baseline"]["v"][5:]}

    frame = notebook.samples(bad, "memory")

    assert len(frame) == 31
    assert frame["baseline"].isna().sum() == 5


def test_words_for_infinite_values_are_read(bad):
    part = next(part for part in bad["samples"] if part["metric"] == "memory")
    part["canary"]["v"][:3] = ["Infinity", "-Infinity", "NaN"]

    first = notebook.samples(bad, "memory")["canary"].to_numpy()[:3]

    assert first[:2].tolist() == [np.inf, -np.inf]
    assert math.isnan(first[2])


@pytest.mark.parametrize("show", [notebook.samples, notebook.plot])
def test_an_unknown_metric_is_refused_with_the_known_ones(bad, show):
    with pytest.raises(KeyError, match="no metric 'latency'; there are error-ratio, latency-p99, latency-p50, memory"):
        show(bad, "latency")


@pytest.mark.parametrize("show", [notebook.samples, notebook.plot])
def test_a_metric_of_several_series_is_asked_for_with_its_labels(bad, show):
    split_by_route(bad, "memory")

    assert notebook.metrics(bad)["metric"].tolist()[-2:] == ['memory{route="/a"}', 'memory{route="/b"}']
    assert show(bad, 'memory{route="/b"}') is not None
    with pytest.raises(KeyError, match=r"has 2 series; there are error-ratio, .*memory{route="):
        show(bad, "memory")


def test_a_plot_shows_both_sides_their_spread_and_the_finding(bad):
    figure = notebook.plot(bad, "latency-p99")

    over_time, spread = figure.axes
    assert [line.get_label() for line in over_time.get_lines()] == ["baseline", "canary"]
    assert [label.get_text() for label in spread.get_xticklabels()] == ["baseline", "canary"]
    assert over_time.get_ylabel() == "latency-p99 (s)"
    assert figure.get_suptitle().startswith("high: +23%")


@pytest.mark.parametrize("metric", ["error-ratio", "latency-p99", "latency-p50", "memory"])
def test_a_plot_is_a_picture_without_any_back_end(bad, metric):
    assert notebook.plot(bad, metric)._repr_png_().startswith(b"\x89PNG")


def test_a_plot_of_a_canary_alone(tmp_path):
    dump = tmp_path / "limit.csv"
    dump.write_text("metric,side,timestamp,value\n" + "".join(f"restarts,canary,{minute * 60},{minute % 2}\n" for minute in range(8)))
    config = judge.load_config(DEMO / "http-service.yaml")
    alone = type(config)(name="alone", metrics=(MetricConfig(name="restarts", limit=Limit(max=0)),))

    [record] = notebook.score(dump, alone)
    figure = notebook.plot(record, "restarts")

    assert record["verdict"]["results"][0]["classification"] == "high"
    assert [line.get_label() for line in figure.axes[0].get_lines()] == ["canary"]
    assert figure._repr_png_()


def test_a_plot_leaves_infinite_values_out(bad):
    part = next(part for part in bad["samples"] if part["metric"] == "memory")
    part["canary"]["v"][:2] = ["Infinity", "NaN"]

    figure = notebook.plot(bad, "memory")

    assert np.isfinite(figure.axes[0].get_lines()[1].get_ydata()).sum() == 29
    assert figure._repr_png_()


@pytest.mark.parametrize("shift", [0.75, 1.0, 1.5])
def test_so_many_samples_see_the_shift_as_often_as_promised(shift):
    n = notebook.samples_needed(shift, alpha=0.01, power=0.9)
    chance = np.random.default_rng(7)

    seen = [mann_whitney(chance.normal(shift, 1, n), chance.normal(0, 1, n)).greater <= 0.01 for _ in range(2000)]

    # Two thousand trials leave a standard error of 0.7 %; the formula is a normal approximation.
    assert np.mean(seen) == pytest.approx(0.9, abs=0.03)


def test_a_larger_shift_needs_fewer_samples_but_never_fewer_than_the_test():
    needed = [notebook.samples_needed(shift) for shift in (0.25, 0.5, 1.0, 2.0, 5.0)]

    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 5


@pytest.mark.parametrize(("shift", "options"), [(0, {}), (-1, {}), (math.nan, {}), (1, {"alpha": 0}), (1, {"power": 1})])
def test_numbers_without_a_meaning_are_refused(shift, options):
    with pytest.raises(ValueError, match="need difference > 0 and alpha and power between 0 and 1"):
        notebook.samples_needed(shift, **options)


# The past


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return notebook.rehearse(tmp_path_factory.mktemp("rehearsal"), looks=10)


@pytest.fixture(scope="module")
def looks(archive):
    canary = notebook.history(archive, verdict="fail")["canary"].iloc[0]
    return notebook.looks(canary, archive)


def test_a_history_is_one_row_a_verdict_with_typed_columns(archive):
    frame = notebook.history(archive)

    assert len(frame) == 20
    assert str(frame["asked_at"].dtype) == "datetime64[ns, UTC]"
    assert frame["asked_at"].is_monotonic_decreasing
    assert frame["asked_at"].max() == pd.Timestamp("2025-11-20T09:00:00Z")
    assert sorted(set(frame["verdict"])) == ["fail", "inconclusive", "pass"]
    assert frame["look"].max() == 10
    assert list(notebook.history(archive, verdict="error").columns) == list(frame.columns)


def test_filters_are_those_of_the_command(archive):
    assert set(notebook.history(archive, verdict="fail")["verdict"]) == {"fail"}
    assert len(notebook.load(archive, verdict="pass", limit=2)) == 2
    with pytest.raises(RequestError, match="unknown filter 'verdicts'"):
        notebook.history(archive, verdicts="fail")
    with pytest.raises(RequestError, match="unknown verdict 'failed'"):
        notebook.load(archive, verdict="failed")
    with pytest.raises(RequestError, match="unknown filter 'service'"):
        notebook.looks("x", archive, service="shop")


def test_an_archive_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArchiveError, match=r"nowhere\.sqlite: there is no such file"):
        notebook.history(f"sqlite:///{tmp_path / 'nowhere.sqlite'}")


def test_looks_come_in_order_and_show_how_evidence_grows(looks):
    found = notebook.evidence(looks)
    latency = found[found["metric"] == "latency-p99"]

    assert latency["look"].tolist() == list(range(1, 11))
    assert latency["window_end"].is_monotonic_increasing
    assert latency["n_canary"].is_monotonic_increasing
    assert latency["classification"].tolist()[-1] == "high"
    assert latency["level"].dropna().is_monotonic_increasing
    decided = latency[latency["classification"] == "high"]
    assert (decided["p"] <= decided["level"]).all()
    assert decided["wait_s"].isna().all()
    assert (latency["tolerance_percent"] == 5).all()
    assert kinds(found[["metric", "change", "look"]]) == {"metric": "text", "change": "number", "look": "whole"}


def test_an_undecided_metric_says_how_long_it_takes(looks):
    found = notebook.evidence(looks)
    waits = found[(found["classification"] == "undecided") & found["wait_s"].notna()]

    assert not waits.empty
    assert (waits["wait_s"] > 0).all()


def test_judged_again_by_nothing_else_nothing_changes(looks):
    assert notebook.changes(looks, notebook.rejudge(looks)).empty
    assert notebook.changes(looks, notebook.rejudge(looks, jobs=2)).empty


def test_other_settings_change_verdicts_and_the_reason_is_told(looks):
    errors = {"metrics.error-ratio.tolerance": "300%", "metrics.error-ratio.must_detect": "900%"}
    after = notebook.rejudge(looks, **{"tolerance": "90%", "must_detect": "95%", **errors})
    changed = notebook.changes(looks, after)

    whole = changed[changed["metric"] == ""]
    assert ("fail", "pass") in set(zip(whole["before"], whole["now"], strict=True))
    one = changed[changed["metric"] == "latency-p99"].iloc[-1]
    assert (one["classification_before"], one["classification_now"]) == ("high", "pass")
    assert "a change of 95% is ruled out" in one["reason"]
    assert looks[-1]["verdict"]["verdict"] == "fail"


def test_another_judge_is_asked(records):
    assert {record["verdict"]["judge"] for record in notebook.rejudge(records, judge="kayenta")} == {"kayenta"}


def test_a_wrong_setting_is_named(looks):
    with pytest.raises(ConfigError, match="tolerence: is no key of a config"):
        notebook.rejudge(looks[:1], tolerence="5%")


def test_labels_tell_the_truth_about_canaries(tmp_path):
    url = notebook.rehearse(tmp_path, looks=4)
    history = notebook.history(url)
    ids = {verdict: history[history["verdict"] == verdict]["id"].iloc[0] for verdict in ("pass", "fail", "inconclusive")}
    kept = open_archive(url)
    for verdict, label in (("pass", "wrong"), ("fail", "wrong"), ("inconclusive", "right")):
        kept.label(ids[verdict], Label(label=label, by="ann", at=0.0))
    kept.close()

    assert notebook.labelled(url).to_dict() == {ids["pass"]: "bad", ids["fail"]: "healthy"}


# Thresholds


def real(name):
    path = Path(__file__).parents[1] / "data" / f"{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    return notebook.score(path), {each["id"]: "bad" if each["label"] == "regression" else "healthy" for each in told}


@pytest.mark.extended
def test_a_sweep_counts_false_alarms_and_misses_at_every_pair_of_margins():
    records, truth = real("delag")
    frame = notebook.sweep(records, truth, tolerance=(5, 60), must_detect=(20, 80))

    assert frame[["tolerance_percent", "must_detect_percent"]].to_numpy().tolist() == [[5, 20], [5, 80], [60, 80]]
    assert (frame["healthy"] == 10).all()
    assert (frame["bad"] == 10).all()
    first, _, last = frame.to_dict("records")
    assert (first["false_alarms"], first["missed"], first["caught"]) == (0, 0, 10)
    assert first["missed_high_percent"] == pytest.approx(27.75, abs=0.01)
    assert last["caught"] < 10
    assert first["false_alarm_percent"] == 0


def test_a_sweep_at_the_configs_own_margins_is_what_the_judge_said():
    records, truth = real("nab")
    (row,) = notebook.sweep(records, truth, tolerance=(5,), must_detect=(20,), jobs=2).to_dict("records")
    said = {each["id"]: each["verdict"]["verdict"] for each in records}

    assert row["false_alarms"] == sum(said[key] == "fail" for key, word in truth.items() if word == "healthy")
    assert row["missed"] == sum(said[key] == "pass" for key, word in truth.items() if word == "bad")


def test_margins_of_counts_are_not_swept(records):
    """The bad canary's errors fail it whatever tolerance its latency gets."""
    (row,) = notebook.sweep(records, {"shop-bad": "bad"}, tolerance=(500,), must_detect=(500,)).to_dict("records")

    assert (row["caught"], row["healthy"]) == (1, 0)
    assert math.isnan(row["false_alarm_percent"])


def test_a_truth_is_one_of_two_words(records):
    with pytest.raises(ValueError, match="no record's truth is known"):
        notebook.sweep(records, {})
    with pytest.raises(ValueError, match="healthy or bad, found regression"):
        notebook.sweep(records, {"shop-bad": "regression"})


def test_pictures_of_looks_and_sweeps_are_drawn(looks):
    records, truth = real("delag")
    figures = [notebook.plot_looks(looks, "latency-p99"), notebook.plot_sweep(notebook.sweep(records[:4], truth, tolerance=(5,)))]

    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures)
    with pytest.raises(KeyError, match="no metric 'latency'; there are error-ratio"):
        notebook.plot_looks(looks, "latency")
