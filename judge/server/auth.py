"""Authorisation: each route declares what it needs of its caller, and one hook enforces it before the handler runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flask import Flask, Response, g, request
from werkzeug.routing import Rule

from judge.access.rights import NOBODY, Caller, Right
from judge.access.tokens_file import OpenRoute
from judge.errors import NotAuthenticated
from judge.server.runtime import runtime

if TYPE_CHECKING:
    from judge.server.runtime import Reader
    from judge.verdicts.service import Service

log = logging.getLogger("judge.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a route needs of its caller.

    The caller must have all `rights`. `open` says if a token is needed: always (empty), never (``always`` open),
    or unless the tokens file opens the route by this word.
    """

    rights: tuple[Right, ...] = ()
    open: OpenRoute | Literal["", "always"] = ""

    def __str__(self) -> str:
        """One sentence, as the OpenAPI description has it."""
        if self.rights:
            return f"Needs the right{'s' if len(self.rights) > 1 else ''} {' and '.join(self.rights)}."
        return "Needs no token." if self.open == "always" else f"Needs a token, unless the tokens file opens {self.open}."


ASK = Needs(rights=("ask",))
READ = Needs(rights=("read",))
LABEL = Needs(rights=("label", "read"))
"""The answer shows the verdict's other labels."""
KAYENTA = Needs(rights=("kayenta",))
OPEN = Needs(open="always")
"""A kubelet brings no token. Such a route names nothing to a caller who may not see everything."""
METRICS = Needs(open="metrics")
DESCRIPTION = Needs(open="description")


class Route(Rule):
    """A rule of the URL map that carries its declaration: ``@routes.get("/v1/verdicts", needs=READ)``."""

    def __init__(self, *args: Any, needs: Needs | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.needs = needs


def needs_of(rule: Rule) -> Needs:
    """Give what a route declares.

    Raises
    ------
    RuntimeError
        If it declares nothing, with its name.
    """
    needs = rule.needs if isinstance(rule, Route) else None
    if needs is None:
        msg = f"the route {rule.endpoint} ({rule.rule}) does not declare what it needs of its caller"
        raise RuntimeError(msg)
    return needs


def protect(app: Flask, service: Service) -> None:
    """Enforce the declarations; called when all routes are there.

    Raises
    ------
    RuntimeError
        If a route declares nothing, with its name.
    """
    # By address, since an address that is asked for by a wrong method has no rule.
    is_open = {rule.rule: needs.open for rule in app.url_map.iter_rules() if (needs := needs_of(rule)).open}

    @app.before_request
    def authorise() -> None:
        word = is_open.get(request.path.rstrip("/"))
        address = request.remote_addr if request.remote_addr is not None else ""
        headers = {name.lower(): value for name, value in request.headers}
        try:
            g.caller = service.gate.caller(headers, address=address, now=runtime().clock())
        except NotAuthenticated as error:
            if word != "always" and word not in service.open:
                log.info("refused %s %s from %s: %s", request.method, request.path[:200], address, error)
                raise
        rule = request.url_rule
        if rule is None:
            return
        needs = needs_of(rule)
        # An answer to OPTIONS only names methods, as /openapi.json does; it does not describe Kayenta's API.
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False) and needs != KAYENTA:
            return
        for right in needs.rights:
            caller().require(right)

    @app.after_request
    def challenge(response: Response) -> Response:
        if response.status_code == 401:
            # Browsers ask for a password then: the token is taken as one.
            response.headers["WWW-Authenticate"] = 'Bearer realm="judge", Basic realm="judge (the token is the password)"'
        return response


def caller() -> Caller:
    """Give the caller of this request; `NOBODY` on an open route without a valid token."""
    found: Caller = g.get("caller", NOBODY)
    return found


def reader() -> Reader:
    """Give the archive as the caller of this request may read it; raises `NotAllowed` if not at all."""
    return runtime().reader(caller())
