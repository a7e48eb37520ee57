"""Verdicts for programs: ask for one, list and read them, label them.

``/v1/verdict`` is made for Argo Rollouts' web provider. What was judged is answered with 200 and strict JSON,
a wrong question with 400 and its faults.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from judge.archive.filters import label_fields, read_label
from judge.config.yaml import unique_keys
from judge.errors import RequestError
from judge.observer import observer
from judge.server.auth import ASK, LABEL, READ, caller, reader
from judge.server.query_string import query_values, read_listing
from judge.server.responses import send
from judge.server.runtime import runtime
from judge.server.telemetry import metrics as signals
from judge.server.telemetry.logging import fields
from judge.server.telemetry.request_id import annotate_span, request_id
from judge.wire.answer import answer
from judge.wire.request import Request

log = logging.getLogger("judge.http")

routes = Blueprint("verdicts", __name__)


@routes.route("/v1/verdict", methods=["GET", "POST"], needs=ASK)
def ask() -> Response:
    """Judge whether a canary is worse than its baseline."""
    began = time.perf_counter()
    now = runtime().clock()
    raw = query_values() if request.method == "GET" else _body("config, baseline and canary")
    asked, kept = runtime().ask(raw, id=request_id(), now=now, caller=caller())
    with observer().stage("answer"):
        public_url = runtime().settings.public_url
        document = answer(kept.record, public_url=public_url, detail=asked.detail, unkept=kept.unkept, kept=not kept.declined)
        response = send(document)
    if kept.unkept:
        log.error("%s: %s", kept.record["id"], kept.unkept)
        signals.UNKEPT.inc()
    _count_and_log(asked, kept.record, document, time.perf_counter() - began)
    return response


@routes.get("/v1/verdicts", needs=READ)
def verdicts() -> Response:
    """List verdicts, newest first."""
    return send({"verdicts": reader().list(**read_listing(runtime().clock()))})


@routes.get("/v1/verdicts/<verdict_id>", needs=READ)
def record(verdict_id: str) -> Response:
    """The whole record of a verdict."""
    return send(reader().get(verdict_id))


@routes.get("/v1/verdicts/<verdict_id>/labels", needs=READ)
def labels(verdict_id: str) -> Response:
    """A verdict's labels, newest first."""
    return send({"labels": [label_fields(label) for label in reader().labels(verdict_id)]})


@routes.post("/v1/verdicts/<verdict_id>/labels", needs=LABEL)
def add_label(verdict_id: str) -> Response:
    """Label a verdict as right or wrong."""
    # A page of another site can make a browser post a form or plain text to us, but not JSON.
    if request.mimetype != "application/json":
        raise RequestError("send the label as JSON, with the header Content-Type: application/json")
    given = read_label(_body('label ("right" or "wrong"), by and why'), at=runtime().clock())
    return send({"labels": [label_fields(label) for label in reader().label(verdict_id, given)]})


def _count_and_log(asked: Request, record: Mapping[str, Any], document: Mapping[str, Any], seconds: float) -> None:
    """Count a verdict, write its line of the log, and note it on the request's span."""
    look, repeated = document["window"]["look"], document["id"] != request_id()
    signals.of(signals.VERDICTS, asked.config, document["verdict"]).inc()
    signals.SECONDS.observe(seconds)
    if record["question"] and not repeated:
        signals.of(signals.LOOKS, asked.config).observe(look)
        for classification, count in Counter(result["classification"] for result in record["verdict"]["results"]).items():
            signals.of(signals.METRICS, asked.config, classification).inc(count)
    facts = {
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
    annotate_span(**{name: value for name, value in facts.items() if value is not None and name != "seconds"})
    text = "verdict %(id)s %(verdict)s config=%(config)s baseline=%(baseline)s canary=%(canary)s score=%(score)s seconds=%(seconds).3f"
    log.info(f"{text} caller=%(caller)s look=%(look)s", facts, extra=fields(**facts))  # noqa: G004 - one line, in two parts


def _body(expected: str) -> Any:
    """Read the body as JSON, whatever its declared type: Argo's ``body`` sets none."""
    raw = request.get_data(cache=False)
    if not raw.strip():
        raise RequestError(f"the body is empty; send a JSON object with {expected}")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=unique_keys, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error


def _refuse(constant: str) -> None:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)
