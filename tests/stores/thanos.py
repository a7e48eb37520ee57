"""Thanos on loopback: sidecars beside real Prometheus servers, and a querier over them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from tests.servers import free_port, get, process, prometheus, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SEEN_SECONDS = 30.0
"""The querier asks its stores every 5 s what they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One Prometheus with its sidecar: the address of its StoreAPI, and its processes."""

    grpc: str
    prometheus_url: str
    sidecar: subprocess.Popen[bytes]
    again: Callable[[], AbstractContextManager[subprocess.Popen[bytes]]]
    """Runs the sidecar once more, at the same address."""

    def kill(self) -> None:
        """The sidecar is gone: nobody listens on its port."""
        self.sidecar.kill()
        self.sidecar.wait()

    def kill_prometheus(self) -> None:
        """The server behind the sidecar is gone."""
        listening_on(self.prometheus_url).kill()

    def freeze(self) -> None:
        """The sidecar accepts what it is asked, and answers nothing."""
        psutil.Process(self.sidecar.pid).suspend()


def listening_on(url: str) -> psutil.Process:
    """One of our own children, by its port."""
    port = f":{urlsplit(url).port}"
    [found] = [each for each in psutil.Process().children() if any(word.endswith(port) and "listen" in word for word in each.cmdline())]
    return found


@contextmanager
def store(program: Path, folder: Path, *, history: str, labels: Mapping[str, str]) -> Iterator[Store]:
    """A Prometheus that holds a history under these external labels, and its sidecar."""
    external = {"global": {"scrape_interval": "15s", "external_labels": dict(labels)}}
    grpc, http = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with prometheus(folder / "prometheus", blocks=history, more=external) as url:
        command = [
            str(program),
            "sidecar",
            f"--prometheus.url={url}",
            f"--tsdb.path={folder / 'prometheus' / 'data'}",
            f"--grpc-address={grpc}",
            f"--http-address={http}",
            "--log.level=warn",
        ]

        def sidecar() -> AbstractContextManager[subprocess.Popen[bytes]]:
            return process(command, folder / "sidecar.log", ready=lambda: get(f"http://{http}/-/ready"))

        with sidecar() as running:
            yield Store(grpc=grpc, prometheus_url=url, sidecar=running, again=sidecar)


@contextmanager
def querier(program: Path, folder: Path, *, stores: Sequence[Store], strict: bool = True, flags: Sequence[str] = ()) -> Iterator[str]:
    """A querier over these stores; answers its address once it has seen them all.

    A `strict` store is asked even while it is known to be away; any other one is left out then, without a word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{free_port()}"
    endpoints = {"endpoints": [{"address": each.grpc, "strict": strict} for each in stores]}
    command = [
        str(program),
        "query",
        f"--http-address={url.removeprefix('http://')}",
        f"--grpc-address=127.0.0.1:{free_port()}",
        f"--endpoint.sd-config={json.dumps(endpoints)}",
        "--log.level=warn",
        *flags,
    ]
    with process(command, folder / "query.log", ready=lambda: get(f"{url}/-/ready")):
        wait_until(lambda: healthy(url) == len(stores), f"{len(stores)} stores are seen", seconds=SEEN_SECONDS)
        yield url


def healthy(url: str) -> int:
    """How many stores a querier has that answered it last time."""
    known = json.loads(get(f"{url}/api/v1/stores") or b"{}").get("data") or {}
    return sum(one["lastError"] is None for group in known.values() for one in group)
