"""A record's results as the reports need them: worst first, with their series, margins and words.

Everything is read leniently, because a record may be older than the judge that
shows it: what is missing is shown as missing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from statistics import median
from typing import Any, TypeAlias

from judge.core.formatting import points
from judge.core.model import series_title
from judge.reports import decision_text as deciding
from judge.reports import text as words

Run: TypeAlias = list[tuple[float, float]]
"""Samples (unix seconds, value) without a gap between them."""

_SEVERITY = {"high": 0, "low": 0, "error": 1, "undecided": 2, "nodata": 3, "pass": 4}
_SURE = 0.985
"""Levels above this need more digits, or they would all be 100%."""
_BOUND = re.compile(r"at (?:least|most) (-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)")
_MARGIN = re.compile(r"(?<![\w.])\+?(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(%|pp)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What the interval picture shows, all in one measure.

    Fractions of the baseline where `relative`, else amounts in `unit`. `low` and
    `high` are None where the method gives no interval; `tolerance` and `must_detect` are
    sizes without a sign, None where they are not known in this measure.
    """

    point: float
    low: float | None
    high: float | None
    tolerance: float | None
    must_detect: float | None
    direction: str
    relative: bool
    unit: str

    def text(self, value: float | None) -> str:
        """One value of this measure, with its sign."""
        if self.relative or value is None:
            return words.percent(value)
        if self.unit == "ratio":
            return points(value, sign=True)
        factor, name = words.scale_of(self.unit, max(abs(end) for end in (self.point, self.low, self.high) if end is not None))
        return f"{'+' if value > 0 else ''}{words.significant(value * factor)} {name}".rstrip()

    def marks(self, size: float | None) -> list[float]:
        """Where a margin of this size lies: above zero, below it, or both, by the direction that is bad."""
        if size is None:
            return []
        return ([] if self.direction == "increase" else [-size]) + ([] if self.direction == "decrease" else [size])

    def margin(self, size: float | None) -> str:
        """A margin of this size as text: ``+5%``, ``-5%`` or ``±5%`` by the direction that is bad."""
        marks = [self.text(mark) for mark in self.marks(size)]
        return f"±{marks[-1].lstrip('+')}" if len(marks) == 2 else "".join(marks)

    def range(self) -> tuple[float, float]:
        """From where to where an axis must go to show zero, the margins, the point and what fits of the interval."""
        seen = [0.0, self.point, *self.marks(self.tolerance), *self.marks(self.must_detect)]
        # An interval many times wider than everything else would squeeze the rest into nothing: it is cut off instead.
        reach = 2.5 * max(map(abs, seen)) or 1.0
        seen += [min(max(end, -reach), reach) for end in (self.low, self.high) if end is not None]
        low, high = min(seen), max(seen)
        room = 0.08 * (high - low) or 1.0
        return low - room, high + room


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One metric: its classification, its numbers as text, and its samples.

    `p` is of a change beyond tolerance in the bad direction, as in the sentence;
    `bounds` are those of a limit on the canary alone, in the metric's unit. `test` names what decided, `decided` also
    the look, `against` is `p` beside the level it must reach there; `missing` is what an open metric waits for.
    """

    title: str
    classification: str
    reason: str
    group: str
    weight: float
    critical: bool
    direction: str
    tolerance: str
    must_detect: str
    unit: str
    change: str
    level: str
    method: str
    p: str
    p_two_sided: str
    effect: str
    n: str
    n_effective: str
    baseline_value: str
    canary_value: str
    counts: str
    interval: Interval | None
    bounds: tuple[float, ...]
    baseline: list[Run]
    canary: list[Run]
    test: str = ""
    decided: str = ""
    against: str = ""
    missing: str = ""
    detectable: str = ""
    overlap: str = ""
    queries: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def change_text(self) -> str:
        """The change with its interval: ``+18% [+9%, +27%]``."""
        interval = self.interval
        if interval is None or interval.low is None:
            return self.change
        return f"{self.change} [{interval.text(interval.low)}, {interval.text(interval.high)}]"

    @property
    def n_text(self) -> str:
        """Samples on both sides, and the effective number in brackets: ``60/60 (24)``."""
        return f"{self.n} ({self.n_effective})" if self.n_effective else self.n

    @property
    def symbol(self) -> str:
        """The sign of the classification."""
        return words.SYMBOLS.get(self.classification, "?")

    @property
    def meaning(self) -> str:
        """The classification in words."""
        return words.MEANINGS.get(self.classification, self.classification)

    @property
    def accepted(self) -> str:
        """What is accepted: the margin as it came out for this baseline, else as the config wrote it."""
        margin = self.interval.margin(self.interval.tolerance) if self.interval else ""
        return margin or self.tolerance.replace("at most ", "max ").replace("at least ", "min ")

    @property
    def passed(self) -> bool:
        """Nothing needs to be said of it."""
        return self.classification == "pass"

    @property
    def limit_only(self) -> bool:
        """A limit on the canary alone: no baseline was asked for."""
        return bool(self.bounds)

    @property
    def drawable(self) -> bool:
        """At least one side has samples."""
        return bool(self.baseline or self.canary)


def findings(record: Mapping[str, Any]) -> list[Finding]:
    """The record's metrics, worst first."""
    samples: dict[tuple[str, str], Mapping[str, Any]] = {}
    for sample in record.get("samples") or []:
        if isinstance(sample, Mapping):
            samples.setdefault(_key(sample.get("metric"), sample), sample)
    step = section(record, "window").get("step")
    return [_finding(result, samples.get(_key(result.get("name"), result), {}), step) for result in worst_first(record)]


def worst_first(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The record's results in the order of `findings`."""
    return sorted(section(record, "verdict").get("results") or [], key=_severity)


def section(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the record; empty where it has none."""
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def score(verdict: Mapping[str, Any]) -> str:
    """``50/100``; nothing where nothing was scored."""
    value = verdict.get("score")
    return "" if value is None else f"{words.significant(float(value))}/100"


def look(window: Mapping[str, Any]) -> str:
    """``look 7 of 20``; nothing where looks were not counted."""
    if window.get("look") is None:
        return ""
    return f"look {window['look']}" + (f" of {window['of']}" if window.get("of") else "")


def _severity(result: Mapping[str, Any]) -> tuple[int, bool, float, float]:
    directed = (result.get("comparison") or {}).get("pvalue_directed")
    return (
        _SEVERITY.get(result.get("classification", ""), 1),
        not result.get("critical", False),
        math.inf if directed is None else directed,
        -(result.get("weight") or 0.0),
    )


def _key(name: object, of: Mapping[str, Any]) -> tuple[str, str]:
    """What a result and its samples have in common: the metric and its labels."""
    return str(name), json.dumps(of.get("labels") or {}, sort_keys=True, default=str)


def _finding(result: Mapping[str, Any], sample: Mapping[str, Any], step: float | None) -> Finding:
    found = result.get("comparison") or {}
    counts = found.get("counts") or {}
    unit = unit_of(result)
    interval = interval_of(result)
    level = found.get("level")
    return Finding(
        title=title_of(result),
        classification=words.one_line(result.get("classification", "error")),
        reason=words.one_line(result.get("reason", "")),
        group=words.one_line(result.get("group", "")),
        weight=float(result.get("weight") or 0.0),
        critical=bool(result.get("critical")),
        direction=words.one_line(result.get("direction", "")),
        tolerance=words.one_line(result.get("tolerance") or ""),
        must_detect=words.one_line(result.get("must_detect") or ""),
        unit=words.one_line(unit),
        change=interval.text(interval.point) if interval else words.MISSING,
        level="" if level is None else f"{100 * level:.4g}%" if level > _SURE else words.percent(level, signed=False),
        method=words.one_line(found.get("method", "")),
        p=words.probability(_first(found, "pvalue_directed", "pvalue")),
        p_two_sided=words.probability(found.get("pvalue")),
        effect=words.number(found.get("effect")),
        n=f"{result.get('n_baseline', 0)}/{result.get('n_canary', 0)}",
        n_effective="" if found.get("n_effective") is None else str(found["n_effective"]),
        baseline_value=words.number(found.get("baseline_value"), unit),
        canary_value=words.number(found.get("canary_value"), unit),
        counts=_counts(counts),
        interval=interval,
        bounds=tuple(float(bound) for bound in _BOUND.findall(str(result.get("tolerance") or ""))),
        baseline=runs(sample.get("baseline"), sample.get("baseline_total"), step=step),
        canary=runs(sample.get("canary"), sample.get("canary_total"), step=step),
        test=deciding.test(result),
        decided=deciding.decided(result),
        against=deciding.against_level(_first(found, "pvalue_directed", "pvalue"), deciding.level(result)),
        missing=deciding.missing(result),
        detectable=deciding.detectable(result),
        overlap=deciding.overlap(sample.get("rate_window"), step),
        queries={words.plain(side): words.plain(text) for side, text in (result.get("queries") or {}).items()},
        warnings=tuple(words.one_line(warning) for warning in result.get("warnings") or ()),
    )


def _first(found: Mapping[str, Any], *names: str) -> float | None:
    """The first of these that is known."""
    return next((found[name] for name in names if found.get(name) is not None), None)


def title_of(result: Mapping[str, Any]) -> str:
    """The metric's name, with its labels where it has several label sets."""
    return words.one_line(series_title(str(result.get("name", "")), result.get("labels") or {}))


def _counts(counts: Mapping[str, Any]) -> str:
    if not counts:
        return ""
    sides = (
        f"{side} {words.significant(counts[f'{side}_events'])} of {words.significant(counts[f'{side}_total'])}"
        for side in ("baseline", "canary")
    )
    return ", ".join(sides)


def unit_of(result: Mapping[str, Any]) -> str:
    """The metric's unit: what its config says, ``ratio`` where counts were compared."""
    return str(result.get("unit") or ("ratio" if (result.get("comparison") or {}).get("counts") else ""))


def interval_of(result: Mapping[str, Any]) -> Interval | None:
    """The change where there is one; the shift where the baseline is zero; None where nothing was compared."""
    found = result.get("comparison") or {}
    measure = next((name for name in ("change", "shift") if found.get(name) is not None), None)
    if measure is None:
        return None
    relative = measure == "change"
    low, high = found.get(f"{measure}_low"), found.get(f"{measure}_high")
    level = abs(found.get("baseline_value") or 0.0)
    return Interval(
        point=found[measure],
        low=None if high is None else low,
        high=None if low is None else high,
        tolerance=_size(result.get("tolerance"), level=level, relative=relative),
        must_detect=_size(result.get("must_detect"), level=level, relative=relative),
        direction=str(result.get("direction", "either")),
        relative=relative,
        unit=unit_of(result),
    )


def _size(margin: object, *, level: float, relative: bool) -> float | None:
    """The size of a margin written like ``5%``, ``0.2 s`` or ``25% and 0.1 pp``: the larger of its parts, None if it has none.

    `level` is the baseline's absolute value, which turns amounts into fractions and
    back; a part that cannot be turned is left out.
    """
    text = str(margin or "")
    if _BOUND.search(text):  # a limit on the canary alone is no margin around the baseline
        return None
    sizes = []
    for digits, kind in _MARGIN.findall(text):
        size = float(digits) / (100.0 if kind else 1.0)
        if (kind == "%") == relative:
            sizes.append(size)
        elif level > 0:
            sizes.append(size / level if relative else size * level)
    return max((size for size in sizes if math.isfinite(size)), default=None)


def runs(
    side: Mapping[str, Sequence[float | str | None]] | None, total: Mapping[str, Sequence[float | str | None]] | None, *, step: float | None
) -> list[Run]:
    """Cut one side's samples into runs without a gap; with `total`, the share of it at equal times.

    A gap is an absent, null or infinite sample, or more than one and a half of the usual
    distance between samples (`step` seconds, or their median distance if larger).
    """
    pairs = _points(side)
    if total is not None:
        # An error counter is not exported before its first error: absent events beside a total are no events.
        events = dict(pairs)
        pairs = [(t, None if not whole or (counted := events.get(t, 0.0)) is None else counted / whole) for t, whole in _points(total)]
    distances = [after[0] - before[0] for before, after in pairwise(pairs)]
    usual = max(step or 0.0, median(distances) if distances else 0.0)
    found: list[Run] = []
    previous = -math.inf
    for t, v in pairs:
        if v is None:
            previous = -math.inf
            continue
        if t - previous > 1.5 * usual:
            found.append([])
        found[-1].append((t, v))
        previous = t
    return found


def _points(side: Mapping[str, Sequence[float | str | None]] | None) -> list[tuple[float, float | None]]:
    if not side:
        return []
    pairs = zip(side.get("t") or [], side.get("v") or [], strict=False)
    return sorted(((float(t), _finite(v)) for t, v in pairs if t is not None), key=itemgetter(0))


def _finite(value: float | str | None) -> float | None:
    """A sample's value; None for null and for the words that stand for values JSON has no number for."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
