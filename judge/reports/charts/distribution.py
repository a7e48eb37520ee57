"""How the values of both sides are spread: two histograms on one axis, with the middle half and the median of each."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from judge.reports import text as words
from judge.reports.charts.axes import Axis, value_axis, values_of
from judge.reports.charts.svg import svg, tick
from judge.reports.view_model import Finding

WIDTH, HEIGHT = 600, 166
_LEFT, _RIGHT, _ROW = 76, 14, 58
_INNER = WIDTH - _LEFT - _RIGHT
_BINS = 36
_FAR = 5.0
"""Values so many times the middle half's width away from it would squeeze the rest: they are counted at the edge."""
_FEW_FAR = 0.05


def distribution(finding: Finding) -> str:
    """Both sides' values; empty where neither has two."""
    sides = {"baseline": values_of(finding.baseline), "canary": values_of(finding.canary)}
    if max(map(len, sides.values())) < 2:
        return ""
    shown = _shown([value for values in sides.values() for value in values])
    across = value_axis(shown, unit=finding.unit, ticks=6)
    parts = []
    for at, text in across.ticks:
        x = _LEFT + across.place(at, _INNER)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{2 * _ROW + 14}"/>')
        # The last text ends at the edge, so that it is not cut off.
        parts.append(tick(text, x, HEIGHT - 18, anchor="end" if x > WIDTH - _RIGHT - 20 else "middle"))
    parts.append(tick(across.unit, _LEFT - 24, HEIGHT - 18, anchor="end"))
    most = max((max(_heights(values, across), default=0.0) for values in sides.values()), default=0.0)
    for row, (side, values) in enumerate(sides.items()):
        parts += _side(side, values, across, unit=finding.unit, bottom=(row + 1) * (_ROW + 6), most=most)
    return svg("distribution", WIDTH, HEIGHT, _label(finding, sides), parts)


def _label(finding: Finding, sides: dict[str, list[float]]) -> str:
    told = []
    for side, values in sides.items():
        middle = _middle(values)
        if middle is None:
            told.append(f"{side} has no samples to tell")
        else:
            low, half, high = (words.number(value, finding.unit) for value in middle)
            told.append(f"{side} median {half}, middle half {low} to {high}")
    return f"{finding.title}, how the values are spread: {'; '.join(told)}"


def _middle(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Lower quartile, median, upper quartile; None of fewer than two values."""
    if len(values) < 2:
        return None
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first, median(values), third


def _shown(values: Sequence[float]) -> list[float]:
    """The values for which the axis has room: all, unless a few lie far away."""
    found = _middle(values)
    assert found is not None
    first, _, third = found
    reach = _FAR * (third - first)
    near = [value for value in values if first - reach <= value <= third + reach]
    return near if reach > 0 and len(near) >= (1 - _FEW_FAR) * len(values) else list(values)


def _heights(values: Sequence[float], across: Axis) -> list[float]:
    """Part of the side's values in each bin."""
    found = [0.0] * _BINS
    for value in values:
        if across.low <= value <= across.high:
            found[min(int(across.place(value, _BINS)), _BINS - 1)] += 1 / len(values)
    return found


def _side(side: str, values: Sequence[float], across: Axis, *, unit: str, bottom: float, most: float) -> list[str]:
    parts = [tick(side, _LEFT - 10, bottom - _ROW / 2 + 4, anchor="end")]
    middle = _middle(values)
    if middle is None:
        return [*parts, tick("no samples" if not values else "one sample", _LEFT + 6, bottom - _ROW / 2 + 4, anchor="start")]
    wide, tall = _INNER / _BINS, _ROW - 14
    path = f"M{_LEFT} {bottom:.1f}"
    for index, height in enumerate(_heights(values, across)):
        path += f"V{bottom - tall * height / most if most else bottom:.1f}H{_LEFT + wide * (index + 1):.1f}"
    parts.append(f'<path class="{side} bars" d="{path}V{bottom:.1f}"/>')
    first, half, third = (_LEFT + across.place(value, _INNER) for value in middle)
    y = bottom - tall - 6
    parts.append(f'<line class="half {side}" x1="{first:.1f}" x2="{third:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<line class="median {side}" x1="{half:.1f}" x2="{half:.1f}" y1="{y - 5:.1f}" y2="{bottom:.1f}"/>')
    for edge, far in ((across.low, [v for v in values if v < across.low]), (across.high, [v for v in values if v > across.high])):
        if far:
            below = edge == across.low
            text = f"{'◀ ' if below else ''}{len(far)} {'below' if below else 'above'} {words.number(edge, unit)}{'' if below else ' ▶'}"
            parts.append(tick(text, _LEFT + 2 if below else WIDTH - _RIGHT - 2, bottom - 6, anchor="start" if below else "end"))
    return parts
