"""Pictures for pages: plain SVG text, coloured by the page's own style sheet, that need no script to be read.

The baseline is a thin dashed line, the canary a thick full one, so the two are told
apart without colour. Text from outside is escaped here, at the one place that writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from judge.reports.charts.axes import Axis, time_axis, times_of, value_axis, values_of
from judge.reports.view_model import Finding, Interval, Run

_OF_A_SPARK = 30
"""Columns of a sparkline: more cannot be told apart at its size."""


def svg(kind: str, width: float, height: float, label: str, parts: Iterable[str], *, attributes: str = "") -> str:
    """Put a picture together; `label` says in words what it shows, `attributes` are ours and escaped already."""
    more = f" {attributes}" if attributes else ""
    view = f'viewBox="0 0 {width:g} {height:g}"'
    return f'<svg class="{kind}" {view} role="img" aria-label="{escape(label)}"{more}>{"".join(parts)}</svg>'


def sparkline(finding: Finding, *, start: float | None, end: float | None, width: int = 120, height: int = 32) -> str:
    """Both sides over time, without axes; empty where nothing can be drawn."""
    if not finding.drawable:
        return ""
    times = times_of(finding.baseline, finding.canary)
    across = time_axis(min(times) if start is None else min(start, *times), max(times) if end is None else max(end, *times))
    up = value_axis([*values_of(finding.baseline, finding.canary), *finding.bounds], unit=finding.unit)
    plane = Plane(across=across, up=up, left=2, top=2, width=width - 4, height=height - 4)
    parts = [line(side, drawn, plane, columns=_OF_A_SPARK) for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary))]
    return svg("spark", width, height, f"{finding.title} over time", parts)


def interval(found: Interval, *, classification: str, width: int = 220, height: int = 46) -> str:
    """Zero, tolerance, must_detect and the interval on one axis; what is accepted lies on a band."""
    low, high = found.range()
    axis = Axis(low=low, high=high, ticks=())
    edge = 4
    inner = width - 2 * edge

    def place(value: float) -> float:
        return edge + axis.place(value, inner)

    middle, floor = 13, 28
    parts = []
    tolerated = found.marks(found.tolerance)
    if tolerated:
        first = edge if found.direction == "increase" else place(min(tolerated))
        last = width - edge if found.direction == "decrease" else place(max(tolerated))
        parts.append(f'<rect class="accepted" x="{first:.1f}" y="2" width="{last - first:.1f}" height="{floor - 2}"/>')
    parts.append(f'<line class="axis" x1="{edge}" x2="{width - edge}" y1="{floor}" y2="{floor}"/>')
    # The farther a mark is from zero the less it is crowded, so must_detect is named before tolerance.
    taken: list[tuple[float, float]] = []
    marks = [("zero", [0.0]), ("must_detect", found.marks(found.must_detect)), ("tolerance", tolerated)]
    for name, values in marks:
        for value in values:
            x = place(value)
            parts.append(f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{floor + 3}"/>')
            parts += _mark_text("0" if name == "zero" else found.text(value), x, width, height - 4, taken)
    if found.low is not None and found.high is not None:
        first, last = place(found.low), place(found.high)
        parts.append(f'<line class="interval {escape(classification)}" x1="{first:.1f}" x2="{last:.1f}" y1="{middle}" y2="{middle}"/>')
        parts.append(_end(first, middle, classification, cut=found.low < low, outward=-1))
        parts.append(_end(last, middle, classification, cut=found.high > high, outward=1))
    parts.append(f'<circle class="point {escape(classification)}" cx="{place(found.point):.1f}" cy="{middle}" r="4.5"/>')
    return svg("interval", width, height, interval_words(found), parts)


def interval_words(found: Interval) -> str:
    """What the interval picture shows, for those who do not see it."""
    text = found.text(found.point)
    if found.low is not None:
        text += f", interval {found.text(found.low)} to {found.text(found.high)}"
    for name, size in (("accepted", found.tolerance), ("must not slip through", found.must_detect)):
        text += f", {name} {found.margin(size)}" if size is not None else ""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where values are drawn: two axes, and a part of the picture from `left` and `top` on."""

    across: Axis
    up: Axis
    left: float
    top: float
    width: float
    height: float

    def point(self, t: float, v: float) -> str:
        """A sample's place, as a path writes it."""
        return f"{self.left + self.across.place(t, self.width):.1f} {self.top + self.height - self.up.place(v, self.height):.1f}"


def line(side: str, drawn: list[Run], plane: Plane, *, columns: int = 0) -> str:
    """One line for each run without a gap, and a dot for each sample that stands alone.

    Of many samples the first, the lowest, the highest and the last of each of `columns`
    columns are drawn (as many as there are units of width, unless given).
    """
    lines, dots = [], []
    for run in drawn:
        points = [plane.point(t, v) for t, v in thinned(run, plane.across, columns if columns else round(plane.width))]
        if len(points) == 1:
            # A line of no length has round ends: a dot, which stays round where the picture is stretched.
            dots.append(f"M{points[0]}h0")
        else:
            lines.append("M" + "L".join(points))
    kinds = ((side, lines), (f"{side} dot", dots))
    return "".join(f'<path class="{kind}" d="{"".join(commands)}"/>' for kind, commands in kinds if commands)


def thinned(run: Run, across: Axis, columns: int) -> Run:
    """At most four samples a column: the first, the lowest, the highest and the last, so that no spike is lost."""
    if len(run) <= 4 * columns:
        return run
    found: dict[int, Run] = {}
    for t, v in run:
        found.setdefault(round(across.place(t, columns)), []).append((t, v))
    kept = []
    for samples in found.values():
        lowest, highest = min(samples, key=lambda one: one[1]), max(samples, key=lambda one: one[1])
        kept += sorted({samples[0], lowest, highest, samples[-1]})
    return kept


def tick(text: str, x: float, y: float, *, anchor: str = "middle", kind: str = "tick") -> str:
    """A text in a picture."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark_text(text: str, x: float, width: float, y: float, taken: list[tuple[float, float]]) -> list[str]:
    """Write a mark's value under it, unless it would touch one that is there already."""
    half = 3.5 * len(text)
    x = min(max(x, half + 1), width - half - 1)
    if any(x - half < last + 4 and first - 4 < x + half for first, last in taken):
        return []
    taken.append((x - half, x + half))
    return [tick(text, x, y)]


def _end(x: float, y: float, classification: str, *, cut: bool, outward: int) -> str:
    """The end of an interval: a bar, or an arrow head where it goes on outside the picture."""
    if cut:
        return f'<path class="point {escape(classification)}" d="M{x:.1f} {y}l{-7 * outward} -5v10z"/>'
    return f'<line class="interval {escape(classification)}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 5}" y2="{y + 5}"/>'
