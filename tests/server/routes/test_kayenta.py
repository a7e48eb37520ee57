"""Kayenta's API as its clients use it: Argo's provider, Orca, Deck, Kayenta itself."""

from __future__ import annotations

import json
import math
import time

import pytest

from judge.archive import open_archive
from judge.server.app import create_app
from judge.server.runtime import runtime
from judge.verdicts.service import Service
from tests.demo_service import NOW
from tests.server.routes.test_verdicts import strict

CONFIG = {
    "name": "shop",
    "applications": ["shop"],
    "configVersion": "1",
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [
        {
            "name": "latency-p99",
            "query": {"type": "prometheus", "customInlineTemplate": 'PromQL:latency{hash="${scope}"}'},
            "groups": ["latency"],
            "analysisConfigurations": {"canary": {"direction": "increase", "effectSize": {"allowedIncrease": 1.05}}},
            "scopeName": "default",
        },
        {
            "name": "memory",
            "query": {"type": "prometheus", "metricName": "memory", "labelBindings": ['app="shop"'], "customFilterTemplate": "pods"},
            "groups": ["memory"],
            "analysisConfigurations": {"canary": {"direction": "increase"}},
        },
    ],
    "templates": {"pods": 'pod=~"${scope}-.+"'},
    "classifier": {"groupWeights": {"latency": 60, "memory": 40}},
}
THRESHOLDS = {"pass": 90, "marginal": 75}


def pair(name, control, experiment):
    return {"name": name, "id": f"id-{name}", "tags": {}, "values": {"control": control, "experiment": experiment}}


@pytest.fixture
def app(service):
    return create_app(service, clock=lambda: NOW)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def work(app):
    """Do what the background workers would do."""

    def until_idle():
        while runtime(app).executions.work_once():
            pass

    return until_idle


@pytest.fixture
def execution_request(questions):
    def about(canary):
        question = questions[canary]
        common = {"location": "eu", "step": 60, "start": question["start"], "end": question["end"]}
        scopes = {"controlScope": {**common, "scope": question["baseline"]}, "experimentScope": {**common, "scope": question["canary"]}}
        return {"scopes": {"default": scopes}, "thresholds": THRESHOLDS}

    return about


def stored(client, document=CONFIG):
    answer = client.post("/canaryConfig?configurationAccountName=whatever", json=document)
    assert answer.status_code == 200, answer.text
    return strict(answer.text)["canaryConfigId"]


def test_without_an_archive_there_is_no_such_api(settings):
    assert "kayenta" not in create_app(Service(settings, open_archive("none"))).blueprints


def test_judge_answers_as_kayenta_does(client):
    body = {
        "canaryConfig": CONFIG,
        "scoreThresholds": THRESHOLDS,
        "metricSetPairList": [pair("latency-p99", list(range(1, 11)), list(range(21, 31))), pair("memory", [1, 2, 3], [1, 2, 3])],
    }

    found = strict(client.post("/judge", json=body).text)

    assert found["judgeName"] == "NetflixACAJudge-v1.0"
    assert [(result["name"], result["classification"]) for result in found["results"]] == [("latency-p99", "High"), ("memory", "Pass")]
    assert found["results"][1]["classificationReason"] == "The Canary and Baseline data are identical"
    assert found["score"] == {"score": 40.0, "classification": "Fail", "classificationReason": ""}


@pytest.mark.parametrize("nothing", ["NaN", math.nan, "Infinity", math.inf, "-Infinity"])
def test_values_that_json_has_no_number_for(client, nothing):
    body = {
        "canaryConfig": CONFIG,
        "scoreThresholds": THRESHOLDS,
        "metricSetPairList": [pair("memory", [1, 2, 3, 4, nothing], [2, 3, 4, 5, 6])],
    }

    answer = client.post("/judge", data=json.dumps(body))

    assert answer.status_code == 200
    assert strict(answer.text)["results"][0]["classification"] in {"Pass", "High", "Error"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metricSetPairList": [pair("zz", [1], [2])]}, "Could not find metric config for zz"),
        ({"metricSetPairList": None}, "metricSetPairList"),
        ({"metricSetPairList": {}}, "metricSetPairList: must be a list"),
        ({"canaryConfig": None}, "canaryConfig"),
        ({"metricSetPairList": [{"name": "memory", "values": {"control": [1]}}]}, "experiment"),
        ({"metricSetPairList": [pair("memory", ["x"], [1])]}, "memory|values|control"),
    ],
)
def test_what_kayenta_throws_at_is_400_with_a_message(client, change, message):
    import re

    body = {"canaryConfig": CONFIG, "scoreThresholds": THRESHOLDS, "metricSetPairList": [pair("memory", [1], [2])], **change}

    answer = client.post("/judge", json=body)

    assert answer.status_code == 400
    assert re.search(message, strict(answer.text)["message"])


def test_fifty_thousand_samples_a_side_are_judged(client):
    values = [float(value % 977) for value in range(50_000)]
    body = {
        "canaryConfig": CONFIG,
        "scoreThresholds": THRESHOLDS,
        "metricSetPairList": [pair("memory", values, [value + 100.0 for value in values])],
    }

    found = strict(client.post("/judge", json=body).text)

    assert found["results"][0]["classification"] == "High"


@pytest.mark.extended
def test_two_thousand_metrics_are_judged(client):
    metrics = [{**CONFIG["metrics"][1], "name": f"m{number}", "groups": ["g"]} for number in range(2000)]
    config = {**CONFIG, "metrics": metrics, "classifier": {"groupWeights": {"g": 100}}}
    pairs = [pair(f"m{number}", [1, 2, 3, 4, 5], [1, 2, 3, 4, 6]) for number in range(2000)]

    found = strict(client.post("/judge", json={"canaryConfig": config, "scoreThresholds": THRESHOLDS, "metricSetPairList": pairs}).text)

    assert len(found["results"]) == 2000
    assert found["score"]["score"] == 100.0


def test_life_of_a_canary_config(client):
    id = stored(client)

    listed = strict(client.get("/canaryConfig?application=shop&configurationAccountName=x").text)
    assert [(item["id"], item["name"], item["applications"]) for item in listed] == [(id, "shop", ["shop"])]
    assert all(isinstance(item["updatedTimestamp"], int) for item in listed)
    assert strict(client.get("/canaryConfig?application=other").text) == []
    assert strict(client.get(f"/canaryConfig/{id}").text)["metrics"] == CONFIG["metrics"]
    assert strict(client.put(f"/canaryConfig/{id}", json={**CONFIG, "description": "new"}).text) == {"canaryConfigId": id}
    assert strict(client.get(f"/canaryConfig/{id}").text)["description"] == "new"
    assert client.delete(f"/canaryConfig/{id}").status_code == 204
    assert client.get(f"/canaryConfig/{id}").status_code == 404


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({**CONFIG, "name": "no spaces"}, "name must consist only of"),
        ({**CONFIG, "applications": []}, "at least one application"),
        ({**CONFIG, "metrics": CONFIG["metrics"] + CONFIG["metrics"][:1]}, "several metrics named latency-p99"),
        ({**CONFIG, "metrics": [{"name": "x"}]}, "metrics.0.query: is missing"),
        ({**CONFIG, "id": "../../etc/passwd"}, "is no id"),
        ([], "expected a JSON object"),
    ],
)
def test_configs_that_kayenta_refuses(client, document, message):
    answer = client.post("/canaryConfig", json=document)

    assert answer.status_code == 400
    assert message in strict(answer.text)["message"]


def test_an_id_twice_is_refused(client):
    stored(client, {**CONFIG, "id": "mine"})

    assert client.post("/canaryConfig", json={**CONFIG, "id": "mine"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/canaryConfig/..%2F..%2Fetc",
        "/canaryConfig/%2e%2e",
        "/canaryConfig/nope",
        "/canary/nope",
        "/metricSetPairList/nope",
        "/standalone_canary_analysis/nope",
    ],
)
def test_what_is_not_there(client, path):
    answer = client.get(path)

    assert answer.status_code in {400, 404}


@pytest.mark.parametrize(("canary", "score", "classification"), [("healthy", 100.0, "Pass"), ("bad", 40.0, "Fail")])
def test_a_canary_execution(client, work, execution_request, canary, score, classification):
    id = stored(client)
    accounts = "application=shop&metricsAccountName=a&configurationAccountName=b&storageAccountName=c"

    execution = strict(client.post(f"/canary/{id}?{accounts}", json=execution_request(canary)).text)["canaryExecutionId"]
    before = strict(client.get(f"/canary/{execution}").text)
    work()
    after = strict(client.get(f"/canary/{execution}?storageAccountName=c").text)

    assert (before["complete"], before["status"]) == (False, "not_started")
    assert (after["complete"], after["status"], after["application"]) == (True, "succeeded", "shop")
    result = after["result"]["judgeResult"]
    assert result["score"]["score"] == score
    assert result["score"]["classification"] == classification
    assert all(metric["controlMetadata"]["stats"]["count"] == 31 for metric in result["results"])
    assert after["result"]["canaryDuration"] == "PT30M"
    pairs = strict(client.get(f"/metricSetPairList/{after['metricSetPairListId']}").text)
    assert [item["attributes"]["experiment"]["query"] for item in pairs] == [
        f'latency{{hash="{execution_request(canary)["scopes"]["default"]["experimentScope"]["scope"]}"}}',
        f'avg(memory{{pod=~"{execution_request(canary)["scopes"]["default"]["experimentScope"]["scope"]}-.+",app="shop"}})',
    ]


def test_an_ad_hoc_canary_and_the_list_of_executions(client, work, execution_request):
    body = {"canaryConfig": CONFIG, "executionRequest": execution_request("bad")}

    ids = [strict(client.post("/canary?application=shop", json=body).text)["canaryExecutionId"] for _ in range(3)]
    work()

    listed = strict(client.get("/canary/executions?application=shop&limit=2").text)
    assert [item["pipelineId"] for item in listed] == sorted(ids, reverse=True)[:2]
    assert [item["status"] for item in listed] == ["succeeded"] * 2
    assert strict(client.get("/canary/executions?application=shop&statuses=RUNNING").text) == []
    assert strict(client.get("/canary/executions?application=shop&limit=2&page=2").text)[0]["pipelineId"] == min(ids)


def test_region_is_understood_as_location_for_old_argo(client, execution_request):
    request = execution_request("bad")
    for scope in request["scopes"]["default"].values():
        scope["region"] = scope.pop("location")

    assert client.post(f"/canary/{stored(client)}", json=request).status_code == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scope: scope.pop("start"), "start: is missing"),
        (lambda scope: scope.update(start="yesterday"), "not a time"),
        (lambda scope: scope.update(start="2025-11-20T10:00:00Z"), "is not before end"),
        (lambda scope: scope.update(step="x"), "step: must be seconds"),
    ],
)
def test_wrong_execution_requests(client, execution_request, change, message):
    request = execution_request("bad")
    change(request["scopes"]["default"]["controlScope"])

    answer = client.post(f"/canary/{stored(client)}", json=request)

    assert answer.status_code == 400
    assert message in strict(answer.text)["message"]


def test_thresholds_that_are_no_numbers_are_refused_before_anything_is_judged(client, execution_request):
    request = {**execution_request("bad"), "thresholds": {"pass": "x", "marginal": 75}}

    answer = client.post(f"/canary/{stored(client)}", json=request)

    assert answer.status_code == 400
    assert "hresholds.pass" in strict(answer.text)["message"]


def test_a_source_that_fails_makes_no_score(client, work, execution_request):
    request = execution_request("bad")
    request["scopes"]["default"]["experimentScope"]["scope"] = "unknown"

    execution = strict(client.post(f"/canary/{stored(client)}", json=request).text)["canaryExecutionId"]
    work()
    after = strict(client.get(f"/canary/{execution}").text)

    assert (after["complete"], after["status"]) == (True, "terminal")
    assert "result" not in after
    assert "no saved canary" in after["exception"]["details"]["errors"][0]


def test_an_execution_can_be_cancelled(client, work, execution_request):
    execution = strict(client.post(f"/canary/{stored(client)}", json=execution_request("bad")).text)["canaryExecutionId"]

    assert client.put(f"/pipelines/{execution}/cancel").status_code == 200
    work()

    assert strict(client.get(f"/canary/{execution}").text)["status"] == "canceled"


def test_a_claim_that_ran_out_is_taken_over_and_written_once(client, app, execution_request):
    executions = runtime(app).executions
    execution = strict(client.post(f"/canary/{stored(client)}", json=execution_request("bad")).text)["canaryExecutionId"]

    dead = executions.store.claim("dead worker", seconds=0.5)
    assert executions.work_once() is False
    time.sleep(0.6)
    assert executions.work_once() is True
    late = executions.store.write(dead, {"late": True}, status="succeeded")

    assert late is False
    assert strict(client.get(f"/canary/{execution}").text)["result"]["judgeResult"]["score"]["score"] == 40.0


def standalone(questions, canary, **changes):
    question = questions[canary]
    scope = {"scopeName": "default", "controlScope": question["baseline"], "experimentScope": question["canary"], "step": 60}
    times = {"startTimeIso": question["start"], "endTimeIso": question["end"]}
    return {"scopes": [{**scope, **times}], "thresholds": {"pass": "90", "marginal": "75"}, **changes}


@pytest.mark.parametrize(("canary", "judgements", "status"), [("healthy", 3, "succeeded"), ("bad", 1, "terminal")])
def test_a_standalone_analysis_is_a_series_of_judgements(client, work, questions, canary, judgements, status):
    request = standalone(questions, canary, analysisIntervalMins=10)

    id = strict(
        client.post("/standalone_canary_analysis?application=shop", json={"canaryConfig": CONFIG, "executionRequest": request}).text
    )["canaryAnalysisExecutionId"]
    work()
    found = strict(client.get(f"/standalone_canary_analysis/{id}").text)

    assert (found["complete"], found["executionStatus"]) == (True, status.upper())
    result = found["canaryAnalysisExecutionResult"]
    assert result["didPassThresholds"] is (status == "succeeded")
    assert len(result["canaryScores"]) == judgements
    assert len(found["stageStatus"]) == 3


def test_a_standalone_analysis_with_a_lookback_judges_the_newest_part(client, work, questions):
    request = standalone(questions, "healthy", analysisIntervalMins=10, lookbackMins=10)

    id = strict(client.post("/standalone_canary_analysis", json={"canaryConfig": CONFIG, "executionRequest": request}).text)[
        "canaryAnalysisExecutionId"
    ]
    work()
    found = strict(client.get(f"/standalone_canary_analysis/{id}").text)

    starts = [item["judgementStartTimeIso"] for item in found["canaryAnalysisExecutionResult"]["canaryExecutionResults"]]
    assert starts == ["2025-11-20T08:30:00Z", "2025-11-20T08:40:00Z", "2025-11-20T08:50:00Z"]


def test_a_standalone_analysis_waits_for_its_time(client, work, questions):
    request = standalone(questions, "healthy", lifetimeDurationMins=30, beginAfterMins=5)
    for key in ("startTimeIso", "endTimeIso"):
        request["scopes"][0].pop(key)

    id = strict(client.post("/standalone_canary_analysis", json={"canaryConfig": CONFIG, "executionRequest": request}).text)[
        "canaryAnalysisExecutionId"
    ]
    work()

    assert strict(client.get(f"/standalone_canary_analysis/{id}").text)["complete"] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lifetimeDurationMins": "soon"}, "must be minutes"),
        ({"thresholds": None}, "thresholds: is missing"),
        ({"scopes": []}, "scopes: must be a list"),
        ({"analysisIntervalMins": 0.001}, "more than 1000"),
    ],
)
def test_wrong_standalone_requests(client, questions, change, message):
    answer = client.post(
        "/standalone_canary_analysis", json={"canaryConfig": CONFIG, "executionRequest": standalone(questions, "bad", **change)}
    )

    assert answer.status_code == 400
    assert message in strict(answer.text)["message"]


def test_lists_that_decks_and_orcas_read(client):
    assert strict(client.get("/judges").text) == [{"name": "NetflixACAJudge-v1.0", "visible": True}]
    kinds = {kind for account in strict(client.get("/credentials").text) for kind in account["supportedTypes"]}
    assert kinds == {"METRICS_STORE", "CONFIGURATION_STORE", "OBJECT_STORE"}
    assert strict(client.get("/metadata/metricsService?filter=http").text) == []


def test_judging_a_stored_pair_list(client):
    id = stored(client)
    pairs = strict(client.post("/metricSetPairList", data=json.dumps([pair("memory", [1, 2, 3, math.nan], [1, 2, 3])])).text)[
        "metricSetPairListId"
    ]

    found = strict(client.post(f"/judges/judge?canaryConfigId={id}&metricSetPairListId={pairs}&passThreshold=95&marginalThreshold=75").text)

    assert strict(client.get(f"/metricSetPairList/{pairs}").text)[0]["values"]["control"] == [1, 2, 3, "NaN"]
    assert found["results"][0]["classification"] == "Pass"


def test_kayenta_configs_of_the_config_folder_are_served(settings, tmp_path):

    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "shop.json").write_text(json.dumps(CONFIG))
    client = create_app(Service(settings.model_copy(update={"config_dir": folder}), open_archive(settings.archive_url))).test_client()

    assert [item["id"] for item in strict(client.get("/canaryConfig").text)] == ["shop"]
    assert strict(client.get("/canaryConfig/shop").text)["classifier"] == CONFIG["classifier"]
