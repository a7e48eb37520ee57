"""Errors as answers: a page for a browser that asks for one, JSON for every other client."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from judge.errors import ArchiveError, Busy, ConfigError, JudgeError, RequestError, SourceError, VerdictNotFound
from judge.server.admission.admission import RETRY_AFTER
from judge.server.responses import HTML, home, send, send_page
from judge.server.telemetry import metrics as signals

log = logging.getLogger("judge.http")


def add_error_handlers(app: Flask) -> None:
    """Answer every error; Kayenta's routes write errors of their own."""

    @app.errorhandler(JudgeError)
    def judge_error(error: JudgeError) -> Response:
        response = _send_error(_fault_fields(error), _status_of(error))
        if isinstance(error, Busy):
            response.headers["Retry-After"] = RETRY_AFTER
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = 500 if error.code is None else error.code
        text = {413: f"the body is larger than {app.config['MAX_CONTENT_LENGTH']} bytes", 404: "there is nothing here; see /openapi.json"}
        allowed = sorted(error.valid_methods or ()) if isinstance(error, MethodNotAllowed) else []
        response = _send_error({"error": text.get(status, str(error.description)), "path": "", "allowed": allowed}, status)
        if "Allow" in (headers := dict(error.get_headers())):
            response.headers["Allow"] = headers["Allow"]
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("unexpected error on %s %s", request.method, request.path, exc_info=error)
        signals.CRASHES.inc()
        return _send_error({"error": f"internal error ({type(error).__name__}); see the log", "path": "", "allowed": []}, 500)


def _status_of(error: JudgeError) -> int:
    """Status of an error: settings that are wrong are not the caller's fault."""
    unavailable = isinstance(error, SourceError) or (isinstance(error, ArchiveError) and not isinstance(error, VerdictNotFound))
    return 503 if unavailable else error.status


def _fault_fields(error: JudgeError) -> Mapping[str, Any]:
    """Write an error: the first fault at the top, all of them in `faults`."""
    if isinstance(error, RequestError | ConfigError) and error.faults:
        faults = [{"error": fault.message, "path": fault.path, "allowed": list(fault.allowed)} for fault in error.faults]
        return {**faults[0], "faults": faults}
    return {"error": str(error), "path": "", "allowed": []}


def _send_error(fields: Mapping[str, Any], status: int) -> Response:
    if not _wants_page():
        return send(fields, status)
    from judge.reports.list_pages import message_page

    title, *advice = _ADVICE.get(status, _ADVICE[500] if status >= 500 else _ADVICE[400])
    faults = [(fault["path"], _with_allowed(fault)) for fault in fields.get("faults", ())]
    sentences = [] if faults else [fields["error"]]
    return send_page(message_page(title, sentences, public_url=home(), faults=faults, do=advice), status)


def _wants_page() -> bool:
    """Whether a browser asks for a page; the APIs for programs answer in JSON."""
    if request.path.startswith("/v1/") or request.blueprint == "kayenta":
        return False
    return request.accept_mimetypes.best_match(["application/json", HTML]) == HTML


def _with_allowed(fault: Mapping[str, Any]) -> str:
    return f"{fault['error']} (allowed: {', '.join(fault['allowed'])})" if fault["allowed"] else str(fault["error"])


_ADVICE: dict[int, tuple[str, ...]] = {
    400: ("This cannot be shown as it was asked", "Correct the address, or begin again at the recent verdicts."),
    401: (
        "Who are you?",
        "Reload the page: the browser asks for a name and a password. Any name will do, the password is your token.",
        "Without a token, ask those who run this judge for one.",
    ),
    403: (
        "This is not yours to see",
        "Ask those who run this judge to add the right to your token.",
        "To come with another token, close the browser and open it again.",
    ),
    404: (
        "There is nothing here",
        "Check the address: an id has 26 letters and digits.",
        "The judge may delete old verdicts; those that your token may see are among the recent ones.",
    ),
    405: ("Method not allowed", "Begin again at the recent verdicts."),
    500: (
        "The judge is in trouble",
        "Nothing is decided by this page: rollouts are answered all the same.",
        "Look at the judge's log.",
    ),
    503: (
        "The archive cannot be read now",
        "Verdicts are still given, so rollouts go on; only their history is missing.",
        "Try again in a moment. /readyz names what is wrong, and the judge's log says more.",
    ),
}
"""A page's title by its status, and what its reader can do."""
