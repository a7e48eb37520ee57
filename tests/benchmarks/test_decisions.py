"""The short form of ``python -m tests.benchmarks.decisions``: the very figures, for the same seed on any machine."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import lru_cache

import pytest

from judge.core.model import Outcome
from judge.core.statistics.looks import levels
from judge.sources.dumps.read import load_dump
from judge.verdicts.score_dump import score_dump
from tests.benchmarks import decisions, decisions_real
from tests.benchmarks.decisions_scenarios import SCENARIOS
from tests.benchmarks.startup import REAL

ROUNDS = 10
SLACK = 4
"""A test run shares its machine with others."""


@lru_cache
def cell(name, n=60):
    return decisions.measure(decisions.Plan(scenario=SCENARIOS[name], n=n, looks=20, metrics=10, rounds=ROUNDS, seed=1, compared=3))


@pytest.mark.parametrize(
    ("name", "failed", "passed", "median_look", "kayenta_any"),
    [
        pytest.param("healthy AR .6", 0, 10, 0, 0, id="healthy, dependent in time"),
        pytest.param("healthy AR .6 shared shocks", 0, 10, 0, 0, id="healthy, shared shocks"),
        pytest.param("healthy iid n=20", 0, 10, 0, 0, id="healthy, few samples"),
        pytest.param("+20 %", 8, 0, 10, 3, id="+20 %"),
        pytest.param("+50 %", 10, 0, 6, 3, id="+50 %"),
        pytest.param("+30 % from half-time", 6, 0, 20, 3, id="late"),
        pytest.param("errors .1 to .5 %", 10, 0, 8, 2, id="errors"),
        pytest.param("spread x6-10", 10, 0, 1, 0, id="spread"),
        pytest.param("3-5 spikes x2.5-4", 10, 0, 1, 0, id="spikes"),
        pytest.param("warm-up healed", 0, 10, 0, 3, id="healed"),
        pytest.param("partial recovery", 8, 0, 1, 3, id="partly recovered"),
    ],
)
def test_the_figures(name, failed, passed, median_look, kayenta_any):
    found = cell(name)

    assert (found.failed, found.passed, found.median_look, found.kayenta_any) == (failed, passed, median_look, kayenta_any)


def test_what_is_printed_names_every_figure(capsys, tmp_path):
    size = ["--n", "60", "--rounds", "4", "--compared", "1", "--jobs", "2"]
    which = ["--scenario", "spikes", "--scenario", "+50", "--no-real"]
    files = ["--csv", str(tmp_path / "cells.csv"), "--svg", str(tmp_path / "cells.svg")]
    found = decisions.main([*size, *which, *files])

    printed = capsys.readouterr().out
    assert [one.scenario for one in found] == ["+50 %", "3-5 spikes x2.5-4"]
    assert "100.00 % (51.01 - 100.00)" in printed
    assert "3-5 spikes x2.5-4                  31  not passed             >=   95    100.00" in printed
    assert (tmp_path / "cells.csv").read_text(encoding="utf-8").count("\n") == 3
    assert (tmp_path / "cells.svg").read_text(encoding="utf-8").startswith("<svg")


def test_an_unknown_scenario_is_refused(capsys):
    with pytest.raises(SystemExit):
        decisions.main(["--scenario", "nonsense"])
    assert "healthy AR .6" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_dir(), reason="the real canaries are not there (../shared/data/real_canaries)")
def test_the_real_canaries(capsys):
    files = decisions_real.report()

    # A promise that is missed stays in the table: no canary is judged without its window to meet it.
    missed = [line for line in capsys.readouterr().out.splitlines() if "MISSED" in line]
    assert missed == ["healthy with at least 10 points a side: 267 of 358 pass (74.6 %, promised 80 %)  MISSED"]
    healthy = (Outcome.FAIL, Outcome.MARGINAL, Outcome.INCONCLUSIVE, Outcome.PASS)
    assert {one.name: (one.caught, *(one.healthy[outcome] for outcome in healthy)) for one in files} == {
        "delag": (77, 0, 0, 0, 80),
        "nab": (16, 3, 0, 38, 73),
        "nezha": (63, 0, 3, 99, 106),
        "nezha_traces": (22, 0, 0, 54, 15),
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="the real canaries are not there (../shared/data/real_canaries)")
def test_the_table_counts_the_verdicts_of_judge_score():
    path = REAL / "nezha_traces.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        healthy = [json.loads(line)["label"] != "regression" for line in file if line.strip()]
    verdicts = [score_dump(dump)["verdict"]["verdict"] for dump in load_dump(path)]

    counted = Counter(verdict for verdict, is_healthy in zip(verdicts, healthy, strict=True) if is_healthy)
    assert counted == {outcome.value: count for outcome, count in decisions_real.judge_file(path).healthy.items()}


def test_time_is_what_was_promised():
    levels.cache_clear()

    for name, milliseconds, limit in decisions.costs():
        assert milliseconds < limit * SLACK, name
