"""One caller cannot take every place: fair shares, alone and at the real door."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from judge.access.gate import digest_of
from judge.access.rights import ANYONE, Caller
from judge.archive import open_archive
from judge.errors import Busy, OverShare
from judge.server.admission.fair_share import MEMORY, Shares
from judge.server.app import create_app
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW
from tests.server.routes.test_verdicts import strict

ANN, BOB, CAT = (Caller(name=name) for name in ("ann", "bob", "cat"))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def held():
    """Takes places and gives all of them back at the end."""
    with ExitStack() as stack:
        yield stack


def shares(clock, *, working=4, waiting=4):
    return Shares(working=working, waiting=waiting, patience=0.05, clock=clock)


def take(held, of, caller, count):
    for _ in range(count):
        held.enter_context(of.place(caller))


def test_who_asks_alone_leaves_one_place_at_work(held, clock):
    of = shares(clock)
    take(held, of, ANN, 3)

    with pytest.raises(OverShare, match=r"3 questions of ann are being judged, its share, and none ended within 0\.05 s"), of.place(ANN):
        pass
    with of.place(BOB):
        pass


def test_who_asks_alone_leaves_one_place_in_all(held, clock):
    of = shares(clock, working=8, waiting=0)
    take(held, of, ANN, 7)

    with pytest.raises(OverShare, match="ann has 7 questions here already, its share"), of.place(ANN):
        pass


def test_where_there_is_one_place_there_is_nothing_to_share(held, clock):
    take(held, shares(clock, working=1, waiting=0), ANN, 1)


def test_two_callers_have_half_each(held, clock):
    of = shares(clock, waiting=0)
    take(held, of, BOB, 1)
    take(held, of, ANN, 2)

    with pytest.raises(OverShare, match="ann has 2 questions"), of.place(ANN):
        pass
    take(held, of, BOB, 1)


def test_three_callers_have_a_third_each_rounded_up(held, clock):
    of = shares(clock, waiting=0)
    for caller in (ANN, BOB, CAT):
        take(held, of, caller, 1)
    take(held, of, ANN, 1)

    for caller, said in ((ANN, OverShare), (BOB, Busy)):
        with pytest.raises(said, match="busy"), of.place(caller):
            pass


def test_all_places_together_are_the_services_own_limit(held, clock):
    of = shares(clock, waiting=0)
    take(held, of, ANN, 3)
    take(held, of, BOB, 1)

    with pytest.raises(Busy, match="4 questions are being judged or wait") as caught, of.place(BOB):
        pass
    assert caught.value.status == 503


def test_who_asked_a_moment_ago_counts_and_then_no_longer(held, clock):
    of = shares(clock, waiting=0)
    with of.place(BOB):
        pass
    take(held, of, ANN, 2)

    with pytest.raises(OverShare, match="busy"), of.place(ANN):
        pass
    clock.now += MEMORY
    take(held, of, ANN, 1)


def test_a_token_may_have_less_than_its_share(held, clock):
    of = shares(clock)
    ann = replace(ANN, questions_at_once=1)
    take(held, of, ann, 1)

    with pytest.raises(OverShare, match="ann has 1 questions here already") as caught, of.place(ann):
        pass
    assert caught.value.status == 429


def test_a_token_never_has_more_than_its_share(held, clock):
    of = shares(clock, waiting=0)
    ann = replace(ANN, questions_at_once=64)
    take(held, of, ann, 3)

    with pytest.raises(OverShare, match="its share"), of.place(ann):
        pass


def test_who_is_not_told_apart_has_no_share(held, clock):
    take(held, shares(clock, working=1, waiting=0), ANYONE, 5)


def test_a_place_is_given_back_after_an_error(clock):
    of = shares(clock, working=2, waiting=0)

    for _ in range(10):
        with pytest.raises(KeyError), of.place(ANN):
            raise KeyError


def test_a_question_waits_until_one_of_its_caller_ends(clock):
    of = Shares(working=2, waiting=2, patience=5, clock=clock)
    order = []
    with ExitStack() as first:
        first.enter_context(of.place(ANN))

        def later():
            with of.place(ANN):
                order.append("later")

        thread = threading.Thread(target=later)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()

    assert order == ["first", "later"]


# At the door


@pytest.fixture
def door(settings, tmp_path, request):
    """A service whose answers can be held back: its application, and the events."""
    on_source_error, own = request.param
    text = (DEMO / "http-service.yaml").read_text(encoding="utf-8")
    (tmp_path / "c.yaml").write_text(f"{text}\non_source_error: {on_source_error}\n", encoding="utf-8")
    lines = [f'  - {{name: {name}, sha256: "{digest_of(token(name))}"{own if name == "ann" else ""}}}' for name in ("ann", "bob")]
    (tmp_path / "tokens.yaml").write_text("\n".join(["tokens:", *lines, ""]), encoding="utf-8")
    archive = open_archive(settings.archive_url)
    told = settings.model_copy(
        update={
            "config_dir": tmp_path,
            "tokens_file": tmp_path / "tokens.yaml",
            "questions_at_once": 2,
            "questions_waiting": 2,
            "deadline": 2.0,
        }
    )
    service = Service(told, archive)
    go_on, ask = threading.Event(), service.ask

    def slow(*args, caller, **more):
        if caller.name == "ann":
            assert go_on.wait(600)
        return ask(*args, caller=caller, **more)

    service.ask = slow
    yield create_app(service, clock=lambda: NOW), go_on
    go_on.set()
    archive.close()


def token(name):
    return f"{name}-{'0123456789' * 3}"


def post(app, name, question):
    return app.test_client().post("/v1/verdict", json=question, headers={"Authorization": f"Bearer {token(name)}"})


@pytest.mark.parametrize("door", [pytest.param(("error", ""), id="fair share")], indirect=True)
def test_the_second_tenant_is_answered_while_the_first_floods(door, questions):
    app, go_on = door
    answers = []
    flood = [threading.Thread(target=lambda: answers.append(post(app, "ann", questions["healthy"]))) for _ in range(12)]
    for thread in flood:
        thread.start()
    time.sleep(0.1)

    for _ in range(5):
        began = time.monotonic()
        found = post(app, "bob", questions["healthy"])
        assert (found.status_code, strict(found.text)["verdict"]) == (200, "pass")
        assert time.monotonic() - began < 60
    go_on.set()
    for thread in flood:
        thread.join()

    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses.count(200) <= 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "2"
    assert strict(refused.text)["error"].startswith("busy: ")
    assert "ann" in refused.text
    assert token("ann") not in refused.text


@pytest.mark.parametrize(
    ("door", "status"),
    [
        pytest.param(("error", ", questions_at_once: 1"), 429, id="429 where the config wants an error"),
        pytest.param(("inconclusive", ", questions_at_once: 1"), 200, id="inconclusive where it does not"),
    ],
    indirect=["door"],
)
def test_over_its_own_cap_a_caller_is_told_at_once_as_the_config_wishes(door, questions, status):
    app, go_on = door
    first = []
    thread = threading.Thread(target=lambda: first.append(post(app, "ann", questions["healthy"])))
    thread.start()
    time.sleep(0.1)
    began = time.monotonic()
    over = post(app, "ann", questions["bad"])
    assert time.monotonic() - began < 60
    go_on.set()
    thread.join()

    assert first[0].status_code == 200
    assert over.status_code == status
    document = strict(over.text)
    if status == 200:
        assert document["verdict"] == "inconclusive"
        assert "ann has 1 questions here already, its share" in document["reason"]
    else:
        assert over.headers["Retry-After"] == "2"


@pytest.mark.parametrize("door", [pytest.param(("error", ", questions_at_once: 1, may: [ask, kayenta]"), id="one at once")], indirect=True)
@pytest.mark.parametrize(
    ("method", "path", "status"), [("post", "/judge", 400), ("post", "/judges/judge", 404), ("get", "/metadata/metricsService", 200)]
)
def test_what_kayentas_api_judges_or_asks_at_once_takes_a_place_of_its_caller_too(door, questions, method, path, status):
    app, go_on = door

    def ask():
        return getattr(app.test_client(), method)(path, headers={"Authorization": f"Bearer {token('ann')}"})

    first = []
    thread = threading.Thread(target=lambda: first.append(post(app, "ann", questions["healthy"])))
    thread.start()
    time.sleep(0.1)
    over = ask()
    go_on.set()
    thread.join()
    after = ask()

    assert first[0].status_code == 200
    assert (over.status_code, over.headers["Retry-After"]) == (429, "2")
    assert "ann has 1 questions here already, its share" in strict(over.text)["message"]
    # The place is given back: now it is the question itself that is looked at.
    assert after.status_code == status
    assert "Retry-After" not in after.headers
