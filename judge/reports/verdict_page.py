"""The page of one verdict: what was found, why, and everything it can be explained from.

It is a function of the record and of what the archive knows around it (`Around`): the other
looks at the same canary, labels, the dump. Alone, it is a file that can be sent around.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judge.reports import text as words
from judge.reports.charts import svg
from judge.reports.charts.distribution import distribution
from judge.reports.charts.evidence_by_look import Step, evidence, key_of, steps
from judge.reports.charts.time_series import Times, gaps, time_series, times
from judge.reports.conditions_table import conditions
from judge.reports.html import render, safe
from judge.reports.urls import Home, canary_link, looks_before, looks_strip
from judge.reports.view_model import Finding, findings, look, score, section, worst_first
from judge.sources import SourceSettings
from judge.sources.registry import SOURCES

DRAWN = 60
"""So many metrics, the worst ones, get their pictures and numbers on a page: more would make it too large to open."""
_BRIEF = 12
"""With more metrics than this the page offers to look for one by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the archive knows beside the record.

    `looks` are the looks at the same canary as rows of a list, the first one first; `records` those of them (and the
    record itself) whose evidence is shown, in the same order. `labels` are the verdict's, newest first, as `label`, `by`,
    `why`, `at`; None where nobody can know. `dump` is where the dump is, or the dump itself as a data: link; where there
    is none `no_dump` says why. `metric` is the one metric that is to be drawn, whatever its place.
    """

    looks: Sequence[Mapping[str, Any]] = ()
    records: Sequence[Mapping[str, Any]] = ()
    labels: Sequence[Mapping[str, Any]] | None = None
    may_label: bool = False
    dump: str = ""
    dump_name: str = ""
    no_dump: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all metrics of a page are drawn with."""

    record: Mapping[str, Any]
    when: Times
    steps: Mapping[tuple[str, str], list[Step]] = field(default_factory=dict)


def verdict_page(record: Mapping[str, Any], *, public_url: str = "", around: Around | None = None) -> str:
    """Write a record as one self-contained HTML page: verdict, metrics worst first, pictures, queries.

    `public_url` is where the service is reached (``/`` will do for a page it
    serves itself); without one, as in a file that is sent around, nothing of it is linked.
    """
    known = Around() if around is None else around
    verdict, request = section(record, "verdict"), section(record, "request")
    home = Home(public_url)
    outcome = words.one_line(verdict.get("verdict", "error"))
    drawn, brief = _chosen(record, known.metric)
    records = known.records if known.records else [record]
    before = looks_before(record, known.looks)
    shared = _Shared(record=record, when=times(record, before), steps=steps(records, str(record.get("id"))))
    keys = [key_of(result) for result in worst_first(record)]
    return render(
        "verdict.html",
        served=home.served,
        home=home,
        id=str(record.get("id", "")),
        outcome=outcome,
        score=score(verdict),
        reason=words.one_line(verdict.get("reason", "")),
        config=words.one_line(request.get("config") or "canary"),
        config_url=home.config(request.get("config") or ""),
        canary_url=canary_link(home, {**_args(record), **request}),
        asked_at=record.get("asked_at"),
        decided_by=verdict.get("decided_by"),
        facts=_facts(record),
        warnings=_warnings(record),
        strip=looks_strip(home, known.looks, here=str(record.get("id"))),
        until=len(before) + 1,
        told=[words.one_line(section(one, "window").get("look") or "?") for one in records],
        metrics=[_metric(finding, keys[index], shared) for index, finding in drawn],
        brief=[(finding, home.verdict(record.get("id", ""), metric=finding.title)) for _, finding in brief],
        only=words.one_line(known.metric),
        searchable=len(drawn) + len(brief) > _BRIEF,
        groups=_groups(verdict),
        thresholds=_thresholds(record),
        conditions=conditions(record),
        labels=None if known.labels is None else [_label(label) for label in known.labels],
        may_label=known.may_label,
        label_url=home.labels(record.get("id", "")),
        dump=safe(known.dump) if known.dump.startswith("data:") else known.dump,
        dump_name=known.dump_name,
        no_dump=known.no_dump,
        about=_about(record),
        documents=_documents(record),
    )


def _chosen(record: Mapping[str, Any], metric: str) -> tuple[list[tuple[int, Finding]], list[tuple[int, Finding]]]:
    """Which metrics are shown whole, with their places, and which in one line."""
    found = list(enumerate(findings(record)))
    if metric:
        wanted = [one for one in found if one[1].title == words.one_line(metric)]
        if wanted:
            return wanted[:DRAWN], []
    return found[:DRAWN], found[DRAWN:]


def _args(record: Mapping[str, Any]) -> dict[str, Any]:
    args = section(section(record, "request"), "args")
    return {name: args.get(name) for name in ("service", "namespace")}


def _metric(finding: Finding, key: tuple[str, str], shared: _Shared) -> dict[str, Any]:
    """One metric as the template shows it."""
    numbers = [
        ("baseline", finding.baseline_value),
        ("canary", finding.canary_value),
        ("change", finding.change_text),
        ("interval", finding.level),
        ("accepted (tolerance)", finding.tolerance),
        ("must not slip through (must_detect)", finding.must_detect),
        ("bad direction", finding.direction),
        ("decided by", finding.decided),
        ("p, worse than tolerated", finding.against if finding.against else finding.p),
        ("p, two-sided", finding.p_two_sided),
        ("P(canary > baseline)", finding.effect),
        ("would be called now", finding.detectable),
        ("still missing", finding.missing),
        ("counts", finding.counts),
        ("samples, baseline/canary", finding.n),
        ("effective samples", finding.n_effective),
        ("method", finding.method),
        ("group", finding.group),
        ("weight", words.number(finding.weight)),
    ]
    found, window = finding.interval, section(shared.record, "window")
    told = shared.steps.get(key, [])
    source = section(shared.record, "source")
    kind = SOURCES.get(str(source.get("type")), SourceSettings)
    times_asked = {name: window.get(name) for name in ("start", "end", "step")}
    return {
        "finding": finding,
        "numbers": [(name, text) for name, text in numbers if text not in {"", words.MISSING}],
        "interval": safe(svg.interval(found, classification=finding.classification)) if found is not None else "",
        "spark": safe(svg.sparkline(finding, start=window.get("start"), end=window.get("end"))),
        "series": safe(time_series(finding, shared.when)),
        "silent": _silent(finding),
        "warm": shared.when.warm is not None,
        "gaps": _gaps(finding),
        "looks": len(shared.when.looks),
        "distribution": safe(distribution(finding)),
        "steps": told if len(told) > 1 else [],
        "evidence": safe(evidence(finding.title, told)),
        "queries": [(side, text, kind.query_page(source, text, **times_asked)) for side, text in finding.queries.items()],
    }


def _silent(finding: Finding) -> str:
    """Which sides have no samples, in words."""
    if finding.limit_only:
        return ""
    sides = [side for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary)) if not drawn]
    return f"no samples of the {' and the '.join(sides)}" if sides else ""


def _gaps(finding: Finding) -> str:
    """How many gaps each side has, in words."""
    found = {side: gaps(drawn) for side, drawn in (("baseline", finding.baseline), ("canary", finding.canary))}
    told = [
        f"{side} {len(one)} ({words.duration(max(last - first for first, last in one))}{' at most' if len(one) > 1 else ''})"
        for side, one in found.items()
        if one
    ]
    return ", ".join(told)


def _groups(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": words.one_line(group.get("name", "")),
            "weight": words.number(group.get("weight")),
            "score": words.number(group.get("score")),
            "share": f"{min(max(float(group.get('score') or 0.0), 0.0), 100.0):.4g}",
        }
        for group in verdict.get("groups") or ()
    ]


def _thresholds(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """From which score on it passes, as the config says."""
    given = section(section(record, "config"), "score")
    return [(name, words.one_line(given[name])) for name in ("pass", "marginal") if given.get(name) is not None]


def _warnings(record: Mapping[str, Any]) -> list[str]:
    """What was warned of, each once: of the verdict, of the answers, of samples that share data."""
    said = [*(section(record, "verdict").get("warnings") or ()), *(record.get("warnings") or ())]
    return list(dict.fromkeys(words.one_line(warning) for warning in said))


def _label(label: Mapping[str, Any]) -> dict[str, str]:
    return {name: words.one_line(label.get(name) or "") for name in ("label", "by", "why")} | {"at": words.moment(label.get("at"))}


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
    window, moments = section(record, "window"), {"start", "end", "first_sample"}
    verdict = section(record, "verdict")
    shown = {name: words.moment(value) if name in moments else value for name, value in window.items()}
    shown |= {name: words.duration(window[name]) for name in ("step", "warmup") if window.get(name) is not None}
    whole = {
        "id": record.get("id"),
        "asked at": words.moment(record.get("asked_at")),
        "judge": verdict.get("judge"),
        "config digest": record.get("config_digest"),
        "question": record.get("question"),
    }
    asked = section(record, "request")
    asked = {name: words.moment(value) if name in moments and isinstance(value, float) else value for name, value in asked.items()}
    sections = [
        ("Verdict", whole),
        ("Request", asked),
        ("Window", shown),
        ("Traffic", section(record, "traffic")),
        ("Source", section(record, "source")),
        ("Settings", section(record, "settings")),
        ("Versions", section(record, "versions")),
    ]
    return [
        (name, [(words.one_line(key), _text(value)) for key, value in part.items() if value not in (None, "", {}, words.MISSING)])
        for name, part in sections
        if part
    ]


def _documents(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is shown as it was written: the config."""
    config = section(record, "config")
    return [("Config as it was used", words.plain(json.dumps(config, indent=2, ensure_ascii=False)))] if config else []


def _text(value: object) -> str:
    """Any value of a record as a person reads it."""
    if isinstance(value, str):
        return words.plain(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{words.one_line(key)}={_text(one)}" for key, one in value.items()) or "none"
    if isinstance(value, float):
        return words.number(value)
    return words.plain(json.dumps(value, ensure_ascii=False))
