"""What can go wrong on the way, against sockets that really do it."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from judge.core.model import Classification
from judge.sources import Query
from tests.servers import Asked, free_port, loopback, require
from tests.sources.conftest import END, ask

DEADLINE = 0.5
SLACK = 0.2


def good(asked: Asked) -> None:
    asked.say_result("matrix", [{"metric": {"pod": "a"}, "values": [[END - 30, "1"], [END - 15, "2"], [END, "3"]]}])


def only(source, query: Query | None = None, *, deadline: float = 5.0):
    (answer,) = source.fetch([ask() if query is None else query], deadline=deadline)
    return answer


def timed(source, *, deadline: float = DEADLINE):
    """One answer, which must have come in time."""
    began = time.monotonic()
    answer = only(source, deadline=deadline)
    assert time.monotonic() - began < deadline + SLACK
    return answer


def assert_nodata(answer, words: str) -> None:
    assert answer.series == ()
    assert answer.problem.classification is Classification.NODATA
    assert words in answer.problem.message


def take_request(connection) -> None:
    """Read one request to its end: a socket closed over unread bytes takes the answer with it."""
    with connection.makefile("rb") as stream:
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        stream.read(length)


@contextmanager
def accepting(behave):
    """A raw TCP server on loopback; `behave(connection)` runs in a thread for each connection, after the request came."""
    connections = []

    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    def attend(connection):
        try:
            take_request(connection)
            behave(connection)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()


def drip(what: bytes):
    def behave(connection):
        for byte in what:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    return behave


def stall(what: bytes):
    def behave(connection):
        connection.sendall(what)
        time.sleep(30)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        pytest.param(stall(b""), "did not answer within 0.5 s", id="never answers"),
        pytest.param(drip(HEAD), "did not answer within 0.5 s", id="drips its head"),
        pytest.param(stall(HEAD[:20]), "did not answer within 0.5 s", id="stops in its head"),
        pytest.param(
            lambda c: (c.sendall(HEAD), drip(b"{" * 100)(c)), "began to answer, but was not done within 0.5 s", id="drips its body"
        ),
        pytest.param(stall(HEAD + b'{"status"'), "not done within 0.5 s (9 bytes had come)", id="stops in its body"),
        pytest.param(lambda c: (c.sendall(CHUNKED), drip(b"1\r\n{\r\n" * 50)(c)), "not done within 0.5 s", id="drips chunks"),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(open_source, behave, words):
    with accepting(behave) as url:
        answer = timed(open_source(url))

    assert_nodata(answer, words)
    assert answer.problem.message.startswith(url)


@pytest.mark.parametrize("behave", [stall(b""), drip(HEAD), stall(HEAD + b"{"), drip(HEAD + b"{" * 900)])
def test_a_slow_answer_does_not_keep_a_thread(open_source, behave):
    """With one thread, the next question is answered only when the first one's thread was set free."""
    calls = iter([behave])
    reply = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()

    def first_slow(connection):
        slow = next(calls, None)
        if slow is not None:
            slow(connection)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(reply), reply))

    with accepting(first_slow) as url:
        source = open_source(url, concurrency=1, read_timeout=20)
        assert timed(source, deadline=0.3).problem is not None
        assert timed(source, deadline=0.5).problem is None


def test_silence_ends_at_the_read_timeout_when_that_comes_first(open_source):
    with accepting(stall(b"")) as url:
        answer = only(open_source(url, read_timeout=0.2))

    assert_nodata(answer, "was silent for 0.2 s")


def test_a_dead_host_costs_one_connect_timeout(open_source):
    with ExitStack() as stack:
        # A full backlog drops what knocks, as a dead host does.
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        began = time.monotonic()
        answer = only(open_source(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.3))

    assert_nodata(answer, "did not accept a connection within 0.3 s")
    assert time.monotonic() - began < 0.6


def test_a_refused_connection_says_so(open_source):
    answer = timed(open_source(f"http://127.0.0.1:{free_port()}"), deadline=2)

    assert_nodata(answer, "cannot be reached: Connection refused")


def test_an_unknown_host_says_so(open_source):
    assert_nodata(only(open_source("http://no-such-host.invalid:9090")), "cannot be reached: ")


def test_a_server_that_comes_back_is_asked_again(open_source):
    port = free_port()
    source = open_source(f"http://127.0.0.1:{port}")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(only(source)))
    asking.start()
    time.sleep(0.15)
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(5)
        connection, _ = listener.accept()
        with connection:
            take_request(connection)
            body = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            asking.join()

    assert answers[0].problem is None


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        pytest.param(lambda c: c.close(), "cannot be reached: ", id="hangs up"),
        pytest.param(lambda c: (c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), c.close()), "cannot be reached: ", id="speaks no HTTP"),
        pytest.param(lambda c: (c.sendall(HEAD + b'{"sta'), c.close()), "broke the answer off after 5 bytes", id="breaks off"),
        pytest.param(lambda c: (c.sendall(CHUNKED + b"5\r\n{"), c.close()), "broke the answer off after", id="breaks off in a chunk"),
    ],
)
def test_a_broken_answer_says_so(open_source, behave, words):
    with accepting(behave) as url:
        assert_nodata(only(open_source(url)), words)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_passing_refusal_is_asked_again_twice(open_source, status):
    with loopback(lambda asked: asked.say(status, "busy")) as server:
        answer = only(open_source(server.url))

    assert_nodata(answer, f"answered {status} ")
    assert answer.problem.message.endswith(": busy")
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [500, 504, 404, 401])
def test_other_refusals_are_not_asked_again(open_source, status):
    with loopback(lambda asked: asked.say(status, "no")) as server:
        only(open_source(server.url))

    assert len(server.asked) == 1


def test_a_heavy_query_is_not_run_again(open_source):
    """Prometheus answers 503 for a query that timed out: asking again would multiply the load."""
    timed_out = {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}
    with loopback(lambda asked: asked.say_json(timed_out, status=503)) as server:
        answer = only(open_source(server.url))

    assert_nodata(answer, "gave the query up: query timed out in expression evaluation")
    assert len(server.asked) == 1


def test_the_third_try_may_succeed(open_source):
    with loopback(lambda asked: good(asked) if len(server.asked) == 3 else asked.say(502, "")) as server:
        answer = only(open_source(server.url))

    assert answer.problem is None
    assert answer.series[0].v.tolist() == [1, 2, 3]


def test_another_try_never_begins_after_the_deadline(open_source):
    with loopback(lambda asked: (time.sleep(0.15), asked.say(503, ""))) as server:
        timed(open_source(server.url), deadline=0.25)
        time.sleep(0.3)

    assert len(server.asked) == 1


def test_a_redirect_is_not_followed(open_source):
    with loopback(good) as elsewhere, loopback(lambda asked: asked.say(307, "", Location=f"{elsewhere.url}/api/v1/query_range")) as server:
        answer = only(open_source(server.url, headers={"X-Scope-OrgID": "team"}))

    assert_nodata(answer, "redirects elsewhere (307 Temporary Redirect), which is not followed")
    assert elsewhere.asked == []


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_answer_beyond_the_cap_is_refused(open_source, packed):
    body = b" " * 3_000_000
    headers = {"Content_Encoding": "gzip"} if packed else {}
    with loopback(lambda asked: asked.say(200, gzip.compress(body) if packed else body, **headers)) as server:
        answer = only(open_source(server.url, max_bytes=1_000_000))

    assert answer.problem.classification is Classification.ERROR
    assert "answered with more than 1,000,000 bytes (max_bytes): aggregate more" in answer.problem.message


def test_an_answer_too_long_to_be_read_in_time_is_left(open_source):
    """Parsing cannot be interrupted, so it must not begin when it cannot end."""
    body = b"[" + b"1," * 10_000_000 + b"1]"
    with loopback(lambda asked: asked.say(200, body)) as server:
        answer = timed(open_source(server.url, max_bytes=64 * 2**20), deadline=1.0)

    assert_nodata(answer, "not done within 1 s (20,000,003 bytes had come)")


def test_gzip_and_chunks_are_read(open_source):
    def answer(asked):
        body = gzip.compress(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode())
        asked.send_response(200)
        asked.send_header("Transfer-Encoding", "chunked")
        asked.send_header("Content-Encoding", "gzip")
        asked.end_headers()
        for byte in body:
            asked.wfile.write(b"1\r\n%c\r\n" % byte)
        asked.wfile.write(b"0\r\n\r\n")

    with loopback(answer) as server:
        assert only(open_source(server.url)).problem is None


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1."""
    openssl = require("openssl", "openssl")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=digitalSignature,keyCertSign"]
    subprocess.run(
        [openssl, *command.split(), *extensions, "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@contextmanager
def over_tls(certificate, behave):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def wrapped(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            take_request(tls)
            behave(tls)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

        def quietly(connection):
            try:
                wrapped(connection)
            except OSError:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


EMPTY = b'HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n{"status":"success","data":{"resultType":"matrix","result":[]}}'


def test_an_unknown_certificate_is_refused(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert_nodata(only(open_source(url)), "has a TLS problem: ")


def test_a_certificate_of_our_own_authority_is_accepted(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert only(open_source(url, ca_file=str(certificate.with_suffix(".crt")))).problem is None


def test_a_missing_authority_file_says_so(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert_nodata(only(open_source(url, ca_file="/no/such/file")), "/no/such/file")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_an_unknown_certificate_may_be_accepted_by_the_settings(open_source, certificate):
    with over_tls(certificate, lambda tls: tls.sendall(EMPTY)) as url:
        assert only(open_source(url, insecure=True)).problem is None


def test_a_slow_server_is_left_at_the_deadline_over_tls_too(open_source, certificate):
    behaviours = iter([drip(HEAD), lambda tls: tls.sendall(EMPTY)])

    def first_slow(tls):
        next(behaviours)(tls)

    with over_tls(certificate, first_slow) as url:
        source = open_source(url, ca_file=str(certificate.with_suffix(".crt")), concurrency=1, read_timeout=20)
        assert_nodata(timed(source), "did not answer within 0.5 s")
        assert only(source, deadline=2).problem is None


def test_workers_forked_after_the_first_question_have_connections_of_their_own():
    """Gunicorn loads the service and then forks; threads and sockets do not survive that."""
    program = """
        import os, sys
        from judge.settings import SourceSettings
        from judge.sources.prometheus import PrometheusSource
        from tests.servers import loopback
        from tests.sources.test_session import good, only

        with loopback(good) as server:
            source = PrometheusSource(SourceSettings(url=server.url))
            assert only(source).problem is None
            workers = []
            for _ in range(2):
                worker = os.fork()
                if not worker:
                    status = 1
                    try:
                        status = int(any(only(source).problem is not None for _ in range(3)))
                    finally:
                        os._exit(status)
                workers.append(worker)
            statuses = [os.waitpid(worker, 0)[1] for worker in workers]
            assert only(source).problem is None
            source.close()
            assert statuses == [0, 0], statuses
            assert len(server.asked) == 8
            assert len({asked.client_address for asked in server.asked}) == 3
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], check=True, timeout=30)
