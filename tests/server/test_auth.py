"""Two tenants and a stranger at every door: what is another's is not there."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import replace

import pytest

from judge.access import RIGHTS, digest_of
from judge.archive import open_archive
from judge.errors import Busy
from judge.server.admission.queue import Slots
from judge.server.app import create_app
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW
from tests.server.routes.test_verdicts import strict

TOKENS = {name: f"{name}-{'0123456789' * 3}" for name in ("ann", "bob", "root", "reader")}
ENTRIES = {
    "ann": "may: [ask, read, label], configs: ['*-shop'], namespaces: [a]",
    "bob": "may: [ask, read, label], configs: [b-shop]",
    "root": f"may: [{', '.join(RIGHTS)}]",
    "reader": "may: [read], configs: [b-shop]",
}


@pytest.fixture
def tenants(settings, tmp_path):
    """A service of two configs; a-shop and b-shop are the demo's, with an arg for the namespace."""
    text = (DEMO / "http-service.yaml").read_text(encoding="utf-8")
    for name in ("a-shop", "b-shop"):
        changed = text.replace("name: http-service", f"name: {name}", 1)
        assert changed != text
        (tmp_path / f"{name}.yaml").write_text(
            changed if "namespace:" in text else changed.replace("args:\n", "args:\n  namespace: {default: a}\n", 1), encoding="utf-8"
        )
    lines = [f'  - {{name: {name}, sha256: "{digest_of(token)}", {ENTRIES[name]}}}' for name, token in TOKENS.items()]
    (tmp_path / "tokens.yaml").write_text("\n".join(["tokens:", *lines, "open: [description]", ""]), encoding="utf-8")
    archive = open_archive(settings.archive_url)
    service = Service(replace(settings, config_dir=tmp_path, tokens_file=tmp_path / "tokens.yaml"), archive)
    assert sorted(service.configs) == ["a-shop", "b-shop"]
    yield create_app(service, clock=lambda: NOW).test_client()
    archive.close()


def sent(name):
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@pytest.fixture
def asked(tenants, questions):
    """Ask as somebody; the answer and its status."""

    def ask(name, **changes):
        answer = tenants.post("/v1/verdict", json={**questions["bad"], "config": "b-shop", "namespace": "a", **changes}, headers=sent(name))
        return answer.status_code, strict(answer.text)

    return ask


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/verdict"),
        ("GET", "/v1/verdict"),
        ("GET", "/v1/verdicts"),
        ("GET", "/v1/verdicts/01J"),
        ("GET", "/v1/verdicts/01J/labels"),
        ("POST", "/v1/verdicts/01J/labels"),
        ("GET", "/verdicts/01J"),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("POST", "/judge"),
        ("GET", "/canaryConfig"),
        ("POST", "/standalone_canary_analysis"),
        ("GET", "/canary/01J"),
        ("GET", "/nowhere"),
        ("GET", "/healthz/../v1/verdicts"),
        ("GET", "//v1/verdicts"),
    ],
)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer " + "x" * 40}, {"X-Forwarded-User": "root"}], ids=["none", "wrong", "header"]
)
def test_a_stranger_gets_nothing(tenants, method, path, headers):
    answer = tenants.open(path, method=method, headers=headers)

    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "x" * 40 not in answer.text
    assert not any(name in answer.text for name in ("a-shop", "b-shop", "ann", "bob"))


def test_what_is_open_tells_a_stranger_nothing(tenants):
    assert tenants.get("/healthz").status_code == 200
    assert strict(tenants.get("/readyz").text) == {"ready": True}
    assert strict(tenants.get("/readyz", headers=sent("root")).text)["configs"] == ["a-shop", "b-shop"]
    assert tenants.get("/openapi.json").status_code == 200


def test_every_token_asks_for_what_is_its_own(asked):
    assert asked("ann", config="a-shop")[0] == 200
    assert asked("bob", namespace="b")[0] == 200
    assert asked("root", namespace="c")[0] == 200


@pytest.mark.parametrize(
    ("name", "changes", "status", "said"),
    [
        ("ann", {"namespace": "b"}, 403, "only ask about the namespaces a: not about 'b'"),
        ("bob", {"config": "a-shop"}, 400, "there is no config 'a-shop'"),
        ("reader", {}, 403, "reader may not ask for a verdict"),
    ],
)
def test_nobody_asks_for_what_is_anothers(asked, name, changes, status, said):
    found, document = asked(name, **changes)

    assert found == status
    assert said in document["error"]
    assert "a-shop" not in str(document.get("allowed")) or name == "ann"


def test_what_is_anothers_cannot_be_read_labelled_or_listed(tenants, asked):
    ids = {
        "ann": asked("ann", config="a-shop")[1]["id"],
        "bob": asked("bob", namespace="b")[1]["id"],
        "both": asked("bob", namespace="a")[1]["id"],
    }
    seen = {"ann": {"ann", "both"}, "bob": {"bob", "both"}, "reader": {"bob", "both"}, "root": set(ids)}
    for name, theirs in seen.items():
        listed = strict(tenants.get("/v1/verdicts", headers=sent(name)).text)["verdicts"]
        assert {row["id"] for row in listed} == {ids[each] for each in theirs}, name
        page = tenants.get("/", headers=sent(name)).text
        for whose, verdict_id in ids.items():
            mine = whose in theirs
            assert (verdict_id in page) == mine
            for path in (f"/v1/verdicts/{verdict_id}", f"/verdicts/{verdict_id}", f"/v1/verdicts/{verdict_id}/labels"):
                answer = tenants.get(path, headers=sent(name))
                assert answer.status_code == (200 if mine else 404), (name, path)
            older = tenants.get(f"/v1/verdicts?before={verdict_id}", headers=sent(name))
            assert older.status_code == (200 if mine else 404)
            label = tenants.post(f"/v1/verdicts/{verdict_id}/labels", json={"label": "wrong", "by": name}, headers=sent(name))
            assert label.status_code == (403 if name == "reader" else 200 if mine else 404)


def test_an_id_that_is_anothers_is_answered_like_one_that_nobody_has(tenants, asked):
    theirs = asked("bob", namespace="b")[1]["id"]
    nobodys = "0" * len(theirs)

    answers = [tenants.get(f"/v1/verdicts/{each}", headers=sent("ann")).text.replace(each, "ID") for each in (theirs, nobodys)]

    assert answers[0] == answers[1]


def test_a_filter_does_not_reach_further_than_the_token(tenants, asked):
    asked("bob", namespace="b")

    for query in ("?namespace=b", "?config=b-shop", "?verdict=fail", "?label=none"):
        assert strict(tenants.get(f"/v1/verdicts{query}", headers=sent("ann")).text)["verdicts"] == []


@pytest.mark.parametrize("path", ["/judge", "/standalone_canary_analysis", "/canaryConfig"])
def test_kayentas_api_needs_a_right_of_its_own(tenants, path):
    refused = tenants.post(path, json={}, headers=sent("bob"))
    let_in = tenants.post(path, json={}, headers=sent("root"))

    assert refused.status_code == 403
    assert "bob may not use Kayenta's API" in refused.text
    assert let_in.status_code == 400


def test_a_browser_sends_the_token_as_a_password(tenants):
    text = base64.b64encode(f"x:{TOKENS['reader']}".encode()).decode()

    assert tenants.get("/", headers={"Authorization": f"Basic {text}"}).status_code == 200


# More than can be answered


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
    service = Service(replace(settings, config_dir=tmp_path, questions_at_once=1, questions_waiting=0), archive)
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
