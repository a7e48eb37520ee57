"""Steps from each version of the archive's tables to the next, run with Alembic inside the caller's transaction.

Alembic takes longer to import than `judge score` may last, so it is only loaded where an archive is
older than the code. A new archive is made from `judge.archive.tables` as it is; the tests prove that both
ways end with the same tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VERSION_TABLE = "judge_alembic"
"""Alembic's own note of the step that was run last; its usual name may be taken in a database that is shared."""


def revision(version: int) -> str:
    """Name the step that leads to a version.

    Examples
    --------
    >>> revision(2)
    '0002'
    """
    return f"{version:04}"


def stamp(connection: Connection, version: int) -> None:
    """Note the step of tables that were not made by steps."""
    noted = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
    noted.create(connection, checkfirst=True)
    connection.execute(sa.delete(noted))
    connection.execute(sa.insert(noted).values(version_num=revision(version)))


def upgrade(connection: Connection, *, since: int | None, to: int) -> None:
    """Bring the tables from version `since` (None: there are none) to version `to`.

    An archive that an older judge made without a note of its steps gets one first.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    if since is not None:
        stamp(connection, since)
    steps = ScriptDirectory(str(Path(__file__).parent))
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    ahead = list(steps.iterate_revisions(revision(to), "base" if since is None else revision(since)))
    with Operations.context(context):
        for step in reversed(ahead):
            step.module.upgrade()
            context.stamp(steps, step.revision)
