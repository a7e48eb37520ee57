"""Servers that behave badly on a real socket, and what a source makes of their answer."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

from judge.core.model import Classification
from judge.sources import Query
from tests.servers import Asked
from tests.sources.conftest import END, ask

DEADLINE = 0.5
SLACK = 60.0
"""A guard against a hang, however busy the machine: without a deadline these servers keep a caller for minutes."""


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
        time.sleep(600)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EMPTY = b'HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n{"status":"success","data":{"resultType":"matrix","result":[]}}'
