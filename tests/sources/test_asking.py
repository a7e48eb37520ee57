"""What is sent: the query, who asks, and in how many packets."""

from __future__ import annotations

import base64
import socket
import threading

import pytest

from tests.servers import loopback
from tests.sources.conftest import ask
from tests.sources.sockets import EMPTY, good, only


def test_the_query_travels_in_the_body(open_source):
    with loopback(good) as server:
        only(open_source(server.url), ask("sum(x) + " * 900 + "1"))

    (asked,) = server.asked
    assert (asked.command, asked.path) == ("POST", "/api/v1/query_range")
    assert asked.form["query"].startswith("sum(x) + sum(x)")
    assert {name: asked.form[name] for name in ("start", "end", "step")} == {"start": "1700000070", "end": "1700000100", "step": "15"}
    assert 4000 < int(asked.form["timeout"].removesuffix("ms")) <= 5000


def test_fractions_of_a_second_are_not_rounded_away(open_source):
    with loopback(lambda asked: asked.say_result("matrix", [])) as server:
        only(open_source(server.url), ask(start=1.25, end=2.5, step=0.25))

    assert [server.asked[0].form[name] for name in ("start", "end", "step")] == ["1.25", "2.5", "0.25"]


def test_one_connection_serves_many_questions(open_source):
    with loopback(good) as server:
        source = open_source(server.url, concurrency=1)
        for number in range(5):
            assert only(source, ask(f"m{number}")).problem is None

    assert len({asked.client_address for asked in server.asked}) == 1


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("userinfo", "settings", "expected"),
    [
        pytest.param("", {}, None, id="nothing"),
        pytest.param("me:p%40ss@", {}, basic("me", "p@ss"), id="from the address"),
        pytest.param("", {"username": "jürgen", "password": "päss"}, basic("jürgen", "päss"), id="from the settings"),
        pytest.param("me:old@", {"username": "me", "password": "new"}, basic("me", "new"), id="the settings win"),
        pytest.param("", {"bearer_token": "t0ken"}, "Bearer t0ken", id="bearer token"),
        pytest.param("", {"headers": {"Authorization": "Custom x"}}, "Custom x", id="header"),
    ],
)
def test_credentials_are_sent_and_never_others(open_source, tmp_path, monkeypatch, userinfo, settings, expected):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password netrc\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with loopback(good) as server:
        answer = only(open_source(server.url.replace("//", f"//{userinfo}"), **settings))

    assert answer.problem is None
    assert server.asked[0].headers["Authorization"] == expected


def test_proxies_of_the_environment_are_not_used(open_source, monkeypatch):
    with loopback(good) as server, loopback(good) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert only(open_source(server.url)).problem is None

    assert proxy.asked == []


def test_headers_are_sent(open_source):
    with loopback(good) as server:
        only(open_source(server.url, headers={"X-Scope-OrgID": "team"}))

    assert server.asked[0].headers["X-Scope-OrgID"] == "team"
    assert server.asked[0].headers["User-Agent"] == "canary-judge"


@pytest.mark.parametrize(
    ("settings", "asked"), [({}, "identity"), ({"compress": True}, "gzip"), ({"headers": {"accept-encoding": "br"}}, "br")]
)
def test_packed_answers_are_asked_for_where_the_settings_say_so(open_source, settings, asked):
    with loopback(good) as server:
        assert only(open_source(server.url, **settings)).problem is None

    assert server.asked[0].headers.get_all("Accept-Encoding") == [asked]


def test_head_and_body_of_a_question_leave_together(open_source):
    """Two packets would wake the server twice."""
    pieces = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def attend():
            connection, _ = listener.accept()
            with connection:
                pieces.append(connection.recv(65_536))
                connection.sendall(EMPTY)

        thread = threading.Thread(target=attend)
        thread.start()
        assert only(open_source(f"http://127.0.0.1:{listener.getsockname()[1]}")).problem is None
        thread.join()

    head, _, body = pieces[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/query_range HTTP/1.1\r\n")
    assert b"query=up" in body


def test_credentials_are_never_said(open_source):
    """Neither by us, nor where a server says them back."""

    def gossip(asked):
        words = f"you sent {asked.headers['Authorization']} and {asked.headers['X-Api-Key']}"
        asked.say_json({"status": "error", "errorType": "bad_data", "error": words}, status=400)

    with loopback(gossip) as server:
        url = server.url.replace("//", "//me:hunter2@")
        source = open_source(url, bearer_token="s3cret-token", headers={"X-Api-Key": "k3y-of-mine"})
        message = only(source).problem.message
        said = f"{message} {source.describe()} {source!r}"

    assert "refused the query: you sent Bearer *** and ***" in message
    for secret in ("hunter2", "s3cret-token", "k3y-of-mine"):
        assert secret not in said
    assert source.describe() == {"type": "prometheus", "url": server.url}
