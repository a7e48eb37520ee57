"""Pictures made of characters: two series over time, and an interval against its margins.

The baseline is drawn in shaded blocks, the canary in braille dots over them, so the
two are told apart without colour.
"""

from __future__ import annotations

from statistics import median

from judge.reports.charts.axes import Axis, time_axis, times_of, value_axis, values_of
from judge.reports.terminal_text import Palette, cells, clip
from judge.reports.view_model import Finding, Interval, Run

_ROWS = 9
# Braille: the dot of each of the two columns and four rows of a cell.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def series_chart(finding: Finding, *, start: float | None, end: float | None, palette: Palette, width: int) -> list[str]:
    """Draw both sides over time, values on the left and times below; no line is wider than `width`."""
    times = times_of(finding.baseline, finding.canary)
    across = time_axis(min(times) if start is None else min(start, *times), max(times) if end is None else max(end, *times), ticks=5)
    up = value_axis(values_of(finding.baseline, finding.canary), unit=finding.unit, ticks=4)
    margin = max(cells(text) for _, text in up.ticks) + 3
    columns = width - margin - 1
    labels = {_ROWS - 1 - round(up.place(at, _ROWS - 1)): text for at, text in up.ticks}
    below = _cells_of(finding.baseline, across, up, columns)
    above = _dots_of(finding.canary, across, up, columns, ascii=palette.ascii)
    lines = [_legend(up, palette)]
    for row in range(_ROWS):
        drawn = "".join(_cell(above.get((row, column)), baseline=(row, column) in below, palette=palette) for column in range(columns))
        tick = labels.get(row, "")
        lines.append(f"{tick:>{margin - 1}} {'┼' if tick else '│'}{drawn}")
    return [*lines, *_time_labels(across, margin, columns)]


def interval_picture(interval: Interval, *, palette: Palette, width: int, level: str = "") -> list[str]:
    """Draw zero, the margins and the interval on one axis, with their values."""
    low, high = interval.range()
    axis = Axis(low=low, high=high, ticks=())
    left = 2
    columns = width - left - 2
    place = {value: round(axis.place(value, columns - 1)) for value in _ends(interval)}
    rule, labels = ["─"] * columns, [" "] * columns
    _write(labels, place[0.0], "0")
    rule[place[0.0]] = "┼"
    unnamed = []
    for name, size, sign in (("tolerance", interval.tolerance, "┊"), ("must_detect", interval.must_detect, "╎")):
        for mark in interval.marks(size):
            rule[place[mark]] = sign
            text = f"{name} {interval.text(mark)}"
            if not _write(labels, place[mark], text):
                _write(labels, place[mark], sign)
                unnamed.append(f"{sign} {text}")
    drawn = [" "] * columns
    text = interval.text(interval.point)
    if interval.low is not None and interval.high is not None:
        first, last = place[interval.low], place[interval.high]
        drawn[first : last + 1] = "─" * (last - first + 1)
        drawn[first] = "├" if interval.low >= low else "◀"
        drawn[last] = "┤" if interval.high <= high else "▶"
        text += f" [{interval.text(interval.low)}, {interval.text(interval.high)}]"
        text += f" {level} interval" if level else ""
    text = ", ".join([text, *unnamed])
    drawn[place[interval.point]] = "●"
    blank = " " * left
    centre = max(0, min(place[interval.point] - cells(text) // 2, columns - cells(text)))
    return [
        blank + "".join(labels),
        blank + "".join(rule),
        blank + palette.paint("".join(drawn).rstrip(), "canary"),
        blank + " " * centre + clip(text, columns, palette.ellipsis),
    ]


def _ends(interval: Interval) -> list[float]:
    ends = [0.0, interval.point, *interval.marks(interval.tolerance), *interval.marks(interval.must_detect)]
    return ends + [end for end in (interval.low, interval.high) if end is not None]


def _write(line: list[str], centre: int, text: str) -> bool:
    """Write a text around a place, unless it would touch another or not fit."""
    first = max(0, min(centre - len(text) // 2, len(line) - len(text)))
    last = first + len(text)
    if len(text) > len(line) or any(character != " " for character in line[max(0, first - 1) : last + 1]):
        return False
    line[first:last] = text
    return True


def _legend(up: Axis, palette: Palette) -> str:
    baseline = palette.paint("o" if palette.ascii else "▒▒", "baseline")
    canary = palette.paint("x" if palette.ascii else "⣀⠔⠉", "canary")
    return f"  {baseline} baseline  {canary} canary{f'  in {up.unit}' if up.unit else ''}"


def _cell(dots: int | None, *, baseline: bool, palette: Palette) -> str:
    """One cell: the canary covers the baseline; in ASCII a cell with both says so."""
    if palette.ascii:
        return "@" if dots and baseline else "x" if dots else "o" if baseline else " "
    if dots:
        return palette.paint(chr(0x2800 + dots), "canary")
    return palette.paint("▒", "baseline") if baseline else " "


def _columns_of(side: list[Run], across: Axis, count: int) -> list[dict[int, float]]:
    """The median value in each of `count` columns, for each run without a gap."""
    found: list[dict[int, float]] = []
    for run in side:
        columns: dict[int, list[float]] = {}
        for t, v in run:
            columns.setdefault(round(across.place(t, count - 1)), []).append(v)
        found.append({column: median(values) for column, values in columns.items()})
    return found


def _path(columns: dict[int, float]) -> list[tuple[int, float]]:
    """A value for every column from the first to the last: between samples, on the straight line."""
    path: list[tuple[int, float]] = []
    for column, value in sorted(columns.items()):
        if path:
            before, old = path[-1]
            path += [(between, old + (value - old) * (between - before) / (column - before)) for between in range(before + 1, column)]
        path.append((column, value))
    return path


def _cells_of(side: list[Run], across: Axis, up: Axis, columns: int) -> set[tuple[int, int]]:
    """The cells (row from the top, column) that a side passes through."""
    return {
        (_ROWS - 1 - round(up.place(value, _ROWS - 1)), column)
        for run in _columns_of(side, across, columns)
        for column, value in _path(run)
    }


def _dots_of(side: list[Run], across: Axis, up: Axis, columns: int, *, ascii: bool) -> dict[tuple[int, int], int]:  # noqa: A002
    """The braille dots of each cell that a side passes through; steep parts are joined from column to column."""
    if ascii:
        return dict.fromkeys(_cells_of(side, across, up, columns), 1)
    found: dict[tuple[int, int], int] = {}
    for run in _columns_of(side, across, 2 * columns):
        previous: int | None = None
        for column, value in _path(run):
            # The middle of a cell is level with its tick, so the dots start and end one and a half above and below it.
            height = round(up.place(value, 4 * (_ROWS - 1)) + 1.5)
            low, high = (height, height) if previous is None else (min(height, previous), max(height, previous))
            for dot in range(low + (previous is not None and previous < height), high + 1 - (previous is not None and previous > height)):
                row, inner = divmod(4 * _ROWS - 1 - min(dot, 4 * _ROWS - 1), 4)
                found[row, column // 2] = found.get((row, column // 2), 0) | _DOTS[inner][column % 2]
            previous = height
    return found


def _time_labels(across: Axis, margin: int, columns: int) -> list[str]:
    rule, labels = ["─"] * columns, [" "] * columns
    for at, text in across.ticks:
        column = round(across.place(at, columns - 1))
        if _write(labels, column, text):
            rule[column] = "┼"
    _write(labels, columns - 1, across.unit)
    return [" " * margin + "└" + "".join(rule), " " * (margin + 1) + "".join(labels).rstrip()]
