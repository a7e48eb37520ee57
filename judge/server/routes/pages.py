"""Pages for people, at the service's own address: recent verdicts, one verdict, all looks at a canary, configs.

A page shows what its reader may see and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from judge.archive.filters import FILTERS
from judge.errors import Fault, RequestError
from judge.reports.urls import OF_A_CANARY, Home
from judge.server.auth import READ, caller, reader
from judge.server.query_string import query_values, read_listing
from judge.server.responses import home, send_page
from judge.server.runtime import runtime

if TYPE_CHECKING:
    from judge.core.config import CanaryConfig

routes = Blueprint("pages", __name__)


@routes.get("/", needs=READ)
def recent() -> Response:
    """Recent verdicts."""
    from judge.reports.list_pages import verdicts_page

    chosen = read_listing(runtime().clock())
    rows = reader().list(**chosen)
    older = rows[-1]["id"] if len(rows) == chosen["limit"] else ""
    filters = {key: value for key, value in query_values().items() if key in FILTERS}
    return _page(
        verdicts_page(rows, public_url=home(), older=older, newest=chosen["before"] is None, filters=filters, configs=list(_configs()))
    )


@routes.get("/rollout", needs=READ)
def rollout() -> Response:
    """All looks at one canary."""
    from judge.reports.list_pages import rollout_page
    from judge.verdicts.related import records_of, same_canary

    asked = {key: value for key, value in query_values().items() if value}
    unknown = sorted(set(asked) - set(OF_A_CANARY))
    if unknown:
        raise RequestError(f"unknown parameter {unknown[0]!r} (allowed: {', '.join(OF_A_CANARY)})")
    if "canary" not in asked:
        raise RequestError([Fault(path="canary", message="is missing: say whose looks are meant, as /rollout?canary=…")])
    archive = reader()
    rows = same_canary(archive, asked)
    records = records_of(archive, rows)
    return _page(rollout_page(rows, public_url=home(), records=records, asked=asked))


@routes.get("/verdicts/<verdict_id>", needs=READ)
def verdict(verdict_id: str) -> Response:
    """The report on one verdict."""
    from dataclasses import replace

    from judge.reports.verdict_page import verdict_page
    from judge.verdicts.related import around

    archive = reader()
    record = archive.get(verdict_id)
    known = around(archive, record, in_file=False, metric=request.args.get("metric", ""))
    at = home()
    known = replace(known, dump=Home(at).dump(verdict_id), may_label="label" in caller().may)
    return _page(verdict_page(record, public_url=at, around=known))


@routes.get("/verdicts/<verdict_id>/dump", needs=READ)
def dump(verdict_id: str) -> Response:
    """The verdict's samples and its record, as a gzipped dump."""
    from judge.verdicts.export import dump_with_record
    from judge.verdicts.related import dump_bytes, dump_name

    archive = reader()
    found = Response(dump_bytes(dump_with_record(archive.get(verdict_id), archive.labels(verdict_id))), mimetype="application/gzip")
    found.headers["Content-Disposition"] = f'attachment; filename="{dump_name(verdict_id)}"'
    found.headers["X-Content-Type-Options"] = "nosniff"
    return found


@routes.get("/configs", needs=READ)
def configs() -> Response:
    """What became of each config's newest verdicts."""
    from judge.reports.list_pages import configs_page

    return _page(configs_page(reader().configs(), public_url=home(), served=list(_configs())))


@routes.get("/configs/<path:name>", needs=READ)
def config(name: str) -> Response:
    """What became of one config's newest verdicts, metric by metric."""
    from judge.archive.scorecard import scores
    from judge.archive.types import Wanted
    from judge.reports.list_pages import config_page

    archive = reader()
    served = _configs().get(name)
    description = "" if served is None else str(served.document.get("description", ""))
    tally = archive.config(name)
    # Of the same verdicts as everything else on the page; `judge history --score` tells of all.
    labelled = archive.labelled(Wanted(config=name, since=tally.oldest)) if tally.count else []
    return _page(config_page(tally, public_url=home(), scores=scores(labelled), description=description, current=served is not None))


def _configs() -> Mapping[str, CanaryConfig]:
    """The configs that the caller may know of, sorted by name."""
    return {name: config for name, config in sorted(runtime().configs.items()) if caller().knows(name)}


def _page(text: str) -> Response:
    """Send a page that is sent again only after it has changed."""
    response = send_page(text)
    response.add_etag()
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response
