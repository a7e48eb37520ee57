"""A receiver of OpenTelemetry traces on loopback: OTLP over HTTP, as a collector takes it."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span as it came; ids are hexadecimal, `above` is empty at the top of a trace."""

    name: str
    trace: str
    id: str
    above: str
    kind: int
    status: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    text: str


@dataclass(slots=True)
class Receiver:
    """A running receiver: its address, and every span that came."""

    url: str
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(
                gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            )
            found.spans += [span for part in request.resource_spans for span in _spans(part)]
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _spans(part: Any) -> Iterator[Span]:
    resource = {one.key: _value(one.value) for one in part.resource.attributes}
    for scope in part.scope_spans:
        for span in scope.spans:
            yield Span(
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                above=span.parent_span_id.hex(),
                kind=span.kind,
                status=span.status.code,
                attributes={one.key: _value(one.value) for one in span.attributes},
                resource=resource,
                text=str(span),
            )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
