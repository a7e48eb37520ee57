"""What Argo gets: strict JSON, every field, under 1 KiB."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.wire.answer import MAX_BYTES, answer, shorten
from judge.wire.json import dumps, plain

FIELDS = {"verdict", "pass", "fail", "score", "code", "reason", "metrics", "window", "id", "report"}


def record(**verdict):
    return {
        "id": "01J" + "Z" * 23,
        "verdict": {
            "verdict": "fail",
            "score": 50.0,
            "code": 2,
            "reason": "why",
            "results": [],
            "judge": "j",
            "warnings": [],
            "groups": [],
            **verdict,
        },
        "window": {"start": 0.0, "end": 900.0, "look": 7, "of": 20},
        "traffic": None,
    }


def test_every_field_is_there():
    found = answer(record(), public_url="https://judge.example")

    assert set(found) == FIELDS
    assert found["window"] == {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:15:00Z", "look": 7, "of": 20}
    assert found["report"] == "https://judge.example/verdicts/01J" + "Z" * 23
    assert (found["pass"], found["fail"]) == (False, True)


def test_metrics_are_counted():
    kinds = ["pass", "pass", "high", "low", "undecided", "nodata", "error"]

    found = answer(record(results=[{"classification": kind} for kind in kinds]))

    assert found["metrics"] == {"total": 7, "pass": 2, "regressed": 2, "undecided": 1, "nodata": 1, "error": 1}


def test_full_detail_has_the_results_and_the_whole_reason():
    found = answer(record(reason="x" * 2000, results=[{"classification": "pass"}], decided_by=1200.0), detail="full")

    assert len(found["reason"]) == 2000
    assert set(found) == FIELDS | {"judge", "warnings", "groups", "results", "decided_by", "traffic", "conditions"}
    assert found["decided_by"] == "1970-01-01T00:20:00Z"


def test_a_part_of_the_source_that_did_not_answer_is_told_however_long_the_reason_is():
    noted = record(reason="x" * 2000) | {"source": {"type": "prometheus", "url": "http://thanos", "partial": True}}

    assert answer(noted)["reason"].endswith("x… (a part of the source did not answer)")
    assert answer(noted, unkept="disk full")["reason"].endswith(" (a part of the source did not answer) (this verdict was not kept)")
    assert len(dumps(answer(noted, unkept="disk full", public_url="https://" + "j" * 112))) < MAX_BYTES


@given(st.text(max_size=3000), st.text("abcdefghij./:-", max_size=120))
def test_an_answer_is_under_one_kibibyte_whatever_the_reason(reason, url):
    text = dumps(answer(record(reason=reason), public_url=url))

    assert len(text.encode("utf-8", errors="surrogatepass")) < MAX_BYTES
    assert json.loads(text)["verdict"] == "fail"


def test_shorten_cuts_at_a_character():
    assert shorten("aé" * 100, 10) == "aéaéa…"
    assert shorten("short", 10) == "short"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_json_number_is_refused_and_never_written(value):
    with pytest.raises(ValueError, match="Out of range float values"):
        dumps({"score": value})
    assert plain(value) is None
