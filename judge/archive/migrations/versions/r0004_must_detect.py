"""`notice` is called `must_detect`: in the configs and results of the records that are kept, and so in their configs' digests."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from alembic import op

from judge.config.load import parse_config
from judge.config.renamed import with_new_names
from judge.errors import ConfigError

revision = "0004"
down_revision = "0003"

_AT_ONCE = 200


def upgrade() -> None:
    """Rewrite each record; one that cannot be read stays as it is."""
    connection = op.get_bind()
    records = sa.table("judge_records", sa.column("verdict_id"), sa.column("record"))
    verdicts = sa.table("judge_verdicts", sa.column("id"), sa.column("config_digest"))
    table, last = records.c, ""
    every = sa.select(table.verdict_id, table.record).order_by(table.verdict_id).limit(_AT_ONCE)
    while page := connection.execute(every.where(table.verdict_id > last)).all():
        last = page[-1].verdict_id
        for row in page:
            try:
                record = json.loads(zlib.decompress(row.record))
                renamed = _renamed(record)
            except (zlib.error, ValueError, AttributeError, TypeError):
                continue
            if renamed == record:
                continue
            blob = zlib.compress(json.dumps(renamed, allow_nan=False, separators=(",", ":")).encode("ascii"), 2)
            connection.execute(sa.update(records).where(table.verdict_id == row.verdict_id).values(record=blob))
            connection.execute(
                sa.update(verdicts).where(verdicts.c.id == row.verdict_id).values(config_digest=renamed.get("config_digest"))
            )
    op.execute(sa.text("UPDATE judge_schema SET version = 4"))


def _renamed(record: dict[str, Any]) -> dict[str, Any]:
    config, verdict = record.get("config"), record.get("verdict")
    found = dict(record)
    if isinstance(verdict, dict) and "results" in verdict:
        found["verdict"] = {**verdict, "results": with_new_names(verdict["results"])}
    if isinstance(config, dict) and "metrics" in config and with_new_names(config["metrics"]) != config["metrics"]:
        found["config"] = {**config, "metrics": with_new_names(config["metrics"])}
    if found != record and isinstance(config, dict):
        # The digest is made of the keys, too: every config of ours has another one now.
        with suppress(ConfigError):
            found["config_digest"] = parse_config(found["config"], where="").digest
    return found
