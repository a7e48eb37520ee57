"""Kayenta's API, for Argo Rollouts' Kayenta provider, Spinnaker's Orca and Deck, and Kayenta itself as a remote judge.

Tolerant in what is read (any account, any application), exact in what is written.
Errors are Kayenta's: 400 and 404 with ``message``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from judge.core.formatting import number_or_word
from judge.core.kayenta.java_json import score_thresholds
from judge.core.kayenta.judge import judge_kayenta
from judge.core.kayenta.results import to_json
from judge.errors import Busy, Fault, JudgeError, RequestError, VerdictNotFound
from judge.kayenta.executions import Executions
from judge.kayenta.plan import plan_series
from judge.kayenta.status import canary_status, series_status
from judge.server.admission.admission import RETRY_AFTER
from judge.server.auth import KAYENTA, caller
from judge.server.responses import send
from judge.server.runtime import runtime
from judge.wire.request import format_time

JUDGE_NAME = "NetflixACAJudge-v1.0"
MAX_BODY = 64 * 1024 * 1024
"""Metric set pairs come whole: 2,000 metrics, or 50,000 samples a side, fit in."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_PAGE = 500

routes = Blueprint("kayenta", __name__)


@routes.before_request
def allow_large_bodies() -> None:
    """Let metric set pairs in whole."""
    request.max_content_length = MAX_BODY


@routes.errorhandler(JudgeError)
def judge_error(error: JudgeError) -> Response:
    """Write an error as Kayenta does."""
    response = send({"message": str(error), "error": error.__class__.__name__}, error.status)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = RETRY_AFTER
    return response


@routes.get("/canaryConfig", needs=KAYENTA)
def list_configs() -> Response:
    """List the configs of the config folder and the stored ones."""
    wanted = set(request.args.getlist("application"))
    found = [_listed(name, 0.0, document) for name, document in runtime().kayenta_configs().items()]
    found += [_listed(id, updated, document) for id, updated, document in _executions().store.configs()]
    return send([item for item in found if not wanted or wanted & set(item["applications"])])


@routes.get("/canaryConfig/<config_id>", needs=KAYENTA)
def get_config(config_id: str) -> Response:
    """Give one config."""
    return send(_find(config_id))


@routes.post("/canaryConfig", needs=KAYENTA)
def add_config() -> Response:
    """Store a config."""
    document = _checked_config(_body())
    id = str(document.get("id") or runtime().new_id())
    _check_id(id)
    if id in runtime().kayenta_configs() or not _executions().store.add_config(id, {**document, "id": id}, now=runtime().clock()):
        raise RequestError(f"Canary config '{id}' already exists.")
    return send({"canaryConfigId": id})


@routes.put("/canaryConfig/<config_id>", needs=KAYENTA)
def put_config(config_id: str) -> Response:
    """Replace a stored config."""
    _check_id(config_id)
    document = _checked_config(_body())
    if not _executions().store.put_config(config_id, {**document, "id": config_id}, now=runtime().clock()):
        raise VerdictNotFound(f"Canary config '{config_id}' does not exist.")
    return send({"canaryConfigId": config_id})


@routes.delete("/canaryConfig/<config_id>", needs=KAYENTA)
def drop_config(config_id: str) -> Response:
    """Remove a stored config."""
    _check_id(config_id)
    _executions().store.drop_config(config_id)
    return Response(status=204)


@routes.post("/canary", needs=KAYENTA)
@routes.post("/canary/<config_id>", needs=KAYENTA)
def initiate(config_id: str = "") -> Response:
    """Begin a canary with a known config, or with one in the body."""
    from judge.kayenta.fetch import read_scopes

    config, asked = _config_and_request(config_id)
    read_scopes(asked)
    score_thresholds(asked.get("thresholds") or {})
    application = request.args.get("application") or "ad-hoc"
    parent = request.args.get("parentPipelineExecutionId") or ""
    return send({"canaryExecutionId": _executions().accept(config, asked, application=application, parent=parent)})


@routes.get("/canary/executions", needs=KAYENTA)
def list_executions() -> Response:
    """List the canaries of an application."""
    limit, page = _whole("limit", 20, most=_PAGE), _whole("page", 1, most=1_000_000)
    statuses = tuple(status.lower() for part in request.args.getlist("statuses") for status in part.split(",") if status)
    application = request.args.get("application") or "ad-hoc"
    found = _executions().store.executions(application, limit=limit, page=page, statuses=statuses)
    return send([canary_status(one.id, one.status, one.document) for one in found])


@routes.get("/canary/<execution_id>", needs=KAYENTA)
def status(execution_id: str) -> Response:
    """Give the state of a canary, and its result."""
    found = _executions().store.execution(execution_id)
    if found.kind != "canary":
        raise VerdictNotFound(f"no canary execution has the id {execution_id!r}")
    return send(canary_status(found.id, found.status, found.document))


@routes.put("/pipelines/<execution_id>/cancel", needs=KAYENTA)
def cancel(execution_id: str) -> Response:
    """Cancel an execution."""
    _executions().store.execution(execution_id)
    _executions().store.cancel(execution_id)
    return send({})


@routes.post("/standalone_canary_analysis", needs=KAYENTA)
@routes.post("/standalone_canary_analysis/<config_id>", needs=KAYENTA)
def begin(config_id: str = "") -> Response:
    """Begin a series of canaries with a known config, or with one in the body."""
    config, asked = _config_and_request(config_id)
    plan, first_at = plan_series(asked, now=runtime().clock())
    application = request.args.get("application") or "ad-hoc"
    return send({"canaryAnalysisExecutionId": _executions().accept_series(config, plan, application=application, first_at=first_at)})


@routes.get("/standalone_canary_analysis/<execution_id>", needs=KAYENTA)
def series(execution_id: str) -> Response:
    """Give the state of a series."""
    found = _executions().store.execution(execution_id)
    if found.kind != "standalone":
        raise VerdictNotFound(f"no standalone canary analysis has the id {execution_id!r}")
    return send(series_status(found.id, found.status, found.document))


@routes.get("/metricSetPairList/<list_id>", needs=KAYENTA)
def get_pairs(list_id: str) -> Response:
    """Give stored samples."""
    return send(_stored_pairs(list_id))


@routes.post("/metricSetPairList", needs=KAYENTA)
def add_pairs() -> Response:
    """Store samples."""
    document = _json()
    if not isinstance(document, list):
        raise RequestError("expected a list of metric set pairs")
    id = runtime().new_id()
    _executions().store.keep_pairs(id, _words_for_numbers(document), now=runtime().clock())
    return send({"metricSetPairListId": id})


@routes.get("/judges", needs=KAYENTA)
def judges() -> Response:
    """Name the judge."""
    return send([{"name": JUDGE_NAME, "visible": True}])


@routes.get("/credentials", needs=KAYENTA)
def credentials() -> Response:
    """Name the accounts."""
    kinds = {"prometheus": ["METRICS_STORE"], "judge": ["CONFIGURATION_STORE", "OBJECT_STORE"]}
    return send(
        [
            {"name": name, "type": name, "supportedTypes": types, "locations": [], "recommendedLocations": []}
            for name, types in kinds.items()
        ]
    )


@routes.post("/judge", needs=KAYENTA)
def remote_judge() -> Response:
    """Judge the samples in the body."""
    # All of it has come before a place is taken: a slow sender holds none.
    request.get_data()
    with runtime().admission.hold(caller()):
        body = _body()
        config, pairs = _part(body, "canaryConfig", Mapping), _part(body, "metricSetPairList", list)
        thresholds = body.get("scoreThresholds", {})
        return send(to_json(judge_kayenta(config, thresholds, pairs)))


@routes.post("/judges/judge", needs=KAYENTA)
def judge_kept() -> Response:
    """Judge stored samples by a known config."""
    with runtime().admission.hold(caller()):
        pairs = _stored_pairs(request.args.get("metricSetPairListId", ""))
        config = _find(request.args.get("canaryConfigId", ""))
        thresholds = {"pass": _number("passThreshold"), "marginal": _number("marginalThreshold")}
        return send(to_json(judge_kayenta(config, thresholds, pairs)))


@routes.get("/metadata/metricsService", needs=KAYENTA)
def metrics() -> Response:
    """List names of metrics in Prometheus."""
    with runtime().admission.hold(caller()):
        names = _executions().metric_names(request.args.get("filter", ""), now=runtime().clock())
    return send([{"name": name} for name in names])


def _executions() -> Executions:
    executions = runtime().executions
    assert executions is not None, "these routes are registered only with an archive"
    return executions


def _config_and_request(config_id: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Read what is to be judged: by a known config, or by one in the body beside the request."""
    body = _body()
    if config_id:
        return {**_find(config_id), "id": config_id}, body
    return _checked_config(_part(body, "canaryConfig", Mapping), ad_hoc=True), _part(body, "executionRequest", Mapping)


def _find(config_id: str) -> dict[str, Any]:
    """Find a config of the config folder by name, or a stored one by id."""
    _check_id(config_id)
    local = runtime().kayenta_configs()
    config = dict(local[config_id]) if config_id in local else _executions().store.config(config_id)
    if config is None:
        raise VerdictNotFound(f"Could not find canary config '{config_id}'.")
    return config


def _stored_pairs(list_id: str) -> Any:
    found = _executions().store.pairs(list_id)
    if found is None:
        raise VerdictNotFound(f"Could not find metric set pair list '{list_id}'.")
    return found


def _json() -> Any:
    """Read the body; NaN and the infinities as numbers are what Jackson writes when told to."""
    try:
        return json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error


def _body() -> dict[str, Any]:
    found = _json()
    if not isinstance(found, dict):
        raise RequestError("expected a JSON object")
    return found


def _part(body: Mapping[str, Any], key: str, kind: type) -> Any:
    found = body.get(key)
    if not isinstance(found, kind):
        expected = "a list" if kind is list else "an object"
        raise RequestError([Fault(path=key, message="is missing" if found is None else f"must be {expected}")])
    return found


def _words_for_numbers(document: Any) -> Any:
    """Write NaN and the infinities as the words that Jackson uses, all the way down."""
    if isinstance(document, float):
        return number_or_word(document)
    if isinstance(document, list):
        return [_words_for_numbers(part) for part in document]
    if isinstance(document, dict):
        return {key: _words_for_numbers(part) for key, part in document.items()}
    return document


def _checked_config(document: Mapping[str, Any], *, ad_hoc: bool = False) -> dict[str, Any]:
    """Check what Kayenta checks when a config is stored."""
    faults = []
    name = document.get("name")
    if not ad_hoc and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        faults.append(Fault(path="name", message="Canary config name must consist only of letters, digits, - and _"))
    if not ad_hoc and not document.get("applications"):
        faults.append(Fault(path="applications", message="A canary config must name at least one application"))
    metrics = document.get("metrics")
    if not isinstance(metrics, list) or not all(isinstance(metric, Mapping) and isinstance(metric.get("name"), str) for metric in metrics):
        faults.append(Fault(path="metrics", message="must be a list of metrics, each with a name"))
    else:
        names = [metric["name"] for metric in metrics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            faults.append(Fault(path="metrics", message=f"Canary config has several metrics named {', '.join(twice)}"))
        for index, metric in enumerate(metrics):
            if not isinstance(metric.get("query"), Mapping):
                faults.append(Fault(path=f"metrics.{index}.query", message="is missing"))
    if faults:
        raise RequestError(faults)
    return dict(document)


def _check_id(id: str) -> None:
    if not _ID.fullmatch(id) or id.startswith("."):
        raise RequestError([Fault(path="id", message=f"{id[:80]!r} is no id: letters, digits, '-', '_' and '.'")])


def _listed(id: str, updated: float, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "name": str(document.get("name") or id),
        "updatedTimestamp": round(updated * 1000),
        "updatedTimestampIso": format_time(updated),
        "applications": [str(one) for one in document.get("applications") or []],
    }


def _whole(key: str, default: int, *, most: int) -> int:
    text = request.args.get(key, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise RequestError([Fault(path=key, message=f"must be a whole number from 1 to {most}, found {text[:80]!r}")])
    return int(text)


def _number(key: str) -> float:
    try:
        found = float(request.args.get(key, ""))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise RequestError([Fault(path=key, message="must be a number")])
    return found
