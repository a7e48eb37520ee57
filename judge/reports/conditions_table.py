"""Under which conditions both sides ran, as a table: requests, share, pods, ages, places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.reports import text as words
from judge.reports.view_model import section

_MOST_PLACES = 6


def conditions(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of name, baseline, canary; only what is known of at least one side."""
    told, traffic = section(record, "conditions"), section(record, "traffic")
    sides = [section(told, side) for side in ("baseline", "canary")]
    rows = {
        "requests": [words.number(traffic.get(side)) for side in ("baseline", "canary")],
        "share of the requests": _shares(traffic, told.get("share")),
        "pods": [words.number(side.get("pods")) for side in sides],
        "oldest pod": [words.duration(side.get("age")) for side in sides],
        "where": [_places(side.get("places")) for side in sides],
    }
    return [(name, baseline, canary) for name, (baseline, canary) in rows.items() if {baseline, canary} != {words.MISSING}]


def _shares(traffic: Mapping[str, Any], expected: float | None) -> list[str]:
    known = [float(traffic[side]) for side in ("baseline", "canary") if traffic.get(side) is not None]
    wanted = "" if expected is None else f"{words.percent(expected, signed=False)} expected"
    if len(known) < 2 or sum(known) <= 0:
        return [words.MISSING, wanted if wanted else words.MISSING]
    baseline, canary = (words.percent(value / sum(known), signed=False) for value in known)
    return [baseline, f"{canary}, {wanted}" if wanted else canary]


def _places(places: object) -> str:
    """Pods by place, those with the most first."""
    if not isinstance(places, Mapping) or not places:
        return words.MISSING
    found = sorted(places.items(), key=lambda item: (-float(item[1] or 0), str(item[0])))
    listed = ", ".join(f"{words.one_line(name)} {words.number(float(pods or 0))}" for name, pods in found[:_MOST_PLACES])
    return listed + (f" and {len(found) - _MOST_PLACES} more" if len(found) > _MOST_PLACES else "")
