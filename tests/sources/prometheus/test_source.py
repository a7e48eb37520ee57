"""The batch: order, sharing, parts, limits, and what is no sample. Against a small server on loopback."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from judge.core.model import Classification
from judge.sources.prometheus.settings import PrometheusSettings
from judge.sources.prometheus.source import MAX_STEPS, PrometheusSource, split_credentials
from tests.servers import Asked, loopback
from tests.sources.conftest import END, ask


def echo(asked: Asked) -> None:
    """Answer each query with its own text as a label, and 1, 2, 3, … as values."""
    if "time" in asked.form:
        return asked.say_result("vector", [{"metric": {"query": asked.form["query"]}, "value": [float(asked.form["time"]), "5"]}])
    start, end, step = (float(asked.form[name]) for name in ("start", "end", "step"))
    values = [[start + place * step, str(place + 1)] for place in range(round((end - start) / step) + 1)]
    return asked.say_result("matrix", [{"metric": {"query": asked.form["query"]}, "values": values}])


def constantly(result_type: str, result: object, **more: object):
    return lambda asked: asked.say_result(result_type, result, **more)


def only(source, query, *, deadline: float = 5.0):
    (answer,) = source.fetch([query], deadline=deadline)
    return answer


def texts(answers) -> list[str]:
    return [answer.series[0].labels["query"] for answer in answers]


def matrix(*values: tuple[float, str], **labels: str) -> dict[str, object]:
    return {"metric": labels, "values": [list(pair) for pair in values]}


def test_the_settings_name_this_source():
    assert isinstance(PrometheusSettings(url="http://127.0.0.1:1").open(), PrometheusSource)


def test_answers_come_in_the_order_of_the_questions(open_source):
    def slow_first(asked):
        time.sleep(0.2 if asked.form["query"] == "q0" else 0)
        echo(asked)

    queries = [ask(f"q{number}") for number in range(20)]
    with loopback(slow_first) as server:
        answers = open_source(server.url).fetch(queries, deadline=5)

    assert [answer.query for answer in answers] == queries
    assert texts(answers) == [query.text for query in queries]


def test_questions_are_asked_at_once_but_not_more_than_allowed(open_source):
    lock, now, most = threading.Lock(), [0], [0]

    def count(asked):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        echo(asked)

    with loopback(count) as server:
        answers = open_source(server.url, concurrency=4).fetch([ask(f"q{number}") for number in range(12)], deadline=60)

    assert all(answer.problem is None for answer in answers)
    assert most == [4]


def test_the_same_question_is_asked_once(open_source):
    queries = [ask("same", side="baseline"), ask("same", side="canary"), ask("same", end=END + 15), ask("same", instant=True), ask("other")]
    with loopback(echo) as server:
        answers = open_source(server.url).fetch(queries, deadline=5)

    assert len(server.asked) == 4
    assert [answer.query for answer in answers] == queries
    assert [len(answer.series[0]) for answer in answers] == [3, 3, 4, 1, 3]


def test_one_question_in_trouble_does_not_trouble_the_others(open_source):
    def mixed(asked):
        match asked.form["query"]:
            case "slow":
                time.sleep(600)
            case "refused":
                asked.say_json({"status": "error", "errorType": "bad_data", "error": "parse error"}, status=400)
            case "page":
                asked.say(200, "<html>")
            case _:
                echo(asked)

    with loopback(mixed) as server:
        began = time.monotonic()
        answers = open_source(server.url).fetch([ask(text) for text in ("slow", "refused", "page", "fine")], deadline=0.4)
        took = time.monotonic() - began

    assert took < 60
    assert [answer.problem and answer.problem.classification for answer in answers] == [
        Classification.NODATA,
        Classification.ERROR,
        Classification.NODATA,
        None,
    ]
    assert answers[0].problem.message == f"{server.url} did not answer within 0.4 s"
    assert answers[1].problem.message == f"{server.url} refused the query: parse error"
    assert texts(answers[3:]) == ["fine"]


def test_what_is_still_in_the_queue_at_the_deadline_is_never_sent(open_source):
    with loopback(lambda asked: time.sleep(0.3)) as server:
        answers = open_source(server.url, concurrency=2).fetch([ask(f"q{number}") for number in range(10)], deadline=0.2)
        time.sleep(0.4)

    assert {answer.problem.message for answer in answers} == {f"{server.url} did not answer within 0.2 s"}
    assert len(server.asked) == 2


def test_no_time_is_no_question(open_source):
    with loopback(echo) as server:
        answer = only(open_source(server.url), ask(), deadline=0)

    assert answer.problem.classification is Classification.NODATA
    assert server.asked == []


def test_nothing_asked_is_nothing_answered(open_source):
    assert open_source("http://127.0.0.1:1").fetch([], deadline=1) == []


def test_many_callers_may_share_a_source(open_source):
    with loopback(echo) as server:
        source = open_source(server.url)
        found: dict[int, list[str]] = {}

        def call(caller):
            found[caller] = texts(source.fetch([ask(f"c{caller}q{number}") for number in range(5)], deadline=5))

        threads = [threading.Thread(target=call, args=(caller,)) for caller in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == {caller: [f"c{caller}q{number}" for number in range(5)] for caller in range(8)}


def test_a_closed_source_opens_again(open_source):
    with loopback(echo) as server:
        source = open_source(server.url)
        for _ in range(2):
            assert only(source, ask()).problem is None
            source.close()
            source.close()


@pytest.mark.parametrize("path", ["", "/", "/prom", "/prom/"])
def test_an_address_may_hold_a_path(open_source, path):
    with loopback(echo) as server:
        only(open_source(server.url + path), ask())

    assert server.asked[0].path == f"{path.rstrip('/')}/api/v1/query_range"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://prom:9090", ("http://prom:9090", "", "")),
        ("http://me@prom", ("http://prom", "me", "")),
        ("http://me:a%2Fb@[::1]:9090/p/?x=1#y", ("http://[::1]:9090/p", "me", "a/b")),
    ],
)
def test_credentials_are_taken_off_the_address(url, expected):
    assert split_credentials(url) == expected


@pytest.mark.parametrize(
    ("points", "expected_parts"),
    [(1, [1]), (MAX_STEPS, [MAX_STEPS]), (MAX_STEPS + 1, [MAX_STEPS, 1]), (30_000, [MAX_STEPS, MAX_STEPS, 8000])],
)
def test_a_long_window_is_asked_in_parts_that_share_no_sample(open_source, points, expected_parts):
    with loopback(echo) as server:
        answer = only(open_source(server.url), ask(start=END - 15 * (points - 1)))

    (series,) = answer.series
    assert answer.problem is None
    assert series.t.tolist() == [END - 15 * back for back in reversed(range(points))]
    parts = sorted((float(asked.form["start"]), float(asked.form["end"])) for asked in server.asked)
    assert [round((end - start) / 15) + 1 for start, end in parts] == expected_parts


def test_a_part_in_trouble_is_the_whole_in_trouble(open_source):
    first_start = END - 15 * MAX_STEPS

    def second_fails(asked):
        echo(asked) if float(asked.form["start"]) == first_start else asked.say(500, "no")

    with loopback(second_fails) as server:
        answer = only(open_source(server.url), ask(start=first_start))

    assert answer.series == ()
    assert answer.problem.message == f"{server.url} answered 500 Internal Server Error: no"


def test_a_label_set_of_a_later_part_counts_too(open_source):
    def another_each(asked):
        start = float(asked.form["start"])
        asked.say_result("matrix", [matrix((start, "1"), pod=f"{start}-{number}") for number in range(2)])

    with loopback(another_each) as server:
        answer = only(open_source(server.url, max_series=3), ask(start=END - 15 * MAX_STEPS))

    assert "4 label sets, more than 3 (max_series)" in answer.problem.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {"start": END - 15 * 55_000}, "55,001 points in steps of 15 s are more than 55,000 (max_points)", id="too many points"
        ),
        pytest.param({"text": "x" * 10_001}, "10,001 characters long, more than 10,000 (max_query_length)", id="too long"),
        pytest.param({"text": " \n"}, "the query is empty", id="empty"),
        pytest.param({"start": END + 15}, "is no window", id="ends before it starts"),
        pytest.param({"step": 0.0}, "is no window", id="no step"),
        pytest.param({"start": float("nan")}, "is no window", id="NaN"),
        pytest.param({"end": float("inf")}, "is no window", id="for ever"),
    ],
)
def test_a_question_that_cannot_be_meant_is_not_sent(open_source, fields, words):
    with loopback(echo) as server:
        answer = only(open_source(server.url), ask(**fields))

    assert answer.problem.classification is Classification.ERROR
    assert answer.problem.message.startswith(f"{server.url} was not asked: ")
    assert words in answer.problem.message
    assert server.asked == []


def test_a_partial_answer_is_used_and_marked_unless_the_settings_refuse_it(open_source):
    with loopback(constantly("matrix", [matrix((END, "1"))], warnings=["store b is away"])) as server:
        (marked,) = open_source(server.url).fetch([ask()], deadline=5)
        (refused,) = open_source(server.url, partial="refuse").fetch([ask()], deadline=5)

    assert marked.partial
    assert marked.problem is None
    assert refused.series == ()
    assert refused.problem.classification is Classification.NODATA
    assert refused.problem.message == f"{server.url} answered in part only: store b is away"


def test_warnings_of_the_server_are_kept(open_source):
    with loopback(constantly("matrix", [matrix((END, "1"))], warnings=["store b is away"], infos=["odd name"])) as server:
        answer = only(open_source(server.url), ask())

    assert answer.problem is None
    assert answer.warnings == (f"{server.url} warns: store b is away", f"{server.url} warns: odd name")


def test_an_empty_answer_is_no_trouble(open_source):
    with loopback(constantly("matrix", [])) as server:
        answer = only(open_source(server.url), ask())

    assert (answer.series, answer.problem, answer.warnings) == ((), None, ())


@pytest.mark.parametrize(
    ("result_type", "result", "classification", "words"),
    [
        pytest.param("matrix", [matrix((END, "one"))], Classification.ERROR, "'one', which is not a number", id="a word"),
        pytest.param("matrix", [matrix(), matrix()], Classification.ERROR, "label set {} twice", id="a label set twice"),
        pytest.param("matrix", [matrix(a=str(n)) for n in range(201)], Classification.ERROR, "201 label sets", id="too many label sets"),
        pytest.param("matrix", [{"metric": {}, "histograms": []}], Classification.ERROR, "native histograms", id="native histograms"),
        pytest.param("vector", [], Classification.NODATA, "was not asked for", id="another type"),
        pytest.param("matrix", [[]], Classification.NODATA, "not a list of series", id="no series"),
    ],
)
def test_an_answer_without_usable_numbers_is_a_problem(open_source, result_type, result, classification, words):
    with loopback(constantly(result_type, result)) as server:
        answer = only(open_source(server.url), ask())

    assert answer.series == ()
    assert answer.problem.classification is classification
    assert words in answer.problem.message


def test_nan_is_absent_without_a_word_and_infinity_is_kept(open_source):
    with loopback(constantly("matrix", [matrix((END - 30, "NaN"), (END - 15, "+Inf"), (END, "2"))])) as server:
        answer = only(open_source(server.url), ask())

    assert answer.series[0].t.tolist() == [END - 15, END]
    assert answer.series[0].v.tolist() == [float("inf"), 2]
    assert answer.warnings == ()


def test_a_number_of_events_that_is_nan_is_not_known_rather_than_none(open_source):
    with loopback(constantly("matrix", [matrix((END - 15, "NaN"), (END, "2"))])) as server:
        (answer,) = open_source(server.url).fetch([ask(part="numerator")], deadline=5)

    assert answer.series[0].t.tolist() == [END - 15, END]
    assert np.isnan(answer.series[0].v[0])


def test_nothing_but_nan_is_no_series_and_said(open_source):
    with loopback(constantly("matrix", [matrix((END - 15, "NaN"), (END, "NaN"))])) as server:
        answer = only(open_source(server.url), ask())

    assert (answer.series, answer.problem) == ((), None)
    assert answer.warnings == ("every value is NaN: taken as no samples (it comes from 0/0, or from a quantile of no observations)",)


def test_nothing_but_nan_in_some_label_sets_is_said_once(open_source):
    sets = [matrix((END, "NaN" if number else "1"), pod=str(number)) for number in range(4)]
    with loopback(constantly("matrix", sets)) as server:
        answer = only(open_source(server.url), ask())

    assert [one.labels["pod"] for one in answer.series] == ["0"]
    (warning,) = answer.warnings
    assert warning.startswith('every value is NaN in 3 of 4 label sets, for instance {pod="1"}: taken as no samples')


CARRIED = [matrix(*((END - 15 * back, str(min(place, 3))) for place, back in enumerate(range(20, 8, -1))))]


def test_repetitions_of_a_last_value_are_dropped_and_said(open_source):
    with loopback(constantly("matrix", CARRIED)) as server:
        answer = only(open_source(server.url), ask("memory_bytes"))

    assert answer.series[0].v.tolist() == [0, 1, 2, 3]
    assert answer.warnings == (
        "8 samples dropped at 22:11 to 22:12 UTC: the last value of a series that had ended, repeated by Prometheus",
    )


def test_a_rate_repeats_nothing_so_all_of_it_stays(open_source):
    with loopback(constantly("matrix", CARRIED)) as server:
        answer = only(open_source(server.url), ask("sum(increase(errors_total[1m]))"))

    assert len(answer.series[0]) == 12
    assert answer.warnings == ()


def test_the_lookback_is_the_sources_own(open_source):
    with loopback(constantly("matrix", CARRIED)) as server:
        answer = only(open_source(server.url, lookback=30), ask("memory_bytes"))

    assert len(answer.series[0]) == 12 - 3


def test_an_instant_is_asked_at_the_end(open_source):
    with loopback(echo) as server:
        answer = only(open_source(server.url), ask(instant=True))

    assert server.asked[0].path == "/api/v1/query"
    assert server.asked[0].form["time"] == "1700000100"
    assert (answer.series[0].t.tolist(), answer.series[0].v.tolist()) == ([END], [5])


@pytest.mark.parametrize(
    ("result_type", "result", "words"),
    [("string", [END, "abc"], "answered with a string"), ("matrix", [], "wrap the selector in rate()")],
)
def test_an_instant_that_is_no_number_is_an_error(open_source, result_type, result, words):
    with loopback(constantly(result_type, result)) as server:
        answer = only(open_source(server.url), ask(instant=True))

    assert answer.problem.classification is Classification.ERROR
    assert words in answer.problem.message


def test_an_instant_scalar_is_a_number(open_source):
    with loopback(constantly("scalar", [END, "2.5"])) as server:
        answer = only(open_source(server.url), ask(instant=True))

    assert answer.series[0].v.tolist() == [2.5]
