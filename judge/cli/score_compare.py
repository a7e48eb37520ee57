"""``judge score --judge a,b``: where two judges disagree about the same canaries, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from judge.core.config import CanaryConfig
from judge.errors import Fault, RequestError
from judge.reports.formats import FORMATS, documents
from judge.verdicts.score_dump import read_parts, score_part

SAME, DIFFERENT = 0, 3


def compare_judges(paths: Sequence[Path], judges: Sequence[str], *, config: CanaryConfig | None, form: str) -> int:
    """Print every canary the judges disagree about, and a count; return the exit status."""
    if form not in documents():
        raise RequestError([Fault(path="--format", message=f"{form!r} cannot show where judges disagree", allowed=documents())])
    write = FORMATS[form].document
    status = SAME
    count, equal = 0, 0
    for part in read_parts(paths):
        scored = {judge: score_part(part, config, judge) for judge in judges}
        records = {judge: one.record for judge, one in scored.items() if one.record is not None}
        if len(records) < len(judges):
            click.echo(f"judge: {next(one.fault for one in scored.values() if one.fault)}", err=True)
            status = 2
            continue
        count += 1
        found = differences(records)
        equal += found["agree"]
        if write is not None:
            click.echo(write(found))
        elif not found["agree"] or found["differences"]:
            click.echo(_text(found))
    if write is None:
        click.echo(f"{count} canaries, the same verdict for {equal}, another for {count - equal} ({' against '.join(judges)})")
    return status if status == 2 else SAME if equal == count else DIFFERENT


def differences(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Say how the judges' verdicts differ: each one's verdict and reason, and the metrics they see otherwise."""
    verdicts = {judge: record["verdict"] for judge, record in records.items()}
    first = next(iter(records.values()))
    seen = []
    for results in zip(*(_by_metric(verdict) for verdict in verdicts.values()), strict=True):
        if len({result["classification"] for result in results}) > 1:
            said = {
                judge: {"classification": result["classification"], "reason": result["reason"], "warnings": result["warnings"]}
                for judge, result in zip(verdicts, results, strict=True)
            }
            seen.append({"metric": results[0]["name"], "labels": results[0]["labels"], **said})
    return {
        "id": first["id"],
        "agree": len({verdict["verdict"] for verdict in verdicts.values()}) == 1,
        "verdicts": {judge: {key: verdict[key] for key in ("verdict", "score", "reason")} for judge, verdict in verdicts.items()},
        "differences": seen,
    }


def _by_metric(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Judges may order their results differently; limits come last with Kayenta's."""
    return sorted(verdict["results"], key=lambda result: (result["name"], sorted(result["labels"].items())))


def _text(found: Mapping[str, Any]) -> str:
    verdicts = [f"{judge} {verdict['verdict']} {verdict['score']:g}" for judge, verdict in found["verdicts"].items()]
    lines = [f"{found['id']}: {', '.join(verdicts)}"]
    for difference in found["differences"]:
        lines.append(f"  {difference['metric']}")
        for judge in found["verdicts"]:
            said = difference[judge]
            lines.append(f"    {judge:<12} {said['classification']:<9} {said['reason']}")
            lines += [f"    {'':<12} {'':<9} ! {warning}" for warning in said["warnings"]]
    return "\n".join(lines)
