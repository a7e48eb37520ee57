"""A standalone canary analysis becomes a plan: which judgements, over which times, when due."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from judge.errors import Fault, RequestError
from judge.wire.request import format_time, parse_time

MAX_JUDGEMENTS = 1000


def plan_series(request: Mapping[str, Any], *, now: float) -> tuple[dict[str, Any], float]:
    """Plan a series as Kayenta does.

    Every ``analysisIntervalMins`` from ``beginAfterMins`` on, one judgement from the
    start (or of the last ``lookbackMins``) to then, until ``lifetimeDurationMins`` or the
    given end. A series whose times are given and past is due at once.

    Parameters
    ----------
    request : mapping
        Kayenta's ``executionRequest``.
    now : float
        Unix seconds.

    Returns
    -------
    plan, first_at
        ``requests`` (canary execution requests), ``due`` (unix seconds) and
        ``thresholds``; and when the first is due.

    Raises
    ------
    RequestError
        With every fault and its dotted path.
    """
    reader = _Reader(request)
    scopes = request.get("scopes")
    if not isinstance(scopes, list) or not scopes or not all(isinstance(scope, Mapping) for scope in scopes):
        raise RequestError([Fault(path="executionRequest.scopes", message="must be a list with at least one scope")])
    first = scopes[0]
    start, end = reader.time(first, "startTimeIso"), reader.time(first, "endTimeIso")
    begin_after = reader.minutes("beginAfterMins", 0.0)
    lookback = reader.minutes("lookbackMins", 0.0)
    lifetime = reader.minutes("lifetimeDurationMins", None)
    interval = reader.minutes("analysisIntervalMins", 0.0)
    thresholds = reader.thresholds()
    begin = start if start is not None else now + (begin_after or 0.0)
    if end is not None:
        lifetime = end - begin
    if lifetime is None:
        reader.fault("lifetimeDurationMins", "is missing; give it, or endTimeIso")
    elif lifetime <= 0:
        reader.fault("lifetimeDurationMins", "must be positive, and the end after the start")
    if reader.faults or lifetime is None:
        raise RequestError(reader.faults)
    every = interval if interval and interval < lifetime else lifetime
    count = max(math.floor(lifetime / every + 1e-9), 1)
    if count > MAX_JUDGEMENTS:
        raise RequestError(
            [Fault(path="executionRequest.analysisIntervalMins", message=f"makes {count} judgements, more than {MAX_JUDGEMENTS}")]
        )
    requests, due = [], []
    for number in range(1, count + 1):
        until = begin + number * every
        since = begin if not lookback else until - lookback
        requests.append(
            {"scopes": {str(s.get("scopeName") or "default"): _pair(s, since, until) for s in scopes}, "thresholds": thresholds}
        )
        due.append(max(now, until) if start is None or until > now else now)
    return {"requests": requests, "due": due, "thresholds": thresholds}, due[0]


class _Reader:
    def __init__(self, request: Mapping[str, Any]) -> None:
        self.request = request
        self.faults: list[Fault] = []

    def fault(self, key: str, message: str) -> None:
        self.faults.append(Fault(path=f"executionRequest.{key}", message=message))

    def minutes(self, key: str, default: float | None) -> float | None:
        """Read minutes as seconds."""
        value = self.request.get(key)
        if value is None:
            return default
        try:
            found = float(value) * 60
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found) or found < 0 or isinstance(value, bool):
            self.fault(key, f"must be minutes, found {value!r}")
            return default
        return found

    def time(self, scope: Mapping[str, Any], key: str) -> float | None:
        value = scope.get(key)
        if not value:
            return None
        try:
            return parse_time(str(value))
        except ValueError as error:
            self.fault(f"scopes.0.{key}", str(error))
            return None

    def thresholds(self) -> dict[str, float]:
        found = self.request.get("thresholds")
        if not isinstance(found, Mapping):
            self.fault("thresholds", "is missing")
            return {"pass": 0.0, "marginal": 0.0}
        values = {}
        for key in ("pass", "marginal"):
            try:
                values[key] = float(found[key])
            except (KeyError, TypeError, ValueError):
                self.fault(f"thresholds.{key}", "must be a number")
                values[key] = 0.0
        return values


def _pair(scope: Mapping[str, Any], since: float, until: float) -> dict[str, Any]:
    offset = float(scope.get("controlOffsetInMinutes") or 0) * 60
    common = {"step": scope.get("step", 60), "extendedScopeParams": scope.get("extendedScopeParams") or {}}
    return {
        f"{side}Scope": {
            **common,
            "scope": scope.get(f"{side}Scope"),
            "location": scope.get(f"{side}Location"),
            "start": format_time(since - earlier),
            "end": format_time(until - earlier),
        }
        for side, earlier in (("control", offset), ("experiment", 0.0))
    }
