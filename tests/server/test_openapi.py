"""The service keeps to its own OpenAPI description, whatever it is asked."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from judge.archive import open_archive
from judge.server.app import create_app
from judge.server.auth import needs_of
from judge.server.openapi import openapi
from judge.settings import Settings
from judge.sources.dumps.recorded import RecordedSettings
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW

LEFT_OUT = [
    # Values are refused for more than their type (a config must exist), so a valid-looking question may get 400.
    schemathesis.checks.positive_data_acceptance,
    schemathesis.checks.negative_data_rejection,
    schemathesis.checks.unsupported_method,
]
APP = create_app(Service(Settings(config_dir=DEMO), open_archive("none")))
OPERATIONS = [f"{method} {path}" for path, methods in openapi(APP)["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    source = RecordedSettings(type="dumps", path=str(DEMO / "canaries.jsonl.gz"))
    url = f"sqlite:///{tmp_path_factory.mktemp('archive') / 'judge.sqlite'}"
    service = Service(Settings(sources={"default": source}, config_dir=DEMO, archive_url=url), open_archive(url))
    return schemathesis.openapi.from_wsgi("/openapi.json", create_app(service, clock=lambda: NOW))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_are_as_described(api, operation):
    method, path = operation.split(" ")

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=api[path][method].as_strategy())
    def walk(case):
        response = case.call_and_validate(excluded_checks=LEFT_OUT)
        if response.headers["content-type"][0] == "application/json":
            json.loads(response.content, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))

    walk()


def test_description_names_every_route_with_its_method_and_right():
    described = {(path, method): operation for path, methods in openapi(APP)["paths"].items() for method, operation in methods.items()}

    routes = {
        (rule.rule.replace("<verdict_id>", "{id}").replace("<path:name>", "{name}"), method.lower()): needs_of(rule)
        for rule in APP.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert described.keys() == routes.keys()
    for route, needs in routes.items():
        assert all(f" {right}" in described[route]["description"] for right in needs.rights), route
        assert ("403" in described[route]["responses"]) == bool(needs.rights), route
        assert ("401" in described[route]["responses"]) == (needs.open != "always"), route
    assert described["/v1/verdicts/{id}/labels", "post"]["description"] == "Needs the rights label and read."
