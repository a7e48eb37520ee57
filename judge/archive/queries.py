"""What is asked of kept verdicts: pages of a list, the looks of one canary, a config added up, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from judge.archive.database import clean_text
from judge.archive.tables import LISTED, results, verdicts
from judge.archive.tables import labels as label_table
from judge.archive.types import ConfigTally, Label, MetricTally, Wanted

NEWEST = 500
"""Verdicts that a config's tally looks back over: enough for shares of a few per cent, and read at once."""
NEWEST_OF_EACH = 200
"""The same where every config is told."""
MOST_LOOKS = 1000
_AT_ONCE = 500
_LATER = 1_000_000
_TOGETHER = 100
"""Configs of one statement: SQLite takes 500."""

Rows = list[dict[str, Any]]


def conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What must hold for a row of `judge_verdicts`."""
    table = verdicts.c
    names = ("config", "verdict", "rollout", "service", "namespace", "baseline", "canary")
    found = [table[name] == clean_text(value) for name in names if (value := getattr(wanted, name)) is not None]
    if wanted.label == "none":
        found.append(table.label.is_(None))
    elif wanted.label == "any":
        found.append(table.label.is_not(None))
    elif wanted.label is not None:
        found.append(table.label == clean_text(wanted.label))
    if wanted.replayed is not None:
        found.append(table.replayed.is_(wanted.replayed))
    if wanted.configs is not None:
        found.append(table.config.in_([clean_text(name) for name in wanted.configs]))
    if wanted.namespaces is not None:
        found.append(table.namespace.in_([clean_text(name) for name in wanted.namespaces]))
    if wanted.since is not None:
        found.append(table.asked_at >= wanted.since)
    if wanted.until is not None:
        found.append(table.asked_at < wanted.until)
    return found


def row(connection: sa.Connection, verdict_id: str) -> dict[str, Any] | None:
    """What a list shows of one verdict; None where there is none."""
    found = connection.execute(sa.select(*LISTED).where(verdicts.c.id == clean_text(verdict_id))).mappings().first()
    return None if found is None else dict(found)


def page(connection: sa.Connection, wanted: Wanted, *, limit: int, before: tuple[float, str | None] | None) -> Rows:
    """A page of a list, newest first; `before` is the time and id of the last row of the page before."""
    table = verdicts.c
    statement = sa.select(*LISTED).where(*conditions(wanted)).order_by(table.asked_at.desc(), table.id.desc()).limit(max(0, limit))
    if before is not None:
        statement = statement.where(sa.tuple_(table.asked_at, table.id) < sa.tuple_(*before))
    return [dict(found) for found in connection.execute(statement).mappings()]


def looks(connection: sa.Connection, wanted: Wanted) -> Rows:
    """Looks at one canary, the first one first; of very many, the newest."""
    return page(connection, wanted, limit=MOST_LOOKS, before=None)[::-1]


def configs(connection: sa.Connection) -> list[ConfigTally]:
    """Every config with its newest verdicts added up, the one that was asked for last first."""
    table = verdicts.c
    # One step of the index a name: a GROUP BY would read all of it.
    names = sa.select(sa.func.min(table.config).label("config")).cte("names", recursive=True)
    following = sa.select(sa.func.min(table.config)).where(table.config > names.c.config).scalar_subquery()
    names = names.union_all(sa.select(following).where(names.c.config.is_not(None)))
    found = list(connection.scalars(sa.select(names.c.config).where(names.c.config.is_not(None))))
    tallies = [
        tally
        for start in range(0, len(found), _TOGETHER)
        for tally in _tallies(connection, found[start : start + _TOGETHER], NEWEST_OF_EACH)
    ]
    return sorted(tallies, key=lambda tally: -(tally.newest if tally.newest is not None else 0.0))


def config(connection: sa.Connection, name: str, *, newest: int) -> ConfigTally:
    """One config's newest verdicts added up, with its metrics in the order of the newest verdict."""
    chosen, table = _newest(name, newest).subquery("chosen"), results.c
    joined = results.join(chosen, chosen.c.id == table.verdict_id)
    columns = (table.metric, table.classification, sa.func.count().label("seen"), sa.func.max(chosen.c.asked_at).label("last"))
    # A metric may have changed its place and meaning; what it had last is told by the newest verdict, below.
    first = (sa.func.min(table.position).label("position"), sa.func.max(table.metric_group).label("metric_group"))
    critical = sa.func.max(sa.case((table.critical, 1), else_=0)).label("critical")
    grouped = sa.select(*columns, *first, critical).select_from(joined).group_by(table.metric, table.classification)
    counts: dict[str, dict[str, int]] = {}
    fired: dict[str, float] = {}
    meanings: dict[str, tuple[int, str, bool]] = {}
    for row in connection.execute(grouped.order_by(first[0])):
        counts.setdefault(row.metric, {})[row.classification] = row.seen
        # Behind those of the newest verdict, whose places are put in below.
        meanings.setdefault(row.metric, (row.position + _LATER, row.metric_group, bool(row.critical)))
        if row.classification in {"high", "low"}:
            fired[row.metric] = max(row.last, fired.get(row.metric, 0.0))
    last = _newest(name, 1).subquery("last")
    present = sa.select(table.metric, table.position, table.metric_group, table.critical).join(last, last.c.id == table.verdict_id)
    meanings |= {row.metric: (row.position, row.metric_group, row.critical) for row in connection.execute(present)}
    metrics = tuple(
        MetricTally(metric=metric, group=group, critical=critical, classifications=counts[metric], fired_at=fired.get(metric))
        for metric, (_, group, critical) in sorted(meanings.items(), key=lambda item: item[1][0])
    )
    [tally] = _tallies(connection, [clean_text(name) or ""], newest)
    return replace(tally, metrics=metrics)


def _newest(name: str, count: int) -> sa.Select[Any]:
    """The newest verdicts of a config, without replayed ones."""
    table = verdicts.c
    mine = (table.config == clean_text(name), table.replayed.is_(False))
    chosen = sa.select(table.id, table.asked_at, table.verdict, table.label).where(*mine)
    return chosen.order_by(table.asked_at.desc(), table.id.desc()).limit(count)


def _tallies(connection: sa.Connection, names: Sequence[str], newest: int) -> list[ConfigTally]:
    """Verdicts and labels of the newest verdicts of each of these configs, in one statement."""
    parts = []
    for name in names:
        chosen = _newest(name, newest).subquery().c
        counts = (sa.func.count().label("seen"), sa.func.min(chosen.asked_at).label("oldest"), sa.func.max(chosen.asked_at).label("newest"))
        parts.append(
            sa.select(sa.literal(name).label("config"), chosen.verdict, chosen.label, *counts).group_by(chosen.verdict, chosen.label)
        )
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for row in connection.execute(sa.union_all(*parts)):
        rows[row.config].append(row)
    return [_tally(name, found) for name, found in rows.items()]


def _tally(name: str, rows: Sequence[Any]) -> ConfigTally:
    outcomes: dict[str, int] = {}
    marks: dict[str, int] = {}
    for row in rows:
        outcomes[row.verdict] = outcomes.get(row.verdict, 0) + row.seen
        if row.label is not None:
            marks[row.label] = marks.get(row.label, 0) + row.seen
    return ConfigTally(
        config=name,
        verdicts=outcomes,
        labels=marks,
        oldest=min((row.oldest for row in rows), default=None),
        newest=max((row.newest for row in rows), default=None),
    )


def label(connection: sa.Connection, verdict_id: str, given: Label) -> None:
    """Add a label to those of a verdict; the newest one counts."""
    own = clean_text(verdict_id)
    values = {
        "verdict_id": own,
        "label": given.label,
        "labelled_by": clean_text(given.by),
        "why": clean_text(given.why),
        "labelled_at": given.at,
    }
    connection.execute(sa.insert(label_table).values(values))
    newest = labels(connection, verdict_id)[0]
    connection.execute(sa.update(verdicts).where(verdicts.c.id == own).values(label=newest.label))


def labels(connection: sa.Connection, verdict_id: str | None) -> list[Label]:
    """Labels of a verdict, newest first."""
    table = label_table.c
    statement = sa.select(label_table).where(table.verdict_id == clean_text(verdict_id))
    rows = connection.execute(statement.order_by(table.labelled_at.desc(), table.id.desc())).all()
    return [Label(label=one.label, by=one.labelled_by, why=one.why, at=one.labelled_at) for one in rows]


def labelled(connection: sa.Connection, wanted: Wanted) -> Rows:
    """Labelled verdicts, oldest first: ``id, asked_at, config, verdict, label`` and ``metrics``, a classification by name."""
    table = verdicts.c
    statement = (
        sa.select(table.id, table.asked_at, table.config, table.verdict, table.label)
        .where(table.label.is_not(None), *conditions(wanted))
        .order_by(table.asked_at, table.id)
    )
    found = [{**one, "metrics": {}} for one in connection.execute(statement).mappings()]
    by_id = {one["id"]: one["metrics"] for one in found}
    ids = list(by_id)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        chosen = sa.select(results.c.verdict_id, results.c.metric, results.c.classification).where(results.c.verdict_id.in_(part))
        for one in connection.execute(chosen.order_by(results.c.verdict_id, results.c.position)).all():
            by_id[one.verdict_id][one.metric] = one.classification
    return found
