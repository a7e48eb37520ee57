"""The HTTP application: its routes, who may use them, and how it answers errors.

Nothing is ever redirected: Go's client would follow and lose the body.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask

from judge.server.auth import Route, protect
from judge.server.error_handlers import add_error_handlers
from judge.server.routes import health, kayenta, pages, verdicts
from judge.server.runtime import EXTENSION, Runtime
from judge.server.telemetry.request_id import follow
from judge.verdicts.service import Service

BLUEPRINTS = (verdicts.routes, health.routes, pages.routes)


def create_app(service: Service, *, clock: Callable[[], float] = time.time) -> Flask:
    """Build the application; `clock` gives unix seconds.

    Raises
    ------
    RuntimeError
        If a route does not declare what it needs of its caller, with its name.
    """
    app = Flask("judge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = service.settings.max_body
    app.url_rule_class = Route
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = runtime = Runtime(service, clock=clock)
    follow(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    # Kayenta's configs and executions lie in the archive.
    if runtime.executions is not None:
        app.register_blueprint(kayenta.routes)
    add_error_handlers(app)
    protect(app, service)
    return app
