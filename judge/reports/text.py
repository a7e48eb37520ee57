"""Numbers, times and other people's text, as words that every report shares."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from urllib.parse import quote

from judge.core import formatting as words

MISSING = "–"

SYMBOLS = {
    "pass": "✔",
    "marginal": "▲",
    "fail": "✖",
    "high": "✖",
    "low": "✖",
    "inconclusive": "?",
    "undecided": "?",
    "nodata": "∅",
    "error": "!",
}
"""One sign for each verdict and classification, so that colour is never the only one."""

MEANINGS = {
    "pass": "pass",
    "high": "high",
    "low": "low",
    "undecided": "undecided",
    "nodata": "no data",
    "error": "error",
}

_TIME_UNITS = {"s", "sec", "second", "seconds"}
_BYTE_UNITS = {"bytes", "byte", "By", "B"}
_RATIO_UNITS = {"ratio", "fraction"}
# Whatever moves the cursor, hides text or turns its direction: control characters but the newline and the tab,
# bidirectional overrides, and halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def symbol(name: object) -> str:
    """The sign of a verdict or classification."""
    return SYMBOLS.get(str(name), "?")


def plain(text: object) -> str:
    r"""Text of unknown origin, with nothing in it that a terminal or a browser would obey.

    Examples
    --------
    >>> plain("p99\x1b[2J")
    'p99\ufffd[2J'
    """
    return _UNPRINTABLE.sub("\ufffd", str(text))


def one_line(text: object) -> str:
    """Plain text with every run of white space made one space."""
    return " ".join(plain(text).split())


def significant(value: float, digits: int = 3) -> str:
    """A number with this many significant digits and thousands separators, never fewer whole digits.

    Examples
    --------
    >>> significant(0.0663), significant(12000.0), significant(3.0), significant(-0.00012345), significant(2.5e12)
    ('0.0663', '12,000', '3', '-0.000123', '2.5e+12')
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    size = math.floor(math.log10(abs(value)))
    if not -5 <= size < 9:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scale_of(unit: str, largest: float) -> tuple[float, str]:
    """The factor and the unit in which values of up to this size read best.

    Examples
    --------
    >>> scale_of("s", 0.07), scale_of("bytes", 5e8), scale_of("ratio", 0.04), scale_of("rps", 12.0)
    ((1000.0, 'ms'), (9.5367431640625e-07, 'MiB'), (100.0, '%'), (1.0, 'rps'))
    """
    largest = abs(largest)
    if unit in _TIME_UNITS:
        factors = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"))
        return next(((factor, name) for factor, name in factors if largest * factor >= 1), (1.0, "s") if largest == 0 else factors[-1])
    if unit in _BYTE_UNITS:
        powers = ((3, "GiB"), (2, "MiB"), (1, "KiB"))
        return next(((1024.0**-power, name) for power, name in powers if largest >= 1024**power), (1.0, "B"))
    if unit in _RATIO_UNITS:
        return 100.0, "%"
    return 1.0, unit


def number(value: float | None, unit: str = "", *, digits: int = 3) -> str:
    """A value with its unit, scaled to read well.

    Examples
    --------
    >>> number(0.0663, "s"), number(0.0421, "ratio"), number(536870912.0, "bytes"), number(12.0), number(None)
    ('66.3 ms', '4.21%', '512 MiB', '12', '–')
    """
    if value is None:
        return MISSING
    factor, name = scale_of(unit, value)
    return significant(value * factor, digits) + ("" if not name else name if name == "%" else f" {name}")


def percent(fraction: float | None, *, signed: bool = True) -> str:
    """A fraction as a percentage, as the judge's sentences write it.

    Examples
    --------
    >>> percent(0.184), percent(-0.0312), percent(0.05, signed=False), percent(None)
    ('+18%', '-3.1%', '5%', '–')
    """
    return MISSING if fraction is None else words.percent(fraction, sign=signed)


def probability(value: float | None) -> str:
    """A p-value as the judge's sentences write it, without its ``p=``.

    Examples
    --------
    >>> probability(0.0004), probability(0.41), probability(1e-9), probability(None)
    ('0.0004', '0.41', '<0.0001', '–')
    """
    return MISSING if value is None else words.p_value(value).removeprefix("p").removeprefix("=")


def moment(seconds: float | None) -> str:
    """Unix seconds as a time in UTC.

    Examples
    --------
    >>> moment(1763628000.0), moment(None)
    ('2025-11-20 08:40:00 UTC', '–')
    """
    return MISSING if seconds is None else f"{_utc(seconds):%Y-%m-%d %H:%M:%S} UTC"


def clock(seconds: float, form: str = "%H:%M") -> str:
    """Unix seconds as a time of day in UTC."""
    return _utc(seconds).strftime(form)


def iso(seconds: float) -> str:
    """Unix seconds in the form machines read."""
    return f"{_utc(seconds):%Y-%m-%dT%H:%M:%SZ}"


def span(start: float | None, end: float | None) -> str:
    """From when to when, with the date said once where it is the same.

    Examples
    --------
    >>> span(1763628000.0, 1763629800.0)
    '2025-11-20 08:40:00 to 09:10:00 UTC'
    """
    if start is None or end is None:
        return MISSING
    same_day = _utc(start).date() == _utc(end).date()
    return f"{_utc(start):%Y-%m-%d %H:%M:%S} to {_utc(end):{'%H:%M:%S' if same_day else '%Y-%m-%d %H:%M:%S'}} UTC"


def duration(seconds: float | None) -> str:
    """A length of time as the judge's sentences write it."""
    return MISSING if seconds is None else words.duration(seconds)


def _utc(seconds: float) -> datetime:
    """Clamped to the years that a calendar has: a wrong time is shown wrong, not crashed on."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253402300799.0), UTC)


def url_part(text: object) -> str:
    """Text as one part of a URL's path or query.

    Examples
    --------
    >>> url_part("01J/../x")
    '01J%2F..%2Fx'
    """
    return quote(str(text).encode("utf-8", "replace"), safe="")
