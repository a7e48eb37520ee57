"""The tables of the archive: the one place that names them.

A verdict's record is one compressed document and its samples are another (`judge.archive.codec`), because both are only ever read
whole; they lie apart from the columns that lists are sorted and filtered by, so that a list reads none of
them. Times are unix seconds: SQLite and PostgreSQL disagree about time zones, but not about numbers.

To change a table: raise `SCHEMA_VERSION`, change it here, and write the step from the version before in
`judge.archive.migrations.versions`; the tests compare both ways.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 4
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
    sa.Column("looks", sa.Integer),
    sa.Column("service", sa.Text),
    sa.Column("namespace", sa.Text),
    sa.Column("judge", sa.Text),
    # What the verdict was reached with: judge's own version, and the contents of the config.
    sa.Column("version", sa.Text),
    sa.Column("config_digest", sa.Text),
    sa.Column("window_start", sa.Double),
    sa.Column("window_end", sa.Double),
    # The newest of the verdict's labels, so that lists need not look for it.
    sa.Column("label", sa.Text),
    # Judged from history, when nobody asked: not to be counted with what gated a rollout.
    sa.Column("replayed", sa.Boolean, nullable=False, server_default=sa.false()),
    # About how many bytes of disk the verdict takes, with everything that hangs on it.
    sa.Column("size", sa.Integer, nullable=False, server_default="0"),
    sa.Index("judge_verdicts_newest", "asked_at", "id"),
    sa.Index("judge_verdicts_of_config", "config", "asked_at", "id"),
    sa.Index("judge_verdicts_of_rollout", "rollout", "asked_at", "id"),
    sa.Index("judge_verdicts_of_outcome", "verdict", "asked_at", "id"),
    sa.Index("judge_verdicts_of_service", "service", "asked_at", "id"),
    sa.Index("judge_verdicts_of_namespace", "namespace", "asked_at", "id"),
    sa.Index("judge_verdicts_of_canary", "canary", "asked_at", "id"),
    sa.Index("judge_verdicts_of_label", "label", "asked_at", "id"),
    # The two pairs of filters that people use most; a rare verdict of a busy config would be looked for long.
    sa.Index("judge_verdicts_of_config_outcome", "config", "verdict", "asked_at", "id"),
    sa.Index("judge_verdicts_of_service_outcome", "service", "verdict", "asked_at", "id"),
    # Covers what retention asks every minute: how much is there, and of which age.
    sa.Index("judge_verdicts_size", "asked_at", "size"),
)


def _of_verdict(*, primary_key: bool = False) -> sa.Column[str]:
    """What goes with a verdict goes when it goes."""
    return sa.Column("verdict_id", sa.Text, sa.ForeignKey("judge_verdicts.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key)


records = sa.Table(
    "judge_records",
    metadata,
    _of_verdict(primary_key=True),
    # The record without its samples, and these; zlib over JSON.
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("samples", sa.LargeBinary),
)

results = sa.Table(
    "judge_results",
    metadata,
    _of_verdict(primary_key=True),
    # One row a metric: of several series the worst one is told, and how many there are and fired.
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("classification", sa.Text, nullable=False),
    sa.Column("series", sa.Integer, nullable=False),
    sa.Column("fired", sa.Integer, nullable=False),
    sa.Column("critical", sa.Boolean, nullable=False),
    sa.Column("metric_group", sa.Text, nullable=False),
    sa.Column("change", sa.Double),
    # The rows of one verdict lie beside each other.
    sqlite_with_rowid=False,
)

labels = sa.Table(
    "judge_labels",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _of_verdict(),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("labelled_by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("labelled_at", sa.Double, nullable=False),
    sa.Index("judge_labels_of_verdict", "verdict_id", "labelled_at", "id"),
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

LISTED = tuple(column for column in verdicts.columns if column.name not in {"version", "config_digest", "size"})
