"""Series from Prometheus, or from anything that speaks its query API.

All queries of a verdict are asked at once, inside one deadline, through
`prometheus_api_client` on a session of our own (`judge.sources.prometheus.http_client`). What
comes back is read by `judge.sources.prometheus.response`; repetitions of a dead series' last
value are taken out by `judge.sources.prometheus.staleness`.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from base64 import b64encode
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3 import HTTPHeaderDict

from judge.config.secrets import blot
from judge.core.model import Classification, Floats, Problem, Series
from judge.core.templates import PROMQL
from judge.errors import QueryRejected, SourceError, SourceUnreachable
from judge.observer import observer
from judge.sources import Answer, Query, Source
from judge.sources.circuit_breaker import Breaker
from judge.sources.prometheus.http_client import EXCHANGE, BoundedSession, Exchange, Trust
from judge.sources.prometheus.response import check_labels, drop_nan, join, label_text, read_series, shorten
from judge.sources.prometheus.staleness import drop_carried, selects_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from judge.sources.prometheus.settings import PrometheusSettings


# Prometheus refuses a range query of more steps.
MAX_STEPS = 11_000
# Seconds after the deadline in which a thread may still say why it has no answer.
_GRACE = 0.1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Question:
    """What makes two queries the same question."""

    text: str
    start: float
    end: float
    step: float
    instant: bool
    verbatim: bool
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of a question's window, on its way."""

    exchange: Exchange
    future: Future[tuple[Series, ...]]


class PrometheusSource(Source):
    """A Prometheus server, behind an address that may hold a path and credentials.

    Threads and connections are made at the first `fetch` of each process, so a
    source may be opened before a server forks its workers. Safe to share between threads.
    """

    language = PROMQL

    def __init__(self, settings: PrometheusSettings, name: str = "default") -> None:
        self._settings, self._name = settings, name
        self._url, username, password = split_credentials(settings.url)
        self._auth = (settings.username, settings.password) if settings.username else (username, password)
        self._secrets = settings.secrets
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._pid = 0
        self._pool: ThreadPoolExecutor
        self._client: PrometheusConnect

    def describe(self) -> Mapping[str, Any]:
        """Say what is asked; the address is without credentials."""
        return {"type": self._settings.type, "url": self._url}

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer all queries, in order, at most 0.2 s after `deadline` seconds from now.

        Every question is asked once, however many queries ask it. Never raises
        for what a server can do wrong. A server that failed again and again is left
        alone for a while (`judge.sources.circuit_breaker`).
        """
        ends = time.monotonic() + deadline
        left_alone = self._breaker.refusal(time.monotonic(), patience=deadline + 1.0)
        if left_alone is not None:
            observer().asked(self._name, {"skipped": len(queries)}, circuit=self._breaker.state)
            problem = Problem(classification=Classification.NODATA, message=f"{self._url} {left_alone}")
            return [Answer(query=query, problem=problem) for query in queries]
        if self._breaker.state != "closed":
            observer().asked(self._name, {}, circuit="half-open")
        pool = self._ready()
        asked: dict[_Question, list[_Part] | QueryRejected] = {}
        firsts: dict[_Question, Query] = {}
        for query in queries:
            question = _question(query)
            if question not in asked:
                firsts[question] = query
                try:
                    spans = self._spans(question)
                except QueryRejected as refusal:
                    asked[question] = refusal
                else:
                    asked[question] = [self._submit(pool, question, span, ends=ends, seconds=deadline) for span in spans]
        parts = [part for those in asked.values() if isinstance(those, list) for part in those]
        observer().under_way(self._name, len(parts))
        wait([part.future for part in parts], timeout=max(0.0, ends + _GRACE - time.monotonic()))
        for part in parts:
            if not part.future.done() and not part.future.cancel():
                part.exchange.abort()
        self._remember(parts)
        self._tell(parts, refused=sum(isinstance(those, QueryRejected) for those in asked.values()))
        first = {question: self._gather(query, question, asked[question]) for question, query in firsts.items()}
        return [replace(first[_question(query)], query=query) for query in queries]

    @property
    def state(self) -> str:
        """State of the circuit: ``closed`` while the server answers."""
        return self._breaker.state

    def _remember(self, parts: Sequence[_Part]) -> None:
        """Tell the circuit whether the server answered anything at all; a refused query is an answer."""
        if not parts:
            return
        errors = [_error(part) for part in parts]
        if any(error is None or isinstance(error, QueryRejected) for error in errors):
            self._breaker.succeeded()
        else:
            self._breaker.failed(time.monotonic(), self._clean(str(errors[0])))

    def _tell(self, parts: Sequence[_Part], *, refused: int) -> None:
        """Tell who looks on what became of the queries; `refused` ones were not sent."""
        told = Counter(_outcome(part) for part in parts)
        if refused:
            told["refused"] += refused
        observer().under_way(self._name, -len(parts))
        observer().asked(self._name, told, circuit=self._breaker.state)

    def close(self) -> None:
        """Give threads and connections back; the next `fetch` makes new ones."""
        with self._lock:
            if self._pid == os.getpid():
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._client.close()
            self._pid = 0

    def _ready(self) -> ThreadPoolExecutor:
        """Threads and connections of this process: neither outlives a fork."""
        with self._lock:
            if self._pid != os.getpid():
                self._client = self._connect()
                self._pool = ThreadPoolExecutor(max_workers=self._settings.concurrency, thread_name_prefix="prometheus")
                self._pid = os.getpid()
            return self._pool

    def _connect(self) -> PrometheusConnect:
        settings = self._settings
        # Packing takes a server longer than working out the answer, and a cluster's network does not need it.
        headers = HTTPHeaderDict({"User-Agent": "canary-judge", "Accept-Encoding": "gzip" if settings.compress else "identity"})
        for name, value in settings.headers.items():
            headers[name] = value
        if settings.bearer_token:
            headers["Authorization"] = f"Bearer {settings.bearer_token}"
        elif self._auth[0]:
            headers["Authorization"] = "Basic " + b64encode(":".join(self._auth).encode()).decode()
        trust = Trust(ca=settings.ca_file, certificate=settings.cert_file, key=settings.key_file, anybody=settings.insecure)
        session = BoundedSession(self._url, headers=headers, connections=settings.concurrency, trust=trust)
        return PrometheusConnect(url=self._url, session=session, method="POST")

    def _spans(self, question: _Question) -> list[tuple[float, float]]:
        """Cut the window into parts that Prometheus answers, without a common sample."""
        settings = self._settings
        if len(question.text) > settings.max_query_length:
            raise QueryRejected(
                f"was not asked: the query is {len(question.text):,} characters long, "
                f"more than {settings.max_query_length:,} (max_query_length)"
            )
        if not question.text.strip():
            raise QueryRejected("was not asked: the query is empty")
        if question.instant:
            return [(question.end, question.end)]
        start, end, step = question.start, question.end, question.step
        if not (math.isfinite(start) and math.isfinite(end) and step > 0 and start <= end):
            raise QueryRejected(f"was not asked: from {start} to {end} in steps of {step} s is no window")
        count = round((end - start) / step) + 1
        if count > settings.max_points:
            raise QueryRejected(
                f"was not asked: {count:,} points in steps of {step:g} s are more than {settings.max_points:,} (max_points): "
                "take a longer step or a shorter window"
            )
        return [(start + first * step, start + min(first + MAX_STEPS, count) * step - step) for first in range(0, count, MAX_STEPS)]

    def _submit(self, pool: ThreadPoolExecutor, question: _Question, span: tuple[float, float], *, ends: float, seconds: float) -> _Part:
        settings = self._settings
        exchange = Exchange(
            ends=ends,
            seconds=seconds,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_bytes=settings.max_bytes,
        )
        return _Part(exchange=exchange, future=pool.submit(copy_context().run, self._ask, question, span, exchange))

    def _ask(self, question: _Question, span: tuple[float, float], exchange: Exchange) -> tuple[Series, ...]:
        """Ask for one part; runs in a thread of the pool."""
        before = EXCHANGE.set(exchange)
        try:
            if exchange.remaining <= 0:
                raise exchange.too_late()
            with observer().question(self._name, question.text, system=self._settings.type) as exchange.headers:
                result = self._result(question, span, exchange)
            if exchange.envelope is None:
                raise SourceUnreachable("did not answer")
            series = read_series(exchange.envelope.result_type, result, instant_at=question.end if question.instant else None)
            check_labels(series, max_series=self._settings.max_series)
            return series
        except SourceError:
            raise
        except PrometheusApiClientException as error:
            raise SourceUnreachable(f"is not understood by prometheus-api-client: {shorten(str(error))}") from error
        except Exception as error:
            # Whatever it sent, the other metrics' answers must not be lost for it.
            _LOG.exception("could not read the answer of %s", self._url)
            raise SourceUnreachable(
                f"sent an answer that could not be read ({type(error).__name__}: {shorten(str(error), 120)})"
            ) from error
        finally:
            EXCHANGE.reset(before)

    def _result(self, question: _Question, span: tuple[float, float], exchange: Exchange) -> Any:
        """`data.result`, as the client answers it."""
        # The server, too, stops when nobody waits for the answer any more.
        params = {"timeout": f"{max(1, math.ceil(exchange.remaining * 1000))}ms"}
        if question.instant:
            return self._client.custom_query(question.text, params={"time": _decimal(question.end), **params})
        start, end = span
        return self._client.custom_query_range(
            question.text,
            start_time=datetime.fromtimestamp(start, UTC),
            end_time=datetime.fromtimestamp(end, UTC),
            step=_decimal(question.step),
            # The client rounds both times to whole seconds; these, which it lets win, are exact.
            params={"start": _decimal(start), "end": _decimal(end), **params},
        )

    def _gather(self, query: Query, question: _Question, parts: list[_Part] | QueryRejected) -> Answer:
        """What the parts of one question come to."""
        if isinstance(parts, QueryRejected):
            return self._failed(query, [parts])
        errors = [error for part in parts if (error := _error(part)) is not None]
        if errors:
            return self._failed(query, errors)
        envelopes = [part.exchange.envelope for part in parts if part.exchange.envelope is not None]
        said = [warning for envelope in envelopes for warning in envelope.warnings]
        partial = any(envelope.partial for envelope in envelopes)
        if partial and self._settings.partial == "refuse":
            return self._failed(query, [SourceUnreachable(f"answered in part only: {'; '.join(dict.fromkeys(said))}")])
        warnings = [f"{self._url} warns: {self._clean(words)}" for words in dict.fromkeys(said)]
        try:
            joined = join([part.future.result() for part in parts])
            check_labels(joined, max_series=self._settings.max_series)
        except QueryRejected as refusal:
            return self._failed(query, [refusal])
        series, ours = self._samples(question, joined)
        return Answer(query=query, series=series, warnings=(*warnings, *ours), partial=partial)

    def _samples(self, question: _Question, series: Sequence[Series]) -> tuple[tuple[Series, ...], list[str]]:
        """Take out what is no sample, and say so."""
        if question.verbatim:
            return tuple(series), []
        kept: list[Series] = []
        nothing: list[Series] = []
        dropped: list[Floats] = []
        carries = not question.instant and selects_instant(question.text)
        for one in series:
            alive = one
            if carries:
                alive, count = drop_carried(one, step=question.step, end=question.end, lookback=self._settings.lookback)
                if count:
                    dropped.append(np.setdiff1d(one.t, alive.t))
            # No events and an unknown number of them are two things: NaN stays, and takes its requests out of what is compared.
            numbers = alive if question.counts else drop_nan(alive)
            if len(numbers):
                kept.append(numbers)
            elif len(alive):
                nothing.append(alive)
        return tuple(kept), [*_tell_dropped(dropped), *_tell_nan(nothing, of=len(series))]

    def _failed(self, query: Query, errors: Sequence[BaseException]) -> Answer:
        """The query's fault is told before the server's: asking again will not cure it."""
        error = min(errors, key=lambda each: not isinstance(each, QueryRejected))
        refused = isinstance(error, QueryRejected)
        message = f"{self._url} {self._clean(str(error))}"
        return Answer(
            query=query, problem=Problem(classification=Classification.ERROR if refused else Classification.NODATA, message=message)
        )

    def _clean(self, words: str) -> str:
        """A server or proxy may say our own credentials back to us."""
        return blot(words, self._secrets)


def _question(query: Query) -> _Question:
    return _Question(query.text, query.start, query.end, query.step, query.instant, query.verbatim, query.part == "numerator")


def _error(part: _Part) -> BaseException | None:
    """Why this part has no answer, if it has none."""
    if part.future.cancelled() or not part.future.done():
        return part.exchange.too_late()
    return part.future.exception()


def _outcome(part: _Part) -> str:
    """What became of a part, in one of `judge.observer.OUTCOMES`."""
    error = _error(part)
    if error is None:
        return "answered"
    if isinstance(error, QueryRejected):
        return "refused"
    if part.exchange.remaining <= 0:
        return "late"
    return error.outcome if isinstance(error, SourceUnreachable) else "broken"


def _tell_dropped(dropped: Sequence[Floats]) -> list[str]:
    """The warning about repetitions of a last value, whose times these are."""
    if not dropped:
        return []
    times = np.concatenate(dropped)
    number = f"{len(times)} samples" if len(times) > 1 else "1 sample"
    first, last = _clock(times.min()), _clock(times.max())
    when = f"{first} to {last}" if first != last else first
    return [f"{number} dropped at {when} UTC: the last value of a series that had ended, repeated by Prometheus"]


def _tell_nan(nothing: Sequence[Series], *, of: int) -> list[str]:
    """The warning about series that hold nothing but NaN, among `of` series."""
    if not nothing:
        return []
    which = f" in {len(nothing)} of {of} label sets, for instance {label_text(nothing[0].labels)}" if of > 1 else ""
    return [f"every value is NaN{which}: taken as no samples (it comes from 0/0, or from a quantile of no observations)"]


def _clock(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).strftime("%H:%M")


def _decimal(number: float) -> str:
    """A number as the API reads it, exact to the millisecond.

    Examples
    --------
    >>> _decimal(1_700_000_000.0), _decimal(0.25)
    ('1700000000', '0.25')
    """
    return f"{number:.3f}".rstrip("0").rstrip(".")


def split_credentials(url: str) -> tuple[str, str, str]:
    """Take ``user:password@``, the query and the final slash off an address: it, user, password.

    Examples
    --------
    >>> split_credentials("https://me:p%40ss@prom.example:9090/prom/")
    ('https://prom.example:9090/prom', 'me', 'p@ss')
    """
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    clean = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    return clean, unquote(parts.username or ""), unquote(parts.password or "")
