"""``judge history``: past verdicts, one line each."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from judge.archive.filters import read_wanted
from judge.reports import text as words
from judge.reports.markdown import code, escape
from judge.reports.terminal_text import Palette, cells, clip, pad
from judge.verdicts.open_archive import opened
from judge.wire.json import dumps
from judge.wire.request import format_time

_TIMES = {"asked_at", "window_start", "window_end"}
_COLUMNS = (
    "id",
    "asked_at",
    "config",
    "service",
    "namespace",
    "rollout",
    "baseline",
    "canary",
    "verdict",
    "score",
    "look",
    "looks",
    "judge",
    "window_start",
    "window_end",
    "label",
    "replayed",
    "reason",
)


def list_verdicts(filters: Mapping[str, str], *, archive_url: str, limit: int, before: str, form: str) -> int:
    """Print a page of the history; return the exit status."""
    wanted = read_wanted(filters, now=time.time())
    with opened(archive_url) as archive:
        # One more than asked tells if there is another page.
        rows = archive.list(limit=limit + 1, before=before if before else None, wanted=wanted)
    more, rows = len(rows) > limit, rows[:limit]
    if form == "json":
        click.echo(dumps({"verdicts": rows}, indent=2))
    elif form == "csv":
        click.echo(_csv(rows), nl=False)
    elif form == "markdown":
        click.echo(_markdown(rows))
    else:
        asked = any(filters.values())
        click.echo(_text(rows) if rows else _nothing(asked=asked, before=before))
        if more:
            click.echo(f"older ones: --before {rows[-1]['id']}")
    return 0


def _nothing(*, asked: bool, before: str) -> str:
    if before:
        return "there is no older verdict of this kind"
    return "no verdict fits these filters" if asked else "no verdict has been kept yet: judge run and judge serve keep theirs here"


def console() -> tuple[int, Palette]:
    """Columns of the terminal, and how things look on it."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    width = max(60, min(shutil.get_terminal_size((80, 24)).columns, 160))
    return width, Palette(colour=sys.stdout.isatty(), ascii=encoding not in {"utf-8", "utf8"})


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a verdict: when (UTC), verdict, whose, look, label, id."""
    width, palette = console()
    columns = [
        ["UTC", *(datetime.fromtimestamp(row["asked_at"], tz=UTC).strftime("%Y-%m-%d %H:%M") for row in rows)],
        ["", *(palette.symbol(row["verdict"]) for row in rows)],
        ["verdict", *(words.one_line(row["verdict"]) for row in rows)],
        ["of", *(_whose(row) for row in rows)],
        ["look", *(_look(row) for row in rows)],
        ["label", *(row["label"] if row["label"] else "" for row in rows)],
        ["", *("replayed" if row["replayed"] else "" for row in rows)],
        ["id", *(words.one_line(row["id"]) for row in rows)],
    ]
    columns = [column for column in columns if any(column[1:])]
    widths = [max(cells(cell) for cell in column) for column in columns]
    whose = next(index for index, column in enumerate(columns) if column[0] == "of")
    # An id must stay whole, or nobody can ask for it; whose verdict it is gives way.
    widths[whose] = max(6, min(widths[whose], width - sum(widths) + widths[whose] - len(widths) + 1))
    lines = []
    for number, line in enumerate(zip(*columns, strict=True)):
        texts = [pad(clip(cell, wide, palette.ellipsis), wide) for cell, wide in zip(line, widths, strict=True)]
        if number:
            verdict = rows[number - 1]["verdict"]
            texts[1:3] = [palette.paint(text, verdict) for text in texts[1:3]]
        lines.append(" ".join(texts).rstrip())
    return palette.finish("\n".join(lines))


def _whose(row: Mapping[str, Any]) -> str:
    """Config and what it was about, the most telling name first."""
    about = row["rollout"] if row["rollout"] else row["service"] if row["service"] else row["canary"]
    config = words.one_line(row["config"])
    about = words.one_line(about if about else "")
    return config if not about or about == config else f"{about} {config}"


def _look(row: Mapping[str, Any]) -> str:
    return "" if row["look"] is None else f"{row['look']}/{row['looks']}" if row["looks"] else str(row["look"])


def _cell(name: str, value: Any) -> Any:
    if name == "replayed":
        return "yes" if value else "no"
    return "" if value is None else format_time(value) if name in _TIMES else value


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table with times in RFC 3339."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(name, row[name]) for name in _COLUMNS] for row in rows)
    # Halves of surrogate pairs cannot be written to a terminal or a file.
    return out.getvalue().encode("utf-8", "replace").decode("utf-8")


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| asked (UTC) | verdict | of | look | label | reason | id |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        verdict = words.one_line(row["verdict"])
        parts = [
            words.moment(row["asked_at"]).removesuffix(" UTC"),
            f"{words.SYMBOLS.get(verdict, '?')} {escape(verdict)}",
            escape(_whose(row)),
            f"{_look(row)} replayed".strip() if row["replayed"] else _look(row),
            row["label"] if row["label"] else "",
            escape(clip(words.one_line(row["reason"]), 120)),
            code(row["id"], cell=True),
        ]
        lines.append("| " + " | ".join(parts) + " |")
    return "\n".join(lines)
