"""Axes: round numbers and round times to write beside a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from judge.reports import text as words
from judge.reports.view_model import Run

_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From `low` to `high`, and the ticks between them with their text; `factor` times a value is what is written in `unit`."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    unit: str = ""
    factor: float = 1.0

    def place(self, value: float, length: float) -> float:
        """How far along an axis of this length a value lies; what is outside lies on the nearer end."""
        inside = min(max(value, self.low), self.high)
        return length * ((inside - self.low) / (self.high - self.low))


def value_axis(values: Iterable[float], *, unit: str = "", ticks: int = 4) -> Axis:
    """An axis for these values, in the unit that reads best; it starts at zero unless that would flatten the picture.

    Examples
    --------
    >>> [text for _, text in value_axis([0.061, 0.078], unit="s").ticks]
    ['60', '65', '70', '75', '80']
    """
    low, high = _bounds(values)
    if 0 < low < 0.4 * high:
        low = 0.0
    if high < 0 and high > 0.4 * low:
        high = 0.0
    factor, name = words.scale_of(unit, max(abs(low), abs(high)))
    low, high = low * factor, high * factor
    step = _round_step((high - low) / max(1, ticks))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step) + 1e-9))
    if all(round(index * step, digits) == round(index * step, max(0, digits - 1)) for index in (1, 3)):
        digits = max(0, digits - 1)
    marks = []
    for index in range(first, last + 1):
        at = index * step
        marks.append((at / factor, f"{at:,.{digits}f}" if step >= 1e-5 and abs(at) < 1e9 else f"{at:.4g}"))
    return Axis(low=first * step / factor, high=last * step / factor, ticks=tuple(marks), unit=name, factor=factor)


def time_axis(start: float, end: float, *, ticks: int = 6) -> Axis:
    """An axis of times in UTC, with at most this many round ticks (and one more at an end).

    Examples
    --------
    >>> [text for _, text in time_axis(1763628000.0, 1763629800.0).ticks]
    ['08:40', '08:45', '08:50', '08:55', '09:00', '09:05', '09:10']
    """
    if end <= start:
        start, end = start - 30.0, start + 30.0
    step = next((step for step in _TIME_STEPS if (end - start) / step <= ticks), _TIME_STEPS[-1])
    form = "%H:%M:%S" if step < 60 else "%H:%M" if end - start < 86400 else "%d %b %H:%M" if step < 86400 else "%d %b %Y"
    first = math.ceil(start / step)
    # Years may be too many for the longest step: the loop is bounded whatever the times are.
    marks = tuple((at, words.clock(at, form)) for index in range(ticks + 2) if (at := (first + index) * step) <= end)
    return Axis(low=start, high=end, ticks=marks, unit="UTC")


def values_of(*sides: list[Run]) -> list[float]:
    """Every value of these sides."""
    return [v for side in sides for run in side for _, v in run]


def times_of(*sides: list[Run]) -> list[float]:
    """Every time of these sides."""
    return [t for side in sides for run in side for t, _ in run]


def _bounds(values: Iterable[float]) -> tuple[float, float]:
    """The least and the greatest; pulled apart where they are equal, and kept to what can be calculated with."""
    kept = [min(max(value, -1e300), 1e300) for value in values if math.isfinite(value)]
    low, high = min(kept, default=0.0), max(kept, default=1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        if high == low == 0:
            return 0.0, 1.0
        room = 0.05 * abs(high)
        return low - room, high + room
    return low, high


def _round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below this."""
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-300)))
    return next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= rough * (1 - 1e-9))
