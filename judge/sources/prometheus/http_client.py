"""An HTTP session that a server cannot hold up, flood, or send elsewhere.

`PrometheusConnect` takes any `requests.Session`. This one gives each question one
deadline for everything (connecting, asking again, reading), caps the answer's
size, follows no redirect, reads neither ``~/.netrc`` nor proxy variables, sends
the query in the body, and checks the answer before the client sees it, so that
warnings, the result type and the server's own words are kept.

Everything that goes wrong is raised as `SourceUnreachable` or `QueryRejected`,
with a message that goes on after the source's address (``did not answer …``).
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from judge.errors import QueryRejected, SourceUnreachable
from judge.sources.prometheus.response import Envelope, is_api_error, open_envelope

if TYPE_CHECKING:
    from collections.abc import Mapping

# Pauses in seconds before a question is asked a second and a third time.
PAUSES = (0.1, 0.3)
# Answers of a proxy or an overloaded server that another try may cure.
_PASSING = frozenset({429, 502, 503})
# Bytes of JSON that Python surely reads per second: nothing can interrupt it once it has begun.
_BYTES_READ_PER_SECOND = 12e6
_CHUNK = 65_536
# What to ask again is decided here, where the deadline is known.
_ONCE = Retry(total=False, redirect=False)
_SOON = 0.001


class Exchange:
    """One question: when it must be over, how far it came, and what was answered.

    Parameters
    ----------
    ends : float
        `time.monotonic()` at which everything must be over.
    seconds : float
        How long that was when the caller began to wait, for messages.
    connect_timeout, read_timeout : float
        Seconds for one connection, and for the server's silence in between.
    max_bytes : int
        The longest answer, after decompression.
    """

    def __init__(self, *, ends: float, seconds: float, connect_timeout: float, read_timeout: float, max_bytes: int) -> None:
        self.seconds = seconds
        self.ends = ends
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self.max_bytes = max_bytes
        self.received = 0
        self.envelope: Envelope | None = None
        self.headers: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._aborted = False

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, negative after it."""
        return self.ends - time.monotonic()

    @property
    def timeouts(self) -> tuple[float, float]:
        """What connecting and what a silence may take from now on, in seconds."""
        left = max(self.remaining, _SOON)
        return min(self.connect_timeout, left), min(self.read_timeout, left)

    def has_time_for(self, pause: float | None) -> bool:
        """Whether to ask again after a pause: there is one, and as much time again is left for the answer."""
        return pause is not None and self.remaining > 2 * pause

    def too_late(self) -> SourceUnreachable:
        """The error that says how far the answer had come."""
        within = f"within {self.seconds:.3g} s"
        if self.received:
            return SourceUnreachable(f"began to answer, but was not done {within} ({self.received:,} bytes had come)", outcome="late")
        return SourceUnreachable(f"did not answer {within}", outcome="late")

    def watch(self, sock: socket.socket | None) -> None:
        """From now on the answer comes through this socket."""
        with self._lock:
            if self._aborted:
                raise self.too_late()
            self._socket = sock

    def release(self) -> None:
        """The socket goes back to the pool: others may use it."""
        with self._lock:
            self._socket = None

    def abort(self) -> None:
        """End the exchange from another thread: whoever waits for its socket wakes up."""
        with self._lock:
            self._aborted = True
            if self._socket is not None:
                # Not SSLSocket.shutdown, which takes the TLS layer away under the reading thread.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


EXCHANGE: ContextVar[Exchange] = ContextVar("EXCHANGE")


class _Watched(HTTPConnection):
    """A connection that sends a question in one piece, and tells its exchange where the answer will come from."""

    _held: bytearray | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send head and body together: two packets cost both sides twice."""
        self._held = bytearray()
        try:
            super().request(*args, **kwargs)
            whole = bytes(self._held)
        finally:
            self._held = None
        self.send(whole)

    def send(self, data: Any) -> None:
        """Send, or keep until all of it is there."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 has it
        """Wait for the head of the answer."""
        EXCHANGE.get().watch(self.sock)
        return super().getresponse()


class _WatchedTLS(_Watched, HTTPSConnection):
    """The same over TLS."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom a TLS connection trusts, and who we are; paths of PEM files, empty where there is none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    anybody: bool = False

    def missing(self) -> str | None:
        """The first of these files that is not there: TLS itself would not say which."""
        return next((path for path in (self.ca, self.certificate, self.key) if path and not os.path.exists(path)), None)  # noqa: PTH110


def _connections(address: SplitResult, *, most: int, trust: Trust) -> HTTPConnectionPool:
    """Connections to one server, kept open for the next question."""
    if address.hostname is None:
        raise SourceUnreachable("cannot be asked: the address names no host")
    if address.scheme == "http":
        return _HTTPPool(address.hostname, address.port, maxsize=most)
    ca = trust.ca or DEFAULT_CA_BUNDLE_PATH
    return _HTTPSPool(
        address.hostname,
        address.port,
        maxsize=most,
        cert_reqs="CERT_NONE" if trust.anybody else "CERT_REQUIRED",
        ca_certs=None if os.path.isdir(ca) else ca,  # noqa: PTH112 - as text, like the rest here
        ca_cert_dir=ca if os.path.isdir(ca) else None,  # noqa: PTH112
        cert_file=trust.certificate or None,
        key_file=trust.key or None,
    )


def _read(raw: BaseHTTPResponse, exchange: Exchange) -> bytes:
    """Take the answer as it comes (`read1`: a full chunk may never come), until it ends or is too long or late."""
    body = bytearray()
    while chunk := raw.read1(_CHUNK, decode_content=True):
        body += chunk
        exchange.received = len(body)
        if len(body) > exchange.max_bytes:
            raise QueryRejected(
                f"answered with more than {exchange.max_bytes:,} bytes (max_bytes): "
                "aggregate more, or take a longer step or a shorter window"
            )
        if exchange.remaining <= 0:
            raise exchange.too_late()
    return bytes(body)


class Reply(requests.Response):
    """An answer of status 200 whose JSON was read and checked already."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.status_code = 200
        self.document = document

    def json(self, **_: Any) -> Any:
        """The document; it is not parsed a second time."""
        return self.document


class BoundedSession(requests.Session):
    """A session for `PrometheusConnect`; the exchange of the moment is in `EXCHANGE`.

    It speaks to one server over urllib3 itself. What `requests` does around each request (cookies, hooks, proxies and
    ``~/.netrc`` of the environment, redirects) is not wanted here, and would take more time than the rest of the question.

    Parameters
    ----------
    url : str
        The source's address, without credentials.
    headers : mapping
        Sent with every question.
    connections : int
        How many are kept open.
    trust : Trust
        For ``https``.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], connections: int, trust: Trust) -> None:
        super().__init__()
        self.trust_env = False
        address = urlsplit(url)
        self._origin = urlunsplit((address.scheme, address.netloc, "", "", ""))
        # Names of headers are the same in any case.
        self._headers = dict(HTTPHeaderDict({**headers, "Content-Type": "application/x-www-form-urlencoded"}))
        self._trust = trust
        self._connections = _connections(address, most=connections, trust=trust)

    def close(self) -> None:
        """Let go of every connection."""
        super().close()
        self._connections.close()

    def request(self, method: str | bytes, url: str | bytes, params: Any = None, data: Any = None, **_: Any) -> Reply:  # type: ignore[override]
        """Ask, again where that is safe, and answer only what is a good answer.

        The client puts the query in the address; it is sent in the body, since many a proxy refuses an address of some
        thousand characters.

        Raises
        ------
        SourceUnreachable
            There is no answer in time, or it comes from something that is no query API.
        QueryRejected
            The server refused the query, or the answer is too long.
        """
        exchange = EXCHANGE.get()
        missing = self._trust.missing()
        if missing is not None:
            raise SourceUnreachable(f"cannot be asked: there is no file {missing}")
        target = str(url).removeprefix(self._origin)
        body = urlencode(params if data is None else data).encode()
        for pause in (*PAUSES, None):
            try:
                status, answer = self._ask(str(method), target, body, exchange)
            except _Unanswered as failure:
                if not (failure.may_pass and exchange.has_time_for(pause)):
                    raise _explain(failure, exchange) from failure.error
            else:
                if status not in _PASSING or _was_tried(status, answer) or not exchange.has_time_for(pause):
                    return self._reply(status, answer, exchange)
            time.sleep(pause or 0)
        raise AssertionError("unreachable: after the last pause nothing is asked again")  # pragma: no cover

    def _ask(self, method: str, target: str, body: bytes, exchange: Exchange) -> tuple[int, bytes]:
        """Ask once: status and whole body of the answer."""
        connecting, reading = exchange.timeouts
        begun = False
        try:
            response = self._connections.urlopen(
                method,
                target,
                body=body,
                headers={**self._headers, **exchange.headers},
                retries=_ONCE,
                redirect=False,
                timeout=Timeout(connect=connecting, read=reading),
                preload_content=False,
            )
            begun = True
            with contextlib.closing(response):  # a rest must not reach the next question on this connection
                return response.status, _read(response, exchange)
        except (HTTPError, OSError) as error:
            raise _Unanswered(error, begun=begun) from error
        finally:
            exchange.release()

    @staticmethod
    def _reply(status: int, body: bytes, exchange: Exchange) -> Reply:
        if exchange.remaining < len(body) / _BYTES_READ_PER_SECOND:
            raise exchange.too_late()
        exchange.envelope = open_envelope(status, body)
        return Reply(exchange.envelope.document)


def _was_tried(status: int, answer: bytes) -> bool:
    """Whether the server itself took the query up and failed; a 429 in its own words (Mimir's full queue) says that it did not."""
    return status != HTTPStatus.TOO_MANY_REQUESTS and is_api_error(answer)


class _Unanswered(Exception):
    """One try came to nothing, before or after the answer had begun."""

    def __init__(self, error: Exception, *, begun: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.begun = begun

    @property
    def may_pass(self) -> bool:
        """Whether another try may do better: the connection was refused, or broke before an answer. A time-out has had its time."""
        return not self.begun and isinstance(self.error, (NewConnectionError, ProtocolError))


def _explain(failure: _Unanswered, exchange: Exchange) -> SourceUnreachable:
    """Say in plain words what kept the source from answering."""
    error = failure.error
    if exchange.remaining <= 0:
        return exchange.too_late()
    if isinstance(error, (SSLError, ssl.SSLError)):
        return SourceUnreachable(f"has a TLS problem: {_root(error)}", outcome="tls")
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return SourceUnreachable(f"did not accept a connection within {exchange.connect_timeout:.3g} s", outcome="late")
    if isinstance(error, (TimeoutError, UrllibTimeoutError)) and not isinstance(error, NewConnectionError):
        return SourceUnreachable(f"was silent for {exchange.read_timeout:.3g} s ({exchange.received:,} bytes had come)", outcome="late")
    if failure.begun:
        return SourceUnreachable(f"broke the answer off after {exchange.received:,} bytes")
    # A connection that was there and broke is another trouble than one that was never made.
    made = isinstance(error, HTTPError) and not isinstance(error, NewConnectionError)
    return SourceUnreachable(f"cannot be reached: {_root(error)}", outcome="broken" if made else "unreachable")


def _root(error: BaseException) -> str:
    """The words of the operating system, deepest in the chain of causes, else of the error itself."""
    words = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            words = cause.strerror
        elif isinstance(cause, ConnectionError) and cause.args and isinstance(cause.args[0], str):
            words = cause.args[0]
        cause = cause.__cause__ or cause.__context__
    return " ".join(words.split())[:200]
