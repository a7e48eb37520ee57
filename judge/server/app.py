"""The HTTP door, made for Argo Rollouts' web provider.

``POST /v1/verdict`` and ``GET /v1/verdict`` ask; everything judged is answered
with 200 and strict JSON, a wrong question with 400 and its faults. Nothing is
ever redirected: Go's client would follow and lose the body.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from judge import __version__
from judge.archive.filters import label_fields, read_label
from judge.config.yaml import unique_keys
from judge.errors import ArchiveError, Busy, ConfigError, JudgeError, RequestError, SourceError, VerdictNotFound
from judge.observer import observer
from judge.server.admission.admission import RETRY_AFTER, Places
from judge.server.auth import caller, readable, stand_before
from judge.server.liveness import ArchiveCheck, Vitals
from judge.server.openapi import openapi
from judge.server.query_string import query_values, read_listing
from judge.server.routes.kayenta import kayenta_doors
from judge.server.routes.pages import pages, trouble, wants_page
from judge.server.telemetry import metrics as signals
from judge.server.telemetry.logging import fields
from judge.server.telemetry.request_id import follow, request_id, tell_trace
from judge.verdicts.records import Kept
from judge.verdicts.service import Service
from judge.wire.answer import answer
from judge.wire.json import dumps
from judge.wire.request import Request
from judge.wire.ulid import new_id

log = logging.getLogger("judge.http")


def create_app(service: Service, *, clock: Callable[[], float] = time.time) -> Flask:
    """Build the application.

    Parameters
    ----------
    service : Service
        What answers.
    clock : callable
        Unix seconds; tests give their own.
    """
    app = Flask("judge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = service.settings.max_body
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    vitals = app.extensions["judge-vitals"] = Vitals(deadline=service.settings.deadline)
    places = Places(service.settings, vitals)
    follow(app, new_id=lambda: new_id(clock()))
    stand_before(app, service, clock)
    _add_questions(app, service, clock, places)
    _add_verdicts(app, service, clock)
    _add_health(app, service, vitals)
    app.register_blueprint(pages(service, clock))
    _add_errors(app, service)
    app.extensions["judge-service"] = service
    executions = service.executions(clock=clock, new_id=lambda: new_id(clock()))
    if executions is not None:
        app.register_blueprint(
            kayenta_doors(executions, places, configs=service.kayenta_configs, clock=clock, new_id=lambda: new_id(clock()))
        )
        app.extensions["judge-executions"] = executions
    return app


def send(document: Any, status: int = 200) -> Response:
    """Send strict JSON; a document that cannot be written so is a fault of ours, never a half answer."""
    return Response(dumps(document), status=status, mimetype="application/json")


def _add_questions(app: Flask, service: Service, clock: Callable[[], float], places: Places) -> None:
    def judged(raw: Any, now: float) -> tuple[Request, Kept]:
        began = time.monotonic()
        try:
            with places.hold():
                return service.ask(raw, id=request_id(), now=now, caller=caller(), waited=time.monotonic() - began)
        except Busy as busy:
            declined = service.decline(raw, f"not judged: the judge is {busy}", id=request_id(), now=now, caller=caller())
            if declined is None:
                raise
            return declined

    @app.route("/v1/verdict", methods=["GET", "POST"])
    def verdict() -> Response:
        began = time.perf_counter()
        now = clock()
        raw = query_values() if request.method == "GET" else _body()
        asked, kept = judged(raw, now)
        with observer().stage("answer"):
            document = answer(
                kept.record, public_url=service.settings.public_url, detail=asked.detail, unkept=kept.unkept, kept=not kept.declined
            )
            sent = send(document)
        if kept.unkept:
            log.error("%s: %s", kept.record["id"], kept.unkept)
            signals.UNKEPT.inc()
        _tell(asked, kept.record, document, time.perf_counter() - began)
        return sent


def _tell(asked: Request, record: Mapping[str, Any], document: Mapping[str, Any], seconds: float) -> None:
    """Count a verdict, write its line of the log, and note it on the request's span."""
    look, repeated = document["window"]["look"], document["id"] != request_id()
    signals.of(signals.VERDICTS, asked.config, document["verdict"]).inc()
    signals.SECONDS.observe(seconds)
    if record["question"] and not repeated:
        signals.of(signals.LOOKS, asked.config).observe(look)
        for classification, count in Counter(result["classification"] for result in record["verdict"]["results"]).items():
            signals.of(signals.METRICS, asked.config, classification).inc(count)
    told = {
        "id": document["id"],
        "verdict": document["verdict"],
        "config": asked.config,
        "baseline": asked.baseline,
        "canary": asked.canary,
        "score": document["score"],
        "seconds": round(seconds, 3),
        "caller": caller().name,
        "look": look,
        "source": record["settings"].get("source", {}).get("name", ""),
        "repeated": repeated,
    }
    tell_trace(**{name: value for name, value in told.items() if value is not None and name != "seconds"})
    text = "verdict %(id)s %(verdict)s config=%(config)s baseline=%(baseline)s canary=%(canary)s score=%(score)s seconds=%(seconds).3f"
    log.info(f"{text} caller=%(caller)s look=%(look)s", told, extra=fields(**told))  # noqa: G004 - one line, in two parts


def _body(wanted: str = "config, baseline and canary") -> Any:
    """Read the body as JSON, whatever its declared type: Argo's ``body`` sets none."""
    raw = request.get_data(cache=False)
    if not raw.strip():
        raise RequestError(f"the body is empty; send a JSON object with {wanted}")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=unique_keys, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error


def _refuse(constant: str) -> None:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _add_verdicts(app: Flask, service: Service, clock: Callable[[], float]) -> None:
    @app.get("/v1/verdicts")
    def verdicts() -> Response:
        return send({"verdicts": readable(service).list(**read_listing(clock()))})

    @app.get("/v1/verdicts/<verdict_id>")
    def record(verdict_id: str) -> Response:
        return send(readable(service).get(verdict_id))

    @app.get("/v1/verdicts/<verdict_id>/labels")
    def labels(verdict_id: str) -> Response:
        return send({"labels": [label_fields(label) for label in readable(service).labels(verdict_id)]})

    @app.post("/v1/verdicts/<verdict_id>/labels")
    def label(verdict_id: str) -> Response:
        # A page of another site can make a browser post a form or plain text to us, but not JSON.
        if request.mimetype != "application/json":
            raise RequestError("send the label as JSON, with the header Content-Type: application/json")
        caller().require("label")
        given = read_label(_body('label ("right" or "wrong"), by and why'), at=clock())
        return send({"labels": [label_fields(label) for label in readable(service).label(verdict_id, given)]})


def _add_health(app: Flask, service: Service, vitals: Vitals) -> None:
    check = ArchiveCheck(service.archive)

    @app.get("/healthz")
    def healthz() -> Response:
        problems = vitals.problems()
        more = {"problems": problems} if problems and caller().everywhere else {}
        return send({"status": "stuck" if problems else "ok", "version": __version__, **more}, 503 if problems else 200)

    @app.get("/readyz")
    def readyz() -> Response:
        # Without archive or source questions are answered all the same, in time and with the reason. Were this worker, and
        # with it every other one, taken out of the Service for it, a rollout would meet a refused connection instead.
        ready = bool(service.configs)
        status = 200 if ready else 503
        if not caller().everywhere:
            return send({"ready": ready}, status)
        circuits = dict.fromkeys(service.settings.sources, "closed") | service.circuits
        problems = [str(error) for error in service.config_errors]
        problems += [] if ready else [f"no usable config in {service.settings.config_dir}"]
        problems += [found] if (found := check.problem()) else []
        away = [name for name, state in circuits.items() if state != "closed"]
        problems += [f"source {name}: it failed again and again, and is tried now and then" for name in away]
        return send({"ready": ready, "configs": sorted(service.configs), "sources": circuits, "problems": problems}, status)

    @app.get("/metrics")
    def metrics() -> Response:
        text, kind = signals.exposition()
        return Response(text, content_type=kind)

    @app.get("/openapi.json")
    def description() -> Response:
        return send(openapi(service.settings.public_url))


def _add_errors(app: Flask, service: Service) -> None:
    def say(fields: Mapping[str, Any], status: int) -> Response:
        """Answer an error: to a browser that asks for a page with a page, to anything else with JSON."""
        return trouble(service, fields, status) if wants_page() else send(fields, status)

    @app.errorhandler(JudgeError)
    def judge_error(error: JudgeError) -> Response:
        found = say(fault_fields(error), status_of(error))
        if isinstance(error, Busy):
            found.headers["Retry-After"] = RETRY_AFTER
        return found

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = 500 if error.code is None else error.code
        text = {413: f"the body is larger than {app.config['MAX_CONTENT_LENGTH']} bytes", 404: "there is nothing here; see /openapi.json"}
        allowed = sorted(error.valid_methods or ()) if isinstance(error, MethodNotAllowed) else []
        found = say({"error": text.get(status, str(error.description)), "path": "", "allowed": allowed}, status)
        if "Allow" in (headers := dict(error.get_headers())):
            found.headers["Allow"] = headers["Allow"]
        return found

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("unexpected error on %s %s", request.method, request.path, exc_info=error)
        signals.CRASHES.inc()
        return say({"error": f"internal error ({type(error).__name__}); see the log", "path": "", "allowed": []}, 500)


def status_of(error: JudgeError) -> int:
    """Status of an error: settings that are wrong are not the caller's fault."""
    return (
        503
        if isinstance(error, SourceError) or (isinstance(error, ArchiveError) and not isinstance(error, VerdictNotFound))
        else error.status
    )


def fault_fields(error: JudgeError) -> Mapping[str, Any]:
    """Write an error: the first fault at the top, all of them in `faults`."""
    if isinstance(error, RequestError | ConfigError) and error.faults:
        faults = [{"error": fault.message, "path": fault.path, "allowed": list(fault.allowed)} for fault in error.faults]
        return {**faults[0], "faults": faults}
    return {"error": str(error), "path": "", "allowed": []}


__all__ = ["create_app", "send"]
