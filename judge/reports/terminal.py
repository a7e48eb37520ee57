"""A verdict as text for a terminal: the answer first, the worst metric first, and its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.reports import text as words
from judge.reports.terminal_charts import interval_picture, series_chart
from judge.reports.terminal_text import Palette, cells, clip, pad, wrap
from judge.reports.view_model import Finding, findings, look, score, section

_NAME_AT_LEAST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of the table; the one with the lowest `keep` goes first where the terminal is narrow."""

    heading: str
    texts: list[str]
    keep: int

    @property
    def width(self) -> int:
        return max(cells(text) for text in (self.heading, *self.texts))


def verdict_text(record: Mapping[str, Any], *, width: int = 80, colour: bool = False, ascii: bool = False) -> str:  # noqa: A002 - says it best
    """Write a record for a terminal of this width.

    `colour` adds ANSI colours to what the signs and words say already; `ascii` uses
    nothing but ASCII. No line is wider than `width` cells (at least 40), and nothing
    in the record can send the terminal a control sequence.
    """
    width = max(40, width)
    palette = Palette(colour=colour, ascii=ascii)
    verdict = section(record, "verdict")
    found = findings(record)
    blocks = [
        _headline(verdict, palette, width),
        _facts(record, palette, width),
        _table(found, palette, width),
        _sentences(found, palette, width),
        _warnings(verdict, found, palette, width),
        _picture(found, record, palette, width),
    ]
    text = "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)
    return palette.finish(text) + "\n"


def _headline(verdict: Mapping[str, Any], palette: Palette, width: int) -> list[str]:
    """``✖ FAIL 50/100  reason``."""
    outcome = words.one_line(verdict.get("verdict", "error"))
    head = " ".join(part for part in (palette.symbol(outcome), outcome.upper(), score(verdict)) if part)
    lines = wrap(words.one_line(verdict.get("reason", "")), width - 2, first=width - cells(head) - 2)
    start = palette.paint(head, outcome, bold=True)
    return [f"{start}  {lines[0]}" if lines else start, *(f"  {line}" for line in lines[1:])]


def _facts(record: Mapping[str, Any], palette: Palette, width: int) -> list[str]:
    """What was judged, and over which time."""
    request, window, traffic = (section(record, name) for name in ("request", "window", "traffic"))
    who = [words.one_line(request["config"])] if request.get("config") else []
    who += [f"{name} {words.one_line(request[name])}" for name in ("rollout", "baseline", "canary") if request.get(name)]
    when = [words.span(window.get("start"), window.get("end"))] if window.get("start") is not None else []
    when += [f"step {words.duration(window['step'])}"] if window.get("step") is not None else []
    when += [look(window)] if look(window) else []
    asked = [f"requests: baseline {words.number(traffic.get('baseline'))}, canary {words.number(traffic.get('canary'))}"] if traffic else []
    lines = [line for parts in (who, when, asked) if parts for line in wrap(", ".join(parts), width - 2)]
    return [palette.paint(f"  {line}", "faint") for line in lines]


def _table(found: Sequence[Finding], palette: Palette, width: int) -> list[str]:
    """One row a metric; columns that do not fit are left out, the change never."""
    if not found:
        return ["  No metric was judged."]
    columns = [
        _Column(heading="result", texts=[one.meaning for one in found], keep=8),
        _Column(heading="change", texts=[one.change_text for one in found], keep=9),
        _Column(heading="p", texts=[one.p for one in found], keep=3),
        _Column(heading="n (eff.)", texts=[one.n_text for one in found], keep=2),
        _Column(heading="tolerance", texts=[one.accepted for one in found], keep=4),
    ]
    names = max(cells("metric"), *(cells(one.title) for one in found))
    wanted = min(names, 24)
    while len(columns) > 1 and width - 2 - sum(column.width + 2 for column in columns) < max(wanted, _NAME_AT_LEAST):
        if wanted > _NAME_AT_LEAST:  # a narrower column of names costs less than a missing number
            wanted -= 1
            continue
        columns.remove(min(columns, key=lambda column: column.keep))
    room = max(_NAME_AT_LEAST, min(names, width - 2 - sum(column.width + 2 for column in columns)))
    header = "  " + "  ".join([pad("metric", room), *(pad(column.heading, column.width) for column in columns)])
    lines = [palette.paint(clip(header.rstrip(), width, palette.ellipsis), "faint")]
    for index, one in enumerate(found):
        sign = palette.paint(palette.symbol(one.classification), one.classification)
        name = one.title
        if cells(name) > room:  # names that differ only at their end must not be cut there: they get a line of their own
            lines.append(f"{sign} {clip(name, width - 2, palette.ellipsis)}")
            sign, name = " ", ""
        row = "  ".join([pad(name, room), *(pad(column.texts[index], column.width) for column in columns)])
        lines.append(f"{sign} {clip(row.rstrip(), width - 2, palette.ellipsis)}")
    return lines


def _sentences(found: Sequence[Finding], palette: Palette, width: int) -> list[str]:
    """Why each metric that did not pass did not."""
    lines: list[str] = []
    for one in found:
        if not one.passed:
            wrapped = wrap(f"{one.title}{' (critical)' if one.critical else ''}: {one.reason}", width - 4, first=width - 2)
            lines.append(f"{palette.paint(palette.symbol(one.classification), one.classification)} {wrapped[0]}")
            lines += [f"    {line}" for line in wrapped[1:]]
    return lines


def _warnings(verdict: Mapping[str, Any], found: Sequence[Finding], palette: Palette, width: int) -> list[str]:
    said = [words.one_line(warning) for warning in verdict.get("warnings") or ()]
    said += [f"{one.title}: {warning}" for one in found for warning in one.warnings]
    lines: list[str] = []
    for warning in said:
        wrapped = wrap(f"warning: {warning}", width - 4, first=width - 2)
        lines += [f"{palette.paint('!', 'marginal')} {wrapped[0]}", *(f"    {line}" for line in wrapped[1:])]
    return lines


def _picture(found: Sequence[Finding], record: Mapping[str, Any], palette: Palette, width: int) -> list[str]:
    """The worst metric that can be drawn."""
    worst = next((one for one in found if one.drawable), None)
    if worst is None:
        return []
    window = section(record, "window")
    lines = [palette.paint(clip(f"  {worst.title}", width, palette.ellipsis), "strong")]
    lines += series_chart(worst, start=window.get("start"), end=window.get("end"), palette=palette, width=width)
    if worst.interval is not None:
        lines += ["", *interval_picture(worst.interval, palette=palette, width=width, level=worst.level)]
    return lines
