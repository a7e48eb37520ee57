"""A real ``judge serve`` for the integration tests, and Argo's questions to it."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.servers import START_SECONDS, free_port, get, process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ARGO = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}
TIMEOUT = 10.0
"""Argo's own default: connect to last byte."""


@contextmanager
def serving(directory: Path, *, prometheus: str, configs: Path, port: int | None = None, **environ: str) -> Iterator[str]:
    """Run the service against one Prometheus; answers its address."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port() if port is None else port
    url = f"http://127.0.0.1:{port}"
    ours = {
        "JUDGE_PROMETHEUS_URL": prometheus,
        "JUDGE_CONFIG_DIR": str(configs),
        "JUDGE_ARCHIVE_URL": f"sqlite:///{directory / 'judge.sqlite'}",
        "JUDGE_PUBLIC_URL": url,
        **environ,
    }
    before = dict(os.environ)
    os.environ.update(ours)
    try:
        command = [sys.executable, "-m", "judge", "serve", "--port", str(port)]
        with process(command, directory / "judge.log", ready=lambda: get(f"{url}/readyz")):
            yield url
    finally:
        os.environ.clear()
        os.environ.update(before)


def post(url: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask as Argo's web provider does with ``jsonBody``."""
    body = json.dumps(question, separators=(",", ":"), sort_keys=True).encode()
    headers = {**ARGO, "Accept-Encoding": "identity", "Content-Type": "application/json"}
    return _send(urllib.request.Request(f"{url}/v1/verdict", data=body, headers=headers, method="POST"))


def ask(url: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask as Argo's web provider does with GET."""
    headers = {**ARGO, "Accept-Encoding": "identity"}
    return _send(urllib.request.Request(f"{url}/v1/verdict?{urlencode(question)}", headers=headers))


def fetch(url: str) -> dict[str, Any]:
    """Read a JSON document."""
    return _send(urllib.request.Request(url, headers=ARGO | {"Accept-Encoding": "identity"}))


def _send(request: urllib.request.Request) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    try:
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return json.loads(answer.read(), parse_constant=refuse)
    except urllib.error.HTTPError as error:
        return json.loads(error.read(), parse_constant=refuse) | {"status": error.code}
