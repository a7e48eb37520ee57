"""The fault matrix: what breaks, for how long, and what it does to eight callers.

Every cell asks all the while, breaks one thing, mends it without a restart, and waits for the right verdict. To
add a cell, write a function of the world and the seconds that the fault lasts, and name it in `CELLS`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.callers import Callers, Figures
from tests.faults.world import World, pause, postgresql, small_disk, workers
from tests.integration.test_scenarios import CONFIGS
from tests.servers import wait_until

if TYPE_CHECKING:
    from tests.servers import Asked

RECOVERY = 25.0
"""The longest pause of the circuit, and a deadline."""
BROKEN = frozenset({"RemoteDisconnected", "ConnectionResetError", "URLError", "IncompleteRead"})
"""What a caller sees of a worker that is killed in the middle of his question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one cell: what callers heard, the seconds from the end of the fault to the right verdict, what else was wrong."""

    figures: Figures
    recovery: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault: how long it lasts in the short and in the long form (seconds), and what may come of it.

    `verdicts` are all that may be heard; of `needed` there must be some, or the fault was none.
    """

    name: str
    run: Callable[[World, float], Found]
    short: float
    long: float
    verdicts: frozenset[str]
    needed: frozenset[str] = frozenset()
    unkept: bool = False

    def faults(self, found: Found) -> list[str]:
        """Every promise that was not kept, in words."""
        figures = found.figures
        wrong = []
        if figures.passes:
            wrong.append(f"{len(figures.passes)} false passes")
        if figures.late:
            wrong.append(f"{len(figures.late)} answers after the callers' time-out")
        if figures.lost:
            wrong.append(f"{len(figures.lost)} verdicts lost that were said to be kept")
        if found.recovery > RECOVERY:
            wrong.append(f"right again only after {found.recovery:.1f} s")
        if set(figures.counts) - self.verdicts:
            wrong.append(f"heard {sorted(set(figures.counts) - self.verdicts)}")
        if self.needed and not set(figures.counts) & self.needed:
            wrong.append(f"never heard any of {sorted(self.needed)}")
        if found.note:
            wrong.append(found.note)
        if self.unkept and not figures.unkept:
            wrong.append("no answer said that it is not kept")
        return wrong


def _watched(callers: Callers, fault: Callable[[], object], *, before: float = 0.5) -> Found:
    """Ask all the while: a moment of health, the fault, and until the verdict is right again."""
    with callers.asking():
        time.sleep(before)
        fault()
        recovery = callers.recovers(within=2 * RECOVERY)
    return Found(figures=callers.figures(), recovery=recovery)


# --- the source -------------------------------------------------------------


def hang(seconds: float, asked: Asked) -> None:
    """Nothing comes."""
    del asked
    time.sleep(min(seconds, 5.0))


def drip(seconds: float, asked: Asked) -> None:
    """One byte after the other, and never an end."""
    asked.send_response(200)
    asked.send_header("Content-Length", "1000000")
    asked.end_headers()
    for _ in range(int(10 * min(seconds, 10.0))):
        asked.wfile.write(b" ")
        asked.wfile.flush()
        time.sleep(0.1)


def garbage(_: float, asked: Asked) -> None:
    """Bytes without a meaning."""
    asked.say(200, os.urandom(2000), Content_Type="application/json")


def half(_: float, asked: Asked) -> None:
    """A document that ends in the middle."""
    text = b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1'
    asked.say(200, text, Content_Type="application/json")


def page(_: float, asked: Asked) -> None:
    """A proxy's page."""
    asked.say(200, "<html>please log in</html>", Content_Type="text/html")


def flood(_: float, asked: Asked) -> None:
    """A gigabyte, if anybody reads it."""
    asked.send_response(200)
    asked.send_header("Content-Length", str(2**30))
    asked.end_headers()
    block = b" " * 2**20
    for _number in range(2**10):
        asked.wfile.write(block)


def elsewhere(_: float, asked: Asked) -> None:
    """A redirect."""
    asked.say(302, "", Location="http://127.0.0.1:1/api/v1/query_range")


def too_many(_: float, asked: Asked) -> None:
    """429."""
    asked.say(429, "slow down", Retry_After="1")


def unavailable(_: float, asked: Asked) -> None:
    """503."""
    asked.say(503, "try later")


def hang_up(_: float, asked: Asked) -> None:
    """The connection ends."""
    asked.connection.close()


def _source(answer: Callable[[float, Asked], None], world: World, seconds: float) -> Found:
    callers = world.callers()
    callers.recovers(within=2 * RECOVERY)
    callers.heard.clear()

    def fault() -> None:
        world.relay.fault = partial(answer, seconds)
        try:
            time.sleep(seconds)
        finally:
            world.relay.fault = None

    return _watched(callers, fault)


def _prometheus_killed(world: World, seconds: float) -> Found:
    place = world.place()
    url, start = world.own_prometheus(place)
    with start() as running, world.judge(place / "judge", source=url) as callers:
        with callers.asking():
            time.sleep(0.5)
            running.kill()
            running.wait()
            time.sleep(seconds)
        with start(), callers.asking():
            recovery = callers.recovers(within=2 * RECOVERY)
        return Found(figures=callers.figures(), recovery=recovery)


def _prometheus_frozen(world: World, seconds: float) -> Found:
    place = world.place()
    url, start = world.own_prometheus(place)
    with start() as running, world.judge(place / "judge", source=url) as callers:

        def fault() -> None:
            running.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            running.send_signal(signal.SIGCONT)

        return _watched(callers, fault)


# --- the archive ------------------------------------------------------------


def _sqlite_locked(world: World, seconds: float) -> Found:
    place = world.place()
    with world.judge(place) as callers:

        def fault() -> None:
            lock = sqlite3.connect(place / "judge.sqlite", isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            lock.execute("ROLLBACK")
            lock.close()

        found = _watched(callers, fault)
        return _kept_again(callers, found)


def _sqlite_full(world: World, seconds: float) -> Found:
    with small_disk(world.place(), megabytes=32) as place, world.judge(place) as callers:
        filler = place / "filler"

        def fault() -> None:
            with _until_full():
                filler.write_bytes(b"x" * 2**25)
            pause(seconds)
            filler.unlink()

        found = _watched(callers, fault)
        return _kept_again(callers, found)


@contextmanager
def _until_full() -> Iterator[None]:
    """Writing until the disk is full is what is wanted."""
    try:
        yield
    except OSError as error:
        if "No space left" not in str(error):
            raise


def _postgres(how: str, world: World, seconds: float) -> Found:
    with postgresql() as server, world.judge(world.place(), JUDGE_ARCHIVE_URL=server.address) as callers:

        def fault() -> None:
            with getattr(server, how)():
                time.sleep(seconds)

        found = _watched(callers, fault)
        return _kept_again(callers, found)


def _postgres_full(world: World, seconds: float) -> Found:
    import psycopg

    with small_disk(world.place(), megabytes=4, owner="postgres") as place, postgresql() as server:
        # Who starts the server may not pass through the folders above a small disk of the tests.
        for parent in [place, *place.parents]:
            if parent.owner() == "root" and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        with psycopg.connect(server.server, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        address = server.address.replace("options=", "options=-cdefault_tablespace%3Dsmall%20")
        with world.judge(world.place(), JUDGE_ARCHIVE_URL=address) as callers:
            filler = place / "filler"

            def fault() -> None:
                with _until_full():
                    filler.write_bytes(b"x" * 2**22)
                pause(seconds)
                filler.unlink()

            found = _watched(callers, fault)
            return _kept_again(callers, found)


def _kept_again(callers: Callers, found: Found) -> Found:
    """The archive takes verdicts again, too."""
    began = time.monotonic()
    while time.monotonic() - began < RECOVERY:
        answer = callers.ask()
        if answer.document is not None and answer.document["report"]:
            return Found(figures=found.figures, recovery=found.recovery + time.monotonic() - began)
        time.sleep(0.1)
    return Found(figures=found.figures, recovery=float("inf"), note="nothing is kept any more")


# --- the service ------------------------------------------------------------


def _workers_killed(world: World, seconds: float) -> Found:
    with world.judge(world.place()) as callers:

        def fault() -> None:
            for _ in range(max(int(seconds / 2), 2)):
                _, alive = workers(callers)
                if alive:
                    alive[0].send_signal(signal.SIGKILL)
                time.sleep(min(2.0, seconds / 2))

        found = _watched(callers, fault)
        wait_until(lambda: len(workers(callers)[1]) == 2, "both workers are there again")
        return found


def _config_broken(world: World, seconds: float) -> Found:
    place = world.place()
    configs = place / "configs"
    shutil.copytree(CONFIGS, configs)
    with world.judge(place / "judge", configs=configs) as callers:

        def fault() -> None:
            (configs / "new").write_text("name: http-service\nmetrics: [", encoding="utf-8")
            (configs / "new").replace(configs / "http-service.yaml")
            time.sleep(seconds)
            # A fresh worker knows the good version only from its master's memory.
            os.kill(workers(callers)[0].pid, signal.SIGHUP)
            time.sleep(2.0)

        return _watched(callers, fault)


def _metrics_full(world: World, seconds: float) -> Found:
    """Where the service's own figures lie there is no room left, and then a worker has to be replaced."""
    place = world.place()
    with small_disk(world.place(), megabytes=16) as disk, world.judge(place, TMPDIR=str(disk)) as callers:
        filler = disk / "filler"

        def fault() -> None:
            with _until_full():
                filler.write_bytes(b"x" * 2**24)
            time.sleep(seconds / 2)
            workers(callers)[1][0].send_signal(signal.SIGKILL)
            time.sleep(seconds / 2)
            filler.unlink()

        found = _watched(callers, fault)
        wait_until(lambda: len(workers(callers)[1]) == 2, "both workers are there again")
        died = (place / "judge.log").read_text(errors="replace").count("SIGBUS")
        return replace(found, note=f"{died} workers died of the full disk" if died else "")


_QUIET = frozenset({"fail", "inconclusive"})
_TOLD = frozenset({"inconclusive"})
_ANSWERS = (hang, drip, garbage, half, page, flood, elsewhere, too_many, unavailable, hang_up)

CELLS = (
    *(
        Cell(
            name=f"source: {answer.__name__.replace('_', ' ')}",
            run=partial(_source, answer),
            short=1.5,
            long=15.0,
            verdicts=_QUIET | {"error"},
            needed=_TOLD | {"error"},
        )
        for answer in _ANSWERS
    ),
    Cell(name="source: killed", run=_prometheus_killed, short=2.5, long=30.0, verdicts=_QUIET, needed=_TOLD),
    Cell(name="source: frozen", run=_prometheus_frozen, short=2.5, long=30.0, verdicts=_QUIET, needed=_TOLD),
    Cell(name="SQLite: locked", run=_sqlite_locked, short=3.0, long=30.0, verdicts=_QUIET, unkept=True),
    Cell(name="SQLite: disk full", run=_sqlite_full, short=3.0, long=30.0, verdicts=_QUIET, unkept=True),
    Cell(name="PostgreSQL: gone", run=partial(_postgres, "gone"), short=6.0, long=60.0, verdicts=_QUIET, unkept=True),
    Cell(name="PostgreSQL: frozen", run=partial(_postgres, "frozen"), short=8.0, long=60.0, verdicts=_QUIET, unkept=True),
    Cell(name="PostgreSQL: locked", run=partial(_postgres, "locked"), short=3.0, long=30.0, verdicts=_QUIET, unkept=True),
    Cell(name="PostgreSQL: disk full", run=_postgres_full, short=3.0, long=30.0, verdicts=_QUIET, unkept=True),
    Cell(name="service: a worker killed every 2 s", run=_workers_killed, short=4.0, long=20.0, verdicts=_QUIET | BROKEN),
    Cell(name="service: config replaced by a broken one", run=_config_broken, short=6.0, long=20.0, verdicts=_QUIET),
    Cell(name="service: no room for its metrics", run=_metrics_full, short=3.0, long=20.0, verdicts=_QUIET | BROKEN),
)


def table_row(cell: Cell, found: Found) -> str:
    """One line of the table."""
    figures = found.figures
    answers = ", ".join(f"{count} {name}" for name, count in sorted(figures.counts.items()))
    return (
        f"{cell.name:42} {len(figures.passes):5} {len(figures.late):5} {len(figures.lost):5} {figures.unkept:7} "
        f"{figures.slowest:8.2f} {found.recovery:9.1f}  {answers}"
    )


HEAD = f"{'fault':42} {'pass':>5} {'late':>5} {'lost':>5} {'unkept':>7} {'slowest':>8} {'recovery':>9}  answers"


def say(text: str) -> None:
    """Print at once: a long run is looked at while it goes."""
    print(text, flush=True)
