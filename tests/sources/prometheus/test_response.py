"""The query API's JSON, as real servers and broken ones send it."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.model import Series
from judge.errors import QueryRejected, SourceUnreachable
from judge.sources.prometheus.response import check_labels, drop_nan, is_api_error, join, open_envelope, read_series, shorten


def body(**document: object) -> bytes:
    return json.dumps(document).encode()


def error(kind: str, words: str) -> bytes:
    return body(status="error", errorType=kind, error=words)


GOOD = body(status="success", data={"resultType": "matrix", "result": []})


def series(t: list[float], v: list[float], **labels: str) -> Series:
    return Series(t=np.array(t, dtype=float), v=np.array(v, dtype=float), labels=labels)


@pytest.mark.parametrize(
    ("status", "sent", "error_class", "words"),
    [
        pytest.param(400, error("bad_data", "1:5: parse error"), QueryRejected, "refused the query: 1:5: parse error", id="parse error"),
        pytest.param(422, error("422", "unparsed data"), QueryRejected, "refused the query: unparsed", id="VictoriaMetrics' parse error"),
        pytest.param(422, error("execution", "found duplicate series"), QueryRejected, "duplicate series", id="failed execution"),
        pytest.param(200, error("bad_data", "odd"), QueryRejected, "refused the query: odd", id="an error under a 200"),
        pytest.param(400, error("bad_data", "bad deadline exceeded{"), QueryRejected, "refused", id="a query that speaks of time-outs"),
        pytest.param(503, error("timeout", "query timed out"), SourceUnreachable, "gave the query up", id="timed out in Prometheus"),
        pytest.param(422, error("timeout", "slow"), SourceUnreachable, "gave the query up: slow", id="timed out under a 422"),
        pytest.param(
            422, error("execution", "context deadline exceeded"), SourceUnreachable, "gave the query up", id="timed out in Thanos"
        ),
        pytest.param(
            422,
            error(
                "execution", f"expanding series: proxy Series(): rpc error: code = Aborted desc = {'x' * 300}: rpc error: code = Unknown"
            ),
            SourceUnreachable,
            "gives no answer while a part of it is away: expanding series",
            id="Thanos without partial answers",
        ),
        pytest.param(
            422,
            error("execution", "expanding series: proxy Series(): No StoreAPIs available"),
            SourceUnreachable,
            "away",
            id="no store at all",
        ),
        pytest.param(
            422,
            error("execution", "rpc error: code = Aborted desc = rpc error: code = ResourceExhausted desc = exceeded series limit"),
            QueryRejected,
            "exceeded series limit",
            id="a limit of a store",
        ),
        pytest.param(422, error("422", "timeout exceeded during query execution"), SourceUnreachable, "gave", id="in VictoriaMetrics"),
        pytest.param(500, error("internal", "disk"), SourceUnreachable, r"failed on the query \(internal\): disk", id="broken inside"),
        pytest.param(503, error("unavailable", "starting"), SourceUnreachable, "unavailable.*starting", id="not ready"),
        pytest.param(401, error("unauthorized", "no org"), SourceUnreachable, r"does not let us in \(401\): no org", id="no tenant"),
        pytest.param(
            429, error("too_many", "slow down"), SourceUnreachable, r"limits how much is asked \(429\)", id="rate limit in the API"
        ),
        pytest.param(401, b"Unauthorized\n", SourceUnreachable, "does not let us in.*check username", id="wrong password"),
        pytest.param(401, b"no org id\n", SourceUnreachable, r"\(401 Unauthorized: no org id\): check", id="no tenant, in Mimir's words"),
        pytest.param(403, b"<html>", SourceUnreachable, "403 Forbidden", id="forbidden"),
        pytest.param(302, b"", SourceUnreachable, r"redirects elsewhere \(302 Found\)", id="redirect"),
        pytest.param(404, b"404 page not found", SourceUnreachable, "no query API at this address", id="wrong path"),
        pytest.param(413, b'{"message": "too large"}', QueryRejected, "too long", id="too long for the proxy"),
        pytest.param(400, b"Client sent an HTTP request to an HTTPS server.", SourceUnreachable, "400 Bad Request: Client", id="TLS"),
        pytest.param(400, b'{"detail": "x"}', SourceUnreachable, "answered 400", id="a 400 that is not the API's"),
        pytest.param(502, b"<html>nginx</html>", SourceUnreachable, "answered 502 Bad Gateway$", id="a page is not quoted"),
        pytest.param(599, b"odd", SourceUnreachable, "answered 599: odd", id="unknown status"),
        pytest.param(200, b"<!DOCTYPE html>", SourceUnreachable, "web page where JSON was expected", id="a login page"),
        pytest.param(200, b"", SourceUnreachable, "empty answer", id="empty"),
        pytest.param(200, GOOD[:-9], SourceUnreachable, "broken JSON", id="truncated JSON"),
        pytest.param(200, b"[" * 100_000, SourceUnreachable, "not the query API's JSON", id="JSON too deep to read"),
        pytest.param(200, b'"up"', SourceUnreachable, "not the query API's JSON", id="JSON that is no object"),
        pytest.param(200, b'{"hits": 3}', SourceUnreachable, "not the query API's", id="another API's JSON"),
        pytest.param(200, body(status="success", data=[]), SourceUnreachable, "not the query API's", id="success without a result"),
        pytest.param(200, "¿qué?".encode("latin-1"), SourceUnreachable, "not the query API's", id="not UTF-8"),
    ],
)
def test_an_answer_that_is_none_says_why(status, sent, error_class, words):
    with pytest.raises(error_class, match=words):
        open_envelope(status, sent)


def test_warnings_and_infos_are_kept_once_each():
    sent = body(
        status="success", warnings=["store b is away", "store b is away"], infos=["not a counter"], isPartial=True, data={"result": []}
    )

    assert open_envelope(200, sent).warnings == (
        "store b is away",
        "not a counter",
        "the answer is partial: a part of the storage did not answer",
    )


@pytest.mark.parametrize(
    ("said", "partial"),
    [
        pytest.param({}, False, id="nothing said"),
        pytest.param({"isPartial": True}, True, id="VictoriaMetrics"),
        pytest.param({"isPartial": False}, False, id="VictoriaMetrics, all there"),
        pytest.param({"warnings": ["receive series from Addr: store-b: rpc error: code = Unavailable"]}, True, id="Thanos"),
        pytest.param({"warnings": ["remote read: connection refused"]}, True, id="Prometheus that reads from elsewhere"),
        pytest.param({"warnings": ['PromQL warning: bucket label "le" is missing']}, False, id="a warning about the query"),
        pytest.param({"infos": ["PromQL info: metric might not be a counter"]}, False, id="an info"),
        pytest.param({"warnings": None}, False, id="null"),
    ],
)
def test_an_answer_in_which_a_part_is_missing_is_known(said, partial):
    assert open_envelope(200, body(status="success", data={"result": []}, **said)).partial is partial


@pytest.mark.parametrize("warnings", ["one", {"a": 1}, [None], 7, [["x"]]])
def test_warnings_of_any_shape_do_not_crash(warnings):
    assert open_envelope(200, body(status="success", warnings=warnings, data={"result": []})).warnings


def test_a_flood_of_warnings_is_cut():
    said = open_envelope(200, body(status="success", warnings=[f"w{n}" * 500 for n in range(50)], data={"result": []})).warnings

    assert len(said) == 21
    assert said[-1] == "and 30 more warnings"
    assert max(map(len, said)) == 300


def test_only_the_apis_own_error_counts_as_one():
    assert is_api_error(error("timeout", "x"))
    assert not is_api_error(b"<html>503</html>")
    assert not is_api_error(GOOD)


def test_a_matrix_keeps_gaps_infinities_and_labels():
    (read,) = read_series("matrix", [{"metric": {"pod": "a"}, "values": [[60, "1.5"], [75.5, "+Inf"], [135, "-Inf"], [150, "NaN"]]}])

    assert read.t.tolist() == [60.0, 75.5, 135.0, 150.0]
    assert read.v[:3].tolist() == [1.5, math.inf, -math.inf]
    assert math.isnan(read.v[3])
    assert read.labels == {"pod": "a"}


def test_the_value_of_an_instant_is_a_sample_at_that_instant():
    (read,) = read_series("vector", [{"metric": {}, "value": [1234, "7"]}], instant_at=1230.0)

    assert (read.t.tolist(), read.v.tolist()) == ([1230.0], [7.0])


def test_a_scalar_is_one_series_without_labels():
    (read,) = read_series("scalar", [1234, "0.25"], instant_at=1234.0)

    assert (read.t.tolist(), read.v.tolist(), read.labels) == ([1234.0], [0.25], {})


@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_result_is_no_series(nothing):
    assert read_series("matrix", nothing) == ()


@pytest.mark.parametrize(
    ("kind", "result", "instant_at", "error_class", "words"),
    [
        pytest.param("string", [1, "abc"], 1.0, QueryRejected, "a string", id="string"),
        pytest.param("matrix", [], 1.0, QueryRejected, r"wrap the selector in rate\(\)", id="range vector at an instant"),
        pytest.param("vector", [], None, SourceUnreachable, "'vector', which was not asked for", id="vector for a range"),
        pytest.param("", [], None, SourceUnreachable, "not asked for", id="no type"),
        pytest.param("matrix", {"a": 1}, None, SourceUnreachable, "not a list of series", id="result is an object"),
        pytest.param("matrix", [3], None, SourceUnreachable, "not a list of series", id="series is a number"),
        pytest.param("matrix", [{"metric": {}}], None, SourceUnreachable, "without labels or values", id="no values"),
        pytest.param("matrix", [{"values": []}], None, SourceUnreachable, "without labels or values", id="no labels"),
        pytest.param("matrix", [{"metric": {}, "values": [[1]]}], None, SourceUnreachable, "not pairs", id="a lone time"),
        pytest.param("matrix", [{"metric": {}, "values": [7]}], None, SourceUnreachable, "not pairs", id="a lone number"),
        pytest.param("vector", [{"metric": {}}], 1.0, SourceUnreachable, "not pairs", id="no value"),
        pytest.param("scalar", None, 1.0, SourceUnreachable, "not pairs", id="no scalar"),
        pytest.param("matrix", [{"metric": {}, "values": [["x", "1"]]}], None, SourceUnreachable, "not pairs", id="a word for a time"),
        pytest.param("matrix", [{"metric": {}, "values": [["nan", "1"]]}], None, SourceUnreachable, "without a time", id="NaN for a time"),
        pytest.param("matrix", [{"metric": {}, "values": [[1, "one"]]}], None, QueryRejected, "'one', which is not a number", id="a word"),
        pytest.param("matrix", [{"metric": {}, "values": [[1, None]]}], None, QueryRejected, "None, which is not a number", id="null"),
        pytest.param("matrix", [{"metric": {}, "values": [[2, "1"], [1, "1"]]}], None, SourceUnreachable, "order of time", id="backwards"),
        pytest.param(
            "matrix", [{"metric": {}, "values": [[1, "1"], [1, "1"]]}], None, SourceUnreachable, "order of time", id="a time twice"
        ),
        pytest.param(
            "matrix",
            [{"metric": {}, "histograms": [[1, {"count": "5", "sum": "2"}]]}],
            None,
            QueryRejected,
            r"native histograms.*histogram_quantile\(\)",
            id="native histograms",
        ),
        pytest.param("vector", [{"metric": {}, "histogram": [1, {}]}], 1.0, QueryRejected, "native histograms", id="a native histogram"),
    ],
)
def test_a_result_that_is_no_numbers_says_so(kind, result, instant_at, error_class, words):
    with pytest.raises(error_class, match=words):
        read_series(kind, result, instant_at=instant_at)


def test_too_many_label_sets_ask_for_aggregation():
    many = [series([1], [1], pod=str(pod)) for pod in range(201)]

    check_labels(many[:200], max_series=200)
    with pytest.raises(QueryRejected, match=r"201 label sets, more than 200 \(max_series\): aggregate"):
        check_labels(many, max_series=200)


def test_a_label_set_twice_is_named():
    with pytest.raises(QueryRejected, match=r'\{pod="a"\} twice'):
        check_labels([series([1], [1], pod="a"), series([2], [1], pod="a")], max_series=5)


def test_parts_are_joined_by_label_set_and_borders_taken_once():
    first = [series([1, 2], [10, 20], pod="a"), series([1], [5], pod="b")]
    second = [series([3], [7], pod="c"), series([2, 3], [99, 30], pod="a")]

    joined = {each.labels["pod"]: (each.t.tolist(), each.v.tolist()) for each in join([first, second])}

    assert joined == {"a": ([1, 2, 3], [10, 20, 30]), "b": ([1], [5]), "c": ([3], [7])}


def test_nan_is_absent_and_infinity_is_not():
    kept = drop_nan(series([1, 2, 3], [math.nan, math.inf, 0]))

    assert (kept.t.tolist(), kept.v.tolist()) == ([2, 3], [math.inf, 0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["metric", "value", "values", "x"]), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(["matrix", "vector", "scalar", "string", "streams", ""]), JSON, st.sampled_from([None, 5.0]))
def test_no_json_at_all_crashes_the_reader(kind, result, instant_at):
    with contextlib.suppress(QueryRejected, SourceUnreachable):
        assert all(len(each.t) == len(each.v) for each in read_series(kind, result, instant_at=instant_at))


@given(st.integers(200, 599), st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_at_all_crashes_the_reader(status, sent):
    with pytest.raises((QueryRejected, SourceUnreachable), match=r"\w"):
        open_envelope(status, sent)


def test_words_of_others_are_cut_to_one_line():
    assert shorten("a\n\x00b\u2028c") == "a b c"
    assert len(shorten("x" * 1000)) == 300
