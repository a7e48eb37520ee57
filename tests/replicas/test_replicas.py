"""Three replicas over one PostgreSQL, in the short form; ``python -m tests.benchmarks.replicas`` is the long one."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.test_kayenta import CONFIG
from tests.integration.test_scenarios import CONFIGS
from tests.replicas.executions import AUDIT, collect, measure, question, unfinished
from tests.replicas.harness import cluster
from tests.replicas.questions import ask_together, patiently, post, question_of, records
from tests.servers import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.extended]


class Load:
    """Callers who ask one replica, each time something new, until it is over."""

    def __init__(self, judges, url, *, first):
        self.judges, self.url, self.first = judges, url, first
        self.heard, self.broken, self.over = [], [], threading.Event()

    def run(self, place):
        """Be the caller in this place."""
        number = 0
        while not self.over.is_set():
            number += 1
            try:
                self.heard.append(post(self.url, question_of(self.judges, self.first + 200 * place + number)))
            except OSError as error:
                self.broken.append(str(error))
                time.sleep(0.05)


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("replicas"), replicas=3, workers=1, configs=CONFIGS) as found:
        yield found


def test_executions_are_neither_lost_nor_judged_twice_while_replicas_are_killed(tmp_path):
    found = measure(tmp_path, configs=CONFIGS, executions=120, workers=1, every=1.0, over=4.0)

    print(found)
    assert found.accepted == 120
    assert found.kills >= 2
    assert found.lost == []
    assert found.results == {1: 120 + found.unheard}
    assert found.foreign == []
    assert (set(found.scores), found.errors) == ({0.0}, [])


def test_the_same_question_to_all_replicas_at_once_is_one_answer_and_one_look(judges):
    before = records(judges)

    rounds = ask_together(judges, rounds=15)

    assert [each.number for each in rounds if not each.is_one_answer] == []
    assert {each.answers[0]["verdict"] for each in rounds} == {"fail"}
    assert len({each.answers[0]["id"] for each in rounds}) == 15
    after = records(judges)
    assert (after[0] - before[0], after[1] - before[1]) == (15, 15)
    # Asked again later, at any of them, it is the same.
    assert post(judges.replicas[1].url, question_of(judges, 2 + 1))["id"] == rounds[2].answers[0]["id"]


def test_the_same_question_while_one_replica_after_the_other_dies(judges):
    before = records(judges)
    with judges.killing(1.0) as kills:
        rounds = ask_together(judges, rounds=40, first=100, ask=patiently(judges))
        while len(kills) < 2:
            time.sleep(0.1)

    assert [each for each in rounds if not each.is_one_answer and not each.unkept] == []
    assert {answer["verdict"] for each in rounds for answer in each.answers} == {"fail"}
    # Callers who died with their replica left at most what a living one answered, too.
    after = records(judges)
    assert (after[0] - before[0], after[1] - before[1]) == (40, 40)


def test_a_replica_that_is_told_to_end_answers_what_it_accepted_and_leaves_no_execution_behind(judges):
    wait_until(lambda: all(each.is_ready for each in judges.replicas), "all replicas are back", seconds=60)
    leaver = judges.replicas[0]
    judges.do("DROP TABLE IF EXISTS audit; DROP FUNCTION IF EXISTS audit CASCADE")
    judges.do(AUDIT)
    config = judges.send("/canaryConfig", CONFIG)["canaryConfigId"]
    accepted: dict[str, float] = {}
    load = Load(judges, leaver.url, first=1000)

    def executions(_):
        accepted[judges.send(f"/canary/{config}?application=leaving", question(judges))["canaryExecutionId"]] = time.time()

    began = time.time()
    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(load.run, place) for place in range(4)]
        wait_until(lambda: len(load.heard) > 8, "there is load", seconds=30)
        posts = [pool.submit(executions, number) for number in range(40)]
        time.sleep(0.5)
        told = time.monotonic()
        leaver.send(signal.SIGTERM)
        status = leaver.running.wait(timeout=30)
        seconds = time.monotonic() - told
        for each in posts:
            each.result()
        load.over.set()
        for each in callers:
            each.result()
    # Sooner than a claim runs out: nothing had to be taken over from a dead one.
    wait_until(lambda: not unfinished(judges), "every execution is over", seconds=12)
    found = collect(judges, accepted, began=began, kills=0)
    kept = {row[0] for row in judges.query("SELECT id FROM judge_verdicts")}
    leaver.start()

    print(f"ended after {seconds:.1f} s, {len(load.heard)} answers, broken: {sorted(set(load.broken))}")
    assert status == 0
    assert seconds < 30
    assert found.lost == []
    assert set(found.results) == {1}
    assert {answer["id"] for answer in load.heard} <= kept
    # What was not accepted was refused at the door: nothing was heard and then dropped.
    assert [each for each in load.broken if "refused" not in each and "503" not in each] == []


def test_a_reload_under_load_loses_nothing(judges):
    wait_until(lambda: all(each.is_ready for each in judges.replicas), "all replicas are back", seconds=60)
    judge = judges.replicas[1]
    load = Load(judges, judge.url, first=2000)

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(load.run, place) for place in range(4)]
        for _ in range(2):
            time.sleep(1.5)
            judge.send(signal.SIGHUP)
        time.sleep(3)
        load.over.set()
        for each in callers:
            each.result()
    kept = {row[0] for row in judges.query("SELECT id FROM judge_verdicts")}

    print(f"{len(load.heard)} answers, broken: {sorted(set(load.broken))}")
    assert load.broken == []
    assert {answer["verdict"] for answer in load.heard} == {"fail"}
    assert {answer["id"] for answer in load.heard} <= kept
