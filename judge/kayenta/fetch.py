"""Metric set pairs of a Kayenta execution, fetched and mixed as Kayenta does.

Values are appended in the order in which they came; a label set that only one side
has gets a partner of NaN; an untagged side is paired with every tag set of the other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.config.kayenta_query import build_query
from judge.core.model import Classification, Series
from judge.errors import ConfigError, Fault, RequestError, SourceUnreachable
from judge.sources import Answer, Query, Source
from judge.wire.record import series_fields
from judge.wire.request import format_time, parse_time

_OURS = {"control": "baseline", "experiment": "canary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """From when to when both sides were asked, unix seconds."""

    start: float
    end: float

    @property
    def duration(self) -> str:
        """ISO 8601, as Java writes it."""
        seconds = max(round(self.end - self.start), 0)
        hours, rest = divmod(seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        text = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if value)
        return f"PT{text}" if text else "PT0S"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """One side of one scope of an execution request."""

    values: Mapping[str, str]
    start: float
    end: float
    step: float


def read_scopes(request: Mapping[str, Any]) -> dict[str, dict[str, _Scope]]:
    """Read ``scopes`` of an execution request: by scope name, then control and experiment.

    Raises
    ------
    RequestError
        With every fault and its dotted path.
    """
    scopes = request.get("scopes")
    if not isinstance(scopes, Mapping) or not scopes:
        raise RequestError([Fault(path="scopes", message="must be an object with at least one scope")])
    faults: list[Fault] = []
    found: dict[str, dict[str, _Scope]] = {}
    for name, pair in scopes.items():
        for side in _OURS:
            scope = pair.get(f"{side}Scope") if isinstance(pair, Mapping) else None
            path = f"scopes.{name}.{side}Scope"
            if not isinstance(scope, Mapping):
                faults.append(Fault(path=path, message="is missing"))
                continue
            read = _read_scope(scope, path, faults)
            if read is not None:
                found.setdefault(str(name), {})[side] = read
    if faults:
        raise RequestError(faults)
    return found


def _read_scope(scope: Mapping[str, Any], path: str, faults: list[Fault]) -> _Scope | None:
    times: dict[str, float] = {}
    for key in ("start", "end"):
        try:
            times[key] = parse_time(str(scope.get(key) or ""))
        except ValueError as error:
            faults.append(Fault(path=f"{path}.{key}", message=str(error) if scope.get(key) else "is missing"))
    step = scope.get("step", 60)
    if isinstance(step, bool) or not isinstance(step, int | float | str) or not str(step).replace(".", "", 1).isdigit() or float(step) <= 0:
        faults.append(Fault(path=f"{path}.step", message=f"must be seconds, found {step!r}"))
        return None
    if len(times) < 2:
        return None
    if times["start"] >= times["end"]:
        faults.append(Fault(path=f"{path}.start", message="is not before end"))
        return None
    extended = scope.get("extendedScopeParams")
    values = {"scope": str(scope.get("scope") or ""), "location": str(scope.get("location") or scope.get("region") or "")}
    if isinstance(extended, Mapping):
        values |= {str(key): str(value) for key, value in extended.items()}
    return _Scope(values=values, start=times["start"], end=times["end"], step=float(step))


def fetch_pairs(
    config: Mapping[str, Any], request: Mapping[str, Any], source: Source, *, deadline: float
) -> tuple[list[dict[str, Any]], Sides]:
    """Fetch both sides of every metric, and pair them.

    Raises
    ------
    RequestError, ConfigError
        Where the request or the config is wrong.
    SourceUnreachable
        Where any query could not be answered: a judgement of half the series would mislead.
    """
    scopes = read_scopes(request)
    templates = config.get("templates") or {}
    queries, asked = [], []
    for index, metric in enumerate(config.get("metrics") or []):
        name = str(metric.get("scopeName") or "default")
        if name not in scopes:
            path = f"metrics.{index}.scopeName"
            raise RequestError([Fault(path=path, message=f"the request has no scope {name!r}", allowed=tuple(scopes))])
        for side, ours in _OURS.items():
            scope = scopes[name][side]
            text = build_query(metric, templates, scope.values, path=f"metrics.{index}")
            query = Query(
                metric=str(metric["name"]),
                part="value",
                side=ours,
                scope=scope.values["scope"],
                against=scopes[name]["experiment" if side == "control" else "control"].values["scope"],
                text=text,
                start=scope.start,
                end=scope.end,
                step=scope.step,
                verbatim=True,
            )
            queries.append(query)
            asked.append((index, side, scope))
    answers = source.fetch(queries, deadline=deadline)
    _refuse_trouble(answers)
    found: dict[int, dict[str, tuple[Answer, _Scope]]] = {}
    for (index, side, scope), answer in zip(asked, answers, strict=True):
        found.setdefault(index, {})[side] = (answer, scope)
    pairs = [pair for index, sides in found.items() for pair in _mix(config["metrics"][index], sides, f"metrics.{index}")]
    every = [scope for pair in scopes.values() for scope in pair.values()]
    return pairs, Sides(start=min(scope.start for scope in every), end=max(scope.end for scope in every))


def _refuse_trouble(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if answer.problem is not None:
            message = f"{answer.query.metric}: {answer.problem.message}"
            if answer.problem.classification is Classification.ERROR:
                raise ConfigError(message)
            raise SourceUnreachable(message)


def _mix(metric: Mapping[str, Any], sides: Mapping[str, tuple[Answer, _Scope]], path: str) -> list[dict[str, Any]]:
    """Pair the label sets of both sides."""
    series = {side: {_tags(one): one for one in answer.series} for side, (answer, _) in sides.items()}
    control, experiment = series["control"], series["experiment"]
    untagged: tuple[tuple[str, str], ...] = ()
    if list(control) == [untagged] and experiment and list(experiment) != [untagged]:
        control = dict.fromkeys(experiment, control[untagged])
    elif list(experiment) == [untagged] and control and list(control) != [untagged]:
        experiment = dict.fromkeys(control, experiment[untagged])
    names = {tuple(sorted(name for name, _ in tags)) for tags in (*control, *experiment)}
    if len(names) > 1:
        shown = " and ".join("{" + ", ".join(part) + "}" for part in sorted(names))
        raise ConfigError([Fault(path=f"{path}.query", message=f"both sides must have the same labels, found {shown}")])
    tags = sorted({*control, *experiment}) or [untagged]
    return [_pair(metric, dict(one), {"control": control.get(one), "experiment": experiment.get(one)}, sides) for one in tags]


def _tags(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in series.labels.items()))


def _pair(
    metric: Mapping[str, Any],
    tags: Mapping[str, str],
    found: Mapping[str, Series | None],
    sides: Mapping[str, tuple[Answer, _Scope]],
) -> dict[str, Any]:
    values, scopes, attributes = {}, {}, {}
    for side, (answer, scope) in sides.items():
        series = found[side]
        if series is None:
            count = max(math.floor((scope.end - scope.start) / scope.step), 1)
            values[side] = ["NaN"] * count
            start, step = scope.start, scope.step
        else:
            values[side] = series_fields(series)["v"]
            start = float(series.t[0])
            step = float(series.t[1] - series.t[0]) if len(series) > 1 else scope.step
        scopes[side] = {"startTimeIso": format_time(start), "startTimeMillis": round(start * 1000), "stepMillis": round(step * 1000)}
        attributes[side] = {"query": answer.query.text}
    key = repr((metric["name"], sorted(tags.items()), scopes))
    return {
        "name": metric["name"],
        "id": hashlib.sha256(key.encode()).hexdigest()[:36],
        "tags": dict(tags),
        "values": values,
        "scopes": scopes,
        "attributes": attributes,
    }
