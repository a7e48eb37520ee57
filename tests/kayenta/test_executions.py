"""Executions and their workers: held while they work, given back, given up, whatever the clocks say."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from judge.archive import open_archive
from judge.errors import ArchiveError
from judge.kayenta import executions as module
from judge.kayenta.executions import ATTEMPTS, Executions
from judge.kayenta.store import OVER, KayentaStore
from tests.postgres import new_database, postgresql

HOUR, DAY = 3600.0, 86400.0


class Worker(Executions):
    """Judges nothing, but takes its time; `trouble` is raised instead of a result, once each."""

    def __init__(self, store, *, clock=time.time, seconds=0.0):
        super().__init__(store, lambda: None, clock=clock, new_id=lambda: f"e-{time.monotonic_ns()}")
        self.seconds, self.trouble, self.judged = seconds, [], 0

    def _judge(self, config, request, pair_list_id):
        time.sleep(self.seconds)
        if self.trouble:
            raise self.trouble.pop()
        self.judged += 1
        return {"judgeResult": {"score": {"score": 100.0}}, "by": id(self)}


@pytest.fixture(scope="module")
def server():
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'judge.db'}" if request.param == "sqlite" else new_database(request.getfixturevalue("server"))
    with closing(open_archive(url)) as archive:
        yield KayentaStore(archive.database)


@pytest.fixture
def short_claims(monkeypatch):
    monkeypatch.setattr(module, "CLAIM_SECONDS", 0.6)
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.15)


def series(*due):
    return {"requests": [{} for _ in due], "due": list(due), "thresholds": {"pass": 90, "marginal": 50}}


def test_work_that_takes_longer_than_a_claim_is_not_taken_over(store, short_claims):
    slow, other = Worker(store, seconds=2.0), Worker(store)
    execution = slow.accept({}, {}, application="a")
    thread = threading.Thread(target=slow.work_once)
    thread.start()
    time.sleep(0.2)
    seen = set()
    while thread.is_alive():
        seen.add(other.work_once())
        time.sleep(0.05)
    thread.join()

    assert (seen, slow.judged, other.judged) == ({False}, 1, 0)
    assert store.execution(execution).document["outcome"]["by"] == id(slow)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, DAY, -DAY], ids=lambda ahead: f"{ahead / HOUR:+g} h")
def test_replicas_whose_clocks_disagree_take_nothing_from_each_other(store, ahead):
    right, wrong = Worker(store), Worker(store, clock=lambda: time.time() + ahead)
    mine = right.accept({}, {}, application="a")
    held = store.claim("right", seconds=module.CLAIM_SECONDS)

    # What is held stays held, whoever asks.
    assert (held.id, wrong.work_once()) == (mine, False)
    # What one accepts the other finds at once.
    theirs = wrong.accept({}, {}, application="a")
    assert right.work_once() is True
    assert wrong.work_once() is False
    assert store.execution(theirs).status == "succeeded"


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, DAY, -DAY], ids=lambda ahead: f"{ahead / HOUR:+g} h")
def test_a_series_keeps_its_times_whoever_works_on_it(store, ahead):
    now = time.time()
    wrong, right = Worker(store, clock=lambda: time.time() + ahead), Worker(store)
    # By the clock of whoever accepts it: the first is due now, the second in two minutes.
    execution = wrong.accept_series({}, series(now + ahead, now + ahead + 120), application="a", first_at=now + ahead)

    assert right.work_once() is True
    assert (right.work_once(), wrong.work_once()) == (False, False)
    found = store.execution(execution)
    assert (found.status, len(found.document["done"])) == ("running", 1)


def test_an_archive_that_is_away_while_it_is_judged_is_not_the_executions_fault(store, short_claims):
    worker = Worker(store)
    worker.trouble.append(ArchiveError("away"))
    execution = worker.accept({}, {}, application="a")

    with pytest.raises(ArchiveError, match="away"):
        worker.work_once()
    assert store.execution(execution).status == "running"
    time.sleep(0.8)
    assert worker.work_once() is True
    assert store.execution(execution).status == "succeeded"


def test_a_result_waits_for_an_archive_that_is_away_for_a_moment(store, monkeypatch):
    worker, failures = Worker(store), [ArchiveError("away")] * 2
    execution = worker.accept({}, {}, application="a")
    write = store.write

    def flaky(*args, **more):
        if failures:
            raise failures.pop()
        return write(*args, **more)

    monkeypatch.setattr(store, "write", flaky)

    assert worker.work_once() is True
    assert (worker.judged, store.execution(execution).status) == (1, "succeeded")


def test_what_takes_every_worker_down_is_given_up(store):
    worker = Worker(store)
    execution = worker.accept({}, {}, application="a")
    for _ in range(ATTEMPTS):
        assert store.claim("dies", seconds=0.0) is not None
        time.sleep(0.01)

    assert worker.work_once() is True
    found = store.execution(execution)
    assert (found.status, worker.judged) == ("terminal", 0)
    assert found.document["error"] == "given up: 5 workers in turn began to judge this and did not come to an end"


def test_who_has_to_leave_ends_what_is_short(store):
    worker = Worker(store, seconds=0.3)
    execution = worker.accept({}, {}, application="a")
    thread = threading.Thread(target=worker.work_once)
    thread.start()
    time.sleep(0.1)
    worker.leave(5.0)

    assert store.execution(execution).status == "succeeded"
    thread.join()


def test_who_has_to_leave_gives_back_what_is_long(store):
    leaver, other = Worker(store, seconds=1.5), Worker(store)
    execution = leaver.accept({}, {}, application="a")
    thread = threading.Thread(target=leaver.work_once)
    thread.start()
    time.sleep(0.2)
    leaver.leave(0.2)

    assert other.work_once() is True
    thread.join()
    # The one that left came to an end all the same; its result came too late.
    assert (leaver.judged, other.judged) == (1, 1)
    assert store.execution(execution).document["outcome"]["by"] == id(other)


def test_who_has_to_leave_while_it_claims_leaves_nothing_claimed_behind(store, monkeypatch):
    worker, claim, claiming = Worker(store), store.claim, threading.Event()
    execution = worker.accept({}, {}, application="a")

    def slow(*args, **more):
        found = claim(*args, **more)
        claiming.set()
        time.sleep(0.3)
        return found

    monkeypatch.setattr(store, "claim", slow)
    thread = threading.Thread(target=worker.work_once)
    thread.start()
    assert claiming.wait(5)
    worker.leave(5.0)

    assert store.execution(execution).status == "succeeded"
    thread.join()


def test_who_has_left_takes_nothing_more(store):
    worker = Worker(store)
    worker.leave(5.0)
    execution = worker.accept({}, {}, application="a")

    assert worker.work_once() is False
    assert store.execution(execution).status == "not_started"


def test_nothing_is_at_work_so_nothing_is_waited_for(store):
    began = time.monotonic()
    Worker(store).leave(600.0)

    assert time.monotonic() - began < 60


def test_the_worker_lives_through_what_nobody_foresaw(store, monkeypatch, caplog):
    worker, stop = Worker(store), threading.Event()
    execution = worker.accept({}, {}, application="a")
    claim, failures = store.claim, [RuntimeError("odd")]
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)

    def odd(*args, **more):
        if failures:
            raise failures.pop()
        return claim(*args, **more)

    monkeypatch.setattr(store, "claim", odd)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    until = time.monotonic() + 10
    while store.execution(execution).status not in OVER and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    thread.join()

    assert store.execution(execution).status == "succeeded"
    assert "RuntimeError: odd" in caplog.text


def test_an_archive_that_stays_away_is_said_once_and_not_at_every_try(store, monkeypatch, caplog):
    worker, stop, tries = Worker(store), threading.Event(), []
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.001)

    def away(*_, **__):
        tries.append(1)
        if len(tries) == 20:
            stop.set()
        raise ArchiveError("the disk is full" if len(tries) < 10 else "the disk is gone")

    monkeypatch.setattr(store, "claim", away)
    worker.run(stop)

    assert [line.getMessage() for line in caplog.records] == ["executions wait: the disk is full", "executions wait: the disk is gone"]
