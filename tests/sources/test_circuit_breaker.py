"""A source that fails again and again is left alone for a while, tried again, and trusted again."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from judge.core.model import Classification
from judge.sources.circuit_breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from tests.servers import loopback
from tests.sources.conftest import ask
from tests.sources.prometheus.test_source import echo


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(at, "did not answer")
    return breaker


def test_fewer_failures_open_nothing():
    breaker = Breaker()
    for turn in range(20):
        breaker.failed(turn, "did not answer")
        breaker.failed(turn, "did not answer")
        assert (breaker.refusal(turn), breaker.state) == (None, "closed")
        breaker.succeeded()


def test_one_question_tells_whether_the_source_is_back():
    breaker = opened()

    assert breaker.state == "open"
    assert breaker.refusal(FIRST_PAUSE - 0.1) is not None
    assert breaker.refusal(FIRST_PAUSE) is None
    assert breaker.state == "half-open"
    assert "being tried again now" in str(breaker.refusal(FIRST_PAUSE + 0.1))
    breaker.succeeded()
    assert (breaker.refusal(FIRST_PAUSE + 0.2), breaker.state) == (None, "closed")


def test_a_failed_trial_doubles_the_pause_up_to_its_longest():
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(8):
        refusal = breaker.refusal(now)
        assert refusal is not None
        pauses.append(refusal.again)
        now += refusal.again
        assert breaker.refusal(now) is None
        breaker.failed(now, "did not answer")

    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[4:] == [LONGEST_PAUSE] * 4


def test_a_trial_that_never_reports_is_followed_by_another():
    breaker = opened()
    assert breaker.refusal(10.0, patience=5.0) is None
    assert breaker.refusal(14.9, patience=5.0) is not None
    assert breaker.refusal(15.0, patience=5.0) is None


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=60))
def test_whatever_happened_a_question_goes_through_within_the_longest_pause(steps):
    breaker, now = Breaker(), 0.0
    for gap, good in steps:
        now += gap
        if breaker.refusal(now, patience=1.0) is None:
            if good:
                breaker.succeeded()
            else:
                breaker.failed(now, "did not answer")
    assert breaker.refusal(now + LONGEST_PAUSE + 1.0) is None


def test_a_hanging_server_is_left_alone_and_found_again(open_source):
    """Three questions wait out their deadline; the fourth is answered at once, and after the pause the server is back."""
    well = False

    def answer(asked):
        if well:
            echo(asked)
        else:
            time.sleep(1.0)

    with loopback(answer) as server:
        source = open_source(server.url)
        for _ in range(FAILURES):
            assert "did not answer within 0.2 s" in source.fetch([ask()], deadline=0.2)[0].problem.message
        count = len(server.asked)
        refused = source.fetch([ask("a"), ask("b")], deadline=5.0)
        assert len(server.asked) == count
        assert [one.problem.classification for one in refused] == [Classification.NODATA] * 2
        assert refused[0].problem.message.startswith(f"{server.url} was not asked: it failed 3 times in a row, 0 s ago it did not answer")
        assert source.state == "open"

        well = True
        time.sleep(FIRST_PAUSE)
        assert source.fetch([ask()], deadline=5.0)[0].problem is None
        assert source.state == "closed"


def test_a_refused_query_is_an_answer(open_source):
    def refuse(asked):
        asked.say_json({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400)

    with loopback(refuse) as server:
        source = open_source(server.url)
        for _ in range(FAILURES + 2):
            assert source.fetch([ask()], deadline=5.0)[0].problem.classification is Classification.ERROR
        assert source.state == "closed"


def test_a_question_that_cannot_be_asked_tells_nothing_of_the_server(open_source):
    source = open_source("http://127.0.0.1:1")
    for _ in range(FAILURES):
        source.fetch([ask()], deadline=2.0)
    source.fetch([ask("x" * 20_000)], deadline=2.0)
    assert source.state != "closed"
