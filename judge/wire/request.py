"""A question as it arrives: everything may be a string, anything unknown is refused by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from judge.core.args import complaint, is_number, short
from judge.core.config import ArgConfig, CanaryConfig
from judge.core.templates import duration, placeholders, resolve_defaults, seconds
from judge.errors import Fault, RequestError, nearest

ALIASES = {
    "stable-hash": "baseline",
    "baseline-hash": "baseline",
    "stablePodHash": "baseline",
    "stable": "baseline",
    "canary-hash": "canary",
    "latest-hash": "canary",
    "latestPodHash": "canary",
    "latest": "canary",
    "start-time": "start",
    "end-time": "end",
    "rolloutName": "rollout",
    "rollout-name": "rollout",
    "service-name": "service",
}
"""Arg names that Argo templates in use already have; a config that declares such a name keeps it."""

_LATEST = 253402300800
"""Unix seconds of the year 10000, which no calendar here knows."""

KEYS = ("config", "baseline", "canary", "args", "rollout", "scope", "start", "end", "window", "look", "detail")
DETAILS = ("", "short", "full")
MAX_VALUE = 1000

_NAME = ArgConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question. Times are unix seconds; `args` are complete, defaults filled in.

    `baseline` and `canary` are what ``${hash}`` becomes on each side.
    """

    config: str
    baseline: str
    canary: str
    scope: str
    args: Mapping[str, str] = field(default_factory=dict)
    rollout: str = ""
    start: float | None = None
    end: float | None = None
    window: float | None = None
    look: int | None = None
    detail: str = "short"


def parse_request(raw: Any, configs: Mapping[str, CanaryConfig], *, now: float) -> tuple[Request, CanaryConfig]:
    """Read one question.

    Parameters
    ----------
    raw : mapping
        The JSON object or the query string; names in `ALIASES` are understood.
    configs : mapping
        Every config that may be asked for.
    now : float
        Unix seconds, to refuse a window that has not begun.

    Raises
    ------
    RequestError
        With every fault: its key, what was found, what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise RequestError(f"expected a JSON object, found {_kind(raw)}")
    name = raw.get("config")
    if not isinstance(name, str) or not name.strip():
        raise RequestError(
            [Fault(path="config", message="is missing" if name is None else f"must be a name, found {_kind(name)}", allowed=tuple(configs))]
        )
    name = name.strip()
    if name not in configs:
        raise RequestError(
            [Fault(path="config", message=f"there is no config {short(name)}{nearest(name, configs)}", allowed=tuple(sorted(configs)))]
        )
    config = configs[name]
    reader = _Reader(config)
    reader.spread(raw)
    request = reader.request(now)
    if reader.faults:
        raise RequestError(reader.faults)
    assert request is not None
    return request, config


class _Reader:
    """Collects values and faults of one question."""

    def __init__(self, config: CanaryConfig) -> None:
        self.config = config
        self.values: dict[str, str] = {}
        self.args: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.unreadable: set[str] = set()

    def fault(self, path: str, message: str, allowed: tuple[str, ...] = ()) -> None:
        self.faults.append(Fault(path=path, message=message, allowed=allowed))

    def spread(self, raw: Mapping[str, Any]) -> None:
        """Sort what came into the request's own keys and the config's args."""
        inside = raw.get("args", {})
        if isinstance(inside, str) and not inside.strip():
            inside = {}
        if not isinstance(inside, Mapping):
            self.fault("args", f"must be an object of names and values, found {_kind(inside)}")
            inside = {}
        given = [(str(key), str(key), value) for key, value in raw.items() if key not in {"args", "config"}]
        given += [(f"args.{key}", str(key), value) for key, value in inside.items()]
        for path, key, value in given:
            target = key if key in self.config.args else ALIASES.get(key, key)
            text = self._text(path, value)
            if target in self.config.args:
                self._put(self.args, target, path, text)
            elif target in KEYS:
                self._put(self.values, target, path, text)
            else:
                known = (*(k for k in KEYS if k != "args"), *self.config.args)
                self.fault(path, f"the config {self.config.name!r} does not declare this arg{nearest(key, known)}", tuple(known))

    def _put(self, where: dict[str, str], key: str, path: str, text: str | None) -> None:
        if text is None:
            self.unreadable.add(key)
            where.setdefault(key, "")
            return
        if where.get(key) not in {None, text}:
            self.fault(path, f"{key} is given twice, as {short(where[key])} and {short(text)}")
        where[key] = text

    def _text(self, path: str, value: Any) -> str | None:
        """Read a value as text; None where it was wrong and a fault is noted."""
        if isinstance(value, bool) or value is None or isinstance(value, Mapping | list):
            self.fault(path, f"must be a string or a number, found {_kind(value)}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(path, f"must be a finite number, found {value}")
            return None
        text = str(value).strip()
        if "{{" in text or "}}" in text:
            self.fault(
                path,
                f"{short(text)} was not filled in by Argo Rollouts: declare the arg in the AnalysisTemplate and give it in the Rollout",
            )
            return None
        if len(text) > MAX_VALUE:
            self.fault(path, f"is longer than {MAX_VALUE} characters")
            return None
        return text

    def request(self, now: float) -> Request | None:
        """Check every value and build the request."""
        baseline, canary = self._side("baseline"), self._side("canary")
        rollout = self._optional_name("rollout")
        scope = self.values.get("scope") or self.config.scope  # an empty value is "not given", as Argo sends it
        if scope not in self.config.scopes:
            known = tuple(self.config.scopes)
            self.fault("scope", f"the config {self.config.name!r} has no scope {short(scope)}{nearest(scope, known)}", known)
        elif not rollout and "rollout" in placeholders(self.config.scopes[scope]):
            self.fault("rollout", f"is missing; the scope {scope!r} selects pods by the rollout's name")
        args = self._complete_args()
        start, end = self._time("start"), self._time("end")
        window, look = self._duration("window"), self._look()
        if start is not None and end is not None and start >= end:
            self.fault("start", f"is not before end: {_when(start)} and {_when(end)}")
        longest = self.config.window.longest
        until = now if end is None else min(end, now)
        if start is not None and until - start > longest:
            self.fault(
                "start",
                f"lies more than {duration(longest)} before the end of the window, the longest that the config allows (window.longest)",
            )
        if start is not None and start > now:
            self.fault("start", f"lies in the future: {_when(start)}, and now is {_when(now)}")
        elif end is not None and start is None and end > now + 300:
            self.fault("end", f"lies in the future: {_when(end)}, and now is {_when(now)}")
        detail = self.values.get("detail", "")
        if detail not in DETAILS:
            self.fault("detail", f"unknown detail {short(detail)}", DETAILS[1:])
        if self.faults:
            return None
        return Request(
            config=self.config.name,
            baseline=baseline,
            canary=canary,
            scope=scope,
            args=args,
            rollout=rollout,
            start=start,
            end=end,
            window=window,
            look=look,
            detail=detail if detail else "short",
        )

    def _side(self, key: str) -> str:
        value = self.values.get(key)
        if value is None:
            self.fault(key, "is missing; Argo gives it as podTemplateHashValue (Stable for the baseline, Latest for the canary)")
            return ""
        return self._name(key, value, self.config.sides)

    def _optional_name(self, key: str) -> str:
        value = self.values.get(key, "")
        return self._name(key, value) if value else ""

    def _name(self, path: str, value: str, of: ArgConfig = _NAME) -> str:
        if path in self.unreadable:
            return ""
        if not value:
            self.fault(path, "is empty; an empty label matcher would select series that lack the label")
        else:
            self._check(path, value, of)
        return value

    def _check(self, path: str, value: str, of: ArgConfig) -> None:
        found = complaint(value, of)
        if found is not None:
            self.fault(path, found.message, found.allowed)

    def _complete_args(self) -> dict[str, str]:
        declared = self.config.args
        for name, arg in declared.items():
            if name not in self.args:
                if arg.default is None:
                    self.fault(name, "is missing; the config declares it" + (f": {arg.description}" if arg.description else ""))
            elif name not in self.unreadable:
                self._check_arg(name, self.args[name], arg)
        if self.faults:
            return {}
        complete = resolve_defaults(self.args, {name: arg.default for name, arg in declared.items() if arg.default is not None})
        for name in complete.keys() - self.args.keys():
            # A default made of other args' values is held against its type like anything else.
            self._check(name, complete[name], declared[name])
        return complete

    def _check_arg(self, name: str, value: str, arg: ArgConfig) -> None:
        if not value:
            self.fault(name, "is empty; leave it out to get the default, or give a value")
        else:
            self._check(name, value, arg)

    def _time(self, key: str) -> float | None:
        value = self.values.get(key, "")
        if not value:
            return None
        try:
            return parse_time(value)
        except ValueError as error:
            self.fault(key, str(error))
            return None

    def _duration(self, key: str) -> float | None:
        value = self.values.get(key, "")
        if not value:
            return None
        try:
            found = float(value) if is_number(value) else seconds(value)
        except ValueError as error:
            self.fault(key, str(error))
            return None
        step, longest = self.config.window.step, self.config.window.longest
        if not step <= found <= longest:
            self.fault(
                key, f"must be between one step ({step:g} s) and {duration(longest)} (window.longest of the config), found {short(value)}"
            )
            return None
        return found

    def _look(self) -> int | None:
        value = self.values.get("look", "")
        if not value:
            return None
        if not re.fullmatch(r"\d{1,6}", value) or int(value) < 1:
            self.fault("look", f"must be a whole number from 1, found {short(value)}")
            return None
        return int(value)


def parse_time(text: str) -> float:
    """Read RFC 3339 or unix seconds.

    A ``+`` that a URL turned into a space is understood.

    Raises
    ------
    ValueError
        Where it is neither, or has no time zone.

    Examples
    --------
    >>> parse_time("1970-01-01T01:00:10+01:00"), parse_time("1970-01-01T01:00:10 01:00"), parse_time("10")
    (10.0, 10.0, 10.0)
    """
    if is_number(text):
        value = float(text)
        if not 0 <= value < _LATEST:
            msg = f"not a time: {text!r} is outside the years 1970 to 9999"
            raise ValueError(msg)
        return value
    repaired = re.sub(r"(\d{2}:\d{2}(?:\.\d+)?) (\d{2}:\d{2})$", r"\1+\2", text)
    try:
        found = datetime.fromisoformat(repaired)
    except ValueError:
        msg = f"not a time: {short(text)}; write RFC 3339 (2026-11-20T09:00:00Z) or unix seconds"
        raise ValueError(msg) from None
    if found.tzinfo is None:
        msg = f"{short(text)} has no time zone; write 2026-11-20T09:00:00Z or unix seconds"
        raise ValueError(msg)
    stamp = found.timestamp()
    if stamp < 0:
        msg = f"{short(text)} is before 1970"
        raise ValueError(msg)
    return stamp


def format_time(value: float) -> str:
    """Write RFC 3339 in UTC, whole seconds; what lies outside the years 1970 to 9999 is written as their edge.

    Times of a dump may be anything, such as milliseconds: its verdict has to be told all the same.

    Examples
    --------
    >>> format_time(10.0), format_time(1.7e12)
    ('1970-01-01T00:00:10Z', '9999-12-31T23:59:59Z')
    """
    within = min(max(value, 0.0), _LATEST - 1) if math.isfinite(value) else 0.0
    return datetime.fromtimestamp(within, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _when(value: float) -> str:
    return format_time(value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
    return kinds.get(type(value), "a number")
