"""Every route of the URL map, every method, a token of every kind: the status follows from what the route declares."""

from __future__ import annotations

import gzip

import pytest
from flask import Blueprint

from judge.access.gate import digest_of
from judge.access.rights import RIGHTS
from judge.archive import open_archive
from judge.server import app as app_module
from judge.server.app import create_app
from judge.server.auth import KAYENTA, OPEN, READ, needs_of, reader
from judge.server.responses import send
from judge.server.runtime import runtime
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW
from tests.server.routes.test_kayenta import CONFIG, THRESHOLDS, pair
from tests.server.routes.test_verdicts import strict

ALL = frozenset(RIGHTS)
CONFINED = frozenset({"ask", "read", "label"})
RIGHTS_OF = {
    **{right: frozenset({right}) for right in RIGHTS},
    "all": ALL,
    "other-config": CONFINED,
    "other-namespace": CONFINED,
    "other-scope": CONFINED,
}
CONFINED_TO = {"other-config": "configs: [a-shop]", "other-namespace": "namespaces: [a-space]", "other-scope": "scopes: [other]"}
TOKENS = {name: f"{name}-{'0123456789' * 3}" for name in RIGHTS_OF}
STRANGERS = {"none": {}, "wrong": {"Authorization": f"Bearer {'x' * 40}"}}
HEADERS = STRANGERS | {name: {"Authorization": f"Bearer {token}"} for name, token in TOKENS.items()}
FOREIGN = ("b-space", "foreign-rollout", "foreign-labeller")
"""Words of the foreign verdict and its label, beside its id."""


@pytest.fixture
def new_app(settings, tmp_path):
    """Build the application on two tenants' configs, a-shop and b-shop."""
    text = (DEMO / "http-service.yaml").read_text(encoding="utf-8").replace("args:\n", "args:\n  namespace: {default: a-space}\n", 1)
    for name in ("a-shop", "b-shop"):
        (tmp_path / f"{name}.yaml").write_text(text.replace("name: http-service", f"name: {name}", 1), encoding="utf-8")
    entries = [
        ", ".join([f'name: {name}, sha256: "{digest_of(TOKENS[name])}", may: [{", ".join(may)}]', *filter(None, [CONFINED_TO.get(name)])])
        for name, may in RIGHTS_OF.items()
    ]
    (tmp_path / "tokens.yaml").write_text("tokens:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries), encoding="utf-8")
    archive = open_archive(settings.archive_url)
    service = Service(settings.model_copy(update={"config_dir": tmp_path, "tokens_file": tmp_path / "tokens.yaml"}), archive)
    assert sorted(service.configs) == ["a-shop", "b-shop"]
    yield lambda: create_app(service, clock=lambda: NOW)
    archive.close()


@pytest.fixture
def app(new_app):
    return new_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def ids(client, questions):
    """Real ids for every argument of a route; `own` is a verdict of a-shop, `verdict_id` the foreign one of b-shop."""
    headers = HEADERS["all"]

    def post(path, document):
        answer = client.post(path, json=document, headers=headers)
        assert answer.status_code == 200, answer.text
        return strict(answer.text)

    question = questions["bad"]
    own = post("/v1/verdict", {**question, "config": "a-shop", "namespace": "a-space"})["id"]
    foreign = post("/v1/verdict", {**question, "config": "b-shop", "namespace": "b-space", "rollout": "foreign-rollout"})["id"]
    post(f"/v1/verdicts/{foreign}/labels", {"label": "wrong", "by": "foreign-labeller"})
    config = post("/canaryConfig", CONFIG)["canaryConfigId"]
    common = {"location": "eu", "step": 60, "start": question["start"], "end": question["end"]}
    scopes = {"controlScope": {**common, "scope": question["baseline"]}, "experimentScope": {**common, "scope": question["canary"]}}
    execution = post(f"/canary/{config}", {"scopes": {"default": scopes}, "thresholds": THRESHOLDS})["canaryExecutionId"]
    pairs = post("/metricSetPairList", [pair("latency", [1.0], [1.0])])["metricSetPairListId"]
    return {"own": own, "verdict_id": foreign, "name": "b-shop", "config_id": config, "execution_id": execution, "list_id": pairs}


def every_route(app, ids):
    """Every rule and method, with the address filled in."""
    for rule in app.url_map.iter_rules():
        built = rule.build({name: ids[name] for name in rule.arguments})
        assert built is not None
        for method in sorted(rule.methods):
            yield rule, method, built[1]


def refusal(rule, method, who):
    """The status of a refused request, None of one that reaches its handler."""
    needs = needs_of(rule)
    if who in STRANGERS:
        return None if needs.open == "always" else 401
    if method == "OPTIONS" and needs != KAYENTA:
        return None
    return None if RIGHTS_OF[who].issuperset(needs.rights) else 403


@pytest.mark.parametrize("who", HEADERS)
def test_the_status_follows_from_the_declaration(app, client, ids, who):
    refused = []
    for rule, method, path in every_route(app, ids):
        answer = client.open(path, method=method, headers=HEADERS[who])
        expected = refusal(rule, method, who)
        refused.append(expected)
        if expected is None:
            assert answer.status_code not in {401, 403}, (method, path)
        else:
            assert answer.status_code == expected, (method, path)
            assert not any(word in answer.text for word in (*FOREIGN, ids["verdict_id"].lower()))
            assert method == "HEAD" or ("message" in answer.json) == (needs_of(rule) == KAYENTA), "Kayenta's routes have Kayenta's form"

    assert len(refused) > 60
    assert None in refused
    assert who == "all" or {401, 403} & {*refused}


def test_a_token_with_all_rights_reads_every_page(app, client, ids):
    """The walk asks for what is there: without refusals, every GET with real ids is answered."""
    canary = strict(client.get(f"/v1/verdicts/{ids['own']}", headers=HEADERS["all"]).text)["request"]["canary"]
    expected = {
        "verdicts.ask": 400,  # needs a whole question
        "kayenta.series": 404,  # the execution is a canary
    }
    for rule, method, path in every_route(app, ids):
        if method == "GET":
            answer = client.get(path, headers=HEADERS["all"], query_string={"canary": canary})
            assert answer.status_code == expected.get(rule.endpoint, 200), (path, answer.text[:200])


@pytest.mark.parametrize("who", ["other-config", "other-namespace"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("query", [{}, {"canary": ""}, {"config": "b-shop"}, {"before": ""}], ids=["plain", "canary", "config", "before"])
def test_no_get_gives_a_confined_token_a_foreign_verdict(app, client, ids, who, accept, query):
    record = strict(client.get(f"/v1/verdicts/{ids['verdict_id']}", headers=HEADERS["all"]).text)
    query = {name: {"canary": record["request"]["canary"], "before": record["id"]}.get(name, value) for name, value in query.items()}
    words = (*FOREIGN, record["id"], *(["b-shop"] if who == "other-config" and not query else []))
    seen = ""
    for verdict in ("verdict_id", "own"):
        for rule, method, path in every_route(app, {**ids, "verdict_id": ids[verdict]}):
            if method != "GET":
                continue
            answer = client.get(path, headers={**HEADERS[who], "Accept": accept}, query_string=query)
            data = gzip.decompress(answer.data) if answer.mimetype == "application/gzip" else answer.data
            # An error may repeat the id that was asked for.
            text = data.decode().replace(record["id"], "") if answer.status_code >= 400 else data.decode()
            if "<" in rule.rule and verdict == "verdict_id" and rule.endpoint.startswith(("verdicts.", "pages.verdict", "pages.dump")):
                assert answer.status_code == 404, path
            # The title of a config's page is the name that was asked for; every token reads the names of configs in the metrics.
            if rule.endpoint not in {"pages.config", "health.metrics"}:
                assert [word for word in words if word in text] == [], path
            seen += text

    assert ids["own"] in seen


def test_what_may_be_opened_by_the_tokens_file_is_open_then(new_app, tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}open: [metrics]\n", encoding="utf-8")
    app = new_app()
    service = app.extensions["judge"]._service
    service.reload()

    assert app.test_client().get("/metrics").status_code == 200
    assert app.test_client().get("/metrics/").status_code == 200
    assert app.test_client().post("/metrics").status_code == 405
    assert app.test_client().get("/openapi.json").status_code == 401


def forget(app):
    @app.route("/forgotten")
    def forgotten():
        raise AssertionError("it must not run")


def test_a_route_that_declares_nothing_stops_the_start(new_app, monkeypatch):
    add_error_handlers = app_module.add_error_handlers
    monkeypatch.setattr(app_module, "add_error_handlers", lambda app: (add_error_handlers(app), forget(app)))

    with pytest.raises(RuntimeError, match=r"the route forgotten \(/forgotten\) does not declare what it needs"):
        new_app()


def test_a_blueprint_with_a_route_that_declares_nothing_stops_the_start(new_app, monkeypatch):
    more = Blueprint("more", __name__)
    forget(more)
    monkeypatch.setattr(app_module, "BLUEPRINTS", (*app_module.BLUEPRINTS, more))

    with pytest.raises(RuntimeError, match=r"the route more\.forgotten \(/forgotten\) does not declare what it needs"):
        new_app()


def test_a_route_that_is_added_after_the_start_without_a_declaration_never_runs(app, client):
    forget(app)

    assert client.get("/forgotten").status_code == 401
    assert client.get("/forgotten", headers=HEADERS["all"]).status_code == 500
    assert "internal error (RuntimeError)" in client.get("/forgotten", headers=HEADERS["all"]).text


def test_a_naive_route_gives_no_foreign_verdict(new_app, monkeypatch, questions):
    more = Blueprint("more", __name__)

    @more.get("/naive/<verdict_id>", needs=READ)
    def naive(verdict_id):
        return send(reader().get(verdict_id))

    @more.get("/open/<verdict_id>", needs=OPEN)
    def opened(verdict_id):
        return send(reader().get(verdict_id))

    monkeypatch.setattr(app_module, "BLUEPRINTS", (*app_module.BLUEPRINTS, more))
    client = new_app().test_client()
    asked = {**questions["bad"], "config": "b-shop", "namespace": "b-space"}
    foreign = strict(client.post("/v1/verdict", json=asked, headers=HEADERS["all"]).text)["id"]

    def status(path, who):
        return client.get(f"{path}/{foreign}", headers=HEADERS[who]).status_code

    expected = {"all": 200, "read": 200, "ask": 403, "other-config": 404, "other-namespace": 404, "none": 401, "wrong": 401}
    assert {who: status("/naive", who) for who in expected} == expected
    # What is open for every caller still reads nothing without the right.
    expected |= {"none": 401, "wrong": 401}
    assert {who: status("/open", who) for who in expected} == expected


def test_routes_cannot_reach_the_whole_archive_by_the_runtime(app):
    judge = runtime(app)
    archive = judge._service.archive
    reachable = {name: getattr(judge, name) for name in dir(judge) if not name.startswith("_")}

    assert {"configs", "executions", "liveness"} <= reachable.keys()
    assert [name for name, value in reachable.items() if archive in (value, getattr(value, "archive", None))] == []
