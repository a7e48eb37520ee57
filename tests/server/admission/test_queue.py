"""The queue: who finds no place waits a while for one, and beyond that every question is declined at once."""

from __future__ import annotations

import threading
import time

import pytest

from judge.archive import open_archive
from judge.errors import Busy
from judge.server.admission.queue import Slots
from judge.server.app import create_app
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW
from tests.server.routes.test_verdicts import strict


@pytest.fixture
def slots():
    return Slots(working=2, waiting=1, patience=0.2)


def hold(slots, count):
    """Take so many places; call the result to give them back."""
    ready, done = threading.Barrier(count + 1), threading.Event()

    def work():
        with slots.place():
            ready.wait()
            done.wait()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    ready.wait()

    def release():
        done.set()
        for thread in threads:
            thread.join()

    return release


def test_who_finds_no_place_waits_for_one():
    slots = Slots(working=2, waiting=1, patience=60.0)
    release = hold(slots, 2)
    threading.Timer(0.05, release).start()

    began = time.monotonic()
    with slots.place():
        assert time.monotonic() - began > 0.03


def test_nobody_waits_longer_than_the_patience(slots):
    release = hold(slots, 2)
    began = time.monotonic()
    with pytest.raises(Busy, match=r"no place among 2 within 0\.2 s"), slots.place():
        pass
    assert time.monotonic() - began < 60
    release()


def test_whose_turn_would_come_too_late_is_refused_at_once_until_things_go_faster():
    slots = Slots(working=1, waiting=8, patience=0.05)
    for _ in range(5):
        with slots.place():
            time.sleep(0.15)

    with slots.place(), pytest.raises(Busy, match=r"1 questions are being judged, and lately one took \d+\.\d s"), slots.place():
        pass

    for _ in range(20):
        with slots.place():
            pass
    release = hold(slots, 1)
    threading.Timer(0.02, release).start()
    with slots.place():
        pass


def test_beyond_the_queue_everybody_is_refused_at_once(slots):
    release = hold(slots, 2)

    def wait_in_vain():
        with pytest.raises(Busy), slots.place():
            pass

    waiting = threading.Thread(target=wait_in_vain)
    waiting.start()
    time.sleep(0.05)
    began = time.monotonic()
    with pytest.raises(Busy, match="2 questions are being judged and 1 wait"), slots.place():
        pass
    assert time.monotonic() - began < 60
    waiting.join()
    release()
    with slots.place():
        pass


def test_a_place_is_given_back_after_an_error(slots):
    for _ in range(10):
        with pytest.raises(KeyError), slots.place():
            raise KeyError


@pytest.mark.parametrize(("on_source_error", "status"), [("inconclusive", 200), ("error", 503)])
def test_a_busy_judge_says_so_as_the_config_wishes(settings, questions, tmp_path, on_source_error, status):
    text = (DEMO / "http-service.yaml").read_text(encoding="utf-8")
    (tmp_path / "c.yaml").write_text(f"{text}\non_source_error: {on_source_error}\n", encoding="utf-8")
    archive = open_archive(settings.archive_url)
    service = Service(settings.model_copy(update={"config_dir": tmp_path, "questions_at_once": 1, "questions_waiting": 0}), archive)
    client = create_app(service, clock=lambda: NOW).test_client()
    at_work, go_on = threading.Event(), threading.Event()
    ask = service.ask

    def slow(*args, **more):
        at_work.set()
        go_on.wait(600)
        return ask(*args, **more)

    service.ask = slow
    first = []
    thread = threading.Thread(target=lambda: first.append(post_anew(client, questions["healthy"])))
    thread.start()
    at_work.wait(5)
    began = time.monotonic()
    declined = post_anew(client, questions["bad"])
    assert time.monotonic() - began < 60
    go_on.set()
    thread.join()

    assert first[0].status_code == 200
    assert strict(first[0].text)["verdict"] == "pass"
    assert declined.status_code == status
    document = strict(declined.text)
    if status == 200:
        assert document["verdict"] == "inconclusive"
        assert document["reason"].startswith("not judged: the judge is busy: 1 questions are being judged and 0 wait")
        assert document["report"] == ""
        assert client.get(f"/v1/verdicts/{document['id']}").status_code == 404
    else:
        assert declined.headers["Retry-After"] == "2"
    archive.close()


def post_anew(client, question):
    return client.application.test_client().post("/v1/verdict", json=question)
