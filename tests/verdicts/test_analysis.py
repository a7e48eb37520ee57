"""Window, looks, traffic and trouble, with a source in memory that records what it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.config.load import parse_config
from judge.config.yaml import parse
from judge.core.model import Classification, Outcome, Problem, Series
from judge.core.templates import PROMQL
from judge.errors import SourceUnreachable
from judge.sources import Answer, Source
from judge.verdicts.analysis import question, run
from judge.verdicts.records import write_record
from judge.wire.answer import answer
from judge.wire.request import parse_request

NOW = 1_763_629_205.0
END = 1_763_629_200.0

CONFIG = """
name: shop
args: {service: {}}
scope: 'h="${hash}"'
window: {warmup: 90s, step: 60s, length: 30m}
looks: {count: 20, interval: 90s}
traffic: {query: 'sum(increase(r{s="${service}",${scope}}[${window}]))', min_requests: 100}
metrics:
  - {name: errors, numerator: 'e{${scope}}[${step}]', denominator: 'r{${scope}}[${step}]', critical: true, direction: increase}
  - {name: latency, query: 'l{${scope}}', direction: increase}
  - {name: kills, query: 'k{${scope}}[${window}]', limit: {max: 0}}
"""


class Memory(Source):
    """Answers from functions of time, one for each metric and part; keeps what it was asked."""

    language = PROMQL

    def __init__(self, *, canary_since=END - 7200, trouble=(), absent=(), requests=1000.0):
        self.canary_since = canary_since
        self.trouble = dict(trouble)
        self.absent = set(absent)
        self.requests = requests
        self.asked = []

    def describe(self):
        return {"type": "memory"}

    def fetch(self, queries, *, deadline):
        self.asked.append((list(queries), deadline))
        return [self.answer(query) for query in queries]

    def answer(self, query):
        key = query.metric, query.part
        if key in self.trouble or (*key, query.side) in self.trouble:
            kind = self.trouble.get(key, self.trouble.get((*key, query.side)))
            return Answer(query=query, problem=Problem(classification=kind, message="trouble"))
        if key in self.absent or (*key, query.side) in self.absent:
            return Answer(query=query)
        if query.instant:
            value = self.requests if query.part == "traffic" else 0.0
            return Answer(query=query, series=(Series(t=np.array([query.end]), v=np.array([value])),))
        t = np.arange(query.start, query.end + 1, query.step)
        if query.side == "canary":
            t = t[t >= self.canary_since]
        wave = np.sin(t / 7 + (1 if query.side == "canary" else 0))
        values = {"value": 100 + wave, "numerator": np.round(2 + wave), "denominator": 500 + np.round(20 * wave)}[query.part]
        return Answer(query=query, series=(Series(t=t, v=values),) if len(t) else ())


def config(text=CONFIG):
    return parse_config(parse(text, where="c"), where="c")


def ask(source, *, text=CONFIG, now=NOW, **given):
    known = config(text)
    request, known = parse_request(
        {"config": "shop", "baseline": "aaa", "canary": "bbb", "service": "cart", **given}, {"shop": known}, now=now
    )
    return run(request, known, source, now=now)


def test_a_partial_answer_is_told_with_the_verdict():
    source = Memory()
    whole = source.answer
    source.answer = lambda query: replace(whole(query), partial=query.part == "numerator")

    found = ask(source)

    assert found.verdict.outcome is Outcome.PASS
    assert found.verdict.warnings == ("the source answered 2 of 9 queries in part only: what is missing may be what matters",)
    told = answer(write_record(found, id="1", asked_at=NOW, question="", settings={}))
    assert (told["verdict"], told["reason"]) == ("pass", f"{found.verdict.reason} (a part of the source did not answer)")


def test_what_was_judged_on_a_partial_answer_is_judged_again():
    source = Memory()
    whole = source.answer
    assert ask(source).conclusive

    source.answer = lambda query: replace(whole(query), partial=query.side == "baseline")

    assert not ask(source).conclusive


def test_a_canary_that_is_not_to_be_seen_may_be_in_the_part_that_is_missing():
    source = Memory(canary_since=NOW)
    whole = source.answer
    source.answer = lambda query: replace(whole(query), partial=True, warnings=("west is away",))

    found = ask(source)

    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert found.verdict.reason == "the canary has no samples yet"
    assert found.verdict.warnings[0].startswith("the source answered 3 of 3 queries in part only")
    assert found.verdict.warnings[1:] == ("west is away",)


def test_a_canary_older_than_the_window_is_judged_over_the_newest_part():
    found = ask(Memory())

    assert found.verdict.outcome is Outcome.PASS
    assert (found.window.start, found.window.end, found.window.look) == (END - 1800, END, 20)


def test_warm_up_counts_from_the_canarys_first_sample():
    found = ask(Memory(canary_since=END - 600))

    assert found.window.first_sample == END - 600
    # 90 s after the first sample, on the grid of the step.
    assert found.window.start == END - 480
    assert all(pair.canary.t.min() >= END - 480 for pair in found.pairs if len(pair.canary) > 1)
    assert all(pair.baseline.t.min() >= END - 480 for pair in found.pairs if len(pair.baseline))


@pytest.mark.parametrize(("age", "look"), [(600, 6), (180, 2), (3600, 20)])
def test_looks_are_numbered_by_the_time_since_the_canary_was_warm(age, look):
    assert ask(Memory(canary_since=END - age)).window.look == look


def test_looks_that_are_no_whole_number_of_steps_apart_use_every_number():
    """Every 90 s with a step of 60 s."""
    asked = [ask(Memory(canary_since=END - 600), now=END - 510 + 90 * number).window.look for number in range(1, 7)]

    assert asked == [2, 3, 4, 5, 6, 7]


def test_a_given_look_is_kept_and_one_beyond_the_plan_is_said():
    found = ask(Memory(), look="25")

    assert (found.window.look, found.window.of) == (25, 20)
    assert "look 25 is beyond the 20" in found.verdict.warnings[0]


def test_a_canary_that_is_still_warming_up_is_inconclusive():
    found = ask(Memory(canary_since=END - 60))

    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert found.verdict.reason == "the canary's first sample is 60 s old and its warm-up lasts 90 s"
    assert not found.conclusive


def test_a_canary_without_samples_yet_is_inconclusive_and_not_an_error():
    found = ask(Memory(canary_since=END + 60))

    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert found.verdict.reason == "the canary has no samples yet"


def test_a_given_window_is_asked_for_at_once():
    source = Memory()

    found = ask(source, start=END - 905, end=END - 2)

    assert (found.window.start, found.window.end) == (END - 900, END - 60)
    assert len(source.asked) == 1


def test_both_sides_are_asked_over_the_same_time_on_the_grid_of_the_step():
    source = Memory(canary_since=END - 600)
    found = ask(source)

    (first, _), (second, _) = source.asked
    assert {query.side for query in first} == {"canary"}
    ranges = [query for query in second if not query.instant]
    assert {(query.side, query.start, query.end) for query in ranges} == {("baseline", found.window.start, found.window.end)}
    assert all(query.start % 60 == 0 and query.end % 60 == 0 for query in first + second)


def test_queries_are_filled_in_for_each_side_and_kept_with_the_result():
    found = ask(Memory())

    latency = found.verdict.results[1]
    assert latency.queries == {"baseline": 'l{h="aaa"}', "canary": 'l{h="bbb"}'}
    assert found.verdict.results[0].queries["canary_numerator"] == 'e{h="bbb"}[60s]'
    assert found.verdict.results[2].queries == {"canary": 'k{h="bbb"}[1800s]'}


def test_traffic_is_asked_over_the_window_with_the_args_in_it():
    source = Memory()
    ask(source, service="cart")

    traffic = [query for queries, _ in source.asked for query in queries if query.part == "traffic"]
    assert [query.text for query in traffic] == [f'sum(increase(r{{s="cart",h="{side}"}}[1800s]))' for side in ("aaa", "bbb")]
    assert all(query.instant for query in traffic)


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        pytest.param(
            Memory(requests=20.0),
            Outcome.INCONCLUSIVE,
            "too little traffic: the canary answered 20 requests, 100 are needed",
            id="few requests",
        ),
        pytest.param(
            Memory(absent={("", "traffic")}),
            Outcome.INCONCLUSIVE,
            "too little traffic: the canary answered 0 requests, 100 are needed",
            id="no request series",
        ),
        pytest.param(
            Memory(trouble={("", "traffic"): Classification.NODATA}),
            Outcome.INCONCLUSIVE,
            "traffic is unknown: trouble",
            id="traffic not answered",
        ),
        pytest.param(
            Memory(absent={("errors", "numerator")}),
            Outcome.PASS,
            "3 of 3 metrics within what is accepted; score 100",
            id="no error series beside requests",
        ),
        pytest.param(
            Memory(absent={("errors", "denominator"), ("errors", "numerator")}),
            Outcome.INCONCLUSIVE,
            "critical errors is nodata: neither side has requests",
            id="no request series in a metric",
        ),
        pytest.param(
            Memory(absent={("latency", "value", "baseline")}),
            Outcome.PASS,
            "2 of 3 metrics within what is accepted, 1 not passed; score 100",
            id="one metric without baseline",
        ),
        pytest.param(
            Memory(trouble={("latency", "value"): Classification.NODATA}),
            Outcome.INCONCLUSIVE,
            "latency: trouble",
            id="a metric the source did not answer",
        ),
        pytest.param(
            Memory(trouble={("latency", "value", "baseline"): Classification.ERROR}),
            Outcome.INCONCLUSIVE,
            "latency could not be judged: trouble",
            id="a query refused",
        ),
        pytest.param(
            Memory(trouble={("errors", "numerator"): Classification.ERROR}), Outcome.ERROR, "errors: trouble", id="a critical query refused"
        ),
    ],
)
def test_what_is_missing_or_broken_never_passes_for_good(source, outcome, reason):
    found = ask(source)

    assert (found.verdict.outcome, found.verdict.reason) == (outcome, reason)


def test_a_source_that_is_away_is_the_reason():
    parts = (("errors", "numerator"), ("errors", "denominator"), ("latency", "value"), ("kills", "value"), ("", "traffic"))
    everything = dict.fromkeys(parts, Classification.NODATA)

    found = ask(Memory(trouble=everything))

    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert found.verdict.reason == "errors: trouble"
    assert found.source_trouble
    assert not found.conclusive


def test_all_queries_refused_is_an_error():
    everything = dict.fromkeys((("errors", "numerator"), ("errors", "denominator"), ("latency", "value")), Classification.ERROR)

    assert ask(Memory(trouble=everything)).verdict.outcome is Outcome.ERROR


def test_a_config_may_ask_for_an_error_when_the_source_fails():
    with pytest.raises(SourceUnreachable, match="latency: trouble"):
        ask(Memory(trouble={("latency", "value"): Classification.NODATA}), text=CONFIG + "on_source_error: error\n")


def test_equal_sides_are_inconclusive_and_nothing_is_asked():
    source = Memory()

    found = ask(source, canary="aaa")

    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing to compare" in found.verdict.reason
    assert source.asked == []


def test_the_second_fetch_gets_what_is_left_of_the_deadline():
    now = [100.0]
    source = Memory()
    answer = source.fetch

    def slow(queries, *, deadline):
        now[0] += 3
        return answer(queries, deadline=deadline)

    source.fetch = slow
    known = config()
    request, known = parse_request({"config": "shop", "baseline": "aaa", "canary": "bbb", "service": "cart"}, {"shop": known}, now=NOW)
    run(request, known, source, now=NOW, deadline=8, clock=lambda: now[0])

    assert [round(deadline, 6) for _, deadline in source.asked] == [7, 4]


def key(now=NOW, **given):
    known = config()
    request, known = parse_request(
        {"config": "shop", "baseline": "aaa", "canary": "bbb", "service": "cart", **given}, {"shop": known}, now=now
    )
    return question(request, known, now=now)


def test_the_same_question_within_a_step_is_the_same_question():
    assert key(now=END + 5) == key(now=END + 59)
    assert key(now=END + 5) != key(now=END + 61)
    assert key(end=END) == key(now=NOW + 3600, end=END)


@pytest.mark.parametrize(
    "given",
    [{"canary": "ccc"}, {"baseline": "ccc"}, {"service": "x"}, {"look": 2}, {"window": "10m"}, {"rollout": "r"}, {"start": END - 600}],
)
def test_any_other_question_is_another(given):
    assert key(**given) != key()


def test_how_much_is_told_does_not_make_another_question():
    assert key(detail="full") == key()
