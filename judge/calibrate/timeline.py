"""What ran when: versions, rollouts between them, restarts, gaps, and the quiet stretches between all these.

Pure: presence of pods on a grid of times in, a `Timeline` out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from judge.core.model import Floats, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HOLE = 3
"""A pod that is not seen for so many steps, while others are, was not scraped; for longer, it was away."""


class Ending(StrEnum):
    """How a rollout ended, told by who was left."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Presence:
    """One pod: at which times (unix seconds, on the grid) it was seen."""

    version: str
    pod: str
    t: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Two versions that ran together; `canary` is the one that came later.

    `pods` are (baseline, canary) at the time when the canary had been there for half of the rollout, `share` is the canary's
    median part of the requests (None where the traffic does not tell), and `weights` its part over time (unix seconds, fraction).
    """

    baseline: str
    canary: str
    start: float
    end: float
    ending: Ending
    pods: tuple[int, int]
    share: float | None = None
    weights: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in which one version ran alone, on the same pods, without a restart or a gap."""

    version: str
    pods: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The history of one service.

    `gaps` are (from, to), `restarts` (time, pod), and `switches` (time, version) those that came when nobody else was there.
    `seen` are the first and the last time at which anything was.
    """

    start: float
    end: float
    step: float
    versions: tuple[str, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    restarts: tuple[tuple[float, str], ...] = ()
    switches: tuple[tuple[float, str], ...] = ()
    seen: tuple[float, float] | None = None

    def disturbance(self, start: float, end: float, *, settle: float) -> str:
        """What a window touches, the first of rollout, gap and restart; empty where nothing. `settle` seconds follow each rollout."""
        if self.seen is None or start < self.seen[0] or end > self.seen[1]:
            return "no data"
        if any(start < to and end > since for since, to in self.gaps):
            return "gap"
        if any(start < one.end + settle and end > one.start for one in self.rollouts):
            return "rollout"
        if any(start < at + settle and end > at - self.step for at, _ in self.switches):
            return "rollout"
        # A reset is seen up to one step after it happened.
        if any(start - self.step < at and at - self.step < end for at, _ in self.restarts):
            return "restart"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One version without interruption, as grid indices [first, last]."""

    version: int
    first: int
    last: int


def read_timeline(
    presences: Sequence[Presence],
    *,
    start: float,
    end: float,
    step: float,
    traffic: Mapping[str, tuple[Floats, Floats]],
    restarts: Sequence[tuple[float, str]] = (),
) -> Timeline:
    """Tell what ran when.

    Parameters
    ----------
    presences : sequence of Presence
        One for each pod.
    start, end, step : float
        The grid, unix seconds.
    traffic : mapping
        Requests a second of each version: times and values; empty where nothing tells.
    restarts : sequence of (float, str)
        When containers began anew, and of which pod.
    """
    count = round((end - start) / step) + 1
    if not presences:
        return Timeline(start=start, end=end, step=step)
    names = sorted({one.version for one in presences})
    number = {name: index for index, name in enumerate(names)}
    raw = np.zeros((len(presences), count), dtype=np.bool_)
    for row, one in enumerate(presences):
        raw[row, np.clip(np.rint((one.t - start) / step).astype(np.intp), 0, count - 1)] = True
    anything: Mask = np.asarray(raw.any(axis=0))
    holes = [(first, last) for value, first, last in _runs(anything) if not value and last - first + 1 > _HOLE]
    gaps = tuple((start + (first - 1) * step, start + (last + 1) * step) for first, last in holes if first > 0 and last < count - 1)
    pods = np.stack([_closed(row, anything) for row in raw])
    of = np.array([number[one.version] for one in presences])
    alive = np.stack([pods[of == index].any(axis=0) for index in range(len(names))])
    strength = np.stack([pods[of == index].sum(axis=0) for index in range(len(names))])
    runs = [
        _Run(version=index, first=first, last=last) for index in range(len(names)) for value, first, last in _runs(alive[index]) if value
    ]
    runs.sort(key=lambda run: run.first)
    shares = _shares(traffic, names, start=start, step=step, count=count)
    rollouts, switches = _rollouts(runs, names, strength, shares, start=start, step=step, count=count)
    seen = np.flatnonzero(anything)
    return Timeline(
        start=start,
        end=end,
        step=step,
        versions=tuple(names[run.version] for run in runs),
        rollouts=tuple(rollouts),
        stretches=tuple(_stretches(presences, pods, alive, anything, start=start, step=step)),
        gaps=gaps,
        restarts=tuple(sorted(restarts)),
        switches=tuple(switches),
        seen=(start + float(seen[0]) * step, start + float(seen[-1]) * step),
    )


def _runs(values: Mask) -> list[tuple[bool, int, int]]:
    """Stretches of equal values: value, first and last index."""
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    firsts = np.concatenate([[0], edges])
    lasts = np.concatenate([edges - 1, [len(values) - 1]])
    return [(bool(values[first]), int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


def _closed(row: Mask, anything: Mask) -> Mask:
    """A pod's presence without short holes, and without those in which nothing at all was scraped."""
    found: Mask = row.copy()
    runs = _runs(row)
    for value, first, last in runs[1:-1]:
        if not value and int(anything[first : last + 1].sum()) <= _HOLE:
            found[first : last + 1] = True
    return found


def _shares(traffic: Mapping[str, tuple[Floats, Floats]], names: Sequence[str], *, start: float, step: float, count: int) -> Floats | None:
    """Each version's part of all requests on the grid, shape (versions, times); NaN where there were none."""
    if not traffic:
        return None
    rates = np.zeros((len(names), count))
    for index, name in enumerate(names):
        if name in traffic:
            t, v = traffic[name]
            rates[index, np.clip(np.rint((t - start) / step).astype(np.intp), 0, count - 1)] = np.nan_to_num(v)
    total = rates.sum(axis=0)
    shares: Floats = np.divide(rates, total, out=np.full_like(rates, np.nan), where=total > 0)
    return shares


def _rollouts(
    runs: Sequence[_Run],
    names: Sequence[str],
    strength: NDArray[np.intp],
    shares: Floats | None,
    *,
    start: float,
    step: float,
    count: int,
) -> tuple[list[Rollout], list[tuple[float, str]]]:
    """Everybody who came while another was there, and those who came when nobody was."""
    found, switches = [], []
    for run in runs:
        if run.first == 0:
            continue
        there = [one for one in runs if one.first < run.first and one.last > run.first and one.version != run.version]
        if not there:
            if any(one.last < run.first for one in runs):
                switches.append((start + run.first * step, names[run.version]))
            continue
        base = max(there, key=lambda one: (int(strength[one.version, run.first]), -one.first))
        last = min(run.last, base.last)
        ending = Ending.PROMOTED if base.last <= run.last else Ending.ROLLED_BACK
        if run.last == base.last == count - 1:
            ending = Ending.RUNNING
        middle = (run.first + last) // 2
        share: float | None = None
        weights: tuple[tuple[float, float], ...] = ()
        if shares is not None:
            mine = shares[run.version, run.first : last + 1]
            pair = mine + shares[base.version, run.first : last + 1]
            part = np.divide(mine, pair, out=np.full_like(mine, np.nan), where=pair > 0)
            known = np.isfinite(part)
            share = float(np.median(part[known])) if known.any() else None
            weights = _steps(part, start=start + run.first * step, step=step)
        found.append(
            Rollout(
                baseline=names[base.version],
                canary=names[run.version],
                start=start + run.first * step,
                end=start + last * step,
                ending=ending,
                pods=(int(strength[base.version, middle]), int(strength[run.version, middle])),
                share=share,
                weights=weights,
            )
        )
    return found, switches


def _steps(part: Floats, *, start: float, step: float) -> tuple[tuple[float, float], ...]:
    """When the canary's part of the requests changed by five points or more: time and new part."""
    changes: list[tuple[float, float]] = []
    for index in range(0, len(part), 5):
        block = part[index : index + 5]
        block = block[np.isfinite(block)]
        if len(block):
            value = round(float(np.median(block)), 2)
            if not changes or abs(value - changes[-1][1]) >= 0.05:
                changes.append((start + index * step, value))
    return tuple(changes)


def _stretches(presences: Sequence[Presence], pods: Mask, alive: Mask, anything: Mask, *, start: float, step: float) -> list[Stretch]:
    """Times in which one version ran alone on the same pods."""
    changed = np.zeros(len(anything), dtype=np.bool_)
    changed[1:] = (pods[:, 1:] != pods[:, :-1]).any(axis=0) | (anything[1:] != anything[:-1])
    edges = [0, *np.flatnonzero(changed).tolist(), len(anything)]
    found = []
    for first, past in pairwise(edges):
        if not anything[first] or int(alive[:, first].sum()) != 1:
            continue
        rows = np.flatnonzero(pods[:, first])
        names = tuple(sorted({presences[int(row)].pod for row in rows}))
        # What is seen at the first time happened in the step before it.
        since = start + first * step
        found.append(Stretch(version=presences[int(rows[0])].version, pods=names, start=since, end=start + (past - 1) * step))
    return found
