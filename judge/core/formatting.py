"""Numbers and margins as a person reads them; shared by every sentence the judge says."""

from __future__ import annotations

import math

from judge.core.config import Margin


def number(value: float) -> str:
    """Four significant digits, no trailing zeros.

    Examples
    --------
    >>> number(0.0123456), number(1234567.0), number(120.0)
    ('0.01235', '1.235e+06', '120')
    """
    return f"{value:.4g}"


def count(value: float) -> str:
    """Whole, with separators; one digit where it is not whole (Prometheus extrapolates).

    Examples
    --------
    >>> count(54680.2), count(3), count(302.66), count(8e20)
    ('54,680', '3', '302.7', '8e+20')
    """
    if value >= 1e15:
        return number(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}".removesuffix(".0")


def amount(value: float, unit: str) -> str:
    """Attach the unit.

    Examples
    --------
    >>> amount(0.25, "s"), amount(3, "")
    ('0.25 s', '3')
    """
    return f"{number(value)} {unit}".strip()


def percent(fraction: float, *, sign: bool = False) -> str:
    """Write a fraction as percent, with as many digits as its size deserves.

    Examples
    --------
    >>> percent(0.1834, sign=True), percent(0.0061), percent(-0.2, sign=True), percent(float("inf"))
    ('+18%', '0.61%', '-20%', '∞%')
    """
    if math.isinf(fraction):
        return f"{'-' if fraction < 0 else '+' if sign else ''}∞%"
    size = abs(fraction) * 100
    digits = 0 if size >= 9.95 else 1 if size >= 0.95 else 2
    text = f"{fraction * 100:{'+' if sign else ''}.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{'+0' if text in {'+0', '-0'} and sign else '0' if text in {'+0', '-0'} else text}%"


def share(fraction: float) -> str:
    """Write a proportion as percent, with as many digits as its rarer outcome deserves.

    Examples
    --------
    >>> share(0.0061), share(0.9954), share(0.41), share(1.0), share(0.99999)
    ('0.61%', '99.54%', '41%', '100%', '99.999%')
    """
    rarer = 100 * (1 - fraction)
    if not 0 < rarer < 9.95:
        return percent(fraction)
    return f"{100 * fraction:.{max(1 if rarer >= 0.95 else 2, -math.floor(math.log10(rarer)))}f}".rstrip("0").rstrip(".") + "%"


def points(fraction: float, *, sign: bool = False) -> str:
    """Write a difference of proportions in percentage points.

    Examples
    --------
    >>> points(0.001), points(0.035, sign=True)
    ('0.1 pp', '+3.5 pp')
    """
    text = f"{fraction * 100:{'+' if sign else ''}.2f}".rstrip("0").rstrip(".")
    return f"{text} pp"


def p_value(value: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_value(0.0004), p_value(0.25), p_value(1e-9)
    ('p=0.0004', 'p=0.25', 'p<0.0001')
    """
    return "p<0.0001" if value < 0.0001 else f"p={value:.2g}"


def margin(value: Margin, *, counts: bool, unit: str = "") -> str:
    """Write a margin the way a config does.

    Examples
    --------
    >>> margin(Margin(relative=0.25, absolute=0.001), counts=True), margin(Margin(relative=0.05), counts=False)
    ('25% and 0.1 pp', '5%')
    """
    parts = []
    if value.relative or not value.absolute:
        parts.append(percent(value.relative))
    if value.absolute:
        parts.append(points(value.absolute) if counts else amount(value.absolute, unit))
    return " and ".join(parts)


def duration(seconds: float) -> str:
    """Write seconds in the largest unit that stays readable.

    Examples
    --------
    >>> duration(45), duration(1800), duration(5400), duration(864000)
    ('45 s', '30 min', '1.5 h', '10 d')
    """
    if seconds < 120:
        return f"{seconds:g} s"
    if seconds < 5400:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 172800 else f"{seconds / 86400:.3g} d"


def number_or_word(value: float) -> float | str:
    """Write a number that JSON may lack: NaN and the infinities become the words that Jackson uses."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
