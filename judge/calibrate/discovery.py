"""The history of one service found out from a source: who ran when, restarts, and how often it is scraped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.calibrate.history_reader import Range, Reader
from judge.calibrate.scopes import Versions
from judge.calibrate.timeline import Presence, Timeline, read_timeline
from judge.core.model import Floats, Series
from judge.core.templates import duration
from judge.errors import QueryRejected

GRID = 60.0
"""Seconds between looks at who is there."""
POD_LABELS = ("pod", "instance", "pod_name", "kubernetes_pod_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there was: the timeline, the label that tells pods apart (empty where none does), seconds between scrapes, and notes."""

    timeline: Timeline
    pod_label: str
    scrape: float | None
    notes: tuple[str, ...] = ()


def questions(versions: Versions, pod_label: str, *, start: float, end: float) -> list[Range]:
    """What is asked of the source to learn who ran when."""
    window = duration(GRID)
    by = ", ".join(dict.fromkeys(label for label in (versions.label, pod_label) if label))
    texts = [f"count by ({by}) (count_over_time({versions.selector}[{window}]))"]
    if versions.counter:
        texts.append(f"sum by ({versions.label}) (rate({versions.selector}[{duration(2 * GRID)}]))")
        texts.append(f"sum by ({by}) (resets({versions.selector}[{duration(5 * GRID)}])) > 0")
    return [Range(text=text, start=start, end=end, step=GRID) for text in texts]


def discover(reader: Reader, versions: Versions, *, start: float, end: float, pod_label: str = "") -> Found:
    """Find out who ran when.

    Parameters
    ----------
    reader : Reader
    versions : Versions
    start, end : float
        Unix seconds, whole multiples of `GRID`.
    pod_label : str
        The label that tells pods apart; empty to try the usual ones.

    Raises
    ------
    QueryRejected
        Where the source knows no such series at all.
    """
    label = pod_label
    if not label:
        label = _pod_label(reader, versions, start=start, end=end)
    answers = reader.read_all(questions(versions, label, start=start, end=end), what="versions and pods")
    if not answers[0]:
        raise QueryRejected(
            f"there are no series {versions.selector} between these times: check the args, the scope and --since "
            f"(the label {versions.label} tells versions apart)"
        )
    presences = [
        Presence(version=version, pod=one.labels.get(label, ""), t=one.t)
        for one in answers[0]
        if (version := versions.version_of(one.labels.get(versions.label, ""))) is not None
    ]
    if not presences:
        values = sorted({one.labels.get(versions.label, "") for one in answers[0]})[:5]
        raise QueryRejected(f"no value of the label {versions.label} ({', '.join(values)}) is that of a version as the scope spells it")
    traffic: dict[str, tuple[Floats, Floats]] = {}
    restarts: list[tuple[float, str]] = []
    notes = []
    if versions.counter:
        for one in answers[1]:
            version = versions.version_of(one.labels.get(versions.label, ""))
            if version is not None:
                # Several values of the label may name one version (pods by name): their rates add up.
                traffic[version] = _added(traffic.get(version), one)
        restarts = _restarts(answers[2], label)
    else:
        notes.append("restarts and weights are not known: the metric that tells which pods there are is no counter")
    timeline = read_timeline(presences, start=start, end=end, step=GRID, traffic=traffic, restarts=restarts)
    scrape = _scrape(reader, versions, timeline)
    return Found(timeline=timeline, pod_label=label, scrape=scrape, notes=tuple(notes))


def _pod_label(reader: Reader, versions: Versions, *, start: float, end: float) -> str:
    """The first of the usual labels that the newest series have; empty where they have none of them."""
    for at in (end, (start + end) / 2 // GRID * GRID):
        found = reader.read(
            Range(
                text=f"group by ({', '.join(POD_LABELS)}) (count_over_time({versions.selector}[1d]))",
                start=at,
                end=at,
                step=GRID,
                instant=True,
            ),
            what="labels",
        )
        for label in POD_LABELS:
            if found and all(one.labels.get(label) for one in found):
                return label
        if found:
            return ""
    return ""


def _added(before: tuple[Floats, Floats] | None, one: Series) -> tuple[Floats, Floats]:
    if before is None:
        return one.t, one.v
    t = np.union1d(before[0], one.t)
    v = np.zeros(len(t))
    v[np.searchsorted(t, before[0])] += before[1]
    v[np.searchsorted(t, one.t)] += one.v
    return t, v


def _restarts(answer: Sequence[Series], label: str) -> list[tuple[float, str]]:
    """When counters began anew; what is seen at two neighbouring times is one restart."""
    found = []
    for one in answer:
        first = np.concatenate([[True], np.diff(one.t) > 3 * GRID]) if len(one) else np.empty(0, dtype=bool)
        found += [(float(t), one.labels.get(label, "")) for t in one.t[first]]
    return found


def _scrape(reader: Reader, versions: Versions, timeline: Timeline) -> float | None:
    """Seconds between two scrapes of one series, told by how many samples ten minutes hold."""
    if not timeline.stretches:
        return None
    longest = max(timeline.stretches, key=lambda one: one.end - one.start)
    at = (longest.start + longest.end) // 2 // GRID * GRID
    one = reader.read(
        Range(text=f"max(count_over_time({versions.selector}[10m]))", start=at, end=at, step=GRID, instant=True), what="scrape interval"
    )
    return round(600.0 / float(one[0].v[-1])) if one and one[0].v[-1] > 0 else None
