"""History is read politely, in pieces, and never twice."""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pytest

from judge.calibrate import cache as cache_module
from judge.calibrate.cache import Cache
from judge.calibrate.history_reader import MAX_STEPS, Range
from judge.core.model import Series
from judge.errors import ConfigError, QueryRejected, SourceUnreachable
from tests.servers import loopback

NOON = 1_700_000_400.0 // 60 * 60


def answering(request) -> None:
    """One series with a sample at each step."""
    start, end, step = (float(request.form[name]) for name in ("start", "end", "step"))
    request.say_result("matrix", [{"metric": {"pod": "a"}, "values": [[at, str(at % 977)] for at in np.arange(start, end + 1, step)]}])


def steps(request) -> int:
    return round((float(request.form["end"]) - float(request.form["start"])) / float(request.form["step"])) + 1


def asking(days: float) -> Range:
    return Range(text="rate(requests_total[1m])", start=NOON, end=NOON + days * 86400, step=60.0)


def test_a_long_range_is_asked_in_pieces_of_at_most_11000_steps(open_reader):
    with loopback(answering) as server:
        (series,) = open_reader(server.url).read(asking(30), what="")

    assert max(map(steps, server.asked)) <= MAX_STEPS
    assert np.array_equal(series.t, np.arange(NOON, NOON + 30 * 86400 + 1, 60.0))


def test_a_second_run_asks_nothing_twice(open_reader, tmp_path):
    with loopback(answering) as server:
        (first,) = open_reader(server.url, folder=tmp_path).read(asking(30), what="")
        asked = len(server.asked)
        second = open_reader(server.url, folder=tmp_path)
        (again,) = second.read(asking(30), what="")

    assert len(server.asked) == asked
    assert second.tally.cached == asked
    assert np.array_equal(first.v, again.v)
    assert dict(again.labels) == {"pod": "a"}


def test_a_later_end_asks_only_for_what_is_new(open_reader, tmp_path):
    with loopback(answering) as server:
        open_reader(server.url, folder=tmp_path).read(asking(29), what="")
        before = len(server.asked)
        open_reader(server.url, folder=tmp_path).read(asking(30), what="")

    assert len(server.asked) - before == 1


def test_an_interrupted_run_goes_on_where_it_was(open_reader, tmp_path):
    def interrupting(what: str, done: int, of: int, left: float) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with loopback(answering) as server:
        with pytest.raises(KeyboardInterrupt):
            open_reader(server.url, folder=tmp_path, progress=interrupting).read(asking(30), what="history")
        before = len(server.asked)
        (series,) = open_reader(server.url, folder=tmp_path).read(asking(30), what="history")

    assert before == 2
    assert len(server.asked) == len(asking(30).pieces())
    assert len(series) == 30 * 1440 + 1


def test_questions_keep_to_the_rate(open_reader):
    with loopback(answering) as server:
        reader = open_reader(server.url, rate=20.0)
        began = time.monotonic()
        reader.read_all([asking(1), asking(2), asking(3), asking(4)], what="")

    assert len(server.asked) >= 5
    assert time.monotonic() - began >= (len(server.asked) - 1) / 20


def test_several_at_once_give_the_same_answers(open_reader):
    with loopback(answering) as server:
        one = open_reader(server.url).read_all([asking(30), asking(20)], what="")
        several = open_reader(server.url, at_once=4).read_all([asking(30), asking(20)], what="")

    assert all(np.array_equal(a.v, b.v) for mine, theirs in zip(one, several, strict=True) for a, b in zip(mine, theirs, strict=True))


def test_a_query_that_is_too_heavy_is_asked_in_halves(open_reader):
    def heavy(request) -> None:
        if steps(request) > 3000:
            request.say_json({"status": "error", "errorType": "execution", "error": "query processing would load too many samples"}, 422)
        else:
            answering(request)

    with loopback(heavy) as server:
        reader = open_reader(server.url)
        (series,) = reader.read(asking(7), what="")

    assert len(series) == 7 * 1440 + 1
    assert reader.tally.cut > 0


def test_a_query_that_is_too_heavy_however_short_is_named(open_reader):
    def heavy(request) -> None:
        request.say_json({"status": "error", "errorType": "execution", "error": "query processing would load too many samples"}, 422)

    with (
        loopback(heavy) as server,
        pytest.raises(QueryRejected, match=r"too many samples.*Even \d+ steps .* too heavy: rate\(requests_total"),
    ):
        open_reader(server.url).read(asking(7), what="")


def test_a_refused_query_is_not_asked_again(open_reader):
    def refusing(request) -> None:
        request.say_json({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400)

    with loopback(refusing) as server, pytest.raises(QueryRejected, match="parse error"):
        open_reader(server.url).read(asking(1), what="")

    assert len(server.asked) == 1


@pytest.mark.parametrize(("cached", "said"), [(True, "the same command goes on from there"), (False, "Nothing was kept")])
def test_a_source_that_is_away_ends_with_what_to_do(open_reader, monkeypatch, tmp_path, cached, said):
    monkeypatch.setattr("judge.calibrate.history_reader._PAUSE", 0.0)

    def broken(request) -> None:
        request.say(503, "busy")

    with loopback(broken) as server, pytest.raises(SourceUnreachable, match=said):
        open_reader(server.url, folder=tmp_path if cached else None).read(asking(1), what="")


@pytest.mark.parametrize("parquet", [pytest.param(True, id="parquet"), pytest.param(False, id="npz, without pyarrow")])
def test_what_the_cache_keeps_it_gives_back(tmp_path, monkeypatch, parquet):
    if not parquet:
        monkeypatch.setattr(cache_module, "find_spec", lambda name: None)
    elif importlib.util.find_spec("pyarrow") is None:
        pytest.skip("needs pyarrow")
    kept = Cache(tmp_path)
    series = [
        Series(t=np.array([1.0, 2.0]), v=np.array([0.5, np.inf]), labels={"pod": "a"}),
        Series(t=np.array([2.0]), v=np.array([7.0]), labels={"pod": "b"}),
    ]
    kept.write(["q", 1], series)
    kept.write(["nothing"], [])
    (one, other) = kept.read(["q", 1])

    assert (one.t.tolist(), one.v.tolist(), dict(one.labels)) == ([1.0, 2.0], [0.5, np.inf], {"pod": "a"})
    assert (other.t.tolist(), dict(other.labels)) == ([2.0], {"pod": "b"})
    assert kept.read(["nothing"]) == []
    assert kept.read(["unknown"]) is None
    assert not list(tmp_path.rglob("*.part"))


def test_a_broken_file_in_the_cache_is_asked_for_again(tmp_path):
    kept = Cache(tmp_path)
    kept.write(["q"], [])
    path = kept.path(["q"])
    assert path is not None
    path.write_bytes(b"cut off")

    assert kept.read(["q"]) is None


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="name another with --cache"):
        Cache(tmp_path / "file" / "inside")
