"""Samples that are no samples: the last value of a dead series, repeated.

Prometheus answers an instant vector selector with the newest sample that is at
most `lookback` seconds old (300 unless configured). A series that ends without a
staleness marker (backfilled, remote-written, or scraped by a Prometheus that
died) therefore goes on for that long with one and the same value. Those
repetitions are not data, and would count as evidence.

Range selectors (``rate(m[1m])``) do not do this, so only queries that hold an
instant selector need the cure: see `selects_instant`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from judge.core.model import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# How often a value must be seen to repeat elsewhere before that is held against the newest samples, which may be alive.
_KNOWN_RUNS = 5
_LONGEST_UNTOLD = 3

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
      | (?P<matchers>\{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^}"'`])*\})
      | (?P<range>\[[^\]]*\])
      | (?P<number>\d[\w.]*)
      | (?P<name>[A-Za-z_:][\w:]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan"})


def drop_carried(series: Series, *, step: float, end: float, lookback: float) -> tuple[Series, int]:
    """Drop the repetitions of a last value; answer the rest and how many went.

    A run is a stretch of bitwise equal values on consecutive steps. A run that
    ends at a gap, or ends the series before `end`, is carried on where it is
    longer than the longest run elsewhere (at least 1): what exceeds that length
    and lies within `lookback` of the run's last sample is dropped. A run that
    reaches `end` may be a live series that just does not change, so there the
    evidence must be strong: at least 5 other runs, more than twice the longest
    of them, and no longer than a repetition can last.

    A sample that differs from its predecessor is never dropped.

    Parameters
    ----------
    series : Series
        On the grid of `step`; NaN counts as a value.
    step, lookback : float
        Seconds.
    end : float
        Unix seconds, the last time that was asked for.

    Examples
    --------
    >>> gauge = Series(t=np.arange(0, 600, 60.0), v=np.array([3, 1, 4, 1, 5, 9, 9, 9, 9, 9.0]))
    >>> kept, dropped = drop_carried(gauge, step=60, end=1800, lookback=300)
    >>> kept.v.tolist(), dropped
    ([3.0, 1.0, 4.0, 1.0, 5.0, 9.0], 4)
    """
    if not len(series):
        return series, 0
    first, past = _runs(series, step)
    length = past - first
    last_t = series.t[past - 1]
    next_t = np.append(series.t[past[:-1]], np.inf)
    dead = next_t - last_t > 1.5 * step
    alive_at_end = last_t[-1] >= end - step / 2
    if alive_at_end:
        dead[-1] = False
    elsewhere = length[~dead]
    if alive_at_end:
        elsewhere = elsewhere[:-1]
    longest = int(elsewhere.max()) if len(elsewhere) else 1
    if alive_at_end and len(elsewhere) >= _KNOWN_RUNS:
        # A value that stayed for longer than Prometheus repeats one did so by itself.
        by_itself = length[-1] * step > lookback + longest * step
        dead[-1] = length[-1] > 2 * longest and length[-1] >= _LONGEST_UNTOLD and not by_itself

    keep = np.ones(len(series), dtype=bool)
    for run in np.flatnonzero(dead & (length > longest)):
        within = np.arange(first[run] + longest, past[run])
        keep[within[series.t[within] > last_t[run] - (lookback + step)]] = False
    dropped = len(series) - int(keep.sum())
    return (Series(t=series.t[keep], v=series.v[keep], labels=series.labels), dropped) if dropped else (series, 0)


def _runs(series: Series, step: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs of equal values on consecutive steps begin, and where the next one does."""
    bits = np.ascontiguousarray(series.v, dtype=np.float64).view(np.int64)
    begins = np.ones(len(series), dtype=bool)
    begins[1:] = (bits[1:] != bits[:-1]) | (np.diff(series.t) > 1.5 * step)
    first = np.flatnonzero(begins)
    return first, np.append(first[1:], len(series))


def selects_instant(text: str) -> bool:
    """Whether a PromQL text selects an instant vector somewhere outside of range selectors.

    A subquery (``[5m:15s]``) evaluates what it holds at instants, so a selector
    right before it counts. A text that is no PromQL may be answered either way.

    Examples
    --------
    >>> selects_instant('sum by (le) (rate(latency_bucket{pod="a"}[1m]))')
    False
    >>> selects_instant("rate(errors[1m]) / on (pod) limits")
    True
    """
    tokens = list(_tokens(text))
    tokens.append(("end", ""))
    at = 0
    while tokens[at][0] != "end":
        kind, value = tokens[at]
        at += 1
        if kind == "matchers":
            pass
        elif kind == "name" and value.lower() in _LABEL_LISTS:
            at = _after_label_list(tokens, at)
            continue
        elif kind == "name" and not _is_metric(value, tokens[at]):
            continue
        elif kind == "name":
            at += tokens[at][0] == "matchers"
        else:
            continue
        kind, value = tokens[at]
        if kind != "range" or ":" in value:
            return True
        at += 1
    return False


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The tokens that matter here; strings outside of matchers do not."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind not in {"skip", "string", "number"}:
            yield kind, match.group()


def _is_metric(name: str, following: tuple[str, str]) -> bool:
    """A name is a metric unless it is an operator, or a function or aggregation (``sum(``, ``sum by``)."""
    kind, value = following
    if name.lower() in _OPERATORS or value == "(":
        return False
    return not (kind == "name" and value.lower() in {"by", "without"})


def _after_label_list(tokens: list[tuple[str, str]], at: int) -> int:
    """The place after ``(label, …)``, which ``group_left`` may lack."""
    if tokens[at][1] != "(":
        return at
    while tokens[at][0] != "end" and tokens[at][1] != ")":
        at += 1
    return at + (tokens[at][0] != "end")
