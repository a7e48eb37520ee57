"""The service's other pages: recent verdicts, all looks at one canary, configs, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judge.reports import text as words
from judge.reports.html import render
from judge.reports.urls import OF_A_CANARY, Home, looks_strip, row_fields
from judge.reports.view_model import findings, section, title_of

if TYPE_CHECKING:
    from judge.archive.scorecard import Score
    from judge.archive.types import ConfigTally

VERDICTS = ("pass", "marginal", "fail", "inconclusive", "error")
_LABELS = {"right": "right", "wrong": "wrong", "any": "any label", "none": "not labelled yet"}
_SINCE = {"1h": "the last hour", "1d": "the last day", "7d": "the last week", "30d": "the last 30 days"}
_TEXTS = ("config", "service", "namespace", "rollout", "canary")
_MOST_METRICS = 60
_OPEN = ("undecided",)
_BROKEN = ("nodata", "error")


def verdicts_page(
    rows: Sequence[Mapping[str, Any]],
    *,
    public_url: str = "/",
    older: str = "",
    newest: bool = True,
    filters: Mapping[str, str] | None = None,
    configs: Sequence[str] = (),
) -> str:
    """Write the list of recent verdicts (rows of `judge.archive.Archive.list`) as one HTML page.

    `older` is the id to ask the next page with (``?before=``), empty on the last
    one; `newest` tells the first page, which follows what happens. `filters` are those that made
    this list, and are kept in its links; `configs` are names that can be chosen.
    """
    home = Home(public_url)
    kept = {name: value for name, value in ({} if filters is None else filters).items() if value}
    texts = {name: words.one_line(kept.get(name, "")) for name in _TEXTS}
    since = kept.get("since", "")
    return render(
        "verdicts.html",
        served=home.served,
        home=home,
        rows=[row_fields(home, row) for row in rows],
        older=home.list(**{**kept, "before": older}) if older else "",
        newest=newest,
        newer=home.list(**kept),
        filters={words.one_line(name): words.one_line(value) for name, value in kept.items()},
        others={name: value for name, value in kept.items() if name in {"baseline", "until"}},
        texts=texts,
        verdict=kept.get("verdict", ""),
        verdicts=VERDICTS,
        label=kept.get("label", ""),
        labels=_LABELS,
        since=since,
        since_choices=_SINCE if since in _SINCE or not since else {**_SINCE, since: f"since {words.one_line(since)}"},
        configs=[words.one_line(name) for name in configs],
        address=home.public_url if home.public_url.startswith("http") else "http://127.0.0.1:8080",
    )


def rollout_page(
    rows: Sequence[Mapping[str, Any]], *, public_url: str = "/", records: Sequence[Mapping[str, Any]] = (), asked: Mapping[str, str]
) -> str:
    """Write all looks at one canary as one page.

    `rows` are those of the archive's `looks`, the first one first; `records` those whose metrics are shown look by
    look, in the same order, the newest last. `asked` is what the page was asked for.
    """
    home = Home(public_url)
    strip = looks_strip(home, rows)
    found = findings(records[-1])[:_MOST_METRICS] if records else []
    looks = [(home.verdict(record.get("id", "")), _kinds(record)) for record in records]
    return render(
        "rollout.html",
        served=home.served,
        home=home,
        asked={name: words.one_line(asked.get(name, "")) for name in OF_A_CANARY},
        list_url=home.list(**asked),
        strip=strip,
        newest=strip[-1] if strip else None,
        decided_by=section(records[-1], "verdict").get("decided_by") if records else None,
        told=[words.one_line(section(record, "window").get("look") or "?") for record in records],
        more=max(len(section(records[-1], "verdict").get("results") or []) - _MOST_METRICS, 0) if records else 0,
        metrics=[(one, _cells(one.title, looks)) for one in found],
    )


def _cells(title: str, looks: Sequence[tuple[str, Mapping[str, str]]]) -> list[dict[str, str]]:
    """What a metric was classified as at each look, with the page that tells why."""
    kinds = [(url, of.get(title, "")) for url, of in looks]
    return [
        {
            "kind": kind,
            "symbol": words.symbol(kind) if kind else "",
            "meaning": words.MEANINGS.get(kind, kind) if kind else "not there",
            "url": url,
        }
        for url, kind in kinds
    ]


def _kinds(record: Mapping[str, Any]) -> dict[str, str]:
    """The classification of each metric of a look, by its title."""
    results = section(record, "verdict").get("results") or ()
    return {title_of(result): words.one_line(result.get("classification", "error")) for result in results}


def configs_page(tallies: Sequence[ConfigTally], *, public_url: str = "/", served: Sequence[str] = ()) -> str:
    """Write every config with what became of its newest verdicts; `served` are those the service knows now."""
    home = Home(public_url)
    known = {tally.config for tally in tallies}
    return render(
        "configs.html",
        served=home.served,
        home=home,
        configs=[_tally(home, tally) for tally in tallies],
        silent=[(words.one_line(name), home.config(name)) for name in served if name not in known],
    )


def config_page(
    tally: ConfigTally, *, public_url: str = "/", scores: Sequence[Score] = (), description: str = "", current: bool = True
) -> str:
    """Write one config's page: its verdicts, its metrics, and how often labels found it right.

    `scores` are those of `judge.archive.scorecard.scores`; `current` says whether the service serves it now.
    """
    home = Home(public_url)
    in_all = {score.metric: score for score in scores if not score.month}
    months = [_score(score) | {"month": score.month} for score in scores if score.month and not score.metric]
    return render(
        "config.html",
        served=home.served,
        home=home,
        tally=_tally(home, tally),
        description=words.one_line(description),
        current=current,
        list_url=home.list(config=tally.config),
        metrics=[
            {
                "name": words.one_line(metric.metric),
                "group": words.one_line(metric.group),
                "critical": metric.critical,
                "verdicts": metric.verdicts,
                "fired": _share(metric.fired, metric.verdicts),
                "open": _share(sum(metric.classifications.get(kind, 0) for kind in _OPEN), metric.verdicts),
                "broken": _share(sum(metric.classifications.get(kind, 0) for kind in _BROKEN), metric.verdicts),
                "fired_at": metric.fired_at,
                "score": _score(in_all[metric.metric]) if metric.metric in in_all else None,
            }
            for metric in tally.metrics
        ],
        score=_score(in_all[""]) if "" in in_all else None,
        months=months,
    )


def _tally(home: Home, tally: ConfigTally) -> dict[str, Any]:
    count = max(tally.count, 1)
    return {
        "name": words.one_line(tally.config),
        "url": home.config(tally.config),
        "count": tally.count,
        "oldest": tally.oldest,
        "newest": tally.newest,
        "verdicts": [
            (name, words.symbol(name), seen, _share(seen, tally.count), home.list(config=tally.config, verdict=name))
            for name in (*VERDICTS, *sorted(set(tally.verdicts) - set(VERDICTS)))
            if (seen := tally.verdicts.get(name))
        ],
        "labels": {name: tally.labels.get(name, 0) for name in ("right", "wrong")},
        "labelled": _share(sum(tally.labels.values()), count),
    }


def _share(part: int, whole: int) -> dict[str, Any]:
    """A count, its share as text, and as a number for a bar."""
    share = part / whole if whole else 0.0
    return {"count": part, "text": words.percent(share, signed=False) if whole else words.MISSING, "share": f"{100 * share:.4g}"}


def _score(score: Score) -> dict[str, str]:
    fired, bad = score.alarms + score.false_alarms, score.alarms + score.missed
    return {
        "precision": f"{words.percent(score.precision, signed=False)} ({score.alarms} of {fired})" if fired else words.MISSING,
        "recall": f"{words.percent(score.recall, signed=False)} ({score.alarms} of {bad})" if bad else words.MISSING,
        "labelled": str(score.labelled),
    }


def message_page(
    title: str, sentences: Sequence[str], *, public_url: str = "/", faults: Sequence[tuple[str, str]] = (), do: Sequence[str] = ()
) -> str:
    """Write what went wrong, and what can be done, as a page; `faults` are places and what is wrong there."""
    return render(
        "message.html",
        served=True,
        home=Home(public_url),
        title=words.one_line(title),
        sentences=[words.plain(text) for text in sentences],
        faults=[(words.one_line(place), words.plain(text)) for place, text in faults],
        do=[words.plain(text) for text in do],
    )
