"""Samples are written as columns of numbers; those that are there stay JSON, which is read as well.

No table changes. The version is raised so that an older judge says that it does not know this archive, rather than
that a verdict of it is damaged.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change nothing else: old samples are read as they are, and a large archive would take long to write anew."""
    op.execute(sa.text("UPDATE judge_schema SET version = 3"))
