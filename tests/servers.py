"""Real servers for the tests, on loopback only: each is started in a directory of its own and killed afterwards."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.history import victoria_metrics_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

REQUIRED = "JUDGE_REQUIRE_SERVERS"
START_SECONDS = 120.0
"""A guard against a hang, however busy the machine."""


def require(binary: str, package: str) -> str:
    """Find a server's program; without it the test skips, or fails where `JUDGE_REQUIRE_SERVERS` is 1."""
    found = shutil.which(binary)
    if found:
        return found
    message = f"{binary} is missing: install Debian's package {package}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def get(url: str, *, timeout: float = 5.0) -> bytes | None:
    """What is at an address, or None while there is no good answer."""
    with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()
    return None


def wait_until(done: Callable[[], object], what: str, *, seconds: float = START_SECONDS, pause: float = 0.02) -> None:
    """Wait until `done()` is true; fail with `what` did not happen."""
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


@contextmanager
def process(
    command: Sequence[str], log: Path, *, ready: Callable[[], object], environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; its log is printed when something goes wrong."""
    with log.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent, start_new_session=True, env=environ)

    def up() -> object:
        if running.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with status {running.returncode}")
        return ready()

    try:
        wait_until(up, f"{command[0]} is ready")
        yield running
    except BaseException:
        print(f"--- {log} ---\n{log.read_text(errors='replace')[-5000:]}")
        raise
    finally:
        # Its directory is thrown away: nothing has to be written in order. Its children go with it, and their ports are free.
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextmanager
def prometheus(
    directory: Path,
    *,
    blocks: str | None = None,
    scrape: Sequence[tuple[str, str, Mapping[str, str]]] = (),
    scrape_interval: str = "1s",
    path: str = "",
    flags: Sequence[str] = (),
    program: Path | None = None,
    port: int | None = None,
    more: Mapping[str, object] | None = None,
) -> Iterator[str]:
    """A Prometheus with a backfilled past and live targets; answers its address.

    `blocks` is OpenMetrics text, `scrape` lists (job, ``host:port``, labels),
    `path` is a prefix of the address (``/prom``), `program` another server than
    the one that is installed, `port` one that has to be the same again, `more` goes into its config.
    """
    server = require("prometheus", "prometheus") if program is None else str(program)
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / "data"
    if blocks is not None:
        history = directory / "history.om"
        history.write_text(blocks)
        promtool = require("promtool", "prometheus")
        subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", history, data], check=True, capture_output=True)
    jobs = [
        {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [target], "labels": dict(labels)}]}
        for job, target, labels in scrape
    ]
    config = directory / "prometheus.yml"
    document = {"global": {"scrape_interval": scrape_interval}, "scrape_configs": jobs}
    config.write_text(json.dumps(document if more is None else document | more))
    port = free_port() if port is None else port
    url = f"http://127.0.0.1:{port}{path}"
    command = [
        server,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *([f"--web.route-prefix={path}"] if path else []),
        *flags,
    ]
    with process(command, directory / "prometheus.log", ready=lambda: get(f"{url}/-/ready")):
        yield url


@contextmanager
def victoria_metrics(directory: Path, *, history: str, flags: Sequence[str] = ()) -> Iterator[str]:
    """A VictoriaMetrics that holds a history (OpenMetrics text); answers its address once the samples can be seen."""
    program = require("victoria-metrics", "victoria-metrics")
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        program,
        f"-storageDataPath={directory / 'vmdata'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-search.disableCache",
        "-search.latencyOffset=0s",
        "-memory.allowedBytes=256MB",
        "-loggerLevel=WARN",
        *flags,
    ]
    with process(command, directory / "victoria-metrics.log", ready=lambda: get(f"{url}/health")):
        _import(url, victoria_metrics_lines(history))
        yield url


def _import(url: str, lines: str) -> None:
    """Hand VictoriaMetrics its history, and wait until the last series of it can be asked for."""
    request = urllib.request.Request(f"{url}/api/v1/import/prometheus", data=lines.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        assert answer.status == 204
    series, _, milliseconds = lines.rstrip("\n").rpartition("\n")[2].rsplit(" ", 2)
    last = f"{url}/api/v1/query?time={int(milliseconds) / 1000}&query={quote(series)}"

    def visible() -> bool:
        get(f"{url}/internal/force_flush")
        return bool(json.loads(get(last) or b"{}").get("data", {}).get("result"))

    wait_until(visible, "VictoriaMetrics shows what it was given")


class Asked(BaseHTTPRequestHandler):
    """One request to a `loopback` server: what came, and the means to answer anything at all."""

    protocol_version = "HTTP/1.1"
    form: Mapping[str, str]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length).decode() or urlsplit(self.path).query
        self.form = {name: values[0] for name, values in parse_qs(sent, keep_blank_values=True).items()}
        self.server.asked.append(copy.copy(self))  # type: ignore[attr-defined] # one handler serves a whole connection
        with suppress(ConnectionError):
            self.server.answer(self)  # type: ignore[attr-defined]

    do_GET = do_POST  # noqa: N815 - http.server's own spelling

    def say(self, status: int, body: bytes | str, **headers: str) -> None:
        """Answer in one piece."""
        raw = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def say_json(self, document: object, status: int = 200, **headers: str) -> None:
        """Answer a document."""
        self.say(status, json.dumps(document), Content_Type="application/json", **headers)

    def say_result(self, result_type: str, result: object, **more: object) -> None:
        """Answer as Prometheus does when all is well."""
        self.say_json({"status": "success", "data": {"resultType": result_type, "result": result}, **more})

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Loopback:
    """A running `loopback` server: its address, and what it was asked."""

    def __init__(self, server: ThreadingHTTPServer, asked: list[Asked]) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.asked = asked


@contextmanager
def loopback(answer: Callable[[Asked], None]) -> Iterator[Loopback]:
    """A small HTTP server that answers each request as `answer(request)` does."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is no news."""

    asked: list[Asked] = []
    with Server(("127.0.0.1", 0), Asked) as server:
        server.asked, server.answer = asked, answer  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Loopback(server, asked)
        finally:
            server.shutdown()
            thread.join()
