"""A judge in front of a relay in front of a real Prometheus that holds a canary with errors; what breaks is asked for here."""

from __future__ import annotations

import http.client
import shlex
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urlsplit

import psutil
import pytest

from tests import postgres
from tests.faults.callers import Callers
from tests.history import openmetrics, rollout
from tests.integration.service import serving
from tests.integration.test_scenarios import CONFIGS
from tests.servers import free_port, get, loopback, process, prometheus, require, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import Asked

DEADLINE = "3"


class Relay:
    """Hands every request on to a real Prometheus, or does what `fault` says instead."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self.fault: Callable[[Asked], None] | None = None

    def __call__(self, asked: Asked) -> None:
        """Answer one request."""
        fault = self.fault
        if fault is not None:
            fault(asked)
        else:
            self.hand_on(asked)

    def hand_on(self, asked: Asked) -> None:
        """Answer one request as Prometheus does."""
        host, port = self._target.hostname, self._target.port
        assert host is not None
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", asked.path, body=urlencode(asked.form), headers=headers)
            answer = connection.getresponse()
            asked.say(answer.status, answer.read(), Content_Type=answer.headers.get("Content-Type", "application/json"))
        finally:
            connection.close()


class World:
    """One Prometheus with its history and the relay before it; judges are started in front of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rollout = rollout("errors", end=time.time() // 60 * 60)
        self.history = openmetrics((self.rollout.baseline, self.rollout.canary), seed=7)
        self.question = {
            "config": "http-service",
            "baseline": self.rollout.baseline.hash,
            "canary": self.rollout.canary.hash,
            "service": "errors",
            "end": str(self.rollout.canary.end),
        }
        self._stack = ExitStack()
        self._callers: Callers | None = None
        self._numbers = iter(range(10_000))

    def __enter__(self) -> Self:
        """Start the servers."""
        source = self._stack.enter_context(prometheus(self.folder / "prometheus", blocks=self.history))
        self.relay = Relay(source)
        self.address = self._stack.enter_context(loopback(self.relay)).url
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the servers."""
        self._stack.close()

    def place(self) -> Path:
        """A folder of its own for one cell."""
        made = self.folder / f"cell-{next(self._numbers)}"
        made.mkdir()
        return made

    @contextmanager
    def judge(self, folder: Path, *, source: str = "", configs: Path = CONFIGS, **environ: str) -> Iterator[Callers]:
        """Start a judge; its callers, who have had one right answer."""
        self.relay.fault = None
        address = source if source else self.address
        with serving(folder, prometheus=address, configs=configs, **{"JUDGE_DEADLINE": DEADLINE, **environ}) as url:
            callers = Callers(url, self.question)
            # The very first question meets a cold server, on a busy machine too late for the short deadline.
            wait_until(lambda: callers.ask().verdict == "fail", "the first right answer", seconds=20, pause=1.0)
            callers.heard.clear()
            yield callers
        self.relay.fault = None

    def callers(self) -> Callers:
        """Callers of a judge that stays for all cells of this world: what one fault leaves behind must not trouble the next."""
        if self._callers is None:
            self._callers = self._stack.enter_context(self.judge(self.place()))
        return self._callers

    def own_prometheus(self, folder: Path) -> tuple[str, Callable[[], object]]:
        """A Prometheus that can be killed and started again: its address, and what runs it as a context manager."""
        program = require("prometheus", "prometheus")
        history, data = folder / "history.om", folder / "data"
        history.write_text(self.history)
        promtool = require("promtool", "prometheus")
        subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", history, data], check=True, capture_output=True)
        (folder / "prometheus.yml").write_text("{}")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        return url, lambda: process(command, folder / "prometheus.log", ready=lambda: get(f"{url}/-/ready"))


def workers(callers: Callers) -> tuple[psutil.Process, list[psutil.Process]]:
    """The service's master and the processes below it."""
    port = callers.url.rpartition(":")[2]
    (master,) = [each for each in psutil.Process().children() if port in each.cmdline()]
    return master, master.children()


@contextmanager
def small_disk(place: Path, *, megabytes: int, owner: str = "") -> Iterator[Path]:
    """A file system of so many megabytes; where none can be mounted the test says so."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "judge-test", place], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        if owner:
            subprocess.run(["chown", owner, place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


class Postgres:
    """A PostgreSQL of its own, which can be frozen, locked, ended and started again."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.database = postgres.new_database(server)
        port = int(server.rpartition(":")[2].partition("/")[0])
        self._master = self._find(port)
        self.data = Path(self._master.cmdline()[2])
        self._options = shlex.join(self._master.cmdline()[3:])

    @property
    def address(self) -> str:
        """For `JUDGE_ARCHIVE_URL`."""
        return self.database.replace("postgresql://", "postgresql+psycopg://")

    @staticmethod
    def _find(port: int) -> psutil.Process:
        for each in psutil.process_iter():
            # Others come and go meanwhile.
            with suppress(psutil.Error):
                if (
                    each.name() == "postgres"
                    and "-D" in each.cmdline()
                    and port in {on.laddr.port for on in each.net_connections() if on.laddr}
                ):
                    return each
        raise AssertionError(f"no PostgreSQL listens on port {port}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Not one of its processes moves."""
        family = [self._master, *self._master.children(recursive=True)]
        for each in family:
            each.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for each in family:
                each.send_signal(signal.SIGCONT)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """It is not there, and then it is again."""
        tools = postgres.programs()
        postgres._run(tools / "pg_ctl", "stop", "--pgdata", self.data, "--mode=immediate", "--wait")
        try:
            yield
        finally:
            log = self.data.parent / "log"
            postgres._run(tools / "pg_ctl", "start", "--pgdata", self.data, "--wait", "--log", log, "--options", self._options)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody holds a table for himself."""
        import psycopg

        with psycopg.connect(self.database) as connection:
            connection.execute("LOCK TABLE judge_verdicts IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()


@contextmanager
def postgresql() -> Iterator[Postgres]:
    """Run one until the block ends."""
    with postgres.postgresql() as server:
        yield Postgres(server)


def pause(seconds: float, *, until: Callable[[], object] | None = None) -> None:
    """Wait, or less long where that is enough."""
    ends = threading.Event()
    began = time.monotonic()
    while time.monotonic() - began < seconds and not (until is not None and until()):
        ends.wait(0.05)
