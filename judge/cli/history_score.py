"""``judge history --score``: how often the judge was right, by what people have said of its verdicts."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from judge.archive.filters import read_wanted
from judge.archive.scorecard import Score, scores
from judge.cli.history_list import console
from judge.reports import text as words
from judge.reports.markdown import escape
from judge.reports.terminal_text import clip, pad, wrap
from judge.verdicts.open_archive import opened
from judge.wire.json import dumps

_COUNTS = ("alarms", "false_alarms", "missed", "quiet", "undecided")
_UNLABELLED = (
    "no {what} is labelled yet, so nobody can tell how often the judge was right.\n"
    "Say it of past verdicts: judge label ID right|wrong --by NAME --why REASON (judge history shows the ids)."
)

_MEANING = (
    "precision: of the fails (of a metric: high or low), those of bad canaries. recall: of the bad canaries that passed or failed, "
    "those that failed; of a metric, those on which it fired, though it need not see what others measure. undecided: neither."
)


def show_score(filters: Mapping[str, str], *, archive_url: str, form: str) -> int:
    """Print precision and recall of the labelled verdicts; return the exit status."""
    wanted = read_wanted(filters, now=time.time())
    with opened(archive_url) as archive:
        found = scores(archive.labelled(wanted))
    if form == "json":
        click.echo(dumps({"scores": [fields(score) for score in found]}, indent=2))
    elif form == "csv":
        click.echo(_csv(found), nl=False)
    elif form == "markdown":
        click.echo(_markdown(found))
    else:
        what = "verdict that fits these filters" if any(filters.values()) else "verdict"
        click.echo(_text(found) if found else _UNLABELLED.format(what=what))
    return 0


def fields(score: Score) -> dict[str, Any]:
    """Write a score for a program; metric and month are empty where it is of all of them."""
    counts = {name: getattr(score, name) for name in _COUNTS}
    names = {"config": score.config, "metric": score.metric, "month": score.month, "labelled": score.labelled}
    return {**names, **counts, "precision": score.precision, "recall": score.recall}


def _share(value: float | None, part: int, whole: int) -> str:
    return words.MISSING if value is None else f"{value:.2f} ({part} of {whole})"


def _precision(score: Score) -> str:
    return _share(score.precision, score.alarms, score.alarms + score.false_alarms)


def _recall(score: Score) -> str:
    return _share(score.recall, score.alarms, score.alarms + score.missed)


def _name(score: Score) -> str:
    if score.month:
        return f"  {score.month}"
    return words.one_line(score.metric) if score.metric else "verdicts"


def _text(found: Sequence[Score]) -> str:
    """A block a config: the verdicts and each metric, in all and by month."""
    width, palette = console()
    lines: list[str] = []
    room = width - 2 - 2 * 19 - 10
    for config in dict.fromkeys(score.config for score in found):
        own = [score for score in found if score.config == config]
        lines += [*([""] if lines else []), f"{words.one_line(config)}: {own[0].labelled} labelled verdicts"]
        lines.append(f"  {pad('', room)}{pad('precision', 19)}{pad('recall', 19)}undecided")
        for score in own:
            name = pad(clip(_name(score), room - 1, palette.ellipsis), room)
            lines.append(
                f"  {name}{pad(_precision(score), 19)}{pad(_recall(score), 19)}{score.undecided if score.undecided else words.MISSING}"
            )
    lines += ["", *wrap(_MEANING, width)]
    return palette.finish("\n".join(lines))


def _csv(found: Sequence[Score]) -> str:
    out = io.StringIO()
    names = ("config", "metric", "month", "labelled", *_COUNTS, "precision", "recall")
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(fields(score) for score in found)
    return out.getvalue()


def _markdown(found: Sequence[Score]) -> str:
    if not found:
        return _UNLABELLED.format(what="verdict").replace("|", "\\|").replace("\n", "  \n")
    lines = ["| config | of | month | precision | recall | undecided |", "|---|---|---|---|---|---|"]
    for score in found:
        what = escape(score.metric) if score.metric else "verdicts"
        shares = f"{_precision(score)} | {_recall(score)} | {score.undecided}"
        lines.append(f"| {escape(score.config)} | {what} | {score.month if score.month else 'all'} | {shares} |")
    return "\n".join(lines)
