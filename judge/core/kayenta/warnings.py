"""What a reader should know beside Kayenta's verdict: where its rule is known to mislead.

None of this changes a label. Each function gives whole sentences, or none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from judge.core.kayenta.brent import TOLERANCE
from judge.core.kayenta.classify import Found, label_of
from judge.core.kayenta.exact import exact_interval
from judge.core.kayenta.java_json import MetricRule
from judge.core.kayenta.results import Label
from judge.core.model import Floats
from judge.core.samples import overlap

FEW = 5
"""Under so many samples a side Kayenta still says High or Low: it asks for no number of them."""

DEPENDENT = 0.2
"""A first autocorrelation above this, and above what chance gives, is told."""

_SMALL = 100 * TOLERANCE


def cautions(rule: MetricRule, found: Found, canary: Floats, baseline: Floats) -> list[str]:
    """Say what speaks against taking this label at its word; the samples are the ones compared."""
    said = []
    if found.label is Label.ERROR and rule.critical:
        said.append("a critical metric in error: Kayenta leaves it out of the score, and the canary can pass without it")
    if not len(canary) or not len(baseline):
        return said
    if min(len(canary), len(baseline)) < FEW:
        said.append(f"only {len(canary)} canary and {len(baseline)} baseline samples: under {FEW} a label says little")
    if found.constants:
        said.append(
            "both sides are constant and differ: Kayenta adds random noise and may say otherwise each time; "
            "here they are compared as they are, as if the noise were ever smaller"
        )
    elif found.interval is not None:
        said += _solver(rule, found, canary, baseline)
    return said


def _solver(rule: MetricRule, found: Found, canary: Floats, baseline: Floats) -> list[str]:
    """Compare with the interval that needs no solver, where its tolerance could have decided."""
    interval, effect = found.interval, found.effect
    assert interval is not None
    assert effect is not None
    # With an interval that clearly holds zero, or an effect too small, the label is the same either way.
    if interval.lower < -2 * TOLERANCE and interval.upper > 2 * TOLERANCE:
        return []
    large_enough = (rule.up and effect >= rule.allowed_increase) or (rule.down and effect <= rule.allowed_decrease)
    if not (large_enough or math.isnan(effect)):
        return []
    try:
        exact = exact_interval(canary, baseline)
    except ValueError:  # infinities: Kayenta's interval is none either
        return []
    said = []
    span = float(max(canary.max(), baseline.max()) - min(canary.min(), baseline.min()))
    if span <= _SMALL:
        said.append(
            f"all values lie within {span:.2g}, near Kayenta's absolute tolerance of {TOLERANCE:g}; ask for a larger multiple of the metric"
        )
    label = label_of(rule, exact, effect)
    if label is not found.label:
        said.append(
            f"the solver's tolerance decided: Kayenta says {found.label}, the exact interval {label} "
            f"({exact.lower:.4g} to {exact.upper:.4g}, estimate {exact.estimate:.4g})"
        )
    return said


def dependence(name: str, values: Floats) -> list[str]:
    """Say how far a side's samples depend on each other, by the first autocorrelation.

    `values` are in the order of time, NaN where there were none.
    """
    rho, effective = autocorrelation(values)
    n = int(np.count_nonzero(~np.isnan(values)))
    if not n or not rho > max(DEPENDENT, 2 / math.sqrt(n)):
        return []
    worth = f"{n} are worth about {effective:.0f}, and Kayenta takes them for {n}"
    return [f"{name} samples depend on each other (autocorrelation {rho:.2f}): {worth}"]


def autocorrelation(values: Floats) -> tuple[float, float]:
    r"""Estimate the correlation of neighbours, and how many independent samples these are worth.

    For a first-order autoregression n samples are worth :math:`n (1 - \rho) / (1 + \rho)`, at
    least 1. NaN where fewer than three samples or no variation tell nothing.

    Examples
    --------
    >>> rho, effective = autocorrelation(np.array([1.0, 1, 1, 1, 5, 5, 5, 5]))
    >>> round(rho, 3), round(effective, 2)
    (0.625, 1.85)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(values)
        n = int(np.count_nonzero(finite))
        if n < 3:
            return math.nan, float(n)
        # What is not there is as if at the mean: it adds nothing to either sum.
        off = values - values.mean() if n == len(values) else np.where(finite, values - values[finite].mean(), 0.0)
        square = float(off.dot(off))
        if not 0 < square < math.inf:
            return math.nan, float(n)
        rho = float(off[1:].dot(off[:-1])) / square
    return rho, max(1.0, n * (1 - rho) / (1 + rho)) if rho > 0 else float(n)


def overlapping(n: int, *, step: float | None, rate_window: float | None) -> list[str]:
    """Say where consecutive samples share data: a rate over more than the step between them."""
    if step is None or rate_window is None:
        return []
    stride = overlap(step=step, rate_window=rate_window, repeats=1).stride
    if stride < 2:
        return []
    return [f"each sample covers {rate_window:g} s, asked every {step:g} s: {n} samples hold the data of about {math.ceil(n / stride)}"]


def looks(count: int) -> list[str]:
    """Say that a verdict was asked for more than once: each look is another chance of a false alarm."""
    if count < 2:
        return []
    return [f"this is look {count}: Kayenta spends its 2 % error again at every look"]


def of_metrics(warned: Sequence[tuple[str | None, Sequence[str]]]) -> tuple[str, ...]:
    """Put each metric's name before its warnings."""
    return tuple(f"{name}: {sentence}" for name, sentences in warned for sentence in sentences)
