"""``judge demo``: the real service on two recorded canaries, asked as Argo Rollouts asks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from judge.errors import SourceUnreachable
from judge.reports.formats import FORMATS
from judge.verdicts.example_archive import FOLDER, recorded_questions

_READY_SECONDS = 30.0
_ARGO = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "identity"}


def run_demo(*, keep: bool, port: int) -> int:
    """Start the service, ask about each canary, print the verdicts; return the exit status."""
    # Told to stop, leave through the same doors as after Ctrl-C: the service must not outlive the demo.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = port if port else _free_port()
    address = f"http://127.0.0.1:{chosen}"
    with tempfile.TemporaryDirectory(prefix="judge-demo-") as folder, _service(chosen, Path(folder)) as process:
        click.echo(f"judge serve is up on {address}, with two recorded canaries of a shop as its source.\n")
        for number, asked in enumerate(recorded_questions()):
            answer = _post(address, asked) if number % 2 == 0 else _get(address, asked)
            click.echo(_command(address, asked, is_post=number % 2 == 0))
            click.echo(f"  {json.dumps({key: answer[key] for key in ('verdict', 'score', 'code', 'id')})}\n")
            record = _fetch(urllib.request.Request(f"{address}/v1/verdicts/{answer['id']}", headers=_ARGO))  # noqa: S310 - our own http address
            click.echo(FORMATS["text"].alone(record))
            click.echo()
        if keep:
            click.echo(f"The service goes on at {address}/ (Ctrl-C ends it): open it in a browser, or ask it again with the lines above.")
            try:
                process.wait()
            except KeyboardInterrupt:
                click.echo("")
        else:
            click.echo("To look at the report pages, keep it running: judge demo --serve")
    return 0


def _post(address: str, asked: dict[str, str]) -> Any:
    """Ask as Argo's web provider does with ``method: POST`` and ``jsonBody``."""
    headers = {**_ARGO, "Content-Type": "application/json"}
    body = json.dumps(asked, separators=(",", ":"), sort_keys=True).encode()
    return _fetch(urllib.request.Request(f"{address}/v1/verdict", data=body, headers=headers, method="POST"))  # noqa: S310 - our own http address


def _get(address: str, asked: dict[str, str]) -> Any:
    """Ask as Argo's web provider does with ``method: GET``."""
    return _fetch(urllib.request.Request(f"{address}/v1/verdict?{urlencode(asked)}", headers=_ARGO))  # noqa: S310 - our own http address


def _fetch(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # nosec B310 # noqa: S310 - our own http address
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SourceUnreachable(f"the demo's service answered {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise SourceUnreachable(f"the demo's service did not answer: {error}") from error


def _command(address: str, asked: dict[str, str], *, is_post: bool) -> str:
    """Write the question as a line to repeat by hand."""
    if is_post:
        return f"curl -s {address}/v1/verdict -H 'Content-Type: application/json' -d '{json.dumps(asked)}'"
    return f"curl -s '{address}/v1/verdict?{urlencode(asked)}'"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _service(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``judge serve`` on the recordings until the block ends."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("JUDGE_")}
    environ |= {"JUDGE_CONFIG_DIR": str(FOLDER), "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'judge.sqlite'}"}
    log = folder / "serve.log"
    command = [sys.executable, "-m", "judge", "serve", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)  # nosec B603 # noqa: S603 - our own command
    try:
        _wait(process, port, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:  # nosec B310 # as above
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise SourceUnreachable(f"the demo's service did not start:\n{log.read_text(errors='replace')[-2000:]}")
