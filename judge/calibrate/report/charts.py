"""Pictures of a calibration: plain SVG text, coloured by the page's own style sheet.

Lines are told apart by their dashes and by a name at their end, verdicts by a letter, so colour is never alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from judge.reports import text as words

_DASHES = {"level": "", "counts": "", "drift": "7 3", "late": "2 3", "tail": "9 3 2 3", "spread": "4 4"}
_LETTERS = {"pass": "p", "marginal": "m", "fail": "F", "inconclusive": "?", "error": "!"}


def share_bar(share: Mapping[str, Any], *, most: float, width: int = 180, height: int = 18) -> str:
    """A share with its interval on an axis from zero to `most`."""
    if share["share"] is None:
        return ""

    def place(value: float) -> float:
        return 2 + (width - 4) * min(value / most, 1.0)

    low, high, at, middle = place(share["low"]), place(share["high"]), place(share["share"]), height / 2
    title = f"{share['count']} of {share['of']}: {share['low'] * 100:.1f}% to {share['high'] * 100:.1f}%"
    return (
        f'<svg class="bar" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f'<title>{escape(title)}</title><line class="grid" x1="2" x2="{width - 2}" y1="{middle}" y2="{middle}"/>'
        f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="point" cx="{at:.1f}" cy="{middle}" r="4"/></svg>'
    )


def power_curves(name: str, power: Mapping[str, Any], *, width: int = 560, height: int = 230) -> str:
    """Share caught by the size of the change, one line a shape, sizes on a logarithmic scale."""
    counted = bool(power["counted"])
    sizes = [one["size"] for shape in power["shapes"].values() for one in shape["sizes"]]
    if not sizes:
        return ""
    low, high = math.log(min(sizes)), math.log(max(sizes))
    left, right, top, bottom = 46, 76, 12, 32
    inner, tall = width - left - right, height - top - bottom

    def x(size: float) -> float:
        return left + inner * ((math.log(size) - low) / (high - low) if high > low else 0.5)

    def y(share: float) -> float:
        return top + tall * (1 - share)

    parts = []
    for share in (0.0, 0.5, 0.8, 0.95, 1.0):
        dashed = ' stroke-dasharray="2 3"' if share in {0.8, 0.95} else ""
        parts.append(f'<line class="grid" x1="{left}" x2="{left + inner}" y1="{y(share):.1f}" y2="{y(share):.1f}"{dashed}/>')
        if share != 0.95:
            parts.append(f'<text class="tick" x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    taken: list[float] = []
    for size in sorted(set(sizes)):
        if all(abs(x(size) - one) > 44 for one in taken):
            taken.append(x(size))
            text = f"+{words.significant(size * 100, 2)}{' pp' if counted else '%'}"
            parts.append(f'<text class="tick" x="{x(size):.1f}" y="{height - 10}" text-anchor="middle">{escape(text)}</text>')
    ends: list[float] = []
    for shape, tried in power["shapes"].items():
        points = [(x(one["size"]), y(one["caught"]["share"] if one["caught"]["share"] is not None else 0.0)) for one in tried["sizes"]]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dash = f' stroke-dasharray="{_DASHES[shape]}"' if _DASHES.get(shape) else ""
        parts.append(f'<polyline class="curve {escape(shape)}" points="{line}"{dash}/>')
        at = points[-1][1] + 4
        while any(abs(at - one) < 13 for one in ends):
            at += 13
        ends.append(at)
        parts.append(f'<text class="name {escape(shape)}" x="{points[-1][0] + 6:.1f}" y="{at:.1f}">{escape(shape)}</text>')
    label = f"share of canaries caught by the size of the change, {name}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def strip(one: Mapping[str, Any], *, most: int, cell: int = 22) -> str:
    """The looks of one rollout, a letter each: p pass, m marginal, F fail, ? inconclusive, ! error."""
    parts = []
    for index, look in enumerate(one["looks"]):
        verdict = look["verdict"]
        title = f"look {look['look']}, {words.clock(look['end'], '%Y-%m-%d %H:%M')} UTC: {verdict}"
        parts.append(
            f"<g><title>{escape(title)}</title>"
            f'<rect class="cell {escape(verdict)}" x="{index * cell}" y="0" width="{cell - 2}" height="20"/>'
            f'<text class="letter" x="{index * cell + (cell - 2) / 2}" y="15" text-anchor="middle">{_LETTERS.get(verdict, "?")}</text></g>'
        )
    width = max(most, 1) * cell
    label = ", ".join(look["verdict"] for look in one["looks"]) if one["looks"] else "no look"
    return f'<svg width="{width}" height="20" viewBox="0 0 {width} 20" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def hours(levels: Mapping[str, float | None], *, width: int = 240, height: int = 48) -> str:
    """A metric's median level by the hour of the day (UTC)."""
    points = [(int(hour), value) for hour, value in levels.items() if value is not None]
    if len(points) < 6:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    room = high - low if high > low else 1.0
    line = " ".join(f"{4 + (width - 8) * hour / 23:.1f},{4 + (height - 8) * (1 - (value - low) / room):.1f}" for hour, value in points)
    title = f"from {words.significant(low)} to {words.significant(high)}"
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="by hour, {escape(title)}">'
        f'<title>{escape(title)}</title><polyline class="curve level" points="{line}"/></svg>'
    )


def effective(samples: float | None, left: float | None, *, width: int = 180, height: int = 18) -> str:
    """How much of the samples is left once it is counted that neighbours say the same."""
    if not samples or left is None:
        return ""
    part = min(left / samples, 1.0)
    title = f"{left:.0f} of {samples:.0f} samples"
    return (
        f'<svg class="bar" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f'<title>{escape(title)}</title><rect class="whole" x="1" y="4" width="{width - 2}" height="{height - 8}"/>'
        f'<rect class="part" x="1" y="4" width="{(width - 2) * part:.1f}" height="{height - 8}"/></svg>'
    )


def scale(shares: Sequence[Mapping[str, Any]]) -> float:
    """A common end of the axis for several shares: the next of 1, 2, 5, 10, 20, 50, 100 %."""
    high = max((one["high"] for one in shares if one["high"] is not None), default=0.01)
    return next((end for end in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if high <= end), 1.0)
