"""Replicas of ``judge serve`` over one PostgreSQL and one Prometheus, a client that picks a live one, and a killer."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.history import Rollout, openmetrics, rollout
from tests.postgres import new_database, postgresql
from tests.servers import free_port, get, prometheus, wait_until

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 10.0
START_SECONDS = 60.0


class Replica:
    """One ``judge serve`` on a port of its own, which it has again after every restart."""

    def __init__(self, folder: Path, *, workers: int, **environ: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environ = {**os.environ, **environ, "TMPDIR": str(folder)}
        self._command = [sys.executable, "-m", "judge", "serve", "--port", str(self.port), "--workers", str(workers)]
        self.running: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything it has said."""
        return (self._folder / "judge.log").read_text(errors="replace")

    @property
    def is_ready(self) -> bool:
        """It answers."""
        return get(f"{self.url}/readyz", timeout=2.0) is not None

    def start(self, *, wait: bool = True) -> None:
        """Start it."""
        with (self._folder / "judge.log").open("ab") as out:
            self.running = subprocess.Popen(
                self._command, stdout=out, stderr=subprocess.STDOUT, cwd=self._folder, start_new_session=True, env=self._environ
            )
        if wait:
            wait_until(lambda: self.is_ready, f"{self.url} is ready", seconds=START_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its master."""
        assert self.running is not None
        self.running.send_signal(number)

    def kill(self) -> None:
        """Kill it with all its workers, as when its machine dies."""
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()


@dataclass(slots=True)
class Cluster:
    """The replicas, where they keep, and what they are asked about."""

    replicas: list[Replica]
    database: str
    rollout: Rollout
    _turn: Iterator[int] = field(default_factory=itertools.count)

    def send(self, path: str, document: Any = None) -> dict[str, Any]:
        """Ask one replica after the other until one answers; the caller cannot know if one that died had heard it."""
        for _ in range(40 * len(self.replicas)):
            replica = self.replicas[next(self._turn) % len(self.replicas)]
            try:
                return send(f"{replica.url}{path}", document)
            except (OSError, ValueError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code not in {502, 503}:
                    raise
                time.sleep(0.1)
        raise TimeoutError(f"no replica answers {path}")

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        import psycopg

        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(text).fetchall()

    def do(self, text: str) -> None:
        """Change the database itself."""
        import psycopg

        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(text)

    @contextmanager
    def killing(self, every: float) -> Iterator[list[float]]:
        """Kill one replica after the other, and start each again at once, while the block runs; when that was."""
        kills: list[float] = []
        over = threading.Event()

        def work() -> None:
            for number in itertools.count():
                if over.wait(every):
                    return
                victim = self.replicas[number % len(self.replicas)]
                # On a busy machine a replica may take longer to come back than the pause is: one at a time is away.
                while not all(each.is_ready for each in self.replicas if each is not victim):
                    if over.wait(0.05):
                        return
                kills.append(time.time())
                victim.kill()
                victim.start(wait=False)

        thread = threading.Thread(target=work, name="killer")
        thread.start()
        try:
            yield kills
        finally:
            over.set()
            thread.join()


def send(url: str, document: Any = None, *, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Post a document, or get one."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}, method="GET" if body is None else "POST")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


@contextmanager
def cluster(folder: Path, *, replicas: int, workers: int = 1, configs: Path, scenario: str = "errors", **environ: str) -> Iterator[Cluster]:
    """Run PostgreSQL, Prometheus with one rollout in it, and so many replicas until the block ends."""
    known = rollout(scenario, end=time.time() // 60 * 60)
    with ExitStack() as stack:
        source = stack.enter_context(prometheus(folder / "prometheus", blocks=openmetrics((known.baseline, known.canary), seed=7)))
        server = stack.enter_context(postgresql("max_connections=200"))
        database = new_database(server)
        ours = {
            "JUDGE_PROMETHEUS_URL": source,
            "JUDGE_CONFIG_DIR": str(configs),
            "JUDGE_ARCHIVE_URL": database.replace("postgresql://", "postgresql+psycopg://"),
            **environ,
        }
        made = [Replica(folder / f"replica-{number}", workers=workers, **ours) for number in range(replicas)]
        try:
            for replica in made:
                replica.start(wait=False)
            for replica in made:
                wait_until(lambda replica=replica: replica.is_ready, f"{replica.url} is ready", seconds=START_SECONDS)
            yield Cluster(replicas=made, database=database, rollout=known)
        except BaseException:
            for replica in made:
                print(f"--- {replica.url} ---\n{replica.log[-3000:]}")
            raise
        finally:
            for replica in made:
                replica.kill()
