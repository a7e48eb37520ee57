"""Health that means something: live while a new worker would do no better, ready while questions are answered."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest

from judge.archive import NoArchive
from judge.errors import ArchiveError
from judge.server import liveness as liveness_module
from judge.server.app import create_app
from judge.server.liveness import ArchiveCheck, Liveness
from judge.server.runtime import runtime
from judge.settings import Settings
from judge.verdicts.service import Service
from tests.docs.pages import ROOT
from tests.postgres import new_database, postgresql
from tests.servers import free_port, wait_until


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def app():
    return create_app(Service(Settings(config_dir=ROOT / "judge" / "demo"), NoArchive()))


def test_a_question_under_way_for_long_is_a_stuck_worker():
    clock = Clock()
    liveness = Liveness(deadline=8.0, clock=clock)

    with liveness.question():
        clock.now = 59.0
        assert liveness.problems() == []
        clock.now = 61.0
        assert liveness.problems() == ["a question has been under way for 61 s"]
    assert liveness.problems() == []


def test_a_long_deadline_is_waited_for():
    clock = Clock()
    liveness = Liveness(deadline=30.0, clock=clock)

    with liveness.question():
        clock.now = 119.0
        assert liveness.problems() == []
        clock.now = 121.0
        assert len(liveness.problems()) == 1


def test_a_thread_that_fails_begins_again_and_one_that_ends_is_a_problem(caplog, monkeypatch):
    monkeypatch.setattr(liveness_module, "AGAIN_SECONDS", 0.01)
    liveness, stop, began = Liveness(deadline=8.0), threading.Event(), []

    def work(stop):
        began.append(1)
        if len(began) < 3:
            raise RuntimeError("for once")

    liveness.keep_going("configs", work, stop)

    wait_until(lambda: liveness.problems() == ["the thread configs has ended"], "it has ended")
    assert len(began) == 3
    assert "the thread configs failed, and begins again" in caplog.text


def test_liveness_says_why_to_those_who_may_know(app, monkeypatch):
    liveness = runtime(app).liveness
    monkeypatch.setattr(liveness, "problems", lambda: ["a question has been under way for 61 s"])

    answer = app.test_client().get("/healthz")

    assert answer.status_code == 503
    assert answer.json["status"] == "stuck"
    assert answer.json["problems"] == ["a question has been under way for 61 s"]


@pytest.mark.extended
@pytest.mark.integration
def test_a_worker_whose_question_never_ends_is_replaced(judge, relay, question, tmp_path):
    script = tmp_path / "sitecustomize.py"
    script.write_text(
        "import threading\n"
        "from judge.verdicts.service import Service\n"
        "from judge.server import liveness\n"
        "liveness.STUCK_SECONDS, liveness.LOOK_SECONDS, liveness.LEAVE_SECONDS = 4.0, 0.5, 1.0\n"
        "real = Service.ask\n"
        "def ask(self, raw, **more):\n"
        "    if raw.get('rollout') == 'deadlock': threading.Event().wait()\n"
        "    return real(self, raw, **more)\n"
        "Service.ask = ask\n"
    )
    # liveness imports signals, which must find the folder of the counters; the service makes its own later.
    counters = tmp_path / "counters"
    counters.mkdir()
    environ = {"PYTHONPATH": str(tmp_path), "JUDGE_DEADLINE": "1", "PROMETHEUS_MULTIPROC_DIR": str(counters)}
    with judge(relay.url, **environ) as service:
        wait_until(lambda: len(workers(service)) == 2, "both workers are there")
        before = workers(service)
        threading.Thread(target=swallow, args=(service, {**question, "rollout": "deadlock"}), daemon=True).start()
        wait_until(lambda: any("this worker is stuck" in line for line in service.lines()), "the worker is found stuck")
        wait_until(lambda: len(workers(service)) == 2 and workers(service) != before, "another worker has come")
        _, answer = service.ask("/v1/verdict", {**question, "look": "3"})
        found = service.metrics()

    assert answer["verdict"] in {"fail", "inconclusive"}
    # The dead worker's gauges went with it.
    assert (found["judge_workers_replaced_total"], found["judge_question_places"], found["judge_questions_working"]) == (1, 8, 0)


def workers(service):
    port = service.url.rpartition(":")[2]
    [master] = [one for one in psutil.Process().children() if port in one.cmdline()]
    return {one.pid for one in master.children() if one.status() != psutil.STATUS_ZOMBIE}


def swallow(service, question):
    with pytest.raises((OSError, urllib.error.URLError, ConnectionError)):
        service.ask("/v1/verdict", question)


@pytest.mark.integration
def test_a_prometheus_that_is_away_turns_nothing_red(judge, question):
    with judge(f"http://127.0.0.1:{free_port()}", JUDGE_DEADLINE="2") as service:
        for number in range(10):
            service.ask("/v1/verdict", {**question, "look": str(number + 1)})
        answers = [service.ask("/readyz")[1] for _ in range(12)]
        _, alive = service.ask("/healthz")

    assert alive["status"] == "ok"
    assert {one["ready"] for one in answers} == {True}
    away = [one for one in answers if one["sources"]["default"] != "closed"]
    assert away
    assert {tuple(one["problems"]) for one in away} == {("source default: it failed again and again, and is tried now and then",)}


@pytest.mark.integration
@pytest.mark.extended
def test_a_frozen_archive_keeps_no_probe_waiting(judge, relay):
    with postgresql() as server:
        address = new_database(server).replace("postgresql://", "postgresql+psycopg://")
        port = server.rpartition(":")[2].partition("/")[0]
        with judge(relay.url, JUDGE_ARCHIVE_URL=address) as service:
            family = [one for one in psutil.process_iter() if one.name() == "postgres" and listens(one, port)]
            family += [child for one in family for child in one.children(recursive=True)]
            for one in family:
                one.send_signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                _, ready = service.ask("/readyz")
                spent = time.monotonic() - began
                _, alive = service.ask("/healthz")
            finally:
                for one in family:
                    one.send_signal(signal.SIGCONT)
            wait_until(lambda: service.ask("/readyz")[1]["problems"] == [], "the archive is back")

    assert spent < 2.5
    assert (ready["ready"], alive["status"]) == (True, "ok")
    assert [text for text in ready["problems"] if "archive" in text]


def listens(process, port):
    try:
        return any(one.laddr.port == int(port) and one.status == "LISTEN" for one in process.net_connections())
    except psutil.Error:
        return False


def test_an_archive_that_fails_is_named_and_one_that_hangs_is_asked_once():
    let_go, asked = threading.Event(), []

    class Hanging(NoArchive):
        def ping(self) -> None:
            asked.append(os.getpid())
            let_go.wait(10)
            raise ArchiveError("archive x: gone")

    check = ArchiveCheck(Hanging())

    assert "has not answered" in check.problem()
    assert "has not answered" in check.problem()
    assert len(asked) == 1
    let_go.set()
    wait_until(lambda: check.problem() == "archive x: gone", "the archive has answered")


@pytest.mark.integration
def test_who_has_no_token_sees_no_detail(judge, relay, tmp_path):
    import hashlib

    token = "judge_" + "t" * 40
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps({"tokens": [{"name": "me", "sha256": hashlib.sha256(token.encode()).hexdigest(), "may": ["read"]}]}))
    with judge(relay.url, JUDGE_TOKENS_FILE=str(tokens)) as service:
        _, nobody = service.ask("/readyz")
        _, me = service.ask("/readyz", None, Authorization=f"Bearer {token}")

    assert nobody == {"ready": True}
    assert me["sources"] == {"default": "closed"}
