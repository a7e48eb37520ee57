"""What an arg of a question may be: a few narrow types, and the values that a config allows.

A value is escaped wherever it goes into a query, so no type is needed for that. The
types keep out what could only be a mistake or an attempt, and say so in the words of
what was meant. To add one, name it in `ArgType` and say in `KINDS` what it takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from judge.core.config import ArgConfig, ArgType
from judge.core.templates import seconds

LONGEST_DURATION = 366 * 86400.0
"""Seconds: a longer range asks more of a source than any canary needs."""
_SHOWN = 80
_NUMBER = re.compile(r"-?\d{1,32}(\.\d{1,32})?([eE][+-]?\d{1,3})?")
_WILD = re.compile(r"[*?\[]")


def short(text: str) -> str:
    """Show a value in a message, in quotes and cut to a line.

    Examples
    --------
    >>> short("shop"), len(short("x" * 500))
    ("'shop'", 80)
    """
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type in words: what it is, what it takes, and how that is told."""

    noun: str
    rule: str
    fits: Callable[[str], bool]


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text)
    return lambda value: compiled.fullmatch(value) is not None


def is_number(value: str) -> bool:
    """Whether a text is a finite decimal number, as PromQL reads it too.

    Examples
    --------
    >>> is_number("0.99"), is_number("1e400"), is_number("0x1"), is_number("٣")
    (True, False, False, False)
    """
    return value.isascii() and _NUMBER.fullmatch(value) is not None and math.isfinite(float(value))


def _is_duration(value: str) -> bool:
    try:
        return value.isascii() and 0 < seconds(value) <= LONGEST_DURATION
    except ValueError:
        return False


KINDS: dict[ArgType, Kind] = {
    ArgType.NAME: Kind(
        noun="a Kubernetes name, hash or label value",
        rule="letters, digits and -_.:/@, at most 253",
        fits=_pattern(r"[A-Za-z0-9]([-A-Za-z0-9_.:/@]{0,251}[A-Za-z0-9])?"),
    ),
    ArgType.KUBERNETES_NAME: Kind(
        noun="a Kubernetes name",
        rule="lower-case letters, digits, - and ., at most 253",
        fits=_pattern(r"(?!.{254})[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"),
    ),
    ArgType.HASH: Kind(noun="a pod-template hash", rule="lower-case letters and digits, at most 63", fits=_pattern(r"[a-z0-9]{1,63}")),
    ArgType.LABEL_VALUE: Kind(
        noun="a Kubernetes label value",
        rule="letters, digits and -_., at most 63",
        fits=_pattern(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"),
    ),
    ArgType.NUMBER: Kind(noun="a number", rule="0.99, 1500 or 1e-3", fits=is_number),
    ArgType.DURATION: Kind(noun="a duration", rule="90s, 5m or 1h30m, at most 366d", fits=_is_duration),
    ArgType.TEXT: Kind(noun="a text", rule="anything but nothing", fits=bool),
}
"""Each type, the default first; no value of any but the last can hold what PromQL or a regular expression reads, save the dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Why a value is refused, and what is allowed."""

    message: str
    allowed: tuple[str, ...]


def complaint(value: str, arg: ArgConfig) -> Complaint | None:
    """Hold a value against the type of an arg, and against what its config allows.

    Returns
    -------
    Complaint or None
        None where the value may be used.

    Examples
    --------
    >>> complaint("a b", ArgConfig())
    Complaint(message="'a b' is not a Kubernetes name, hash or label value", allowed=('letters, digits and -_.:/@, at most 253',))
    >>> complaint("eu-2", ArgConfig(allowed=("eu-*", "us"))) is None
    True
    """
    kind = KINDS[arg.type]
    if not kind.fits(value):
        return Complaint(message=f"{short(value)} is not {kind.noun}", allowed=(kind.rule,))
    if arg.allowed and not any(_same(value, allowed, arg.type) for allowed in arg.allowed):
        return Complaint(message=f"{short(value)} is none of the values that the config allows", allowed=arg.allowed)
    return None


def allowed_complaint(allowed: str, kind: ArgType) -> Complaint | None:
    """Hold one of the allowed values itself against the type; one with ``*``, ``?`` or ``[`` is a pattern and may be anything."""
    return None if is_pattern(allowed, kind) else complaint(allowed, ArgConfig(type=kind))


def is_pattern(allowed: str, kind: ArgType) -> bool:
    """Whether an allowed value stands for several; a number or a duration never does."""
    return kind not in {ArgType.NUMBER, ArgType.DURATION} and _WILD.search(allowed) is not None


def _same(value: str, allowed: str, kind: ArgType) -> bool:
    if kind is ArgType.NUMBER:
        return float(value) == float(allowed)
    if kind is ArgType.DURATION:
        return seconds(value) == seconds(allowed)
    # Patterns, not regular expressions: these take no longer than the value is long.
    return fnmatchcase(value, allowed) if is_pattern(allowed, kind) else value == allowed


def narrowest(value: str) -> ArgType:
    """Name the narrowest type that takes a value; free text where none other does.

    Examples
    --------
    >>> [str(narrowest(value)) for value in ("5m", "0.99", "shop", "Shop_1", "a b")]
    ['duration', 'number', 'kubernetes-name', 'name', 'text']
    """
    order = (ArgType.DURATION, ArgType.NUMBER, ArgType.KUBERNETES_NAME, ArgType.NAME)
    return next((kind for kind in order if KINDS[kind].fits(value)), ArgType.TEXT)
