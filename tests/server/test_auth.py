"""Two tenants and a stranger: what belongs to another tenant is not there."""

from __future__ import annotations

import base64

import pytest

from judge.access.gate import digest_of
from judge.access.rights import RIGHTS
from judge.archive import open_archive
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
    service = Service(settings.model_copy(update={"config_dir": tmp_path, "tokens_file": tmp_path / "tokens.yaml"}), archive)
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


@pytest.mark.parametrize("path", ["/v1/verdicts", "/nowhere", "/healthz/../v1/verdicts", "/healthz/nowhere", "//v1/verdicts"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer " + "x" * 40}, {"X-Forwarded-User": "root"}], ids=["none", "wrong", "header"]
)
def test_a_stranger_gets_nothing(tenants, path, headers):
    answer = tenants.get(path, headers=headers)

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
