"""What the service stands on breaks: its archive, its workers, its configs."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time

import psutil
import pytest

from tests.integration.test_scenarios import CONFIGS
from tests.postgres import new_database, postgresql

pytestmark = pytest.mark.integration

SECONDS = 3.0
UNKEPT = "(this verdict was not kept)"


def database(directory):
    return directory / "judge" / "judge.sqlite"


def workers(callers):
    """Processes of the service below its master."""
    port = int(callers.url.rpartition(":")[2])
    masters = [each for each in psutil.Process().children() if str(port) in each.cmdline()]
    (master,) = masters
    return master, master.children()


def reasons(callers):
    """Why verdicts were not what they should be."""
    return sorted({each.document["reason"] for each in callers.heard if each.verdict == "inconclusive"})


def test_a_locked_archive(judge, tmp_path):
    with judge(tmp_path / "judge") as callers:
        with callers.asking():
            time.sleep(0.5)
            lock = sqlite3.connect(database(tmp_path), isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            time.sleep(SECONDS)
            lock.execute("ROLLBACK")
            lock.close()
            time.sleep(1.0)
        counts = callers.check()
        kept_again = callers.ask()
    print(f"locked: {counts}, {reasons(callers)}")
    assert set(counts) <= {"fail", "inconclusive"}
    assert counts["fail"] >= 8
    assert any(UNKEPT in each.document["reason"] for each in callers.heard)
    assert UNKEPT not in kept_again.document["reason"]


def test_an_archive_on_a_full_disk(judge, tmp_path):
    """A file system of two megabytes, mounted for this test; where it cannot be mounted the test says so."""
    place = tmp_path / "judge"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "judge-test", place], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        with judge(place) as callers:
            with callers.asking():
                ends = time.monotonic() + 20
                while time.monotonic() < ends and not any(UNKEPT in (each.document or {}).get("reason", "") for each in callers.heard):
                    time.sleep(0.1)
                time.sleep(1.0)
            counts = callers.check()
        print(f"full: {counts}")
        assert set(counts) == {"fail"}
        assert any(UNKEPT in each.document["reason"] for each in callers.heard)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_postgresql_that_goes_away_and_comes_back(judge, tmp_path):
    with postgresql() as server:
        address = new_database(server)
        master = next(
            each for each in psutil.process_iter() if each.name() == "postgres" and "-D" in each.cmdline() and _listens(each, server)
        )
        with judge(tmp_path / "judge", JUDGE_ARCHIVE_URL=address.replace("postgresql://", "postgresql+psycopg://")) as callers:
            with callers.asking():
                time.sleep(0.5)
                family = [master, *master.children(recursive=True)]
                for each in family:
                    each.send_signal(signal.SIGSTOP)
                time.sleep(SECONDS)
                for each in family:
                    each.send_signal(signal.SIGCONT)
                time.sleep(2.0)
            counts = callers.check()
            again = callers.ask()
    print(f"frozen PostgreSQL: {counts}, {reasons(callers)}")
    assert set(counts) <= {"fail", "inconclusive"}
    assert counts["fail"] >= 8
    assert UNKEPT not in again.document["reason"]


def _listens(process, server):
    port = int(server.rpartition(":")[2].partition("/")[0])
    return any(each.laddr and each.laddr.port == port for each in process.net_connections())


def test_workers_that_are_killed_again_and_again(judge, tmp_path):
    with judge(tmp_path / "judge") as callers:
        with callers.asking():
            for _ in range(3):
                time.sleep(1.0)
                _, alive = workers(callers)
                alive[0].send_signal(signal.SIGKILL)
            time.sleep(1.0)
        callers.recovers(within=5)
        counts = callers.check(may_break=True)
        _, alive = workers(callers)
    print(f"killed workers: {counts}")
    assert len(alive) == 2
    assert counts["fail"] > 20
    # A question that was in a killed worker has no answer; Argo asks again.
    assert set(counts) <= {"fail", "RemoteDisconnected", "ConnectionResetError", "URLError", "IncompleteRead"}


def test_a_config_that_is_replaced_by_a_broken_one(judge, tmp_path):
    configs = tmp_path / "configs"
    shutil.copytree(CONFIGS, configs)
    with judge(tmp_path / "judge", configs=configs) as callers:
        with callers.asking():
            time.sleep(0.5)
            (configs / "new").write_text("name: http-service\nmetrics: [", encoding="utf-8")
            (configs / "new").replace(configs / "http-service.yaml")
            time.sleep(7.0)  # longer than the folder is left unwatched
        counts = callers.check()
        os.kill(workers(callers)[0].pid, signal.SIGHUP)
        time.sleep(2.0)
        after = callers.ask()
    print(f"broken config: {counts}")
    assert set(counts) == {"fail"}
    # A fresh worker knows the good version only from its master's memory.
    assert after.verdict == "fail"
