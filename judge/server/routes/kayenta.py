"""Kayenta's API, for Argo Rollouts' Kayenta provider, Spinnaker's Orca and Deck, and Kayenta itself as a remote judge.

Tolerant in what is read (any account, any application), exact in what is written.
Errors are Kayenta's: 400 and 404 with ``message``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from judge.core.kayenta.java_json import score_thresholds
from judge.core.kayenta.judge import judge_kayenta, to_json
from judge.errors import Busy, Fault, JudgeError, RequestError, VerdictNotFound
from judge.kayenta.executions import Executions
from judge.kayenta.plan import plan_series
from judge.kayenta.status import canary_status, series_status
from judge.kayenta.store import KayentaStore
from judge.server.admission.admission import RETRY_AFTER, Places
from judge.server.auth import caller
from judge.sources import Query
from judge.wire.json import dumps
from judge.wire.request import format_time

JUDGE_NAME = "NetflixACAJudge-v1.0"
MAX_BODY = 64 * 1024 * 1024
"""Metric set pairs come whole: 2,000 metrics, or 50,000 samples a side, fit in."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_PAGE = 500


def kayenta_doors(
    executions: Executions,
    places: Places,
    *,
    configs: Callable[[], Mapping[str, Mapping[str, Any]]],
    clock: Callable[[], float],
    new_id: Callable[[], str],
) -> Blueprint:
    """Build the routes.

    Parameters
    ----------
    executions : Executions
        What accepts and keeps.
    places : Places
        Where what is judged or asked while the caller waits is judged.
    configs : callable
        Kayenta configs that lie in the config folder, by name.
    clock, new_id : callable
        Unix seconds; a fresh id.
    """
    doors = Blueprint("kayenta", __name__)
    store = executions.store

    @doors.before_request
    def let_in() -> None:
        request.max_content_length = MAX_BODY
        caller().require("kayenta")

    @doors.errorhandler(JudgeError)
    def judge_error(error: JudgeError) -> Response:
        found = _send({"message": str(error), "error": error.__class__.__name__}, error.status)
        if isinstance(error, Busy):
            found.headers["Retry-After"] = RETRY_AFTER
        return found

    def find(config_id: str) -> dict[str, Any]:
        _check_id(config_id)
        local = configs()
        found = dict(local[config_id]) if config_id in local else store.config(config_id)
        if found is None:
            raise VerdictNotFound(f"Could not find canary config '{config_id}'.")
        return found

    _add_configs(doors, store, find, configs, clock, new_id)
    _add_canaries(doors, executions, find)
    _add_series(doors, executions, find, clock)
    _add_lists(doors, executions.store, clock, new_id)
    _add_judging(doors, executions, places, find, clock)
    return doors


def _add_configs(
    doors: Blueprint,
    store: KayentaStore,
    find: Callable[[str], dict[str, Any]],
    configs: Callable[[], Mapping[str, Mapping[str, Any]]],
    clock: Callable[[], float],
    new_id: Callable[[], str],
) -> None:
    @doors.get("/canaryConfig")
    def list_configs() -> Response:
        wanted = set(request.args.getlist("application"))
        found = [_listed(name, 0.0, document) for name, document in configs().items()]
        found += [_listed(id, updated, document) for id, updated, document in store.configs()]
        return _send([item for item in found if not wanted or wanted & set(item["applications"])])

    @doors.get("/canaryConfig/<config_id>")
    def get_config(config_id: str) -> Response:
        return _send(find(config_id))

    @doors.post("/canaryConfig")
    def add_config() -> Response:
        document = _checked_config(_body())
        id = str(document.get("id") or new_id())
        _check_id(id)
        if id in configs() or not store.add_config(id, {**document, "id": id}, now=clock()):
            raise RequestError(f"Canary config '{id}' already exists.")
        return _send({"canaryConfigId": id})

    @doors.put("/canaryConfig/<config_id>")
    def put_config(config_id: str) -> Response:
        _check_id(config_id)
        document = _checked_config(_body())
        if not store.put_config(config_id, {**document, "id": config_id}, now=clock()):
            raise VerdictNotFound(f"Canary config '{config_id}' does not exist.")
        return _send({"canaryConfigId": config_id})

    @doors.delete("/canaryConfig/<config_id>")
    def drop_config(config_id: str) -> Response:
        _check_id(config_id)
        store.drop_config(config_id)
        return Response(status=204)


def _add_canaries(doors: Blueprint, executions: Executions, find: Callable[[str], dict[str, Any]]) -> None:
    @doors.post("/canary/<config_id>")
    def initiate(config_id: str) -> Response:
        return accept({**find(config_id), "id": config_id}, _body())

    @doors.post("/canary")
    def initiate_ad_hoc() -> Response:
        body = _body()
        return accept(_checked_config(_part(body, "canaryConfig", Mapping), ad_hoc=True), _part(body, "executionRequest", Mapping))

    def accept(config: Mapping[str, Any], asked: Mapping[str, Any]) -> Response:
        from judge.kayenta.fetch import read_scopes

        read_scopes(asked)
        score_thresholds(asked.get("thresholds") or {})
        application = request.args.get("application") or "ad-hoc"
        parent = request.args.get("parentPipelineExecutionId") or ""
        return _send({"canaryExecutionId": executions.accept(config, asked, application=application, parent=parent)})

    @doors.get("/canary/executions")
    def list_executions() -> Response:
        limit, page = _whole("limit", 20, most=_PAGE), _whole("page", 1, most=1_000_000)
        statuses = tuple(status.lower() for part in request.args.getlist("statuses") for status in part.split(",") if status)
        application = request.args.get("application") or "ad-hoc"
        found = executions.store.executions(application, limit=limit, page=page, statuses=statuses)
        return _send([canary_status(one.id, one.status, one.document) for one in found])

    @doors.get("/canary/<execution_id>")
    def status(execution_id: str) -> Response:
        found = executions.store.execution(execution_id)
        if found.kind != "canary":
            raise VerdictNotFound(f"no canary execution has the id {execution_id!r}")
        return _send(canary_status(found.id, found.status, found.document))

    @doors.put("/pipelines/<execution_id>/cancel")
    def cancel(execution_id: str) -> Response:
        executions.store.execution(execution_id)
        executions.store.cancel(execution_id)
        return _send({})


def _add_series(doors: Blueprint, executions: Executions, find: Callable[[str], dict[str, Any]], clock: Callable[[], float]) -> None:
    @doors.post("/standalone_canary_analysis")
    def begin_ad_hoc() -> Response:
        body = _body()
        config = _checked_config(_part(body, "canaryConfig", Mapping), ad_hoc=True)
        return accept(config, _part(body, "executionRequest", Mapping))

    @doors.post("/standalone_canary_analysis/<config_id>")
    def begin(config_id: str) -> Response:
        return accept({**find(config_id), "id": config_id}, _body())

    def accept(config: Mapping[str, Any], asked: Mapping[str, Any]) -> Response:
        plan, first_at = plan_series(asked, now=clock())
        application = request.args.get("application") or "ad-hoc"
        return _send({"canaryAnalysisExecutionId": executions.accept_series(config, plan, application=application, first_at=first_at)})

    @doors.get("/standalone_canary_analysis/<execution_id>")
    def series(execution_id: str) -> Response:
        found = executions.store.execution(execution_id)
        if found.kind != "standalone":
            raise VerdictNotFound(f"no standalone canary analysis has the id {execution_id!r}")
        return _send(series_status(found.id, found.status, found.document))


def _add_lists(doors: Blueprint, store: KayentaStore, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
    @doors.get("/metricSetPairList/<list_id>")
    def get_pairs(list_id: str) -> Response:
        found = store.pairs(list_id)
        if found is None:
            raise VerdictNotFound(f"Could not find metric set pair list '{list_id}'.")
        return _send(found)

    @doors.post("/metricSetPairList")
    def add_pairs() -> Response:
        document = _json()
        if not isinstance(document, list):
            raise RequestError("expected a list of metric set pairs")
        id = new_id()
        store.keep_pairs(id, _words_for_numbers(document), now=clock())
        return _send({"metricSetPairListId": id})

    @doors.get("/judges")
    def judges() -> Response:
        return _send([{"name": JUDGE_NAME, "visible": True}])

    @doors.get("/credentials")
    def credentials() -> Response:
        kinds = {"prometheus": ["METRICS_STORE"], "judge": ["CONFIGURATION_STORE", "OBJECT_STORE"]}
        return _send(
            [
                {"name": name, "type": name, "supportedTypes": types, "locations": [], "recommendedLocations": []}
                for name, types in kinds.items()
            ]
        )


def _add_judging(
    doors: Blueprint, executions: Executions, places: Places, find: Callable[[str], dict[str, Any]], clock: Callable[[], float]
) -> None:
    @doors.post("/judge")
    def remote_judge() -> Response:
        # All of it has come before a place is taken: a slow sender holds none.
        request.get_data()
        with places.hold():
            body = _body()
            config, pairs = _part(body, "canaryConfig", Mapping), _part(body, "metricSetPairList", list)
            thresholds = body.get("scoreThresholds", {})
            return _send(to_json(judge_kayenta(config, thresholds, pairs)))

    @doors.post("/judges/judge")
    def judge_kept() -> Response:
        with places.hold():
            pairs = executions.store.pairs(request.args.get("metricSetPairListId", ""))
            if pairs is None:
                raise VerdictNotFound(f"Could not find metric set pair list '{request.args.get('metricSetPairListId', '')}'.")
            config = find(request.args.get("canaryConfigId", ""))
            thresholds = {"pass": _number("passThreshold"), "marginal": _number("marginalThreshold")}
            return _send(to_json(judge_kayenta(config, thresholds, pairs)))

    @doors.get("/metadata/metricsService")
    def metrics() -> Response:
        wanted = re.escape(request.args.get("filter", "")).replace("\\", "\\\\").replace('"', '\\"')
        now = clock()
        text = f'count by (__name__) ({{__name__=~"(?i).*{wanted}.+|.+{wanted}.*"}})'
        query = Query(metric="", part="value", side="canary", scope="", against="", text=text, start=now, end=now, step=60, instant=True)
        with places.hold():
            [answer] = executions.ask([query])
        return _send([{"name": series.labels.get("__name__", "")} for series in answer.series])


def _send(document: Any, status: int = 200) -> Response:
    return Response(dumps(document), status=status, mimetype="application/json")


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
    if isinstance(document, float) and document - document != 0:
        return "NaN" if document != document else "Infinity" if document > 0 else "-Infinity"  # noqa: PLR0124 - only NaN differs from itself
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
        return float(request.args.get(key, ""))
    except ValueError:
        raise RequestError([Fault(path=key, message="must be a number")]) from None


__all__ = ["kayenta_doors"]
