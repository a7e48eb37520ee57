"""The archive shared by processes and threads: one winner for each question, and nothing lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest

from judge.archive import open_archive
from tests.reports.sample import record

pytestmark = pytest.mark.integration

RACE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from judge.archive import open_archive
from tests.reports.sample import record

archive = open_archive(sys.argv[1])
contenders = [f"{sys.argv[2]}{thread}" for thread in "ab"]
kept = record()

def contend(me):
    return [archive.keep(kept | {"id": f"{me}-{n}", "question": f"{n:064x}"}) for n in range(20)]

with ThreadPoolExecutor(2) as pool:
    print("ready", flush=True)
    sys.stdin.readline()
    for answers in pool.map(contend, contenders):
        print(*answers, flush=True)
archive.close()
"""

WRITE_FOREVER = """
import itertools, sys
from judge.archive import open_archive
from tests.reports.sample import record

archive = open_archive(sys.argv[1])
kept = record()
for n in itertools.count():
    print(archive.keep(kept | {"id": f"{n}", "question": f"{n:064x}"}), flush=True)
"""

FORK = """
import os, sys
from judge.archive import open_archive
from tests.reports.sample import record

archive = open_archive(sys.argv[1])
archive.keep(record(verdict_id="parent-before", reusable=False))
parents_own = archive.database._engine()
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        try:
            for n in range(10):
                archive.keep(record(verdict_id=f"child-{child}-{n}", reusable=False))
            os._exit(3 if archive.database._engine() is parents_own else 0)
        finally:
            os._exit(1)
    children.append(pid)
for n in range(10):
    archive.keep(record(verdict_id=f"parent-{n}", reusable=False))
statuses = [os.waitpid(pid, 0)[1] for pid in children]
assert statuses == [0] * 4, statuses
archive.keep(record(verdict_id="parent-after", reusable=False))
"""


@contextmanager
def running(script: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script on this interpreter; it is dead when the block ends."""
    with subprocess.Popen([sys.executable, "-c", script, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.extended
def test_eight_contenders_in_four_processes_agree_on_one_winner_for_each_question(url: str) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(running(RACE, url, str(n))) for n in range(4)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [line.split() for process in processes for line in process.communicate(timeout=600)[0].splitlines()]

    assert [process.returncode for process in processes] == [0] * 4
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    with closing(open_archive(url)) as archive:
        assert sorted(row["id"] for row in archive.list()) == sorted(answers[0])
        assert [archive.answer(f"{n:064x}")["id"] for n in range(20)] == answers[0]


def test_sixteen_threads_with_one_archive_agree_on_one_winner(url: str) -> None:
    with closing(open_archive(url)) as archive, ThreadPoolExecutor(16) as pool:
        winners = set(pool.map(archive.keep, [record(verdict_id=f"{n}") for n in range(64)]))

        assert len(winners) == 1
        assert {row["id"] for row in archive.list()} == winners


def test_killed_in_the_middle_of_writes_everything_that_was_kept_is_there(url: str) -> None:
    with running(WRITE_FOREVER, url) as process:
        assert process.stdout is not None
        kept = [process.stdout.readline().strip() for _ in range(60)]
        os.kill(process.pid, signal.SIGKILL)
        kept += process.stdout.read().split()

    with closing(open_archive(url)) as archive:
        there = [row["id"] for row in archive.list(limit=100_000)]
        assert len(kept) >= 60
        # What was in the middle may be there or not; whatever was told of is, and nothing twice.
        assert set(kept) <= set(there)
        assert len(there) == len(set(there)) <= len(kept) + 1
        assert all(archive.get(verdict_id)["id"] == verdict_id for verdict_id in there)
        assert archive.get(kept[-1])["question"] == f"{int(kept[-1]):064x}"
        assert archive.keep(record(verdict_id="after", reusable=False)) == "after"
    whole(url)


def whole(url: str) -> None:
    """SQLite's own check of the file; PostgreSQL has none that one would ask for."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
            assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_archive_used_before_a_fork_works_on_both_sides_of_it(url: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", FORK, url], check=True, timeout=600)

    with closing(open_archive(url)) as archive:
        assert len(archive.list(limit=1000)) == 2 + 4 * 10 + 10
    whole(url)
