"""Whether ranges are long enough: a rate needs two samples, and a source knows how many a range holds.

The scrape interval is not asked for, since it may differ from target to target and not every store tells it. What
counts is asked instead: for how many series and steps there is a sample in the range, and for how many a rate. A store
that looks back beyond the range for the sample before it, as VictoriaMetrics does, has both alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from judge.core.templates import duration, quote_spans, seconds
from judge.lint.rule import Range
from judge.sources import Answer, Query, Source

_INSIDE = r"""(?:[^"'`{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*"""
_CALL = re.compile(
    rf"\b(rate|increase|irate|delta|idelta|deriv)\s*\(\s*((?:[a-zA-Z_:][\w:]*)?\s*(?:\{{{_INSIDE}\}})?)\s*\[\s*((?:\d+(?:ms|s|m|h|d|w|y))+)\s*\]"
)
_COMPARED = frozenset({"value", "numerator", "denominator"})


def calls(text: str) -> list[tuple[str, str, float]]:
    """Find each function over a range that needs two samples: its name, the selector, and the range in seconds.

    Examples
    --------
    >>> calls('sum(rate(http_requests_total{code=~"5..",pod="{"}[1m])) / sum(increase(x[30s])) + y{a="rate(z[5s])"}')
    [('rate', 'http_requests_total{code=~"5..",pod="{"}', 60.0), ('increase', 'x', 30.0)]
    """
    spans = quote_spans(text)
    found = (match for match in _CALL.finditer(text) if not any(start <= match.start() < end for start, end, _quote in spans))
    return [(match.group(1), match.group(2).strip(), seconds(match.group(3))) for match in found if match.group(2).strip()]


def measure(answers: Iterable[Answer], source: Source, *, deadline: float) -> tuple[Range, ...]:
    """Ask how well the ranges of the answered queries are filled, each selector once; the baseline's, where there is one.

    Ranges are taken a millisecond shorter: so they are open to the left for every server, as they are for Prometheus 3,
    and no older one counts a scrape at both ends.
    """
    wanted: dict[tuple[str, str, str, float], Query] = {}
    sides: dict[tuple[str, str], str] = {}
    for answer in answers:
        query = answer.query
        if not query.metric or query.part not in _COMPARED or query.instant:
            continue
        if sides.setdefault((query.metric, query.part), query.side) != query.side:
            continue
        for function, selector, length in calls(query.text):
            wanted.setdefault((query.metric, query.part, selector, length), replace(query, part=function))
    asked: list[Query] = []
    for (_metric, _part, selector, length), query in wanted.items():
        inside = f"{selector}[{duration(length - 0.001)}]"
        asked += [replace(query, text=f"count({each}({inside}))") for each in (query.part, "count_over_time")]
    counts = [sum(float(series.v.sum()) for series in answer.series) for answer in source.fetch(asked, deadline=deadline)] if asked else []
    return tuple(
        Range(metric=metric, part=part, text=f"{query.part}({selector}[{duration(length)}])", filled=filled, seen=seen)
        for ((metric, part, selector, length), query), filled, seen in zip(wanted.items(), counts[::2], counts[1::2], strict=True)
    )
