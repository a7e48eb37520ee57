"""How single values are spelled in YAML: durations, percentages, margins."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from judge.core.config import Margin
from judge.core.templates import seconds

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_POINTS = re.compile(r"(\d+(?:\.\d+)?)\s*pp")


def http_address(url: str) -> str:
    """Check the address of a server; a password in it is not repeated.

    Raises
    ------
    ValueError
        If it is none, or has more than a path.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "\\" in url:
        shown = url if "@" not in url else "an address with a password"
        msg = f"must be an http or https address without ? and #, found {shown!r}"
        raise ValueError(msg)
    return url


def _duration(value: Any) -> float:
    if isinstance(value, bool):
        msg = f"not a duration: {value!r}; write 90s, 5m or 1h30m"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError as a fault
    if isinstance(value, int | float):
        return float(value)
    return seconds(str(value))


def _fraction(value: Any) -> float:
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        msg = f"not a percentage: {value!r}; write 5%"
        raise ValueError(msg)
    return float(found.group(1)) / 100


def _amount(value: Any) -> float:
    if isinstance(value, str):
        found = _POINTS.fullmatch(value.strip())
        if found is not None:
            return float(found.group(1)) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    msg = f"not an amount: {value!r}; write a number in the metric's unit, or 0.1pp for a ratio of counts"
    raise ValueError(msg)


def margin(value: Any) -> Margin:
    """Read ``5%`` or ``{relative: 5%, absolute: 0.1pp}``.

    Examples
    --------
    >>> margin("5%"), margin({"relative": "25%", "absolute": "0.1pp"})
    (Margin(relative=0.05, absolute=0.0), Margin(relative=0.25, absolute=0.001))
    """
    if isinstance(value, Margin):
        return value
    if isinstance(value, dict):
        unknown = sorted(set(value) - {"relative", "absolute"})
        if unknown or not value:
            msg = f"write 5% or {{relative: 5%, absolute: 0.1pp}}, found {value!r}"
            raise ValueError(msg)
        return Margin(
            relative=_fraction(value["relative"]) if "relative" in value else 0.0,
            absolute=_amount(value["absolute"]) if "absolute" in value else 0.0,
        )
    return Margin(relative=_fraction(value))


def expected_share(text: str) -> float:
    """Read the canary's expected part of all requests.

    Raises
    ------
    ValueError
        Where it is no percentage between 0 and 100.

    Examples
    --------
    >>> expected_share("20%")
    0.2
    """
    found = _fraction(text)
    if not 0 < found < 1:
        msg = f"must be more than 0% and less than 100%, found {text!r}"
        raise ValueError(msg)
    return found


_PERCENT_SCHEMA = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["5%"]}
_AMOUNT_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*pp$"}],
    "examples": ["0.1pp", 5],
}


def _share(value: Any) -> float:
    found = value if isinstance(value, float) and 0 < value < 0.5 else _fraction(value)
    if not 0 < found < 0.5:
        msg = f"must be more than 0% and less than 50%, found {value!r}"
        raise ValueError(msg)
    return found


Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({**_PERCENT_SCHEMA, "examples": ["5%", "1%"]})]
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^(\d+(ms|s|m|h|d|w|y))+$"}, {"type": "number"}], "examples": ["90s", "30m"]}),
]
MarginText = Annotated[
    Margin,
    BeforeValidator(margin),
    WithJsonSchema(
        {
            "anyOf": [
                _PERCENT_SCHEMA,
                {
                    "type": "object",
                    "properties": {"relative": _PERCENT_SCHEMA, "absolute": _AMOUNT_SCHEMA},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
