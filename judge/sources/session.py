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
import socket
import threading
import time
from contextvars import ContextVar
from io import BytesIO
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from judge.errors import QueryRejected, SourceUnreachable
from judge.sources.results import Envelope, is_api_error, open_envelope

if TYPE_CHECKING:
    from collections.abc import Mapping

# Pauses in seconds before a question is asked a second and a third time.
PAUSES = (0.1, 0.3)
# Answers of a proxy or an overloaded server that another try may cure.
_PASSING = frozenset({429, 502, 503})
# Bytes of JSON that Python surely reads per second: nothing can interrupt it once it has begun.
_BYTES_READ_PER_SECOND = 12e6
_CHUNK = 65_536
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
            return SourceUnreachable(f"began to answer, but was not done {within} ({self.received:,} bytes had come)")
        return SourceUnreachable(f"did not answer {within}")

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


class _WatchedHTTP(HTTPConnection):
    """A connection that tells its exchange where the answer will come from."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 has it
        """Wait for the head of the answer."""
        EXCHANGE.get().watch(self.sock)
        return super().getresponse()


class _WatchedHTTPS(HTTPSConnection):
    """The same over TLS."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 has it
        """Wait for the head of the answer."""
        EXCHANGE.get().watch(self.sock)
        return super().getresponse()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class BoundedAdapter(HTTPAdapter):
    """Reads each answer whole, inside its exchange's deadline and size."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:  # noqa: FBT001, FBT002 - requests' own
        """Make pools of connections that can be aborted."""
        super().init_poolmanager(connections, maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send the request, and answer a response whose body is in memory."""
        exchange = EXCHANGE.get()
        kwargs.update(stream=True, timeout=exchange.timeouts)
        try:
            response = super().send(request, *args, **kwargs)
            with contextlib.closing(response.raw):  # a rest must not reach the next question on this connection
                body = _read(response.raw, exchange)
        finally:
            exchange.release()
        # requests takes the body from `raw` when it is asked for: give it one that is all there.
        response.raw = HTTPResponse(body=BytesIO(body), status=response.status_code, preload_content=False)
        return response


def _read(raw: HTTPResponse, exchange: Exchange) -> bytes:
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

    Mount a `BoundedAdapter` on the source's URL after the client was made: its
    constructor mounts one of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, method: str | bytes, url: str | bytes, params: Any = None, data: Any = None, **kwargs: Any) -> Reply:  # type: ignore[override]
        """Ask, again where that is safe, and answer only what is a good answer.

        Raises
        ------
        SourceUnreachable
            There is no answer in time, or it comes from something that is no query API.
        QueryRejected
            The server refused the query, or the answer is too long.
        """
        exchange = EXCHANGE.get()
        if str(method).upper() == "POST" and data is None:
            # The client puts the query in the address, and many a proxy refuses an address of some thousand characters.
            data, params = params, None
        kwargs.update(allow_redirects=False, stream=True)
        for pause in (*PAUSES, None):
            try:
                response = super().request(method, url, params=params, data=data, **kwargs)
            except (requests.RequestException, HTTPError, OSError) as error:
                if not (_may_pass(error) and exchange.has_time_for(pause)):
                    raise _explain(error, exchange) from error
            else:
                body = response.content
                if response.status_code not in _PASSING or is_api_error(body) or not exchange.has_time_for(pause):
                    return self._reply(response.status_code, body, exchange)
            time.sleep(pause or 0)
        raise AssertionError("unreachable: after the last pause nothing is asked again")  # pragma: no cover

    @staticmethod
    def _reply(status: int, body: bytes, exchange: Exchange) -> Reply:
        if exchange.remaining < len(body) / _BYTES_READ_PER_SECOND:
            raise exchange.too_late()
        exchange.envelope = open_envelope(status, body)
        return Reply(exchange.envelope.document)


def _may_pass(error: Exception) -> bool:
    """A connection that was refused or broke before an answer; a time-out has had its time."""
    if isinstance(error, (requests.exceptions.SSLError, requests.Timeout, requests.exceptions.ChunkedEncodingError)):
        return False
    return isinstance(error, requests.ConnectionError)


def _explain(error: Exception, exchange: Exchange) -> SourceUnreachable:
    """Say in plain words what kept the source from answering."""
    if exchange.remaining <= 0:
        return exchange.too_late()
    if isinstance(error, requests.exceptions.SSLError):
        return SourceUnreachable(f"has a TLS problem: {_root(error)}")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return SourceUnreachable(f"did not accept a connection within {exchange.connect_timeout:.3g} s")
    if isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in str(error):
        return SourceUnreachable(f"was silent for {exchange.read_timeout:.3g} s ({exchange.received:,} bytes had come)")
    if isinstance(error, (HTTPError, requests.exceptions.ChunkedEncodingError)):
        return SourceUnreachable(f"broke the answer off after {exchange.received:,} bytes")
    if isinstance(error, requests.ConnectionError):
        return SourceUnreachable(f"cannot be reached: {_root(error)}")
    return SourceUnreachable(f"cannot be asked: {_root(error)}")


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
