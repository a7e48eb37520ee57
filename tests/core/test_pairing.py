"""Pairs by labels and by time: nothing is dropped in silence, nothing is matched by position."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.model import Classification, Series
from judge.core.pairing import align, events_of, events_where_asked, pair_by_labels, present, strangers


def series(times, values=None, **labels):
    t = np.array(times, float)
    return Series(t=t, v=np.array(times if values is None else values, float), labels=labels)


def test_one_series_a_side_is_a_pair_whatever_its_labels():
    [pair] = pair_by_labels([series([1], pod="a-1")], [series([1], pod="b-1", zone="x")])

    assert pair.labels == {}
    assert (len(pair.baseline), len(pair.canary)) == (1, 1)


def test_labels_of_the_scope_are_not_compared():
    pairs = pair_by_labels(
        [series([1], route="/a", hash="x"), series([1], route="/b", hash="x")],
        [series([1], route="/b", hash="y"), series([1], route="/a", hash="y")],
        apart={"hash"},
    )

    assert [(pair.labels["route"], pair.baseline.labels["hash"], pair.canary.labels["hash"]) for pair in pairs] == [
        ("/a", "x", "y"),
        ("/b", "x", "y"),
    ]


def test_a_label_set_on_one_side_only_is_a_pair_with_an_empty_side():
    pairs = pair_by_labels([series([1], route="/a")], [series([1], route="/a"), series([1], route="/new")])

    assert [(pair.labels["route"], len(pair.baseline), len(pair.canary)) for pair in pairs] == [("/a", 1, 1), ("/new", 0, 1)]


def test_pods_that_were_not_aggregated_are_a_problem():
    [pair] = pair_by_labels([series([1], pod="a-1"), series([1], pod="a-2")], [series([1], pod="b-1")])

    assert pair.problem.classification is Classification.ERROR
    assert "aggregate them" in pair.problem.message


def test_a_gap_on_one_side_takes_the_same_times_from_the_other():
    aligned = align(series(range(0, 600, 60)), series([0, 60, 480, 540]))

    assert aligned.t.tolist() == [0, 60, 480, 540]
    assert aligned.baseline.tolist() == [0, 60, 480, 540]
    assert aligned.paired
    assert aligned.dropped == 6


def test_sides_from_different_times_keep_all_their_values():
    aligned = align(series(range(0, 600, 60)), series(range(6000, 6300, 60)))

    assert not aligned.paired
    assert (len(aligned.baseline), len(aligned.canary), aligned.dropped) == (10, 5, 0)


def test_no_error_series_beside_a_request_series_means_no_errors():
    found = events_where_asked(Series.empty(), series([0, 60, 120], [10, 20, 30]))

    assert found.v.tolist() == [0, 0, 0]


def test_errors_without_requests_are_no_data():
    assert len(events_where_asked(series([0, 60]), Series.empty())) == 0


def test_events_stand_at_their_own_time():
    assert events_where_asked(series([60], [3]), series([0, 60, 120], [10, 20, 30])).v.tolist() == [0, 3, 0]


def test_events_find_the_total_of_their_labels():
    totals = [series([1], [10], route="/a"), series([1], [20], route="/b")]
    events = [series([1], [2], route="/b")]

    assert len(events_of(totals[0], events, totals)) == 0
    assert events_of(totals[1], events, totals).v.tolist() == [2]


@pytest.mark.parametrize(
    ("events", "totals", "lost"),
    [
        pytest.param([{"route": "/a"}], [{"route": "/a"}, {"route": "/b"}], 0, id="fewer events than totals"),
        pytest.param([{"code": "500"}, {"code": "503"}], [{}], 2, id="events split where totals are not"),
        pytest.param([{"route": "/c"}], [{"route": "/a"}, {"route": "/b"}], 1, id="events of an unknown label set"),
        pytest.param([{"route": "/a"}], [], 0, id="no totals at all is no data, not a mismatch"),
    ],
)
def test_events_that_belong_to_no_total_are_not_lost_in_silence(events, totals, lost):
    assert len(strangers([series([1], **labels) for labels in events], [series([1], **labels) for labels in totals])) == lost


def test_the_first_sample_is_the_earliest_of_any_series():
    assert present([series([120, 180]), Series.empty(), series([60])]) == 60
    assert present([Series.empty()]) is None
