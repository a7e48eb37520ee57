"""OpenTelemetry traces, as the extra ``otel``: off unless the settings or OpenTelemetry's own variables turn them on.

A request is a span; below it are the stages of a verdict, and below the fetching each query with its PromQL. Where to
send them, how many and under which name OpenTelemetry's ``OTEL_`` variables say. Nothing here is imported while
traces are off, and what sends them is made in each worker: its thread would not outlive a fork.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from judge import __version__
from judge.errors import ConfigError, Fault
from judge.server.telemetry.metrics_observer import Metered

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

    from judge.settings import Settings

log = logging.getLogger("judge.tracing")

_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXTRA = "needs the extra otel: pip install '.[otel]' in a checkout of judge"
FLUSH_MILLISECONDS = 2000
"""What a worker that ends may take to send its last spans."""


def wanted(settings: Settings, environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether traces are on.

    OpenTelemetry's variables that turn traces off win over the settings.

    Raises
    ------
    ConfigError
        Where the settings turn them on, and the extra is missing.
    """
    environ = os.environ if environ is None else environ
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    named = exporter == "otlp" or any(environ.get(name) for name in _ADDRESSES)
    if not (settings.traces or named):
        return False
    if _there():
        return True
    if settings.traces:
        raise ConfigError([Fault(path="traces", message=_EXTRA)], where="server.yaml or JUDGE_TRACES")
    # Set for every pod of a cluster, perhaps: no reason not to judge.
    log.warning("no traces are sent, though OpenTelemetry's variables ask for them: it %s", _EXTRA)
    return False


def _there() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False


class Tracing:
    """Makes spans and sends them by OTLP over HTTP; one for each worker process, made after the fork."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins.
        named = Resource({"service.name": "canary-judge", "service.version": __version__})
        is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        self._provider = TracerProvider(resource=named.merge(Resource.create()) if is_named else Resource.create(named.attributes))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer("judge", __version__)

    def request(self, id: str, *, route: str, method: str, headers: Mapping[str, str]) -> Traced:
        """Begin the span of a request, below the caller's where it names one (``traceparent``)."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        above = TraceContextTextMapPropagator().extract({name.lower(): value for name, value in headers.items()})
        attributes = {"http.request.method": method, "http.route": route, "judge.request_id": id}
        span = self.tracer.start_span(f"{method} {route}", context=above, kind=SpanKind.SERVER, attributes=attributes)
        return Traced(id, tracing=self, span=span)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Any] | None = None, *, client: bool = False) -> Iterator[None]:
        """Make a span below the one of the moment. Of an error it tells the kind alone: its words may hold a secret."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        with self.tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def background(self) -> Traced:
        """Look on at what no request asked for."""
        return Traced("", tracing=self, span=None)

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.force_flush(FLUSH_MILLISECONDS)
        self._provider.shutdown()


class Traced(Metered):
    """An `Observer` that makes spans beside the metrics."""

    __slots__ = ("_span", "_token", "_tracing")

    def __init__(self, id: str, *, tracing: Tracing, span: Any) -> None:
        super().__init__(id)
        self._tracing = tracing
        self._span: Span | None = span
        self._token: Any = None
        if span is not None:
            from opentelemetry import context, trace

            self._token = context.attach(trace.set_span_in_context(span))

    @property
    def trace_id(self) -> str:
        """The trace's id as it is written, empty where it is not recorded."""
        return "" if self._span is None else f"{self._span.get_span_context().trace_id:032x}"

    def named(self, id: str) -> Self:
        """Make the same observer for another id."""
        return type(self)(id, tracing=self._tracing, span=None)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Make a span of the stage too."""
        with super().stage(name), self._tracing.span(name):
            yield

    @contextmanager
    def question(self, source: str, text: str, *, system: str) -> Iterator[Mapping[str, str]]:
        """Make a span of the query, and send its address along (``traceparent``)."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        attributes = {"db.system.name": system, "db.query.text": text, "judge.source": source}
        with self._tracing.span("query", attributes, client=True):
            headers = dict(self.headers)
            TraceContextTextMapPropagator().inject(headers)
            yield headers

    @contextmanager
    def execution(self, id: str, *, taken_over: bool) -> Iterator[None]:
        """Make a span of the whole work on an execution."""
        attributes = {"judge.request_id": id, "judge.taken_over": taken_over}
        with self._tracing.span("execution", attributes), super().execution(id, taken_over=taken_over):
            yield

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Write attributes on the request's span."""
        if self._span is not None:
            self._span.set_attributes({f"judge.{name}": value for name, value in attributes.items()})

    def answered(self, status: int) -> None:
        """Note the status of the answer; one of 500 and above is an error of the span."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))

    def end(self, error: BaseException | None) -> None:
        """End the request's span."""
        from opentelemetry import context

        if self._span is not None:
            if error is not None:
                self._span.set_attribute("error.type", type(error).__name__)
            self._span.end()
        if self._token is not None:
            context.detach(self._token)
