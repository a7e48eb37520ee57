"""What no single key of a canary config can tell: rules between keys."""

from __future__ import annotations

import math
from collections.abc import Iterator

from judge.config.schema import ArgDocument, ConditionsDocument, ConfigDocument, MetricDocument
from judge.config.units import expected_share
from judge.core.args import allowed_complaint, complaint
from judge.core.canary import JUDGES
from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, MUST_DETECT, TOLERANCE, ArgConfig, Margin
from judge.core.templates import BUILT_IN, PLACEHOLDER, placeholders, resolve_defaults
from judge.errors import ConfigError, Fault, nearest

RESERVED_ARGS = frozenset(
    {"config", "baseline", "canary", "args", "rollout", "start", "end", "window", "look", "detail", "scope", "hash", "step"}
)


def margins(metric: MetricDocument) -> tuple[Margin, Margin]:
    """Tolerance and must_detect, with the defaults of the metric's kind."""
    counted = metric.denominator is not None
    tolerance = metric.tolerance if metric.tolerance is not None else (COUNT_TOLERANCE if counted else TOLERANCE)
    must_detect = metric.must_detect if metric.must_detect is not None else (COUNT_MUST_DETECT if counted else MUST_DETECT)
    return tolerance, must_detect


def faults_between(document: ConfigDocument) -> Iterator[Fault]:
    """What no single field can tell."""
    if document.judge not in JUDGES:
        yield Fault(
            path="judge", message=f"unknown judge {document.judge!r}{nearest(document.judge, JUDGES)}", allowed=tuple(sorted(JUDGES))
        )
    window = document.window
    if window.step < 1 or not float(window.step).is_integer():
        yield Fault(path="window.step", message=f"must be whole seconds, at least 1, found {window.step:g}")
    if window.length < window.step:
        yield Fault(path="window.length", message=f"must be at least one step ({window.step:g} s), found {window.length:g} s")
    if window.longest is not None and window.longest < window.length:
        yield Fault(path="window.longest", message=f"must be at least the length ({window.length:g} s), found {window.longest:g} s")
    if document.looks.interval is not None and document.looks.interval <= 0:
        yield Fault(path="looks.interval", message="must be positive")
    if document.score.marginal > document.score.passing:
        yield Fault(
            path="score",
            message=f"need 0 <= marginal <= pass <= 100, found marginal={document.score.marginal:g}, pass={document.score.passing:g}",
        )
    yield from _arg_faults(document)
    yield from _scope_faults(document)
    yield from _metric_faults(document)
    yield from _group_faults(document)


def _arg_faults(document: ConfigDocument) -> Iterator[Fault]:
    for name in sorted(set(document.args) & RESERVED_ARGS):
        yield Fault(path=f"args.{name}", message="this name is the request's own; call the arg something else")
    args = {name: ArgDocument() if arg is None else arg for name, arg in document.args.items()}
    defaults = {name: str(arg.default) for name, arg in args.items() if arg.default is not None}
    try:
        resolve_defaults({name: name for name, arg in args.items() if arg.default is None}, defaults)
    except ConfigError as error:
        yield from error.faults
    for name, arg in args.items():
        for index, allowed in enumerate(() if arg.allowed is None else arg.allowed):
            wrong = allowed_complaint(str(allowed), arg.type)
            if wrong is not None:
                yield Fault(path=f"args.{name}.allowed.{index}", message=wrong.message, allowed=wrong.allowed)
        default = defaults.get(name)
        # What names other args is known only when they are.
        if default is None or placeholders(default):
            continue
        wrong = complaint(default, ArgConfig(type=arg.type, allowed=_sound_allowed(arg)))
        if wrong is not None:
            yield Fault(path=f"args.{name}.default", message=wrong.message, allowed=wrong.allowed)


def _sound_allowed(arg: ArgDocument) -> tuple[str, ...]:
    """The allowed values that fit the type: what does not is a fault of its own."""
    return () if arg.allowed is None else tuple(str(one) for one in arg.allowed if allowed_complaint(str(one), arg.type) is None)


def _scope_faults(document: ConfigDocument) -> Iterator[Fault]:
    known = {*document.args, "hash", "rollout"}
    texts = {f"scopes.{name}": text for name, text in document.scopes.items()}
    if document.scope not in document.scopes:
        texts["scope"] = document.scope
        # A query language may write matchers without =, but a bare word is a name, and a bare hash picks nothing.
        if "=" not in document.scope and (PLACEHOLDER.fullmatch(document.scope) or not placeholders(document.scope)):
            yield Fault(
                path="scope",
                message=f"{document.scope!r} is neither a label matcher nor a name in scopes{nearest(document.scope, document.scopes)}",
                allowed=tuple(document.scopes),
            )
            return
    for path, text in texts.items():
        if "{{" in text:
            yield _braces(path)
        unknown = sorted(placeholders(text) - known)
        for name in unknown:
            yield Fault(path=path, message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(sorted(known)))
        if not unknown and "hash" not in placeholders(text):
            yield Fault(path=path, message="does not use ${hash}, so both sides would be the same")


def _braces(path: str) -> Fault:
    return Fault(path=path, message="holds {{, which Argo Rollouts would try to fill in; write ${…}")


def _metric_faults(document: ConfigDocument) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, metric in enumerate(document.metrics):
        path = f"metrics.{index}"
        if metric.name in seen:
            yield Fault(path=f"{path}.name", message=f"{metric.name!r} is already the name of metrics.{seen[metric.name]}")
        seen.setdefault(metric.name, index)
        counted = metric.numerator is not None or metric.denominator is not None
        if (metric.query is not None) == counted or (counted and (metric.numerator is None or metric.denominator is None)):
            yield Fault(path=path, message="needs either query, or numerator and denominator together")
        if metric.limit is not None:
            yield from _limit_faults(metric, path)
        else:
            if metric.query is not None and "window" in placeholders(metric.query):
                yield Fault(
                    path=f"{path}.query", message="${window} gives one value for the whole window; a comparison needs one each ${step}"
                )
            tolerance, must_detect = margins(metric)
            if must_detect.relative < tolerance.relative or (
                must_detect.absolute < tolerance.absolute and must_detect.absolute + must_detect.relative > 0
            ):
                yield Fault(
                    path=f"{path}.must_detect",
                    message="must be at least the tolerance: what is accepted cannot be what must not slip through",
                )
        for part in ("query", "numerator", "denominator"):
            text = getattr(metric, part)
            if text is not None:
                yield from _query_faults(text, f"{path}.{part}", document)
    if document.traffic is not None:
        yield from _query_faults(document.traffic.query, "traffic.query", document)
    if document.conditions is not None:
        yield from _conditions_faults(document.conditions, document)


def _conditions_faults(conditions: ConditionsDocument, document: ConfigDocument) -> Iterator[Fault]:
    asked = {part: getattr(conditions, part) for part in ("pods", "age", "places")}
    for part, text in asked.items():
        if text is not None:
            yield from _query_faults(text, f"conditions.{part}", document)
    share = conditions.share
    if share is None:
        if not any(asked.values()):
            yield Fault(path="conditions", message="asks nothing", allowed=(*asked, "share"))
        return
    if document.traffic is None:
        yield Fault(path="conditions.share", message="needs traffic: without it nobody knows how the requests are shared")
    if "{{" in share:
        yield _braces("conditions.share")
    known = set(document.args)
    for name in sorted(placeholders(share) - known):
        yield Fault(path="conditions.share", message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(sorted(known)))
    if not placeholders(share):
        try:
            expected_share(share)
        except ValueError as error:
            yield Fault(path="conditions.share", message=str(error))


def _limit_faults(metric: MetricDocument, path: str) -> Iterator[Fault]:
    assert metric.limit is not None
    low = -math.inf if metric.limit.min is None else metric.limit.min
    high = math.inf if metric.limit.max is None else metric.limit.max
    if metric.limit.min is None and metric.limit.max is None:
        yield Fault(path=f"{path}.limit", message="needs min, max or both")
    if low > high:
        yield Fault(path=f"{path}.limit", message=f"min {low:g} is above max {high:g}")
    if metric.query is None:
        yield Fault(path=f"{path}.limit", message="a limit needs a query, not numerator and denominator")
    for key in ("tolerance", "must_detect"):
        if getattr(metric, key) is not None:
            yield Fault(path=f"{path}.{key}", message="a limit has no baseline, so there is no change to tolerate")


def _query_faults(text: str, path: str, document: ConfigDocument) -> Iterator[Fault]:
    known = {*document.args, *BUILT_IN}
    if "{{" in text:
        yield _braces(path)
    unknown = sorted(placeholders(text) - known)
    for name in unknown:
        yield Fault(path=path, message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(sorted(known)))
    # A misspelt ${scope} is named above; it needs no second fault.
    if not unknown and not placeholders(text) & {"scope", "hash"}:
        yield Fault(path=path, message="uses neither ${scope} nor ${hash}, so both sides would be the same")


def _group_faults(document: ConfigDocument) -> Iterator[Fault]:
    if not document.groups:
        return
    used = {metric.group for metric in document.metrics}
    for index, metric in enumerate(document.metrics):
        if metric.group not in document.groups:
            yield Fault(
                path=f"metrics.{index}.group",
                message=f"group {metric.group!r} has no weight in groups{nearest(metric.group, document.groups)}",
                allowed=tuple(document.groups),
            )
    for name in document.groups:
        if name not in used:
            yield Fault(path=f"groups.{name}", message=f"no metric is in this group{nearest(name, used)}")
