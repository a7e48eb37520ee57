"""Stands before every route: who asks, what they may do, and what of the archive is there for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from judge.access.rights import NOBODY, Caller
from judge.archive.visibility import ConfinedArchive
from judge.errors import NotAuthenticated

if TYPE_CHECKING:
    from judge.archive import Archive
    from judge.verdicts.service import Service

log = logging.getLogger("judge.access")

ALWAYS_OPEN = frozenset({"/healthz", "/readyz"})
"""A kubelet brings no token; what these say without one names nothing."""
OPEN_BY_SETTING = {"/metrics": "metrics", "/openapi.json": "description"}


def stand_before(app: Flask, service: Service, clock: Callable[[], float]) -> None:
    """Ask for a token before every request, as the settings say."""

    @app.before_request
    def ask() -> None:
        path = request.path.rstrip("/")
        is_open = path in ALWAYS_OPEN or OPEN_BY_SETTING.get(path) in service.open
        address = request.remote_addr if request.remote_addr is not None else ""
        try:
            g.caller = service.gate.caller({name.lower(): value for name, value in request.headers}, address=address, now=clock())
        except NotAuthenticated as error:
            if not is_open:
                log.info("refused %s %s from %s: %s", request.method, path[:200], address, error)
                raise

    @app.after_request
    def tell_how(answer: Response) -> Response:
        if answer.status_code == 401:
            # Browsers ask for a password then: the token is taken as one.
            answer.headers["WWW-Authenticate"] = 'Bearer realm="judge", Basic realm="judge (the token is the password)"'
        return answer


def caller() -> Caller:
    """Who asks; nobody at a door that is open for those without a token."""
    found: Caller = g.get("caller", NOBODY)
    return found


def readable(service: Service) -> Archive | ConfinedArchive:
    """Give the archive as the caller may read it.

    Raises
    ------
    NotAllowed
        Where the caller may not read at all.
    """
    who = caller()
    who.require("read")
    return service.archive if who.everywhere else ConfinedArchive(service.archive, who)
