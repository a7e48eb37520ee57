"""Samples are written as columns of numbers; those that are there stay JSON, which is read as well. Replayed verdicts are marked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the mark. Old samples stay as they are: a large archive would take long to write anew."""
    op.add_column("judge_verdicts", sa.Column("replayed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(sa.text("UPDATE judge_schema SET version = 3"))
