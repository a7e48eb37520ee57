"""How the evidence on one metric grew from look to look: the change with its interval, and p against its level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from judge.reports import decision_text as deciding
from judge.reports import text as words
from judge.reports.charts.axes import Axis
from judge.reports.charts.svg import svg, tick
from judge.reports.view_model import Interval, interval_of, section

WIDTH = 600
_LEFT, _RIGHT, _TOP = 76, 76, 8
_CHANGE, _BETWEEN, _P, _BELOW = 124, 18, 68, 26
_HEIGHT = _TOP + _CHANGE + _BETWEEN + _P + _BELOW
_SMALLEST = 1e-6
_MARKS = {1.0: "1", 0.1: "", 0.01: "0.01", 1e-4: "0.0001", 1e-6: "1e-6"}
_MOST_NAMES = 20
_APART = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One metric at one look; `at` is the window's end in unix seconds, None where nobody knows."""

    look: str
    at: float | None
    classification: str
    interval: Interval | None
    p: float | None
    level: float | None
    n: str
    here: bool

    @property
    def symbol(self) -> str:
        """The sign of the classification."""
        return words.symbol(self.classification)

    @property
    def meaning(self) -> str:
        """The classification in words."""
        return words.MEANINGS.get(self.classification, self.classification)

    @property
    def change(self) -> str:
        """The change with its interval, as text."""
        if self.interval is None:
            return words.MISSING
        point = self.interval.text(self.interval.point)
        if self.interval.low is None:
            return point
        return f"{point} [{self.interval.text(self.interval.low)}, {self.interval.text(self.interval.high)}]"

    @property
    def against(self) -> str:
        """The p-value beside its level."""
        return deciding.against_level(self.p, self.level)

    @property
    def when(self) -> str:
        """The time of the window's end."""
        return words.MISSING if self.at is None else words.clock(self.at, "%H:%M:%S")


def steps(records: Sequence[Mapping[str, Any]], here: str) -> dict[tuple[str, str], list[Step]]:
    """What each metric showed at each look; `records` are in their order, `here` is the id of the one that is told of."""
    found: dict[tuple[str, str], list[Step]] = {}
    for record in records:
        window = section(record, "window")
        for result in section(record, "verdict").get("results") or []:
            comparison = deciding.part(result, "comparison")
            directed = comparison.get("pvalue_directed")
            decision = deciding.part(result, "decision")
            p = directed if directed is not None else comparison.get("pvalue") if comparison else decision.get("p")
            step = Step(
                look=words.one_line(window.get("look") or "?"),
                at=window.get("end"),
                classification=words.one_line(result.get("classification", "error")),
                interval=interval_of(result),
                p=p,
                level=deciding.level(result),
                n=f"{result.get('n_baseline', 0)}/{result.get('n_canary', 0)}",
                here=str(record.get("id")) == here,
            )
            found.setdefault(key_of(result), []).append(step)
    return found


def key_of(result: Mapping[str, Any]) -> tuple[str, str]:
    """What a metric's results of several looks have in common."""
    labels = result.get("labels") or {}
    return str(result.get("name")), repr(sorted((str(name), str(value)) for name, value in labels.items()))


def evidence(title: str, shown: Sequence[Step]) -> str:
    """The picture; empty where fewer than two looks have something to show."""
    last = next((step.interval for step in reversed(shown) if step.interval is not None), None)
    fitting = [step for step in shown if step.interval is not None and last is not None and step.interval.relative == last.relative]
    if last is None or len(fitting) < 2:
        return ""
    places = {index: _LEFT + (WIDTH - _LEFT - _RIGHT) * (index + 0.5) / len(shown) for index in range(len(shown))}
    up = _axis(last, [step.interval for step in fitting if step.interval is not None])
    parts = [*_margins(last, up), *_names(shown, places)]
    for index, step in enumerate(shown):
        if step in fitting and step.interval is not None:
            parts += _change(step, step.interval, places[index], up)
    parts += _ps(shown, places)
    first = fitting[0]
    label = f"{title}, look by look: from {first.change} at look {first.look} to {fitting[-1].change} at look {fitting[-1].look}"
    return svg("evidence", WIDTH, _HEIGHT, label, parts)


def _axis(last: Interval, found: Sequence[Interval]) -> Axis:
    """From where to where: all points and margins, and what fits of intervals many times wider."""
    seen = [0.0, *last.marks(last.tolerance), *last.marks(last.must_detect), last.point, last.low or 0.0, last.high or 0.0]
    reach = 3.0 * max(map(abs, seen)) or 1.0
    ends = [end for one in found for end in (one.point, one.low, one.high) if end is not None and math.isfinite(end)]
    seen += [min(max(end, -reach), reach) for end in ends]
    room = 0.06 * (max(seen) - min(seen)) or 1.0
    return Axis(low=min(seen) - room, high=max(seen) + room, ticks=())


def _y(value: float, up: Axis) -> float:
    return _TOP + _CHANGE - up.place(value, _CHANGE)


def _margins(last: Interval, up: Axis) -> Iterator[str]:
    right = WIDTH - _RIGHT
    tolerated = last.marks(last.tolerance)
    if tolerated:
        top = _TOP if last.direction == "decrease" else _y(max(tolerated), up)
        bottom = _TOP + _CHANGE if last.direction == "increase" else _y(min(tolerated), up)
        yield f'<rect class="accepted" x="{_LEFT}" y="{top:.1f}" width="{right - _LEFT}" height="{bottom - top:.1f}"/>'
    taken: list[float] = []
    # Where there is no room for every name, zero needs it least.
    marks = [("must_detect", mark, last.text(mark)) for mark in last.marks(last.must_detect)]
    marks += [("tolerance", mark, last.text(mark)) for mark in tolerated]
    marks += [("zero", 0.0, "0")]
    for name, value, text in marks:
        y = _y(value, up)
        yield f'<line class="{name}" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if all(abs(y - other) > _APART for other in taken):
            taken.append(y)
            yield tick(text, right + 6, y + 4, anchor="start")
    yield tick("change", _LEFT - 10, _TOP + _CHANGE / 2, anchor="end")


def _names(shown: Sequence[Step], places: Mapping[int, float]) -> Iterator[str]:
    every = -(-len(shown) // _MOST_NAMES)
    for index, step in enumerate(shown):
        if (len(shown) - 1 - index) % every == 0:
            yield tick(step.look, places[index], _HEIGHT - 6, kind="tick here" if step.here else "tick")
    yield tick("look", _LEFT - 10, _HEIGHT - 6, anchor="end")


def _change(step: Step, found: Interval, x: float, up: Axis) -> Iterator[str]:
    kind = escape(step.classification)
    if found.low is not None and found.high is not None:
        low, high = _y(found.low, up), _y(found.high, up)
        yield f'<line class="interval {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/>'
        for y, inside in ((high, found.high <= up.high), (low, found.low >= up.low)):
            if inside:
                yield f'<line class="interval {kind}" x1="{x - 3:.1f}" x2="{x + 3:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield _point(step.classification, x, _y(found.point, up))


def _point(classification: str, x: float, y: float) -> str:
    """A point whose form says what was found: a cross for worse, a ring for open, a full dot for passed."""
    kind = escape(classification)
    if classification in {"high", "low", "error"}:
        return f'<path class="interval {kind}" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
    return f'<circle class="{"point" if classification == "pass" else "interval ring"} {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'


def _ps(shown: Sequence[Step], places: Mapping[int, float]) -> Iterator[str]:
    """Below: p as points on a logarithmic axis, the level of each look as a bar; a point under its bar is a decision."""
    known = [value for step in shown for value in (step.p, step.level) if value is not None]
    if not known:
        return
    lowest = max(_SMALLEST, min(0.01, *(value for value in known if value > 0), 1.0) / 2)
    top = _TOP + _CHANGE + _BETWEEN

    def place(value: float) -> float:
        return top + _P * math.log(min(max(value, lowest), 1.0)) / math.log(lowest)

    for mark, text in _MARKS.items():
        if mark >= lowest:
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place(mark):.1f}" y2="{place(mark):.1f}"/>'
            if text:
                yield tick(text, WIDTH - _RIGHT + 6, place(mark) + 4, anchor="start")
    yield tick("p", _LEFT - 10, top + _P / 2 + 4, anchor="end")
    half = min(10.0, (WIDTH - _LEFT - _RIGHT) / len(shown) / 2.4)
    for index, step in enumerate(shown):
        x = places[index]
        if step.level is not None:
            y = place(step.level)
            yield f'<line class="level" x1="{x - half:.1f}" x2="{x + half:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if step.p is not None:
            yield f'<circle class="p" cx="{x:.1f}" cy="{place(step.p):.1f}" r="3"/>'
