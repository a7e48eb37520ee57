"""What can go wrong on the way, against sockets that really do it."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack

import pytest

from judge.core.model import Classification
from tests.servers import free_port, loopback
from tests.sources.sockets import CHUNKED, HEAD, accepting, assert_nodata, drip, good, only, stall, take_request, timed


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
    assert time.monotonic() - began < 60


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


def test_a_query_that_found_the_queue_full_is_asked_again(open_source):
    """Mimir says so in the query API's own JSON; nothing was run."""
    full = {"status": "error", "errorType": "too_many_requests", "error": "too many outstanding requests"}
    with loopback(lambda asked: good(asked) if len(server.asked) == 3 else asked.say_json(full, status=429)) as server:
        answer = only(open_source(server.url))

    assert answer.problem is None
    assert len(server.asked) == 3


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


def test_workers_forked_after_the_first_question_have_connections_of_their_own():
    """Gunicorn loads the service and then forks; threads and sockets do not survive that."""
    program = """
        import os, sys
        from judge.sources.prometheus.settings import PrometheusSettings
        from judge.sources.prometheus.source import PrometheusSource
        from tests.servers import loopback
        from tests.sources.sockets import good, only

        with loopback(good) as server:
            source = PrometheusSource(PrometheusSettings(url=server.url))
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
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], check=True, timeout=600)
