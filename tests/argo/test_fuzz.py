"""Ten thousand answers, whatever may be in them: Go's encoding/json takes each, and Argo's JSONPath and conditions find the verdict."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.wire.answer import answer
from judge.wire.json import dumps

pytestmark = pytest.mark.integration

PHASES = {"pass": "Successful", "fail": "Failed", "marginal": "Inconclusive", "inconclusive": "Inconclusive", "error": "Inconclusive"}
CODES = {"pass": 0, "marginal": 1, "fail": 2, "inconclusive": 3, "error": 4}
METRIC = """
name: judge
successCondition: result.verdict == "pass"
failureCondition: result.verdict == "fail"
provider: {web: {url: http://judge, method: POST, jsonBody: {config: shop}}}
"""
SCORE = """
name: judge
successCondition: result >= 0 && result <= 100
provider: {web: {url: http://judge, jsonPath: "{$.score}"}}
"""
SIZE = 50
AT_ONCE = 4
"""Answers on their way: both sides at work at once, and the pipes never full."""

times = st.floats(0, 4e9)
results = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(max_size=20),
            "classification": st.sampled_from(["pass", "high", "low", "undecided", "nodata", "error"]),
            "reason": st.text(max_size=20),
            "n_canary": st.none() | st.integers(0, 10**9),
            "shift": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        }
    ),
    max_size=1,
)
verdicts = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from(sorted(PHASES)),
        "score": st.floats(0, 100),
        "reason": st.text(max_size=600),
        "results": results,
        "judge": st.text(max_size=9),
        "warnings": st.lists(st.text(max_size=20), max_size=1),
        "groups": st.just([]),
    }
)
records = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=26),
        "verdict": verdicts.map(lambda verdict: {**verdict, "code": CODES[verdict["verdict"]]}),
        "window": st.fixed_dictionaries({"start": times, "end": times, "look": st.integers(1, 999), "of": st.integers(1, 999)}),
        "traffic": st.none() | st.fixed_dictionaries({"baseline": times, "canary": times}),
    }
)
answers = st.builds(answer, records, public_url=st.text(max_size=50), detail=st.sampled_from(["short", "full"]))


NASTY = [
    *map(chr, range(32)),
    *"\"'\\/<>&{}$[]:,\x7f\u00e9\u0301\u2028\u2029\ufeff\ufffd\U0001f6a2",
    "NaN",
    "null",
    "{{args.x}}",
    "</script>",
]


def text(rng: random.Random, most: int) -> str:
    """Up to so many characters, nasty ones, plain ones and any other."""
    whole = [code for code in (rng.randrange(0x110000) for _ in range(3)) if not 0xD800 <= code < 0xE000]
    return "".join(rng.choices([*NASTY, *"plain text 0123456789", *map(chr, whole)], k=rng.randrange(most + 1)))[:most]


def number(rng: random.Random) -> float:
    """Any finite float, by its bits, or a round one."""
    found = struct.unpack("d", rng.randbytes(8))[0]
    return found if math.isfinite(found) and rng.random() < 0.7 else rng.choice([0.0, -0.0, 1.0, 5e-324, -1e308, 1e20, 0.1])


def drawn(rng: random.Random) -> Any:
    """An answer, whatever may be in it."""
    verdict = rng.choice(sorted(PHASES))
    result = {
        "name": text(rng, 20),
        "classification": rng.choice(["pass", "high", "low", "undecided", "nodata", "error"]),
        "reason": text(rng, 20),
        "n_canary": rng.choice([None, 0, 10**9]),
        "shift": rng.choice([None, number(rng)]),
    }
    record = {
        "id": text(rng, 25) + "x",
        "verdict": {
            "verdict": verdict,
            "code": CODES[verdict],
            "score": rng.choice([0.0, 100.0, rng.uniform(0, 100)]),
            "reason": text(rng, 600),
            "results": [result][: rng.randrange(2)],
            "judge": text(rng, 9),
            "warnings": [text(rng, 20)][: rng.randrange(2)],
            "groups": [],
        },
        "window": {"start": rng.uniform(0, 4e9), "end": rng.uniform(0, 4e9), "look": rng.randrange(1, 1000), "of": rng.randrange(1, 1000)},
        "traffic": rng.choice([None, {"baseline": rng.uniform(0, 4e9), "canary": rng.uniform(0, 4e9)}]),
    }
    return answer(record, public_url=text(rng, 50), detail=rng.choice(["short", "full"]))


def read_as_meant(argos, documents: Iterable[Any]) -> None:
    for some in batched(documents, AT_ONCE):
        bodies = [dumps(document) for document in some]
        for body, argo in product(bodies, argos):
            argo.send("read", metric=METRIC, status=200, body=body)
        for document, body in zip(some, bodies, strict=True):
            # Go writes 1e20 as a whole number; as floats both are the same.
            meant = json.loads(body, parse_int=float)
            for argo in argos:
                found = argo.receive()

                assert found["refused"] == "", document
                assert found["phase"] == PHASES[document["verdict"]]
                assert json.loads(found["value"], parse_int=float) == meant


def batched(documents: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(documents)
    while some := list(islice(rest, size)):
        yield some


@hypothesis.settings(max_examples=1_000 // SIZE, suppress_health_check=list(hypothesis.HealthCheck))
@given(st.lists(answers, min_size=SIZE, max_size=SIZE))
def test_argo_reads_every_answer_as_it_is_meant(argos, documents):
    read_as_meant(argos, documents)


def test_argo_reads_nine_thousand_more(argos):
    """Drawn without hypothesis, which takes 2 ms for each: less is found by shrinking, as much by number."""
    read_as_meant(argos, (drawn(random.Random(number)) for number in range(9_000)))


@hypothesis.settings(max_examples=200, suppress_health_check=list(hypothesis.HealthCheck))
@given(answers)
def test_a_template_that_reads_the_score_finds_it(argos, document):
    for argo in argos:
        found = argo.ask("read", metric=SCORE, status=200, body=dumps(document))

        assert found["phase"] == "Successful", found
        assert json.loads(found["value"]) == document["score"]


@pytest.mark.parametrize("body", ['{"verdict": "fail", "score": NaN}', "<html>please log in</html>", "", '{"verdict": "fail"} x'])
def test_what_go_refuses_would_be_a_success(argo, body):
    """Why all this: the releases call what is no JSON a success, whatever the conditions say."""
    found = argo.ask("read", metric=METRIC, status=200, body=body)

    assert found["refused"] != ""
    assert found["phase"] == "Successful"


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_what_is_not_2xx_is_an_error_whatever_it_says(argo, status):
    found = argo.ask("read", metric=METRIC, status=status, body='{"verdict": "pass"}')

    assert found["phase"] == "Error"
