"""What the archive promises, on SQLite and on PostgreSQL: ``python -m tests.benchmarks.archive``.

Reads and lists over 100,000 verdicts; verdicts that `judge serve` answers and keeps while others read its lists, and
what is left when it is killed in the middle.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psutil
import sqlalchemy as sa

from judge.archive import each_row, open_archive
from judge.archive.tables import questions, records, results, verdicts
from judge.archive.types import Label, Wanted
from judge.server.app import create_app
from judge.settings import Settings
from judge.verdicts.service import Service
from tests.benchmarks.machine import machine
from tests.postgres import new_database, postgresql
from tests.servers import free_port, get, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "judge" / "demo"

COUNT = 100_000
READ_MS, LIST_MS = 20.0, 200.0
A_MINUTE = 1000
WORKERS = 2
ASKERS, READERS = 4, 2
_SEEDS = 100
_END = 1_763_629_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Milliseconds of one kind of read: median and the 95th of 100."""

    name: str
    median: float
    p95: float
    most: float


# Many verdicts


def fill(url: str, count: int) -> None:
    """Keep a hundred verdicts the usual way, and copy their rows until there are so many."""
    from judge.sources.dumps.read import load_dump
    from judge.verdicts.import_dump import adopt

    made = [adopt(dump) for dump in load_dump(DEMO / "canaries.jsonl.gz")]
    rng = random.Random(1)
    with closing(open_archive(url, patience=60.0)) as archive:
        for number in range(_SEEDS):
            record = made[0 if number % 10 else 1]
            service = f"service-{number % 25}"
            request = {**record["request"], "config": f"config-{number % 7}", "rollout": service, "canary": f"canary-{number // 5}"}
            request["args"] = {"service": service, "namespace": f"namespace-{number % 4}"}
            own = {"id": f"seed-{number:03}", "asked_at": _END + number + rng.random(), "question": f"{number:064x}", "reusable": True}
            archive.keep({**record, **own, "request": request})
            if number % 20 == 0:
                archive.label(own["id"], Label(label="right", by="bench", at=_END))
        copies = count // _SEEDS - 1
        with archive.database.transaction(write=True) as connection:
            for table in (verdicts, records, results, questions):
                _copy(connection, table, copies)
        with archive.database.transaction(write=True) as connection:
            connection.execute(sa.text("ANALYZE"))


def _copy(connection: sa.Connection, table: sa.Table, copies: int) -> None:
    """Copy each row so many times, with another id, question and time."""
    recursive = sa.select(sa.literal(1, sa.Integer).label("k")).cte("numbers", recursive=True)
    numbers = recursive.union_all(sa.select(recursive.c.k + 1).where(recursive.c.k < copies))
    tail = sa.literal("-").op("||")(sa.cast(numbers.c.k, sa.Text))
    changed = {
        "id": lambda column: column.op("||")(tail),
        "verdict_id": lambda column: column.op("||")(tail),
        "question": lambda column: column.op("||")(tail),
        "asked_at": lambda column: column - numbers.c.k * 137.0,
        # A canary is looked at twenty times, not a thousand.
        "canary": lambda column: column.op("||")(tail),
    }
    columns = [changed.get(column.name, lambda same: same)(column) for column in table.columns]
    rows = sa.select(*columns).select_from(table.join(numbers, sa.true()))
    connection.execute(sa.insert(table).from_select([column.name for column in table.columns], rows))


# Reads


def reads(url: str, *, rounds: int) -> list[Took]:
    """Measure every kind of read, each with other values in every round."""
    rng = random.Random(2)
    with closing(open_archive(url)) as archive:
        newest = archive.list(limit=200)
        ids = [row["id"] for row in itertools.islice(each_row(archive), 0, 20_000, 97)]
        span = newest[0]["asked_at"] - archive.row(ids[-1])["asked_at"]

        def some(*values: str) -> str:
            return rng.choice(values)

        kinds: dict[str, Callable[[], Any]] = {
            "get: one verdict with its samples": lambda: archive.get(rng.choice(ids)),
            "answer: by its question": lambda: archive.answer(archive.get(rng.choice(ids))["question"]),
            "list: the newest 50": archive.list,
            "list: 50 older ones": lambda: archive.list(before=rng.choice(ids)),
            "list: by config": lambda: archive.list(wanted=Wanted(config=f"config-{rng.randrange(7)}")),
            "list: by service": lambda: archive.list(wanted=Wanted(service=f"service-{rng.randrange(25)}")),
            "list: by namespace and verdict": lambda: archive.list(wanted=Wanted(namespace="namespace-2", verdict=some("pass", "fail"))),
            "list: by rollout and time": lambda: archive.list(
                wanted=Wanted(rollout=f"service-{rng.randrange(25)}", since=newest[0]["asked_at"] - span * rng.random())
            ),
            "list: labelled right": lambda: archive.list(wanted=Wanted(label="right")),
            "list: a verdict that a config never got": lambda: archive.list(
                wanted=Wanted(config=f"config-{rng.randrange(7)}", verdict="marginal")
            ),
            "list: a verdict that a service never got": lambda: archive.list(
                wanted=Wanted(service=f"service-{rng.randrange(25)}", verdict="error")
            ),
            "list: service and config that never met": lambda: archive.list(wanted=Wanted(service="service-1", config="nowhere")),
            "looks: of one canary": lambda: archive.looks(canary=archive.row(rng.choice(ids))["canary"]),
            "labels: of one verdict": lambda: archive.labels(rng.choice(ids)),
            "config: 500 verdicts added up": lambda: archive.config(f"config-{rng.randrange(7)}"),
            "configs: all of them": archive.configs,
        }
        return [_took(name, read, rounds) for name, read in kinds.items()]


def lists(url: str, *, rounds: int) -> list[Took]:
    """Measure the list over HTTP, from request to bytes, inside the process."""
    with closing(open_archive(url)) as archive:
        client = create_app(Service(Settings(config_dir=DEMO), archive)).test_client()

        def asked(path: str) -> Callable[[], Any]:
            def ask() -> None:
                assert client.get(path).status_code == 200

            return ask

        paths = {
            "page of recent verdicts": "/",
            "page, 200 of one config that failed": "/?config=config-3&verdict=fail&limit=200",
            "GET /v1/verdicts?limit=200": "/v1/verdicts?limit=200",
            "page, a filter that nothing fits": "/?config=config-3&verdict=marginal",
        }
        return [_took(name, asked(path), rounds) for name, path in paths.items()]


def _took(name: str, read: Callable[[], Any], rounds: int) -> Took:
    read()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        read()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return Took(name=name, median=statistics.median(times), p95=times[int(len(times) * 0.95)], most=times[-1])


# Writes


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """`judge serve` with two workers on the recordings of the demo; answers its address and process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environ = {"JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": url, "PYTHONPATH": str(ROOT)}
    command = ["env", *(f"{name}={value}" for name, value in environ.items()), sys.executable, "-P", "-m", "judge", "serve"]
    options = ["--port", str(port), "--workers", str(WORKERS)]
    with process([*command, *options], folder / "serve.log", ready=lambda: get(f"{address}/readyz")) as running:
        # `env` became the service.
        try:
            yield address, running.pid
        finally:
            kill_all(running.pid)


def kill_all(pid: int) -> None:
    """Kill a service with its workers, at once."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                os.kill(one.pid, signal.SIGKILL)


def question(number: int) -> dict[str, str]:
    """A question that nobody has asked yet, about one of the two recorded canaries."""
    sides = ("4wz2bt6wx", "nwlqxqmdp") if number % 2 else ("lmbjm2z2v", "r6cpj765v")
    when = {"start": "2025-11-20T08:30:00Z", "end": "2025-11-20T09:00:00Z"}
    return {"config": "http-service", "baseline": sides[0], "canary": sides[1], "service": "shop", "rollout": f"rollout-{number}", **when}


def ask(address: str, number: int) -> dict[str, Any]:
    """Ask one question."""
    request = urllib.request.Request(f"{address}/v1/verdict", data=json.dumps(question(number)).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of questions that were asked at once."""

    asked: int
    seconds: float
    lists: int
    slowest_list_ms: float
    lost: int
    doubled: int

    @property
    def a_minute(self) -> float:
        """Verdicts kept a minute."""
        return self.asked / self.seconds * 60


def writes(url: str, folder: Path, count: int) -> Written:
    """Ask so many questions, each of them twice, while others read the list; count what is lost or doubled."""
    times: list[float] = []
    over = threading.Event()

    def read(address: str) -> None:
        while not over.is_set():
            began = time.perf_counter()
            query = urlencode({"config": "http-service", "limit": 50})
            with urllib.request.urlopen(f"{address}/?{query}", timeout=30) as answer:
                answer.read()
            times.append((time.perf_counter() - began) * 1000)
            over.wait(0.05)

    with serving(url, folder) as (address, _), ThreadPoolExecutor(ASKERS + READERS) as pool:
        readers = [pool.submit(read, address) for _ in range(READERS)]
        began = time.perf_counter()
        # The same question twice at the same time is the race that would double a verdict.
        numbers = [number for number in range(count) for _ in range(2 if number % 10 == 0 else 1)]
        answers = list(pool.map(lambda number: (number, ask(address, number)), numbers))
        seconds = time.perf_counter() - began
        over.set()
        for reader in readers:
            reader.result()
    told: dict[int, set[str]] = {}
    for number, answer in answers:
        assert answer["report"], answer["reason"]
        told.setdefault(number, set()).add(answer["id"])
    with closing(open_archive(url)) as archive:
        kept: dict[str, list[str]] = {}
        for row in each_row(archive, Wanted(config="http-service")):
            if row["rollout"].startswith("rollout-"):
                kept.setdefault(row["rollout"], []).append(row["id"])
    lost = sum(not ids <= set(kept.get(f"rollout-{number}", ())) for number, ids in told.items())
    doubled = sum(len(ids) > 1 for ids in kept.values()) + sum(len(ids) > 1 for ids in told.values())
    return Written(asked=count, seconds=seconds, lists=len(times), slowest_list_ms=max(times, default=0.0), lost=lost, doubled=doubled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What was answered before the service was killed, how much of that is gone, and what else is there."""

    answered: int
    lost: int
    unanswered_but_kept: int
    broken: int


def killed(url: str, folder: Path, count: int) -> Killed:
    """Kill the service with its workers after so many answers, while others are being written; open the archive again."""
    answered: list[str] = []
    enough = threading.Event()
    numbers = itertools.count(1_000_000)

    def keep_asking(address: str) -> None:
        # Whoever is in the middle when the service dies gets no answer, or half of one.
        with suppress(OSError, http.client.HTTPException):
            while True:
                answered.append(ask(address, next(numbers))["id"])
                if len(answered) >= count:
                    enough.set()

    with serving(url, folder) as (address, pid), ThreadPoolExecutor(ASKERS) as pool:
        waiting = [pool.submit(keep_asking, address) for _ in range(ASKERS)]
        enough.wait(120)
        kill_all(pid)
        for one in waiting:
            one.result()
    with closing(open_archive(url)) as archive:
        there = [row["id"] for row in each_row(archive, Wanted(config="http-service")) if row["rollout"] >= "rollout-1000000"]
        there = [verdict_id for verdict_id in there if len(archive.row(verdict_id)["rollout"]) == len("rollout-1000000")]
        broken = sum(archive.get(verdict_id)["id"] != verdict_id for verdict_id in there)
        missing = set(answered) - set(there)
        return Killed(answered=len(answered), lost=len(missing), unanswered_but_kept=len(set(there) - set(answered)), broken=broken)


@contextmanager
def stores(folder: Path, chosen: str) -> Iterator[Iterator[tuple[str, str]]]:
    """The stores to measure: name and address of an empty archive."""
    if chosen == "sqlite":
        yield iter([("SQLite", f"sqlite:///{folder / 'archive.db'}")])
        return
    with postgresql() as server:
        found = [("PostgreSQL", new_database(server))]
        yield iter(found if chosen == "postgresql" else [("SQLite", f"sqlite:///{folder / 'archive.db'}"), *found])


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--writes", type=int, default=A_MINUTE)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--store", choices=["both", "sqlite", "postgresql"], default="both")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name, stores(Path(name), asked.store) as found:
        for store, url in found:
            began = time.perf_counter()
            fill(url, asked.count)
            print(f"\n{store}, {asked.count:,} verdicts (made in {time.perf_counter() - began:.0f} s{_disk(url)})")
            print(f"{'ms':44}{'median':>9}{'p95':>9}{'most':>9}")
            for most, kinds in ((READ_MS, reads(url, rounds=asked.rounds)), (LIST_MS, lists(url, rounds=asked.rounds))):
                for took in kinds:
                    kept = "kept" if took.p95 < most else "MISSED"
                    print(f"{took.name:44}{took.median:9.1f}{took.p95:9.1f}{took.most:9.1f}  < {most:g}: {kept}")
            written = writes(url, Path(name), asked.writes)
            kept = "kept" if written.a_minute >= A_MINUTE and not written.lost and not written.doubled else "MISSED"
            print(
                f"{written.asked} verdicts through judge serve, {WORKERS} workers: {written.a_minute:,.0f} a minute, "
                f"{written.lost} lost, {written.doubled} doubled; {written.lists} lists read meanwhile, "
                f"the slowest in {written.slowest_list_ms:.0f} ms  >= {A_MINUTE:,} a minute: {kept}"
            )
            after = killed(url, Path(name), 100)
            kept = "kept" if not after.lost and not after.broken else "MISSED"
            print(
                f"killed after {after.answered} answers: {after.lost} of them lost, {after.broken} broken, "
                f"{after.unanswered_but_kept} kept whose answer was under way: {kept}"
            )


def _disk(url: str) -> str:
    if not url.startswith("sqlite"):
        return ""
    with closing(open_archive(url)) as archive, archive.database.transaction() as connection:
        told = connection.scalar(sa.select(sa.func.sum(verdicts.c.size)))
    really = Path(url.removeprefix("sqlite:///")).stat().st_size
    return f", {really / 1e6:.0f} MB on disk, {told / 1e6:.0f} MB by retention's estimate"


if __name__ == "__main__":
    main()
