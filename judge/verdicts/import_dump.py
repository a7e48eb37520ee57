"""A saved canary that nobody has judged for the archive yet: judged now, and made a record that can be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from judge.cli.score import score_canary
from judge.config.load import DEFAULT_JUDGE, parse_config
from judge.core.config import Margin, MetricConfig
from judge.sources.dumps.dump import Dump
from judge.wire.json import dumps
from judge.wire.ulid import new_id


def adopt(dump: Dump) -> dict[str, Any]:
    """Judge a dump and give it an id of the archive's form.

    The id is made from the window's end and the contents, so that the same canary gets the same id again. What
    the dump says of its metrics is written as a whole config, so that the verdict can be judged again from its record.

    Raises
    ------
    ConfigError, DumpError
        Where the dump cannot be judged.
    """
    config = None
    if dump.config is None:
        config = parse_config(config_document(dump), where=f"{dump.id}: what it says of its metrics")
    record = score_canary(dump, config)
    if not record["request"]["canary"]:
        # A list must be able to tell one from another.
        record["request"]["canary"] = dump.id
    content = dumps([dump.id, record["request"], record["config"], record["window"], record["samples"]])
    entropy = hashlib.sha256(content.encode("utf-8", "replace")).digest()[:10]
    own = {"id": new_id(max(record["asked_at"], 0.0), entropy=entropy), "source": {"type": "dump", "id": dump.id}}
    return {**record, **own}


def config_document(dump: Dump) -> dict[str, Any]:
    """Write what a dump says of its own metrics as a config."""
    document: dict[str, Any] = {
        "name": "dump",
        "judge": DEFAULT_JUDGE,
        "scope": 'recorded="${hash}"',
        "looks": {"count": max(dump.looks if dump.looks is not None else 1, 1)},
        "metrics": [_metric(metric, dump) for metric in dump.metrics],
    }
    if dump.groups:
        document["groups"] = dict(dump.groups)
    if dump.score is not None:
        document["score"] = {"pass": dump.score.passing, "marginal": dump.score.marginal}
    return document


def _metric(metric: MetricConfig, dump: Dump) -> Mapping[str, Any]:
    counted = any(pair.metric == metric.name and pair.baseline_total is not None for pair in dump.pairs)
    query = "recorded{${scope}}"
    found: dict[str, Any] = {"name": metric.name, **({"numerator": query, "denominator": query} if counted else {"query": query})}
    found |= {"direction": metric.direction.value, "critical": metric.critical, "group": metric.group}
    if metric.unit:
        found["unit"] = metric.unit
    if metric.limit is not None:
        found["limit"] = {key: value for key, value in (("min", metric.limit.min), ("max", metric.limit.max)) if value is not None}
    else:
        found |= {"tolerance": _margin(metric.tolerance), "notice": _margin(metric.notice)}
    return found


def _margin(margin: Margin) -> dict[str, Any]:
    return {"relative": f"{margin.relative * 100:.12g}%", "absolute": margin.absolute}
