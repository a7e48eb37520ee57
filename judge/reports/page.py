"""Pages for people who review canaries: one verdict with its pictures, and the recent ones.

Each page is one HTML file that asks for nothing else: no script, font, style sheet
or image comes from outside, and the page's own policy forbids it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.reports import svg, words
from judge.reports.findings import Finding, findings, look, score, section

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


def verdict_page(record: Mapping[str, Any], *, public_url: str = "") -> str:
    """Write a record as one self-contained HTML page: verdict, metrics worst first, pictures, queries.

    `public_url` is where the service is reached (``/`` will do for a page it
    serves itself); without one, as in a file that is sent around, nothing is linked.
    """
    verdict, window = section(record, "verdict"), section(record, "window")
    start, end = window.get("start"), window.get("end")
    outcome = words.one_line(verdict.get("verdict", "error"))
    return _render(
        "verdict.html",
        home=f"{public_url.rstrip('/')}/" if public_url else "",
        outcome=outcome,
        symbol=words.SYMBOLS.get(outcome, "?"),
        score=score(verdict),
        share=verdict.get("score"),
        reason=words.one_line(verdict.get("reason", "")),
        config=words.one_line(section(record, "request").get("config") or "canary"),
        asked_at=record.get("asked_at"),
        facts=_facts(record),
        warnings=[words.one_line(warning) for warning in verdict.get("warnings") or ()],
        metrics=[_metric(finding, start, end) for finding in findings(record)],
        groups=[
            {
                "name": words.one_line(group.get("name", "")),
                "weight": words.number(group.get("weight")),
                "score": words.number(group.get("score")),
                "share": group.get("score"),
            }
            for group in verdict.get("groups") or ()
        ],
        about=_about(record),
    )


def verdicts_page(
    rows: Sequence[Mapping[str, Any]], *, public_url: str = "", older: str = "", filters: Mapping[str, str] | None = None
) -> str:
    """Write the list of recent verdicts (rows of `judge.archive.Archive.list`) as one HTML page.

    `older` is the id to ask the next page with (``?before=``), empty on the last
    one; `filters` are those that made this list, and are kept in its links.
    """
    kept = {name: value for name, value in ({} if filters is None else filters).items() if value}
    query = "&".join(f"{words.url_part(name)}={words.url_part(value)}" for name, value in {**kept, "before": older}.items())
    return _render(
        "verdicts.html",
        public_url=public_url.rstrip("/"),
        rows=[_row(row) for row in rows],
        older=f"?{query}" if older else "",
        filters={words.one_line(name): words.one_line(value) for name, value in kept.items()},
    )


@cache
def _environment() -> Environment:
    # Jinja2 is only loaded by those who write a page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"moment": words.moment, "iso": words.iso, "url_part": words.url_part}
    return environment


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(version=_version(), **values)


def _version() -> str:
    from judge import __version__

    return __version__


def _picture(drawn: str) -> Markup:
    """A picture of ours, whose every text `judge.reports.svg` has escaped."""
    from markupsafe import Markup

    return Markup(drawn)  # noqa: S704 - see above


def _metric(finding: Finding, start: float | None, end: float | None) -> dict[str, Any]:
    """One metric as the template shows it."""
    numbers = [
        ("baseline", finding.baseline_value),
        ("canary", finding.canary_value),
        ("change", finding.change_text),
        ("interval", finding.level),
        ("accepted (tolerance)", finding.tolerance),
        ("must not slip through (notice)", finding.notice),
        ("bad direction", finding.direction),
        ("p, worse than tolerated", finding.p),
        ("p, two-sided", finding.p_two_sided),
        ("P(canary > baseline)", finding.effect),
        ("counts", finding.counts),
        ("samples, baseline/canary", finding.n),
        ("effective samples", finding.n_effective),
        ("method", finding.method),
        ("group", finding.group),
        ("weight", words.number(finding.weight)),
    ]
    found = finding.interval
    return {
        "finding": finding,
        "numbers": [(name, text) for name, text in numbers if text not in {"", words.MISSING}],
        "interval": _picture(svg.interval(found, classification=finding.classification)) if found is not None else "",
        "spark": _picture(svg.sparkline(finding, start=start, end=end)),
        "series": _picture(svg.time_series(finding, start=start, end=end)),
        "silent": _silent(finding),
    }


def _silent(finding: Finding) -> str:
    """Which sides have no samples, in words."""
    sides = [side for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)) if not drawn]
    return f"no samples of the {' and the '.join(sides)}" if sides else ""


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What stands under the verdict: who, when, how many."""
    request, window, traffic = (section(record, name) for name in ("request", "window", "traffic"))
    facts = [(name, words.one_line(request[name])) for name in ("rollout", "baseline", "canary") if request.get(name)]
    if window.get("start") is not None:
        facts.append(("window", words.span(window["start"], window.get("end"))))
    if look(window):
        facts.append(("look", look(window).removeprefix("look ")))
    if traffic:
        facts.append(("requests", f"baseline {words.number(traffic.get('baseline'))}, canary {words.number(traffic.get('canary'))}"))
    return facts


def _about(record: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Everything else that explains the verdict, section by section."""
    window, times = section(record, "window"), {"start", "end", "first_sample"}
    verdict = section(record, "verdict")
    shown = {name: words.moment(value) if name in times else value for name, value in window.items()}
    shown |= {name: words.duration(window[name]) for name in ("step", "warmup") if window.get(name) is not None}
    whole = {
        "id": record.get("id"),
        "asked at": words.moment(record.get("asked_at")),
        "judge": verdict.get("judge"),
        "config digest": record.get("config_digest"),
        "question": record.get("question"),
    }
    sections = [
        ("Verdict", whole),
        ("Request", section(record, "request")),
        ("Window", shown),
        ("Traffic", section(record, "traffic")),
        ("Source", section(record, "source")),
        ("Versions", section(record, "versions")),
    ]
    return [
        (name, [(words.one_line(key), _text(value)) for key, value in part.items() if value not in (None, "")])
        for name, part in sections
        if part
    ]


def _text(value: object) -> str:
    """Any value of a record as a person reads it."""
    if isinstance(value, str):
        return words.plain(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{words.one_line(key)}={_text(one)}" for key, one in value.items()) or "none"
    if isinstance(value, float):
        return words.number(value)
    return words.plain(json.dumps(value, ensure_ascii=False))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the list as the template shows it."""
    outcome = words.one_line(row.get("verdict") or "error")
    texts = {name: words.one_line(row.get(name) or "") for name in ("config", "rollout", "baseline", "canary", "reason")}
    return texts | {
        "id": str(row.get("id", "")),
        "asked_at": row.get("asked_at"),
        "outcome": outcome,
        "symbol": words.SYMBOLS.get(outcome, "?"),
        "score": score(row),
        "look": "" if row.get("look") is None else str(row["look"]),
    }
