"""Verdicts with their records, the questions they answer, and what Kayenta's API keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    schema = op.create_table("judge_schema", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
    assert schema is not None
    op.bulk_insert(schema, [{"version": 1}])
    op.create_table(
        "judge_verdicts",
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
    )
    for name, column in {"newest": None, "of_config": "config", "of_rollout": "rollout", "of_outcome": "verdict"}.items():
        op.create_index(f"judge_verdicts_{name}", "judge_verdicts", [*([column] if column else []), "asked_at", "id"])
    verdict = sa.ForeignKey("judge_verdicts.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    op.create_table(
        "judge_questions",
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("verdict_id", sa.Text, verdict, nullable=False, unique=True),
    )
    _kayenta()


def _kayenta() -> None:
    op.create_table(
        "judge_kayenta_configs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "judge_kayenta_pair_lists",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "judge_kayenta_executions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claim", sa.Text),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("judge_kayenta_executions_due", "judge_kayenta_executions", ["status", "due_at"])
    op.create_index("judge_kayenta_executions_newest", "judge_kayenta_executions", ["application", "created_at", "id"])
