"""Filters of the history and labels, as they arrive at any door: read strictly, all faults at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.archive.types import LABELLED, LABELS, Label, Wanted
from judge.core.model import Outcome
from judge.core.templates import seconds
from judge.errors import Fault, RequestError, nearest
from judge.wire.request import format_time, parse_time

FILTERS = ("config", "verdict", "rollout", "service", "namespace", "baseline", "canary", "label", "since", "until", "replayed")
LABEL_KEYS = ("label", "by", "why")
MOST_BY, MOST_WHY = 100, 2000

_YES_NO = {"yes": True, "no": False}
_CHOICES: dict[str, tuple[str, ...]] = {
    "replayed": tuple(_YES_NO),
    "verdict": tuple(outcome.value for outcome in Outcome),
    "label": (*LABELS, *LABELLED),
}


def read_wanted(values: Mapping[str, Any], *, now: float) -> Wanted:
    """Read filters; an empty value is not asked.

    Parameters
    ----------
    values : mapping
        Some of `FILTERS`. Times are RFC 3339, unix seconds, or a duration before `now` (``30d``).
    now : float
        Unix seconds.

    Raises
    ------
    RequestError
        With every fault: unknown keys, unknown verdicts and labels, what is no time.
    """
    faults = [
        Fault(path=key, message=f"unknown filter {key!r}{nearest(key, FILTERS)}", allowed=FILTERS) for key in values if key not in FILTERS
    ]
    found: dict[str, Any] = {}
    for key, value in values.items():
        if not value or key not in FILTERS:
            continue
        if key in _CHOICES and value not in _CHOICES[key]:
            faults.append(Fault(path=key, message=f"unknown {key} {value[:80]!r}{nearest(value, _CHOICES[key])}", allowed=_CHOICES[key]))
        elif key in {"since", "until"}:
            try:
                found[key] = _time(value, now)
            except ValueError as error:
                faults.append(Fault(path=key, message=f"{error}, or a duration before now (30d)"))
        else:
            found[key] = _YES_NO[value] if key == "replayed" else value
    if faults:
        raise RequestError(faults)
    return Wanted(**found)


def _time(text: str, now: float) -> float:
    try:
        return now - seconds(text)
    except ValueError:
        return parse_time(text)


def read_label(raw: Any, *, at: float) -> Label:
    """Read a label: an object of `LABEL_KEYS`, of which ``why`` may be left out.

    Parameters
    ----------
    raw : mapping
        As JSON gave it.
    at : float
        When it was given, in unix seconds.

    Raises
    ------
    RequestError
        With every fault and its key.
    """
    if not isinstance(raw, Mapping):
        raise RequestError('expected a JSON object such as {"label": "wrong", "by": "ann", "why": "the load test ran"}')
    faults = [
        Fault(path=str(key), message=f"unknown key{nearest(str(key), LABEL_KEYS)}", allowed=LABEL_KEYS)
        for key in raw
        if key not in LABEL_KEYS
    ]
    given = [(key, raw[key]) for key in LABEL_KEYS if key in raw]
    faults += [Fault(path=key, message=f"must be a text, found {value!r:.80}") for key, value in given if not isinstance(value, str)]
    if faults:
        raise RequestError(faults)
    label, by, why = (raw.get(key, "").strip() for key in LABEL_KEYS)
    if label not in LABELS:
        what = f"must say what the verdict was, found {label[:80]!r}" if label else "is missing: was the verdict right or wrong?"
        faults.append(Fault(path="label", message=what, allowed=LABELS))
    if not by:
        faults.append(Fault(path="by", message="is missing: who says so?"))
    for key, text, most in (("by", by, MOST_BY), ("why", why, MOST_WHY)):
        if len(text) > most:
            faults.append(Fault(path=key, message=f"is longer than {most} characters"))
    if faults:
        raise RequestError(faults)
    return Label(label=label, by=by, why=why, at=at)


def label_fields(label: Label) -> dict[str, Any]:
    """Write a label for a person or a program."""
    return {"label": label.label, "by": label.by, "why": label.why, "at": format_time(label.at)}
