"""One side's samples before they are compared: NaN, outliers, and the numbers Kayenta reports of them.

Sums run from left to right, as Java's do: numpy's and Python's own differ in the last places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from judge.core.kayenta.java_json import KayentaFault, MetricRule
from judge.core.model import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What is reported of one side after the transforms, in the metric's unit; all 0 without samples."""

    count: int = 0
    mean: float = 0.0
    min: float = 0.0
    max: float = 0.0
    std: float = 0.0


def transform(values: Floats, rule: MetricRule) -> Floats:
    """Replace or drop NaN, then drop outliers where the config says so.

    Raises
    ------
    KayentaFault
        Where outliers are to be removed by a factor that is not positive.
    """
    missing = np.isnan(values)
    if missing.any():
        values = np.where(missing, 0.0, values) if rule.replace_nan else values[~missing]
    if not rule.remove_outliers:
        return values
    if not rule.outlier_factor > 0:
        path = f"{rule.path}.analysisConfigurations.canary.outliers.outlierFactor"
        raise KayentaFault(path, f"factor must be greater than zero, got {rule.outlier_factor:g}")
    return without_outliers(values, rule.outlier_factor)


def without_outliers(values: Floats, factor: float) -> Floats:
    """Drop what lies beyond the wider of Tukey's fences and the 1st and 99th percentile.

    Examples
    --------
    >>> without_outliers(np.array([9.0, 10, 11, 12, 10, 11, 9, 10, 1000]), 3.0).tolist()
    [9.0, 10.0, 11.0, 12.0, 10.0, 11.0, 9.0, 10.0]
    """
    ordered = np.sort(values)
    first, third = percentile(ordered, 25), percentile(ordered, 75)
    reach = factor * (third - first)
    # numpy's minimum is NaN where either is, as Java's; and nothing lies beyond a fence that is NaN.
    low = np.minimum(percentile(ordered, 1), first - reach)
    high = np.maximum(percentile(ordered, 99), third + reach)
    kept: Floats = values[~((values > high) | (values < low))]
    return kept


def percentile(ordered: Floats, percent: float) -> float:
    """Interpolate between the two nearest of the sorted values (Hyndman and Fan's seventh rule).

    Examples
    --------
    >>> percentile(np.array([1.0, 2.0, 4.0]), 75)
    3.0
    """
    n = len(ordered)
    if n < 2:
        return float(ordered[0]) if n else math.nan
    position = n if percent == 100 else 1 + (n - 1) * (percent / 100)
    floor = math.floor(position)
    if position < 1:
        return float(ordered[0])
    if position >= n:
        return float(ordered[-1])
    below, above = float(ordered[floor - 1]), float(ordered[floor])
    return below + (position - floor) * (above - below)


def describe(values: Floats) -> Stats:
    """Give count, mean, extremes and standard deviation.

    Examples
    --------
    >>> describe(np.array([1.0, 2.0, 3.0]))
    Stats(count=3, mean=2.0, min=1.0, max=3.0, std=1.0)
    """
    n = len(values)
    if not n:
        return Stats()
    with np.errstate(invalid="ignore", over="ignore"):
        average = mean(values)
        off = values - average
        square, linear = _sum(off * off), _sum(off)
    variance = 0.0 if n == 1 else (square - linear * linear / n) / (n - 1)
    std = math.sqrt(variance) if variance >= 0 else math.nan
    return Stats(count=n, mean=average, min=_extreme(values, values.min()), max=_extreme(values, values.max()), std=std)


def _extreme(values: Floats, found: np.float64) -> float:
    """Of 0.0 and -0.0, which are equal, the last one is reported."""
    return float(values[values == 0][-1] if found == 0 else found)


def mean(values: Floats) -> float:
    """Give the mean in two passes: of the values, and of what they are off by."""
    n = len(values)
    with np.errstate(invalid="ignore", over="ignore"):
        rough = _sum(values) / n
        return rough + _sum(values - rough) / n


def _sum(values: Floats) -> float:
    # accumulate adds one after another. Java starts from 0.0, which makes -0.0 of no sum.
    return float(np.add.accumulate(values)[-1]) + 0.0
