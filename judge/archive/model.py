"""The tables of the archive: the one place that names them.

A verdict's record is one compressed blob, because it is only ever read whole; the
columns beside it are what lists are sorted and filtered by. Times are unix seconds:
SQLite and PostgreSQL disagree about time zones, but not about numbers.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 1
"""Raised by one with every change that an older judge could not read."""

metadata = sa.MetaData()

schema = sa.Table(
    "judge_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
)

verdicts = sa.Table(
    "judge_verdicts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("rollout", sa.Text),
    sa.Column("baseline", sa.Text),
    sa.Column("canary", sa.Text),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("look", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Index("judge_verdicts_newest", "asked_at", "id"),
    sa.Index("judge_verdicts_of_config", "config", "asked_at", "id"),
    sa.Index("judge_verdicts_of_rollout", "rollout", "asked_at", "id"),
    sa.Index("judge_verdicts_of_outcome", "verdict", "asked_at", "id"),
)

questions = sa.Table(
    "judge_questions",
    metadata,
    sa.Column("question", sa.Text, primary_key=True),
    # Checked at the end of the transaction, because the question is claimed
    # before the (much larger) verdict is written.
    sa.Column(
        "verdict_id",
        sa.Text,
        sa.ForeignKey("judge_verdicts.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        nullable=False,
        unique=True,
    ),
)

kayenta_configs = sa.Table(
    "judge_kayenta_configs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

kayenta_pair_lists = sa.Table(
    "judge_kayenta_pair_lists",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

kayenta_executions = sa.Table(
    "judge_kayenta_executions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("application", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    # When the next piece of work may begin; a claim moves it to when another may take over.
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("claim", sa.Text),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Index("judge_kayenta_executions_due", "status", "due_at"),
    sa.Index("judge_kayenta_executions_newest", "application", "created_at", "id"),
)

LISTED = tuple(column for column in verdicts.columns if column.name != "record")
