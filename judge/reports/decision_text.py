"""How a metric was decided, by which test at which level, and what an open one still lacks: in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.core.formatting import points
from judge.reports import text as words

_TOLD = 0.0001
_TESTS = {
    "whole": "whole window",
    "recent": "later part of the window",
    "tail": "share of extreme values",
    "spread": "spread",
    "ranks": "ranks",
    "partly": "plain means",
    "healed": "healed since",
    "lacking": "too few samples",
    "zero": "zero on both sides",
    "beyond the plan": "beyond the planned looks",
}


def part(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a result; empty where it has none, as in records of an older judge."""
    found = result.get(name)
    return found if isinstance(found, Mapping) else {}


def test(result: Mapping[str, Any]) -> str:
    """Which test decided, or kept the metric open."""
    name = words.one_line(part(result, "decision").get("test", ""))
    return _TESTS.get(name, name)


def decided(result: Mapping[str, Any]) -> str:
    """Which test decided, or kept the metric open, at which look.

    Examples
    --------
    >>> decided({"decision": {"test": "recent", "p": 0.0004, "level": 0.013, "look": 7, "of": 20}})
    'later part of the window, look 7 of 20'
    """
    decision = part(result, "decision")
    if not decision:
        return ""
    look = f", look {decision['look']} of {decision['of']}" if decision.get("look") and decision.get("of") else ""
    return test(result) + look


def level(result: Mapping[str, Any]) -> float | None:
    """What the p-value must not exceed at this look for a regression; None where the test has no such level."""
    found = part(result, "decision").get("level")
    return None if found is None else float(found)


def against_level(p: float | None, level: float | None) -> str:
    """A p-value beside its level, with the sign that tells which is larger.

    Examples
    --------
    >>> against_level(0.0004, 0.013), against_level(0.2, 0.00004), against_level(0.2, None)
    ('0.0004 ≤ 0.013', '0.2 > 4e-05', '0.2')
    """
    if p is None or level is None:
        return words.probability(p)
    # Beside a level that is smaller than what is told of p otherwise, both need their powers of ten.
    told = [f"{value:.1g}" if level < _TOLD and value < _TOLD else words.probability(value) for value in (p, level)]
    return f"{told[0]} {'≤' if p <= level else '>'} {told[1]}"


def missing(result: Mapping[str, Any]) -> str:
    """What an open metric still lacks, and how long that takes; empty where nothing is waited for.

    Examples
    --------
    >>> missing({"wait": {"detectable": 0.31, "samples": 120.0, "seconds": 1800.0, "requests": 0.0}})
    'about 120 more samples, 30 min'
    >>> missing({"wait": {"detectable": 0.31, "samples": None, "seconds": None, "requests": 0.0}})
    'waiting does not help: the change lies too near a margin'
    """
    wait = part(result, "wait")
    if not wait:
        return ""
    if wait.get("samples") is None:
        return "waiting does not help: the change lies too near a margin"
    said = f"about {words.number(wait['samples'])} more sample{'' if wait['samples'] == 1 else 's'}"
    if wait.get("requests"):
        said += f" ({words.significant(float(wait['requests']), 2)} more requests on the canary)"
    return f"{said}, {words.duration(wait['seconds'])}" if wait.get("seconds") is not None else said


def detectable(result: Mapping[str, Any]) -> str:
    """The change that would be called at this look four times in five; empty where it is not known."""
    size = part(result, "wait").get("detectable")
    if size is None:
        return ""
    return points(float(size)) if part(result, "comparison").get("counts") else words.percent(float(size), signed=False)


def overlap(rate_window: float | None, step: float | None) -> str:
    """Say that neighbouring samples share data, where the rate window is longer than the step.

    Examples
    --------
    >>> overlap(60.0, 15.0)
    'each sample looks back 60 s and there is one every 15 s: neighbours share data, so they count for fewer'
    """
    if not rate_window or not step or rate_window <= step * (1 + 1e-9):
        return ""
    back, every = words.duration(rate_window), words.duration(step)
    return f"each sample looks back {back} and there is one every {every}: neighbours share data, so they count for fewer"
