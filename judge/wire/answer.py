"""What Argo Rollouts gets back: every field always, strict JSON, under 1 KiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.wire.request import format_time

MAX_BYTES = 1024
_LONGEST_REASON = 420
_UNKEPT = " (this verdict was not kept)"
_PARTIAL = " (a part of the source did not answer)"


def answer(
    record: Mapping[str, Any], *, public_url: str = "", detail: str = "short", unkept: str = "", kept: bool = True
) -> dict[str, Any]:
    """Write the answer from a record, so that a repeated question gets the same one.

    Parameters
    ----------
    record : mapping
        As `judge.wire.record.record` writes it.
    public_url : str
        Start of the report link; empty gives a path.
    detail : {'short', 'full'}
        ``full`` adds the results, groups, warnings, traffic, conditions and the time by which the last metric should be decided.
    unkept : str
        Why the verdict could not be kept: it is said in the reason, with ``full`` among the warnings, and there is no report.
    kept : bool
        False for what was declined and never meant to be kept: there is no report either.
    """
    verdict, window = record["verdict"], record["window"]
    note = (_PARTIAL if (record.get("source") or {}).get("partial") else "") + (_UNKEPT if unkept else "")
    kinds = [result["classification"] for result in verdict["results"]]
    short = {
        "verdict": verdict["verdict"],
        "pass": verdict["verdict"] == "pass",
        "fail": verdict["verdict"] == "fail",
        "score": verdict["score"],
        "code": verdict["code"],
        "reason": verdict["reason"] + note,
        "metrics": {
            "total": len(kinds),
            "pass": kinds.count("pass"),
            "regressed": kinds.count("high") + kinds.count("low"),
            "undecided": kinds.count("undecided"),
            "nodata": kinds.count("nodata"),
            "error": kinds.count("error"),
        },
        "window": {
            "start": format_time(window["start"]),
            "end": format_time(window["end"]),
            "look": window["look"],
            "of": window["of"],
        },
        "id": record["id"],
        "report": "" if unkept or not kept else f"{public_url}/verdicts/{record['id']}",
    }
    if detail == "full":
        # A record of an older version has no conditions.
        more = {key: verdict[key] for key in ("judge", "warnings", "groups", "results")}
        more["warnings"] = [*verdict["warnings"], *([unkept] if unkept else [])]
        by = verdict.get("decided_by")
        rest = {"traffic": record["traffic"], "conditions": record.get("conditions")}
        return {**short, **more, "decided_by": None if by is None else format_time(by), **rest}
    return {**short, "reason": shorten(verdict["reason"], _LONGEST_REASON - len(note)) + note}


def shorten(text: str, size: int) -> str:
    """Cut a text to at most `size` bytes of UTF-8 as JSON writes it, at a character.

    Control characters count as the escapes they become.

    Examples
    --------
    >>> shorten("±" * 10, 9)
    '±±±…'
    """
    import json

    def width(part: str) -> int:
        return len(json.dumps(part, ensure_ascii=False).encode()) - 2

    if width(text) <= size:
        return text
    kept, used = [], 3
    for char in text:
        used += width(char)
        if used > size:
            break
        kept.append(char)
    return "".join(kept) + "…"
