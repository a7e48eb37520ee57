"""Pictures for pages: plain SVG text, without scripts, coloured by the page's own style sheet.

The baseline is a thin dashed line, the canary a thick full one, so the two are told
apart without colour. Text from outside is escaped here, at the one place that writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import pairwise

from judge.reports import words
from judge.reports.axes import Axis, time_axis, times_of, value_axis, values_of
from judge.reports.findings import Finding, Interval, Run

_STRIPS = 120
"""At most this many places where the pointer finds values, so that a long series stays a small page."""


def time_series(finding: Finding, *, start: float | None, end: float | None, width: int = 640, height: int = 240) -> str:
    """Both sides over time with axes, limits and the values under the pointer; empty where nothing can be drawn."""
    if not finding.drawable:
        return ""
    across, up = _axes(finding, start, end)
    left, right, top, bottom = 62, 14, 26, 30
    inner, tall = width - left - right, height - top - bottom
    parts = []
    for at, text in up.ticks:
        y = top + tall - up.place(at, tall)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for at, text in across.ticks:
        x = left + across.place(at, inner)
        anchor = "end" if x > width - right - 20 else "middle"
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top + tall}" y2="{top + tall + 5}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 10}" text-anchor="{anchor}">{escape(text)}</text>')
    parts.append(f'<text class="tick" x="8" y="14">{escape(up.unit)}</text>')
    for bound in finding.bounds:
        y = top + tall - up.place(bound, tall)
        parts.append(f'<line class="bound" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)):
        parts.append(_line(side, drawn, across, up, left=left, top=top, width=inner, height=tall))
    parts += _strips(finding, across, left=left, top=top, width=inner, height=tall)
    label = f"{finding.title} over time: baseline median {finding.baseline_value}, canary {finding.canary_value}"
    return _svg("series", width, height, label, parts)


def sparkline(finding: Finding, *, start: float | None, end: float | None, width: int = 120, height: int = 32) -> str:
    """Both sides over time, without axes; empty where nothing can be drawn."""
    if not finding.drawable:
        return ""
    across, up = _axes(finding, start, end)
    parts = [
        _line(side, drawn, across, up, left=2, top=2, width=width - 4, height=height - 4)
        for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary))
    ]
    return _svg("spark", width, height, f"{finding.title} over time", parts)


def interval(found: Interval, *, classification: str, width: int = 220, height: int = 46) -> str:
    """Zero, tolerance, notice and the interval on one axis; what is accepted lies on a band."""
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
    # The farther a mark is from zero the less it is crowded, so notice is named before tolerance.
    taken: list[tuple[float, float]] = []
    marks = [("zero", [0.0]), ("notice", found.marks(found.notice)), ("tolerance", tolerated)]
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
    return _svg("interval", width, height, interval_words(found), parts)


def interval_words(found: Interval) -> str:
    """What the interval picture shows, for those who do not see it."""
    text = found.text(found.point)
    if found.low is not None:
        text += f", interval {found.text(found.low)} to {found.text(found.high)}"
    for name, size in (("accepted", found.tolerance), ("must not slip through", found.notice)):
        text += f", {name} {found.margin(size)}" if size is not None else ""
    return text


def _svg(kind: str, width: int, height: int, label: str, parts: Iterable[str]) -> str:
    return f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _axes(finding: Finding, start: float | None, end: float | None) -> tuple[Axis, Axis]:
    times = times_of(finding.baseline, finding.canary)
    across = time_axis(min(times) if start is None else min(start, *times), max(times) if end is None else max(end, *times))
    return across, value_axis([*values_of(finding.baseline, finding.canary), *finding.bounds], unit=finding.unit)


def _line(side: str, drawn: list[Run], across: Axis, up: Axis, *, left: float, top: float, width: float, height: float) -> str:
    """One line for each run without a gap, and a dot for each sample that stands alone."""
    commands, dots = [], []
    for run in drawn:
        points = [(left + across.place(t, width), top + height - up.place(v, height)) for t, v in _thinned(run, across, round(width))]
        if len(points) == 1:
            dots.append(f'<circle class="{side}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2.5"/>')
        else:
            commands.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points))
    return (f'<path class="{side}" d="{"".join(commands)}"/>' if commands else "") + "".join(dots)


def _thinned(run: Run, across: Axis, width: int) -> Run:
    """At most four samples a pixel: the first, the lowest, the highest and the last, so that no spike is lost."""
    if len(run) <= 4 * width:
        return run
    columns: dict[int, Run] = {}
    for t, v in run:
        columns.setdefault(round(across.place(t, width)), []).append((t, v))
    kept = []
    for samples in columns.values():
        lowest, highest = min(samples, key=lambda one: one[1]), max(samples, key=lambda one: one[1])
        kept += sorted({samples[0], lowest, highest, samples[-1]})
    return kept


def _strips(finding: Finding, across: Axis, *, left: float, top: float, width: float, height: float) -> list[str]:
    """Invisible strips, one a time, which name the values there when the pointer rests on them."""
    sides = {"baseline": finding.baseline, "canary": finding.canary}
    at: dict[float, dict[str, float]] = {}
    for side, drawn in sides.items():
        for run in drawn:
            for t, v in run:
                at.setdefault(t, {})[side] = v
    times = sorted(at)
    times = times[:: -(-len(times) // _STRIPS)]
    places = [left + across.place(t, width) for t in times]
    borders = [left, *((a + b) / 2 for a, b in pairwise(places)), left + width]
    form = "%Y-%m-%d %H:%M:%S UTC"
    strips = []
    for t, first, last in zip(times, borders, borders[1:], strict=False):
        values = ", ".join(f"{side} {words.number(at[t].get(side), finding.unit)}" for side in sides)
        title = escape(f"{words.clock(t, form)}: {values}")
        strips.append(
            f'<rect class="strip" x="{first:.1f}" y="{top}" width="{last - first:.1f}" height="{height}"><title>{title}</title></rect>'
        )
    return strips


def _mark_text(text: str, x: float, width: float, y: float, taken: list[tuple[float, float]]) -> list[str]:
    """Write a mark's value under it, unless it would touch one that is there already."""
    half = 3.5 * len(text)
    x = min(max(x, half + 1), width - half - 1)
    if any(x - half < last + 4 and first - 4 < x + half for first, last in taken):
        return []
    taken.append((x - half, x + half))
    return [f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{escape(text)}</text>']


def _end(x: float, y: float, classification: str, *, cut: bool, outward: int) -> str:
    """The end of an interval: a bar, or an arrow head where it goes on outside the picture."""
    if cut:
        return f'<path class="point {escape(classification)}" d="M{x:.1f} {y}l{-7 * outward} -5v10z"/>'
    return f'<line class="interval {escape(classification)}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 5}" y2="{y + 5}"/>'
