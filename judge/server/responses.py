"""Responses: strict JSON, and pages with their policy."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Response

from judge.server.runtime import runtime
from judge.wire.json import dumps

HTML = "text/html"


def send(document: Any, status: int = 200) -> Response:
    """Send strict JSON; a document that cannot be written so is a fault of ours, never a half answer."""
    return Response(dumps(document), status=status, mimetype="application/json")


def send_page(text: str, status: int = 200) -> Response:
    """Send a page with its policy: it carries its own style, scripts and pictures and loads nothing."""
    from judge.reports.html import policy

    # A half of a surrogate pair in a text must not break the page.
    response = Response(text.encode("utf-8", "replace"), status=status, mimetype=HTML)
    response.headers["Content-Security-Policy"] = f"{policy(served=True)}; frame-ancestors 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def home() -> str:
    """Give the path of the public address, so that links work under every name of the service."""
    address = runtime().settings.public_url
    path = urlsplit(address).path if address else ""
    return f"{path.rstrip('/')}/"
