"""Routes for machines: liveness, readiness, the judge's own metrics, its OpenAPI description."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from judge import __version__
from judge.server.auth import DESCRIPTION, METRICS, OPEN, caller
from judge.server.openapi import openapi
from judge.server.responses import send
from judge.server.runtime import runtime
from judge.server.telemetry import metrics as signals

routes = Blueprint("health", __name__)


@routes.get("/healthz", needs=OPEN)
def healthz() -> Response:
    """Whether this worker can do its work."""
    problems = runtime().liveness.problems()
    more = {"problems": problems} if problems and caller().everywhere else {}
    return send({"status": "stuck" if problems else "ok", "version": __version__, **more}, 503 if problems else 200)


@routes.get("/readyz", needs=OPEN)
def readyz() -> Response:
    """Whether questions are answered, and what is wrong."""
    # Without archive or source questions are answered all the same, in time and with the reason. Were this worker, and
    # with it every other one, taken out of the Service for it, a rollout would meet a refused connection instead.
    judge = runtime()
    ready = bool(judge.configs)
    status = 200 if ready else 503
    if not caller().everywhere:
        return send({"ready": ready}, status)
    problems = [str(error) for error in judge.config_errors]
    problems += [] if ready else [f"no usable config in {judge.settings.config_dir}"]
    problems += [problem] if (problem := judge.archive_check.problem()) else []
    circuits = judge.circuits
    away = [name for name, state in circuits.items() if state != "closed"]
    problems += [f"source {name}: it failed again and again, and is tried now and then" for name in away]
    return send({"ready": ready, "configs": sorted(judge.configs), "sources": circuits, "problems": problems}, status)


@routes.get("/metrics", needs=METRICS)
def metrics() -> Response:
    """The judge's own metrics, for Prometheus."""
    text, kind = signals.exposition()
    return Response(text, content_type=kind)


@routes.get("/openapi.json", needs=DESCRIPTION)
def description() -> Response:
    """The OpenAPI description."""
    return send(openapi(current_app, runtime().settings.public_url))
