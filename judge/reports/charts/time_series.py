"""One metric over time: both sides on one axis, what was not judged, where samples are absent, and when it was looked at.

The picture is whole as it stands. What `report.js` needs beside it, to show values and
to zoom, is in attributes of its own: times and values as they were judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from judge.reports.charts.axes import Axis, time_axis, times_of, value_axis, values_of
from judge.reports.charts.svg import Plane, line, svg, thinned, tick
from judge.reports.view_model import Finding, Run, section

WIDTH, HEIGHT = 600, 240
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 26, 30
_INNER, _TALL = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
_WARM_SHARE = 0.2
"""A warm-up that is longer than this part of the window is cut off at its beginning."""
_FEW_LOOKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What every picture of a verdict has in common: unix seconds.

    `start` and `end` are of the judged window, None where nobody knows; `warm` is from when to when the
    canary was warming up, as far as it is drawn; `looks` are the earlier looks' ends with their numbers.
    """

    start: float | None = None
    end: float | None = None
    warm: tuple[float, float] | None = None
    looks: tuple[tuple[float, str], ...] = ()


def times(record: Mapping[str, Any], looks: Sequence[Mapping[str, Any]] = ()) -> Times:
    """Read the times of a record; `looks` are the looks at the same canary, as the archive lists them."""
    window = section(record, "window")
    start, end, first = window.get("start"), window.get("end"), window.get("first_sample")
    if start is None or end is None:
        return Times()
    warm = None
    if first is not None and window.get("warmup") and first < start <= first + 2 * (window["warmup"] + (window.get("step") or 0.0)):
        warm = (max(first, start - _WARM_SHARE * max(end - start, 1.0)), start)
    earlier = {
        float(row["window_end"]): str(row["look"])
        for row in looks
        if row.get("look") is not None and row.get("window_end") is not None and start < row["window_end"] < end
    }
    return Times(start=start, end=end, warm=warm, looks=tuple(sorted(earlier.items())))


def time_series(finding: Finding, when: Times) -> str:
    """Both sides over time with axes, limits, gaps, warm-up and looks; empty where nothing can be drawn."""
    if not finding.drawable:
        return ""
    seen = times_of(finding.baseline, finding.canary)
    low = min(seen) if when.start is None else min(when.start if when.warm is None else when.warm[0], *seen)
    across = time_axis(low, max(seen) if when.end is None else max(when.end, *seen))
    up = value_axis([*values_of(finding.baseline, finding.canary), *finding.bounds], unit=finding.unit)
    parts = [*_frame(up), '<g class="times">', *_times(across), "</g>"]
    parts.append(f'<svg class="plot" x="{LEFT}" y="{TOP}" width="{_INNER}" height="{_TALL}" {_VIEW} preserveAspectRatio="none">')
    parts += _behind(finding, when, across)
    for bound in finding.bounds:
        y = _TALL - up.place(bound, _TALL)
        parts.append(f'<line class="bound" x1="0" x2="{_INNER}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)):
        parts.append(line(side, drawn, Plane(across=across, up=up, left=0, top=0, width=_INNER, height=_TALL)))
    parts.append("</svg>")
    parts += _names(when, across)
    label = f"{finding.title} over time: baseline {finding.baseline_value}, canary {finding.canary_value}"
    return svg("series", WIDTH, HEIGHT, label, parts, attributes=_data(finding, across, up))


_VIEW = f'viewBox="0 0 {_INNER} {_TALL}"'


def gaps(drawn: list[Run]) -> list[tuple[float, float]]:
    """From when to when a side has no samples, between those that it has."""
    return [(before[-1][0], after[0][0]) for before, after in pairwise(drawn)]


def _frame(up: Axis) -> Iterator[str]:
    for at, text in up.ticks:
        y = TOP + _TALL - up.place(at, _TALL)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield tick(text, LEFT - 8, y + 4, anchor="end")
    yield tick(up.unit, 8, 14, anchor="start")


def _times(across: Axis) -> Iterator[str]:
    for at, text in across.ticks:
        x = LEFT + across.place(at, _INNER)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP + _TALL}" y2="{TOP + _TALL + 5}"/>'
        yield tick(text, x, HEIGHT - 10, anchor="end" if x > WIDTH - RIGHT - 20 else "middle")


def _behind(finding: Finding, when: Times, across: Axis) -> Iterator[str]:
    """What lies behind the lines: the warm-up, gaps, earlier looks."""
    if when.warm is not None:
        yield _band("warm", when.warm, across)
    for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)):
        for gap in gaps(drawn):
            yield _band(f"gap {side}", gap, across)
    for at, _ in when.looks:
        x = across.place(at, _INNER)
        yield f'<line class="look" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_TALL}"/>'


def _band(kind: str, span: tuple[float, float], across: Axis) -> str:
    first, last = (across.place(at, _INNER) for at in span)
    return f'<rect class="{kind}" x="{first:.1f}" y="0" width="{last - first:.1f}" height="{_TALL}"/>'


def _names(when: Times, across: Axis) -> Iterator[str]:
    """Names of what lies behind the lines; `data-at` is where they go when the picture is zoomed."""
    if when.warm is not None:
        middle = (when.warm[0] + when.warm[1]) / 2
        x = LEFT + across.place(middle, _INNER)
        yield f'<text class="tick name" data-at="{middle:.15g}" x="{x:.1f}" y="{TOP - 8}" text-anchor="middle">warm-up</text>'
    every = -(-len(when.looks) // _FEW_LOOKS)
    for at, number in when.looks[:: every if every else 1]:
        x = LEFT + across.place(at, _INNER)
        yield f'<text class="tick name" data-at="{at:.15g}" x="{x:.1f}" y="{TOP - 8}" text-anchor="middle">{escape(number)}</text>'


def _data(finding: Finding, across: Axis, up: Axis) -> str:
    """The samples for the script: seconds after `data-from`, baseline, canary; one that is absent is empty."""
    at: dict[float, dict[str, float]] = {}
    for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)):
        for run in drawn:
            for t, v in thinned(run, across, _INNER):
                at.setdefault(t, {})[side] = v
    rows = " ".join(f"{t - across.low:.9g},{_value(found, 'baseline')},{_value(found, 'canary')}" for t, found in sorted(at.items()))
    values = {
        "from": f"{across.low:.15g}",
        "to": f"{across.high:.15g}",
        "low": f"{up.low:.9g}",
        "high": f"{up.high:.9g}",
        "factor": f"{up.factor:.15g}",
        "unit": up.unit,
        "samples": rows,
    }
    return " ".join(f'data-{name}="{escape(value)}"' for name, value in values.items())


def _value(found: Mapping[str, float], side: str) -> str:
    return f"{found[side]:.5g}" if side in found else ""
