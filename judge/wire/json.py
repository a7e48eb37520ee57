"""The one JSON serialiser: strict JSON whatever happens.

Argo Rollouts up to v1.9.1 counts a 2xx answer that is not strict JSON as a
success, so one ``NaN`` would promote a bad canary: it is refused here.
"""

from __future__ import annotations

import json
import math
from typing import Any


def dumps(document: Any, *, indent: int | None = None) -> str:
    """Write strict JSON, one line unless `indent` is given.

    Raises
    ------
    ValueError
        Where the document holds NaN or an infinity; use `plain` first.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=separators, indent=indent)


def plain(value: float) -> float | None:
    """Give a number that JSON can hold: None for NaN and the infinities.

    Examples
    --------
    >>> plain(1.5), plain(float("nan")), plain(float("inf"))
    (1.5, None, None)
    """
    return float(value) if math.isfinite(value) else None
