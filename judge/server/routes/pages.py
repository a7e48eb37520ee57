"""Pages for people, at the service's own address: recent verdicts, one verdict, all looks at a canary, configs.

Everything is read through `judge.server.auth.readable`, so a page shows what its reader may see and
nothing else. What goes wrong on the way to a page is a page too, for a browser; for anything else it is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from judge.archive.filters import FILTERS
from judge.errors import Fault, RequestError
from judge.reports.urls import OF_A_CANARY, Home
from judge.server.auth import caller, readable
from judge.server.query_string import query_values, read_listing

if TYPE_CHECKING:
    from judge.verdicts.service import Service

HTML = "text/html"
_METRIC = "metric"


def pages(service: Service, clock: Callable[[], float]) -> Blueprint:
    """Build the pages."""
    doors = Blueprint("pages", __name__)
    _add_lists(doors, service, clock)
    _add_verdict(doors, service)
    _add_configs(doors, service)
    return doors


def _add_lists(doors: Blueprint, service: Service, clock: Callable[[], float]) -> None:
    @doors.get("/")
    def recent() -> Response:
        from judge.reports.list_pages import verdicts_page

        chosen = read_listing(clock())
        rows = readable(service).list(**chosen)
        older = rows[-1]["id"] if len(rows) == chosen["limit"] else ""
        filters = {key: value for key, value in query_values().items() if key in FILTERS}
        return _page(
            verdicts_page(
                rows, public_url=home(service), older=older, newest=chosen["before"] is None, filters=filters, configs=_names(service)
            )
        )

    @doors.get("/rollout")
    def rollout() -> Response:
        from judge.reports.list_pages import rollout_page
        from judge.verdicts.related import records_of, same_canary

        asked = {key: value for key, value in query_values().items() if value}
        unknown = sorted(set(asked) - set(OF_A_CANARY))
        if unknown:
            raise RequestError(f"unknown parameter {unknown[0]!r} (allowed: {', '.join(OF_A_CANARY)})")
        if "canary" not in asked:
            raise RequestError([Fault(path="canary", message="is missing: say whose looks are meant, as /rollout?canary=…")])
        archive = readable(service)
        rows = same_canary(archive, asked)
        records = records_of(archive, rows)
        return _page(rollout_page(rows, public_url=home(service), records=records, asked=asked))


def _add_verdict(doors: Blueprint, service: Service) -> None:
    @doors.get("/verdicts/<verdict_id>")
    def verdict(verdict_id: str) -> Response:
        from dataclasses import replace

        from judge.reports.verdict_page import verdict_page
        from judge.verdicts.related import around

        archive = readable(service)
        record = archive.get(verdict_id)
        known = around(archive, record, in_file=False, metric=request.args.get(_METRIC, ""))
        at = home(service)
        known = replace(known, dump=Home(at).dump(verdict_id), may_label="label" in caller().may)
        return _page(verdict_page(record, public_url=at, around=known))

    @doors.get("/verdicts/<verdict_id>/dump")
    def dump(verdict_id: str) -> Response:
        from judge.verdicts.export import dump_with_record
        from judge.verdicts.related import dump_bytes, dump_name

        archive = readable(service)
        found = Response(dump_bytes(dump_with_record(archive.get(verdict_id), archive.labels(verdict_id))), mimetype="application/gzip")
        found.headers["Content-Disposition"] = f'attachment; filename="{dump_name(verdict_id)}"'
        found.headers["X-Content-Type-Options"] = "nosniff"
        return found


def _add_configs(doors: Blueprint, service: Service) -> None:
    @doors.get("/configs")
    def configs() -> Response:
        from judge.reports.list_pages import configs_page

        return _page(configs_page(readable(service).configs(), public_url=home(service), served=_names(service)))

    @doors.get("/configs/<path:name>")
    def config(name: str) -> Response:
        from judge.archive.scorecard import scores
        from judge.archive.types import Wanted
        from judge.reports.list_pages import config_page

        archive = readable(service)
        found = service.configs.get(name) if name in _names(service) else None
        description = "" if found is None else str(found.document.get("description", ""))
        tally = archive.config(name)
        # Of the same verdicts as everything else on the page; `judge history --score` tells of all.
        labelled = archive.labelled(Wanted(config=name, since=tally.oldest)) if tally.count else []
        return _page(
            config_page(tally, public_url=home(service), scores=scores(labelled), description=description, current=found is not None)
        )


def home(service: Service) -> str:
    """Where the pages begin: the path of the public address, so that they also work where they are reached by another name."""
    path = urlsplit(service.settings.public_url).path if service.settings.public_url else ""
    return f"{path.rstrip('/')}/"


def _names(service: Service) -> list[str]:
    """The configs that the caller may know of."""
    return sorted(name for name in service.configs if caller().knows(name))


def _page(text: str) -> Response:
    """Send a page that is only sent again once it has changed."""
    found = html(text)
    found.add_etag()
    found.headers["Cache-Control"] = "private, no-cache"
    found.make_conditional(request)
    return found


def html(text: str, status: int = 200) -> Response:
    """Send a page with its policy: it carries its own style, scripts and pictures and needs nothing from anywhere."""
    from judge.reports.html import policy

    # A half of a surrogate pair in somebody's text must not break the page.
    found = Response(text.encode("utf-8", "replace"), status=status, mimetype=HTML)
    found.headers["Content-Security-Policy"] = f"{policy(served=True)}; frame-ancestors 'none'"
    found.headers["X-Content-Type-Options"] = "nosniff"
    found.headers["Referrer-Policy"] = "no-referrer"
    return found


def wants_page() -> bool:
    """Whether a browser asks for a page; programs, and doors for programs, get JSON."""
    if request.path.startswith("/v1/") or request.blueprint not in {None, "pages"}:
        return False
    return request.accept_mimetypes.best_match(["application/json", HTML]) == HTML


def trouble(service: Service, fields: Mapping[str, Any], status: int) -> Response:
    """Write an error as a page that says what to do; `fields` are those of the JSON answer."""
    from judge.reports.list_pages import message_page

    title, do = _ADVICE.get(status, _ADVICE[500] if status >= 500 else _ADVICE[400])
    faults = [(fault["path"], _with_allowed(fault)) for fault in fields.get("faults", ())]
    sentences = [] if faults else [fields["error"]]
    return html(message_page(title, sentences, public_url=home(service), faults=faults, do=do), status)


def _with_allowed(fault: Mapping[str, Any]) -> str:
    return f"{fault['error']} (allowed: {', '.join(fault['allowed'])})" if fault["allowed"] else str(fault["error"])


_ADVICE: dict[int, tuple[str, tuple[str, ...]]] = {
    400: ("This cannot be shown as it was asked", ("Correct the address, or begin again at the recent verdicts.",)),
    401: (
        "Who are you?",
        (
            "Reload the page: the browser asks for a name and a password. Any name will do, the password is your token.",
            "Without a token, ask those who run this judge for one.",
        ),
    ),
    403: (
        "This is not yours to see",
        (
            "Ask those who run this judge to add the right to your token.",
            "To come with another token, close the browser and open it again.",
        ),
    ),
    404: (
        "There is nothing here",
        (
            "Check the address: an id has 26 letters and digits.",
            "Old verdicts are deleted where the judge is told to; those that may be seen with your token are among the recent ones.",
        ),
    ),
    405: ("This is not asked in this way", ("Begin again at the recent verdicts.",)),
    500: (
        "The judge is in trouble",
        ("Nothing is decided by this page: rollouts are answered all the same.", "Look at the judge's log."),
    ),
    503: (
        "The archive cannot be read now",
        (
            "Verdicts are still given, so rollouts go on; only their history is missing.",
            "Try again in a moment. /readyz names what is wrong, and the judge's log says more.",
        ),
    ),
}
