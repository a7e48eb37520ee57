"""A verdict as Markdown, to be posted on a pull request or in a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from judge.reports import text as words
from judge.reports.view_model import Finding, findings, look, score, section

# What Markdown reads as mark-up anywhere, and what it reads so at the start of a line.
_MARKUP = re.compile(r"([\\`*_\[\]|~$#])")
_STARTS = re.compile(r"^(\d*)([-+=.)])(?=[-=\s]|$)")


def verdict_markdown(record: Mapping[str, Any], *, public_url: str = "") -> str:
    """Write a record as GitHub-flavoured Markdown: the verdict, a table worst metric first, the details folded away.

    Where `public_url` is given, the verdict links to its report page there. Names,
    labels and reasons are shown as text, whatever they hold.
    """
    verdict, request = section(record, "verdict"), section(record, "request")
    found = findings(record)
    outcome = words.one_line(verdict.get("verdict", "error"))
    title = " ".join(part for part in (words.SYMBOLS.get(outcome, "?"), f"**{escape(outcome.upper())}**", score(verdict)) if part)
    if request.get("config"):
        title += f": {escape(request['config'])}"
    parts = [f"### {title}", escape(verdict.get("reason", "")), _facts(record), _table(found)]
    parts += [
        "\n".join(
            f"- {one.symbol} {code(one.title)}{' (critical)' if one.critical else ''}: {escape(one.reason)}"
            for one in found
            if not one.passed
        )
    ]
    said = [escape(warning) for warning in verdict.get("warnings") or ()]
    said += [f"{code(one.title)}: {escape(warning)}" for one in found for warning in one.warnings]
    parts += ["\n".join(f"> ⚠ {warning}  " for warning in said)]
    parts += [_queries(found)]
    if public_url and record.get("id"):
        parts += [f"[Report with pictures]({public_url.rstrip('/')}/verdicts/{words.url_part(record['id'])})"]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: object) -> str:
    r"""Text that Markdown shows as it is: no mark-up, no HTML, no table border, nobody mentioned.

    Examples
    --------
    >>> escape("a|b <i> *c*")
    'a\\|b &lt;i&gt; \\*c\\*'
    """
    line = _STARTS.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", words.one_line(text)))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A word joiner, which nobody sees, keeps GitHub from telling people and from linking issues.
    return line.replace("@", "@\u2060").replace("#", "#\u2060")


def code(text: object, *, cell: bool = False) -> str:
    r"""Text as a code span; in a `cell` of a table even a code span may not hold a bare ``|``.

    Examples
    --------
    >>> code("a|b"), code("a|b", cell=True), code("a`b")
    ('`a|b`', '`a\\|b`', '``a`b``')
    """
    line = words.one_line(text)
    if cell:
        line = line.replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _facts(record: Mapping[str, Any]) -> str:
    request, window = section(record, "request"), section(record, "window")
    facts = [f"{name} {code(request[name])}" for name in ("rollout", "baseline", "canary") if request.get(name)]
    facts += [words.span(window.get("start"), window.get("end"))] if window.get("start") is not None else []
    facts += [look(window)] if look(window) else []
    return ", ".join(facts)


def _table(found: list[Finding]) -> str:
    if not found:
        return "No metric was judged."
    lines = ["| metric | result | change | p | n baseline/canary (effective) | tolerance |", "|---|---|---|---|---|---|"]
    for one in found:
        row = (
            code(one.title, cell=True),
            f"{one.symbol} {escape(one.meaning)}",
            *map(escape, (one.change_text, one.p, one.n_text, one.accepted)),
        )
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _queries(found: list[Finding]) -> str:
    blocks = []
    for one in found:
        for side, query in one.queries.items():
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", query)), 3)
            blocks.append(f"{code(one.title)} {escape(side)}\n\n{fence}promql\n{query}\n{fence}")
    if not blocks:
        return ""
    return "\n\n".join(["<details><summary>Queries as sent</summary>", *blocks, "</details>"])
