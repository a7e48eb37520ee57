"""One id from the request over the queries to the record.

Every request gets an id at the door. A verdict made for it has this id, every line of the log that it causes has it, and
so has every query that is sent for it (``X-Request-Id``), so that the query log of Prometheus or Thanos can be joined.
The answer carries it too; an id that the caller sent is logged beside it.
"""

from __future__ import annotations

import re
from contextlib import ExitStack

from flask import Flask, Response, g, request

from judge.observer import observed
from judge.server.runtime import runtime
from judge.server.telemetry import logging as logs
from judge.server.telemetry import metrics as signals
from judge.server.telemetry.metrics_observer import ID_HEADER, Metered

_PLAIN = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def follow(app: Flask) -> None:
    """Give every request its id and its observer, and count its answer; called before other hooks are added."""

    @app.before_request
    def begin() -> None:
        g.request_id = runtime().new_id()
        tracing = runtime().tracing
        theirs = request.headers.get(ID_HEADER, "")
        watcher: Metered
        if tracing is None:
            watcher, trace = Metered(g.request_id), ""
        else:
            watcher = g.traced = tracing.request(g.request_id, route=_route(), method=_method(), headers=dict(request.headers))
            trace = watcher.trace_id
        logs.set_about(logs.About(id=g.request_id, theirs=theirs if _PLAIN.fullmatch(theirs) else "", trace=trace))
        g.observation = ExitStack()
        g.observation.enter_context(observed(watcher))

    @app.after_request
    def count(response: Response) -> Response:
        response.headers[ID_HEADER] = request_id()
        signals.of(signals.REQUESTS, _route(), _method(), f"{response.status_code // 100}xx").inc()
        if "traced" in g:
            g.traced.answered(response.status_code)
        return response

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        if "observation" in g:
            g.pop("observation").close()
        if "traced" in g:
            g.pop("traced").end(error)
        logs.set_about(logs.About())


def request_id() -> str:
    """Give the id of the request that is being answered."""
    found: str = g.get("request_id", "")
    return found


def annotate_span(**attributes: str | float | bool) -> None:
    """Write attributes on the request's span, where there is one."""
    if "traced" in g:
        g.traced.tell(attributes)


def _route() -> str:
    """The address as the code has it: one of few, whatever is asked for."""
    return "none" if request.url_rule is None else request.url_rule.rule


def _method() -> str:
    return request.method if request.method in _METHODS else "other"
