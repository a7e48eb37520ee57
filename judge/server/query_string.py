"""Query strings: read strictly, a key once, a list's page and its filters."""

from __future__ import annotations

import json
from typing import Any

from flask import request

from judge.archive.filters import FILTERS, read_wanted
from judge.errors import Fault, RequestError, nearest

MAX_LIST = 200
PAGING = ("limit", "before")


def query_values() -> dict[str, Any]:
    """Read the query string; a key twice is refused, since one of the two would be lost."""
    values: dict[str, Any] = {}
    for key, items in request.args.lists():
        if len(items) > 1:
            raise RequestError([Fault(path=key, message=f"is given {len(items)} times")])
        values[key] = items[0]
    if "args" in values and values["args"].strip():
        try:
            values["args"] = json.loads(values["args"])
        except ValueError as error:
            raise RequestError([Fault(path="args", message=f"must be a JSON object in a query string: {error}")]) from error
    return values


def read_listing(now: float) -> dict[str, Any]:
    """Read the filters and the page of a list; unknown ones are refused by name."""
    values = query_values()
    known = (*PAGING, *FILTERS)
    unknown = sorted(set(values) - {*known})
    if unknown:
        raise RequestError([Fault(path=key, message=f"unknown filter {key!r}{nearest(key, known)}", allowed=known) for key in unknown])
    limit, before = values.pop("limit", "50"), values.pop("before", "")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_LIST:
        raise RequestError([Fault(path="limit", message=f"must be a whole number from 1 to {MAX_LIST}, found {limit[:80]!r}")])
    return {"limit": int(limit), "before": before if before else None, "wanted": read_wanted(values, now=now)}
