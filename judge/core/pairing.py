"""Baseline and canary series become pairs: equal labels, then equal times.

The labels that pick a side (the pod-template hash, the pod) must differ and are
not compared. A label set that only one side has is a pair whose other side is
empty: it is reported, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from judge.core.model import Classification, Floats, Problem, Series

ALWAYS_APART = frozenset({"__name__", "pod", "instance", "pod_name", "container_id", "id", "uid"})
"""Labels that tell one process from another, whatever the scope says."""

_CONCURRENT_SHARE = 0.5
"""Sides that share at least this part of the shorter one's times ran at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelPair:
    """Two series of equal labels; a side without the label set is an empty series."""

    labels: Mapping[str, str]
    baseline: Series
    canary: Series
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aligned:
    """Values to be compared, shapes (n,) and (m,); `dropped` had no partner at their time.

    Where `paired` is true, n = m and element i of both is from time ``t[i]``.
    """

    baseline: Floats
    canary: Floats
    t: Floats
    t_canary: Floats
    paired: bool
    dropped: int


def _key(labels: Mapping[str, str], apart: AbstractSet[str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name not in apart))


def pair_by_labels(baseline: Sequence[Series], canary: Sequence[Series], *, apart: AbstractSet[str] = frozenset()) -> list[LabelPair]:
    """Pair the series of both sides by their labels.

    One series on each side is a pair whatever its labels. `apart` names the labels
    of the scope's matcher, which differ by design.

    Several series of one side that only differ in labels that are not compared
    (a query that forgets to aggregate its pods) cannot be paired: the pair carries
    a `Problem`.

    Examples
    --------
    >>> at = np.array([0.0])
    >>> a = Series(t=at, v=at, labels={"route": "/a", "pod": "x-1"})
    >>> b = Series(t=at, v=at, labels={"route": "/b", "pod": "y-1"})
    >>> [(dict(pair.labels), len(pair.baseline), len(pair.canary)) for pair in pair_by_labels([a, b], [a])]
    [({'route': '/a'}, 1, 1), ({'route': '/b'}, 1, 0)]
    """
    if len(baseline) <= 1 and len(canary) <= 1:
        return [LabelPair(labels={}, baseline=_only(baseline), canary=_only(canary))]
    unlike = apart | ALWAYS_APART
    sides: list[dict[tuple[tuple[str, str], ...], list[Series]]] = []
    for group in (baseline, canary):
        found: dict[tuple[tuple[str, str], ...], list[Series]] = {}
        for series in group:
            found.setdefault(_key(series.labels, unlike), []).append(series)
        sides.append(found)
    pairs = []
    for key in sorted({*sides[0], *sides[1]}):
        left, right = sides[0].get(key, []), sides[1].get(key, [])
        problem = None
        if len(left) > 1 or len(right) > 1:
            names = sorted({name for series in (*left, *right) for name in series.labels} & unlike)
            problem = Problem(
                classification=Classification.ERROR,
                message=f"the query returns {len(left)} baseline and {len(right)} canary series that differ only in "
                f"{', '.join(names) or 'nothing'}; aggregate them, for example with sum(…) or avg(…)",
            )
        pairs.append(LabelPair(labels=dict(key), baseline=_only(left[:1]), canary=_only(right[:1]), problem=problem))
    return pairs


def _only(group: Sequence[Series]) -> Series:
    return group[0] if group else Series.empty()


def align(baseline: Series, canary: Series) -> Aligned:
    """Bring two series to values that may be compared.

    Sides that ran at once are compared over the times that both have, so that a
    gap on one side does not set a quiet hour against a busy one. Sides from
    different times keep all their values.
    """
    common, left, right = np.intersect1d(baseline.t, canary.t, assume_unique=True, return_indices=True)
    shorter = min(len(baseline), len(canary))
    if shorter and len(common) >= _CONCURRENT_SHARE * shorter:
        return Aligned(
            baseline=baseline.v[left],
            canary=canary.v[right],
            t=common,
            t_canary=common,
            paired=True,
            dropped=len(baseline) + len(canary) - 2 * len(common),
        )
    return Aligned(baseline=baseline.v, canary=canary.v, t=baseline.t, t_canary=canary.t, paired=False, dropped=0)


def events_of(total: Series, events: Sequence[Series], totals: Sequence[Series], *, apart: AbstractSet[str] = frozenset()) -> Series:
    """Find the event series that belongs to this total; none is no events.

    One event series beside one total belong together whatever their labels.
    """
    if len(totals) <= 1 and len(events) <= 1:
        return _only(events)
    unlike = apart | ALWAYS_APART
    key = _key(total.labels, unlike)
    return _only([series for series in events if _key(series.labels, unlike) == key][:1])


def strangers(events: Sequence[Series], totals: Sequence[Series], *, apart: AbstractSet[str] = frozenset()) -> list[Mapping[str, str]]:
    """Label sets of events that no total has: their events would silently be lost.

    Several event series with the labels of one total are strangers too.
    """
    if len(totals) <= 1 and len(events) <= 1:
        return []
    unlike = apart | ALWAYS_APART
    known = {_key(series.labels, unlike) for series in totals}
    seen: set[tuple[tuple[str, str], ...]] = set()
    found = []
    for series in events:
        key = _key(series.labels, unlike)
        if totals and (key not in known or key in seen):
            found.append(series.labels)
        seen.add(key)
    return found


def events_where_asked(events: Series, totals: Series) -> Series:
    """Counted events at every time the total has: absent events are zero events.

    An error counter is not exported before its first error, so no error series
    beside a request series means no errors; without the request series there is no data.
    """
    if not len(totals):
        return Series.empty()
    values = np.zeros(len(totals))
    _, here, there = np.intersect1d(totals.t, events.t, assume_unique=True, return_indices=True)
    values[here] = events.v[there]
    return replace(totals, v=values)


def present(series: Iterable[Series]) -> float | None:
    """Time of the earliest sample of any series; None where there is none."""
    return min((float(one.t[0]) for one in series if len(one)), default=None)
