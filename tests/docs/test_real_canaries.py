"""All real canaries are judged by one command, without a crash."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.benchmarks.startup import REAL, REAL_COUNT
from tests.docs.pages import ROOT

FILES = sorted(REAL.glob("*.jsonl.gz"))

pytestmark = [pytest.mark.extended, pytest.mark.skipif(not FILES, reason="the real canaries are not there (../shared/data/real_canaries)")]


def refuse(word):
    raise AssertionError(f"{word} is not JSON")


@pytest.fixture(scope="module")
def scored():
    command = [sys.executable, "-m", "judge", "score", *map(str, FILES), "--format", "jsonl"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def lines(scored):
    return [json.loads(line, parse_constant=refuse) for line in scored.stdout.splitlines()]


def test_all_are_judged_without_a_crash(scored, lines):
    assert scored.stderr == ""
    assert scored.returncode == 1  # some fail, and that is the worst of them
    assert len(lines) == REAL_COUNT


def test_each_has_its_id_numbers_of_samples_verdict_and_reason(lines):
    assert len({line["id"] for line in lines}) == REAL_COUNT
    assert [line["id"] for line in lines if not line["reason"] or line["n"].keys() != {"baseline", "canary"}] == []
    assert [line["id"] for line in lines if max(line["n"].values()) == 0] == []


def test_none_is_an_error_and_not_all_are_the_same(lines):
    verdicts = Counter(line["verdict"] for line in lines)

    assert set(verdicts) <= {"pass", "marginal", "fail", "inconclusive"}
    assert verdicts["pass"] > 0
    assert verdicts["fail"] > 0


def test_each_metric_has_its_classification_and_reason(lines):
    results = [result for line in lines for result in line["results"]]

    assert len(results) >= REAL_COUNT
    assert {result["classification"] for result in results} <= {"pass", "high", "low", "undecided", "nodata", "error"}
    assert [result for result in results if not result["reason"]] == []
