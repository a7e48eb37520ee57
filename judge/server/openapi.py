"""The OpenAPI description of the HTTP service."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from judge import __version__
from judge.archive.filters import FILTERS, MOST_BY, MOST_WHY
from judge.archive.types import LABELS
from judge.observer import CIRCUITS
from judge.reports.urls import OF_A_CANARY
from judge.server.auth import needs_of

if TYPE_CHECKING:
    from flask import Flask

_TEXT = {"type": "string"}
_TEXT_OR_NUMBER = {"anyOf": [{"type": "string"}, {"type": "number"}]}
_NUMBER = {"type": "number"}
_NONE_OR_TEXT = {"type": ["string", "null"]}
_NONE_OR_NUMBER = {"type": ["number", "null"]}
_NONE_OR_COUNT = {"type": ["integer", "null"], "minimum": 0}
_COUNT = {"type": "integer", "minimum": 0}

_PARAMETERS = {
    "config": ("Name of a canary config.", True),
    "baseline": ("What ${hash} is on the baseline: the stable pod-template hash, or a service name.", True),
    "canary": ("What ${hash} is on the canary.", True),
    "rollout": ("Name of the Rollout, for scopes by pod name.", False),
    "scope": ("One of the config's named scopes.", False),
    "start": ("RFC 3339 or unix seconds; default: the canary's first sample plus warm-up.", False),
    "end": ("RFC 3339 or unix seconds; default: now.", False),
    "window": ("At most this much is judged, for example 30m.", False),
    "look": ("Number of this look; default: by the time since the canary was warm.", False),
    "detail": ("short (default) or full.", False),
}


_FILTER_WORDS = {
    "verdict": "pass, marginal, fail, inconclusive or error.",
    "label": "right or wrong (the newest label), any, or none.",
    "since": "Asked at this time or later: RFC 3339, unix seconds, or a duration before now (30d).",
    "until": "Asked before this time.",
    "replayed": "yes: only those that judge replay judged from history; no: only those that somebody asked for.",
}


def _object(properties: dict[str, Any], *, required: bool = True, more: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": more}
    return {**found, "required": list(properties)} if required else found


def _shown(always: dict[str, Any], to_some: dict[str, Any]) -> dict[str, Any]:
    """Fields for all callers, and fields for callers who may see everything."""
    return {**_object({**always, **to_some}, required=False), "required": list(always)}


def _schemas() -> dict[str, Any]:
    answer = {
        "verdict": {"type": "string", "enum": ["pass", "marginal", "fail", "inconclusive", "error"]},
        "pass": {"type": "boolean"},
        "fail": {"type": "boolean"},
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "code": {"type": "integer", "minimum": 0, "maximum": 4},
        "reason": _TEXT,
        "metrics": _object(dict.fromkeys(("total", "pass", "regressed", "undecided", "nodata", "error"), _COUNT)),
        "window": _object({"start": _TEXT, "end": _TEXT, "look": _COUNT, "of": _COUNT}),
        "id": _TEXT,
        "report": _TEXT,
    }
    fault = {"error": _TEXT, "path": _TEXT, "allowed": {"type": "array", "items": _TEXT}}
    row = {
        **dict.fromkeys(("id", "config", "rollout", "baseline", "canary", "verdict", "reason"), _TEXT),
        "asked_at": _NUMBER,
        "score": _NUMBER,
        **dict.fromkeys(("look", "looks"), _NONE_OR_COUNT),
        **dict.fromkeys(("service", "namespace", "judge"), _NONE_OR_TEXT),
        **dict.fromkeys(("window_start", "window_end"), _NONE_OR_NUMBER),
        "label": {"enum": [*LABELS, None]},
        "replayed": {"type": "boolean"},
    }
    label = {"label": {"enum": list(LABELS)}, "by": _TEXT, "why": _TEXT, "at": _TEXT}
    given = {
        "label": {"enum": list(LABELS)},
        "by": {"type": "string", "minLength": 1, "maxLength": MOST_BY},
        "why": {"type": "string", "maxLength": MOST_WHY},
    }
    question = {name: {**_TEXT_OR_NUMBER, "description": text} for name, (text, _) in _PARAMETERS.items()}
    return {
        "Question": {
            "type": "object",
            "properties": {**question, "args": {"anyOf": [{"type": "object", "additionalProperties": _TEXT_OR_NUMBER}, _TEXT]}},
            "additionalProperties": _TEXT_OR_NUMBER,
        },
        "Answer": {
            **_object(answer, more=True),
            "description": "With detail=full also judge, warnings, groups, results, decided_by, traffic and conditions.",
        },
        "Fault": {
            **_object({**fault, "faults": {"type": "array", "items": _object(fault)}}, required=False),
            "required": list(fault),
        },
        "Label": {**_object(given, required=False), "required": ["label", "by"]},
        "Labels": _object({"labels": {"type": "array", "items": _object(label)}}),
        "Verdicts": _object({"verdicts": {"type": "array", "items": _object(row)}}),
        "Record": {"type": "object", "required": ["id", "request", "config", "window", "verdict", "samples", "versions"]},
        "Health": _shown({"status": _TEXT, "version": _TEXT}, {"problems": {"type": "array", "items": _TEXT}}),
        "Ready": _shown(
            {"ready": {"type": "boolean"}},
            {
                "configs": {"type": "array", "items": _TEXT},
                "sources": {"type": "object", "additionalProperties": {"type": "string", "enum": list(CIRCUITS)}},
                "problems": {"type": "array", "items": _TEXT},
            },
        ),
    }


def _probed(schema: str, otherwise: str) -> dict[str, Any]:
    """The answers to a probe: the same document, well or not."""
    found = _answers(schema)
    return {**found, "503": {**found["200"], "description": otherwise}}


def _answers(schema: str, *faults: int, kind: str = "application/json") -> dict[str, Any]:
    body = {"schema": {"$ref": f"#/components/schemas/{schema}"} if kind == "application/json" else {"type": "string"}}
    return {"200": {"description": "Answered.", "content": {kind: body}}, **_faults(*faults)}


def _faults(*statuses: int) -> dict[str, Any]:
    words = {
        400: "The question is wrong.",
        401: "The token is missing or not valid.",
        403: "The caller lacks the right.",
        404: "There is no such verdict.",
        413: "The body is too large.",
        429: "This caller has its share of questions at work already.",
        503: "The judge cannot answer now.",
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
    return {str(status): {"description": words[status], "content": content} for status in statuses}


def _in_query(name: str, text: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": text, "schema": _TEXT}


def _operations() -> dict[str, dict[str, Any]]:
    """What is asked and answered, by the method and the endpoint of the route."""
    asked = [_in_query(name, text, required=required) for name, (text, required) in _PARAMETERS.items()]
    declared = {
        "name": "args",
        "in": "query",
        "required": False,
        "description": "The config's own args; each may also be a key of its own.",
        "schema": {"type": "object", "additionalProperties": _TEXT},
        "style": "form",
        "explode": True,
    }
    filters = [
        _in_query("limit", "1 to 200, default 50."),
        _in_query("before", "Only verdicts older than this id."),
        *(_in_query(name, _FILTER_WORDS.get(name, "Only verdicts of this value.")) for name in FILTERS),
    ]
    of_a_canary = [_in_query(name, "Only looks of this value.", required=name == "canary") for name in OF_A_CANARY]
    this = {"200": {"description": "This.", "content": {"application/json": {"schema": {"type": "object"}}}}}
    html = partial(_answers, "", kind="text/html")
    return {
        "GET verdicts.ask": _operation("askByQuery", _answers("Answer", 400, 429, 503), parameters=[*asked, declared]),
        "POST verdicts.ask": _operation("ask", _answers("Answer", 400, 413, 429, 503), body="Question"),
        "GET verdicts.verdicts": _operation("listVerdicts", _answers("Verdicts", 400, 404, 503), parameters=filters),
        "GET verdicts.record": _operation("getVerdict", _answers("Record", 404, 503)),
        "GET verdicts.labels": _operation("listLabels", _answers("Labels", 404, 503)),
        "POST verdicts.add_label": _operation("label", _answers("Labels", 400, 404, 413, 503), body="Label"),
        "GET pages.recent": _operation("recentVerdicts", html(400, 404, 503), parameters=filters),
        "GET pages.verdict": _operation("reportPage", html(404, 503)),
        "GET pages.dump": _operation("dump", _answers("", 404, 503, kind="application/gzip")),
        "GET pages.rollout": _operation("canaryPage", html(400, 404, 503), parameters=of_a_canary),
        "GET pages.configs": _operation("configsPage", html(503)),
        "GET pages.config": _operation("configPage", html(404, 503)),
        "GET health.healthz": _operation("alive", _probed("Health", "This worker is stuck.")),
        "GET health.readyz": _operation("ready", _probed("Ready", "No usable config.")),
        "GET health.metrics": _operation("ownMetrics", _answers("", kind="text/plain")),
        "GET health.description": _operation("description", this),
    }


def _operation(id: str, responses: dict[str, Any], *, parameters: Sequence[dict[str, Any]] = (), body: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"operationId": id, "responses": responses, "parameters": list(parameters)}
    if body:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def openapi(app: Flask, public_url: str = "") -> dict[str, Any]:
    """Write the description (OpenAPI 3.1): paths, methods, summaries and rights are those of the routes; Kayenta describes its own API."""
    operations, paths = _operations(), defaultdict[str, dict[str, Any]](dict)
    for rule in app.url_map.iter_rules():
        needs = needs_of(rule)
        path = re.sub(r"<(?:\w+:)?(?:verdict_)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted(rule.methods or ()):
            operation = operations.get(f"{method} {rule.endpoint}")
            if operation is not None:
                operation["summary"] = app.view_functions[rule.endpoint].__doc__
                operation["description"] = str(needs)
                operation["responses"] |= _faults(*([] if needs.open == "always" else [401]), *([403] if needs.rights else []))
                operation["parameters"] += [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                    for name in re.findall(r"{(\w+)}", path)
                ]
                paths[path][method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "judge", "version": __version__, "description": "Statistical canary judge."},
        "servers": [{"url": public_url if public_url else "/"}],
        "paths": paths,
        "components": {"schemas": _schemas()},
    }
