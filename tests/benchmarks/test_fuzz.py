"""The short form of ``python -m tests.benchmarks.fuzz``."""

from __future__ import annotations

from tests.benchmarks import fuzz


def test_no_request_breaks_the_service_or_makes_it_tell_a_secret():
    statuses, wrong = fuzz.measure(3000)

    assert wrong == []
    # Every kind of answer came: the requests reach what they are meant to try.
    assert {200, 400, 401, 404, 405} <= set(statuses)


def test_callers_beyond_their_share_are_refused_and_nothing_breaks():
    statuses, wrong = fuzz.measure(1600, callers=4)

    assert wrong == []
    assert {200, 429} <= set(statuses)
