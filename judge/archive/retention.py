"""How long verdicts are kept: the oldest go first, a few at a time, so that nobody waits for it."""

from __future__ import annotations

import sqlalchemy as sa

from judge.archive.tables import kayenta_executions, kayenta_pair_lists, verdicts
from judge.archive.types import Keep, Pruned

STEP = 100
"""Verdicts of one transaction: a writer waits for it for a few hundredths of a second."""
DAY = 86_400.0
_MEGABYTE = 1_000_000
_OVER = ("succeeded", "terminal", "canceled")


def prune(connection: sa.Connection, keep: Keep, *, now: float, most: int) -> Pruned:
    """Delete at most `most` verdicts, and as many of Kayenta's executions that are over."""
    gone: list[tuple[str, float, int]] = []
    if keep.days is not None:
        gone = _oldest(connection, keep, most=most, until=now - keep.days * DAY)
    if not gone and keep.megabytes is not None:
        excess = _size(connection) - keep.megabytes * _MEGABYTE
        for found in _oldest(connection, keep, most=most) if excess > 0 else []:
            gone.append(found)
            excess -= found[2]
            if excess <= 0:
                break
    if gone:
        connection.execute(sa.delete(verdicts).where(verdicts.c.id.in_([found[0] for found in gone])))
    executions = 0 if keep.days is None else _forget_executions(connection, until=now - keep.days * DAY, most=most)
    return _told(gone, executions)


def is_due(connection: sa.Connection, keep: Keep, *, now: float) -> bool:
    """Tell if `prune` would delete anything; reads only, so that no writer waits for it."""
    if keep.days is not None:
        until = now - keep.days * DAY
        if _oldest(connection, keep, most=1, until=until) or _count_executions(connection, until=until):
            return True
    return keep.megabytes is not None and _size(connection) > keep.megabytes * _MEGABYTE and bool(_oldest(connection, keep, most=1))


def prunable(connection: sa.Connection, keep: Keep, *, now: float) -> Pruned:
    """What would go in the end; reads only."""
    table = verdicts.c
    gone: list[tuple[str, float, int]] = []
    statement = sa.select(table.id, table.asked_at, table.size).where(*_may_go(keep)).order_by(table.asked_at, table.id)
    left = _size(connection) - (float("inf") if keep.megabytes is None else keep.megabytes * _MEGABYTE)
    cut = float("-inf") if keep.days is None else now - keep.days * DAY
    for found in connection.execute(statement):
        if found.asked_at >= cut and left <= 0:
            break
        gone.append((found.id, found.asked_at, found.size))
        left -= found.size
    return _told(gone, 0 if keep.days is None else _count_executions(connection, until=cut))


def _oldest(connection: sa.Connection, keep: Keep, *, most: int, until: float | None = None) -> list[tuple[str, float, int]]:
    table = verdicts.c
    asked = [] if until is None else [table.asked_at < until]
    statement = sa.select(table.id, table.asked_at, table.size).where(*_may_go(keep), *asked).order_by(table.asked_at, table.id)
    return [(found.id, found.asked_at, found.size) for found in connection.execute(statement.limit(most))]


def _may_go(keep: Keep) -> list[sa.ColumnElement[bool]]:
    return [verdicts.c.label.is_(None)] if keep.labelled else []


def _size(connection: sa.Connection) -> int:
    """Bytes that all verdicts take, as they were added up when they were kept."""
    return int(connection.scalar(sa.select(sa.func.sum(verdicts.c.size))) or 0)


def _told(gone: list[tuple[str, float, int]], executions: int) -> Pruned:
    return Pruned(
        verdicts=len(gone),
        bytes=sum(size for _, _, size in gone),
        newest=max((at for _, at, _ in gone), default=None),
        executions=executions,
    )


def _old_executions(until: float) -> list[sa.ColumnElement[bool]]:
    return [kayenta_executions.c.created_at < until, kayenta_executions.c.status.in_(_OVER)]


def _count_executions(connection: sa.Connection, *, until: float) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(kayenta_executions).where(*_old_executions(until))) or 0)


def _forget_executions(connection: sa.Connection, *, until: float, most: int) -> int:
    """Delete what Kayenta's API kept for longer, with the samples it judged."""
    ids = list(connection.scalars(sa.select(kayenta_executions.c.id).where(*_old_executions(until)).limit(most)))
    if ids:
        connection.execute(sa.delete(kayenta_executions).where(kayenta_executions.c.id.in_(ids)))
    lists = kayenta_pair_lists.c
    old = list(connection.scalars(sa.select(lists.id).where(lists.created_at < until).limit(most)))
    if old:
        connection.execute(sa.delete(kayenta_pair_lists).where(lists.id.in_(old)))
    return len(ids)
