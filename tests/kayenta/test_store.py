"""Executions in the database: each is claimed by one worker, held while it works, and written once."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from judge.archive import open_archive
from judge.archive.tables import kayenta_executions
from judge.kayenta.store import WAITING, Execution, KayentaStore

HOUR = 3600.0


@pytest.fixture
def store(url):
    with closing(open_archive(url)) as archive:
        yield KayentaStore(archive.database)


def accept(store, *names, kind="canary", due_at=None):
    for name in names:
        execution = Execution(id=name, kind=kind, application="a", status=WAITING, created_at=1.0, claim=None, document={"n": name})
        store.accept(execution, due_at=due_at)


def change(store, name, **values):
    """Change a row as no judge would."""
    with store._database.transaction(write=True) as connection:
        connection.execute(sa.update(kayenta_executions).where(kayenta_executions.c.id == name).values(**values))


def test_the_clock_is_the_databases(store):
    assert store.now() == pytest.approx(time.time(), abs=5)


def test_eight_workers_take_each_execution_once(store):
    accept(store, *(f"e{number:02}" for number in range(40)))

    def work(worker):
        taken = []
        while (found := store.claim(f"w{worker}", seconds=60)) is not None:
            assert store.write(found, {"by": worker}, status="succeeded")
            taken.append(found.id)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(name for names in pool.map(work, range(8)) for name in names)

    assert taken == {f"e{number:02}": 1 for number in range(40)}
    assert store.counts() == {"waiting": 0, "running": 0}


def test_a_claim_names_its_worker_and_its_row_says_who_won(store):
    accept(store, "e")
    lost = store.claim("first", seconds=0.2)
    assert store.claim("second", seconds=60) is None
    time.sleep(0.3)
    won = store.claim("second", seconds=60)

    assert (lost.attempt, lost.taken_over, won.attempt, won.taken_over) == (1, False, 2, True)
    assert store.write(lost, {"by": "first"}, status="succeeded") is False
    assert store.write(won, {"by": "second"}, status="succeeded") is True
    assert store.write(won, {"by": "second", "again": True}, status="terminal") is False
    found = store.execution("e")
    assert (found.claim, found.status, found.document) == (won.claim, "succeeded", {"by": "second"})
    assert found.claim.startswith("2/second/")


def test_a_claim_that_is_renewed_is_not_taken_over(store):
    accept(store, "e")
    held = store.claim("holder", seconds=0.4)
    for _ in range(4):
        time.sleep(0.2)
        assert store.renew(held, seconds=0.4) is True
        assert store.claim("thief", seconds=0.4) is None
    time.sleep(0.5)
    assert store.claim("heir", seconds=60).attempt == 2
    assert store.renew(held, seconds=60) is False


def test_what_is_given_back_is_taken_at_once_and_by_nobodys_loss(store):
    accept(store, "e")
    held = store.claim("leaver", seconds=60)

    assert store.release(held) is True
    taken = store.claim("next", seconds=60)

    assert (taken.id, taken.attempt) == ("e", 1)
    assert store.release(held) is False


def test_a_series_waits_until_it_is_due(store):
    accept(store, "series", kind="standalone", due_at=store.now() + HOUR)

    assert store.claim("w", seconds=60) is None
    change(store, "series", due_at=store.now() - 1)
    begun = store.claim("w", seconds=60)
    assert store.write(begun, {}, status="running", due_at=store.now() + HOUR)
    assert store.claim("w", seconds=60) is None
    # Its next judgement is no attempt at the last one.
    change(store, "series", due_at=store.now() - 1)
    assert store.claim("w", seconds=60).attempt == 1


@pytest.mark.parametrize("claim", [None, "1/worker/x"], ids=["what waits", "what was begun by a worker that died"])
def test_a_database_whose_clock_is_set_back_does_not_stop_the_work(store, claim):
    accept(store, "e")
    change(store, "e", due_at=store.now() + HOUR, claim=claim, status=WAITING if claim is None else "running")

    assert store.claim("w", seconds=60).id == "e"


def test_a_claim_of_an_earlier_version_counts_as_one(store):
    accept(store, "e")
    change(store, "e", claim="5f1c" * 8, status="running", due_at=0.0)

    assert store.claim("w", seconds=60).attempt == 2
