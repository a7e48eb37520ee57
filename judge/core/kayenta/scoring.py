"""Metrics → groups → score, in Kayenta's order and with Kayenta's rounding.

The order matters twice: groups are listed in it, and float sums run in it. It is
that of Scala 2.12's ``groupBy``: a mutable hash table up to four groups, a hash
trie above.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import accumulate

from judge.core.kayenta.java_json import CONFIG, KayentaFault
from judge.core.kayenta.results import KayentaGroup, KayentaMetric, Label, Summary

NODATA_SHARE = 50
"""At so many percent of Nodata among the metrics, or more, nothing is scored."""

MUCH_NODATA = "Canary Failed: 50% or more metrics returned NODATA"

_INT = 0xFFFF_FFFF
_COUNTED = {Label.PASS, Label.HIGH, Label.LOW, Label.NODATA_FAIL}


def score(results: Sequence[KayentaMetric], weights: Mapping[str, float]) -> tuple[tuple[KayentaGroup, ...], float, str]:
    """Give the groups, the score (0 to 100, two decimals) and the reason where a rule decided it.

    Raises
    ------
    KayentaFault
        Where a metric that counts has no list of groups.
    """
    counted = [result for result in results if not result.muted]
    groups = group_scores(counted)
    failed = next((result for result in counted if result.critical and result.label is not Label.PASS), None)
    if failed is not None:
        return groups, 0.0, f"Canary Failed: {failed.reason}"
    nodata = sum(result.label is Label.NODATA for result in counted)
    if counted and 100 * nodata / len(counted) >= NODATA_SHARE:
        return groups, 0.0, MUCH_NODATA
    return groups, rounded(weighted_sum(groups, weights)), ""


def group_scores(results: Iterable[KayentaMetric]) -> tuple[KayentaGroup, ...]:
    """Give each group the share of its metrics that passed; a metric counts in each group as often as it is in it."""
    labels: dict[str, list[Label]] = {}
    for result in results:
        if result.groups is None:
            raise KayentaFault(f"{CONFIG}.metrics", f"metric {result.name!r} needs a list of groups, got none")
        for group in result.groups:
            labels.setdefault(group, []).append(result.label)
    return tuple(_group(name, labels[name]) for name in group_order(labels))


def _group(name: str, labels: Sequence[Label]) -> KayentaGroup:
    total = sum(label in _COUNTED for label in labels)
    passed = sum(label is Label.PASS for label in labels)
    return KayentaGroup(name=name, score=passed / total * 100 if total else 0.0, no_data=not total)


def weighted_sum(groups: Sequence[KayentaGroup], weights: Mapping[str, float]) -> float:
    """Add up the groups by weight; what the weights leave of 100 is shared by the groups without one."""
    order = weights if len(weights) <= 4 else _trie_order(weights)
    configured = _sum(weights[name] for name in order)
    without = sum(group.name not in weights for group in groups)
    share = (100 - configured) / without if without else 0.0
    return _sum((100.0 if group.no_data else group.score) * (weights.get(group.name, share) / 100) for group in groups)


def _sum(values: Iterable[float]) -> float:
    """Add one after another: from Python 3.12 on, sum() of floats is more exact than Kayenta's."""
    return list(accumulate(values, initial=0.0))[-1]


def rounded(value: float) -> float:
    """Round to two decimals, half up, by the decimal digits the number is printed with.

    What is negative and rounds to zero becomes -0.0; NaN and infinities stay.

    Examples
    --------
    >>> rounded(2.675), rounded(1.005), rounded(66.66666666666666), rounded(-1e-14)
    (2.68, 1.01, 66.67, -0.0)
    """
    if not math.isfinite(value):
        return value
    with localcontext(prec=400):
        return float(Decimal(repr(value)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def summary_of(total: float, passing: float, marginal: float) -> Summary:
    """Hold a score against the thresholds; the passing one is asked first."""
    if total >= passing:
        return Summary.PASS
    return Summary.MARGINAL if total >= marginal else Summary.FAIL


def group_order(names: Iterable[str]) -> list[str]:
    """Order names, given as first seen, as Scala 2.12's ``groupBy`` does.

    Examples
    --------
    >>> group_order(["A", "B", "C"]), group_order(["latency", "errors", "saturation", "traffic", "cpu", "memory"])
    (['A', 'C', 'B'], ['latency', 'saturation', 'errors', 'cpu', 'traffic', 'memory'])
    """
    seen = list(names)
    buckets = 16
    # The table doubles when an entry makes it fuller than three quarters.
    while len(seen) > buckets * 3 // 4:
        buckets *= 2
    bits = buckets.bit_length() - 1
    # The highest bucket comes first, and in one bucket the newest entry: all backwards.
    ordered = sorted(seen, key=lambda name: _scattered(java_hash(name), bits) >> (32 - bits))[::-1]
    return ordered if len(ordered) <= 4 else _trie_order(ordered)


def java_hash(text: str) -> int:
    """Give Java's ``String.hashCode``, unsigned, over UTF-16 units.

    Examples
    --------
    >>> java_hash("latency")
    4248390910
    """
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(units), 2):
        value = (value * 31 + (units[i] << 8 | units[i + 1])) & _INT
    return value


def _scattered(value: int, bits: int) -> int:
    """Scala's improvement of a hash for its mutable table."""
    value = value * 0x9E3775CD & _INT
    value = int.from_bytes(value.to_bytes(4, "big"), "little")
    value = value * 0x9E3775CD & _INT
    return (value >> bits | value << (32 - bits)) & _INT


def _trie_order(names: Iterable[str]) -> list[str]:
    """Order by the improved hash, five bits after five from the low end; equal hashes stay as they come."""

    def digits(name: str) -> list[int]:
        value = java_hash(name)
        value = (value + (~(value << 9) & _INT)) & _INT
        value ^= value >> 14
        value = (value + (value << 4)) & _INT
        value ^= value >> 10
        return [value >> shift & 31 for shift in range(0, 35, 5)]

    return sorted(names, key=digits)
