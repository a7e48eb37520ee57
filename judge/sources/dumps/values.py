"""Single values of a dump, read strictly: what is not what it should be is a fault with its place."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from judge.core.model import Floats
from judge.errors import Fault
from judge.sources.dumps.dump import NOT_JSON


class Values:
    """Reads single values and collects what is wrong with them."""

    def __init__(self, where: str) -> None:
        """Take the place of what is read, for whoever tells the faults."""
        self.where = where
        self.faults: list[Fault] = []

    def fault(self, path: str, message: str, allowed: tuple[str, ...] = ()) -> None:
        """Note what is wrong at this path."""
        self.faults.append(Fault(path=path, message=message, allowed=allowed))

    def number(self, value: Any, path: str) -> float | None:
        """Read a finite number that may be left out."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(path, f"must be a number, found {value!r}")
            return None
        # Nothing is more or less than NaN, so it would keep every minimum and every margin.
        if not -math.inf < value < math.inf or abs(value) > sys.float_info.max:
            self.fault(path, f"must be a finite number, found {value!r:.40}")
            return None
        return float(value)

    def whole(self, value: Any, path: str, most: int) -> int | None:
        """Read a whole number from 1 to `most` that may be left out."""
        number = self.number(value, path)
        if number is None:
            return None
        if not number.is_integer() or not 1 <= number <= most:
            self.fault(path, f"must be a whole number from 1 to {most}, found {value!r}")
            return None
        return int(number)

    def object(self, document: Mapping[str, Any], key: str, path: str = "") -> Mapping[str, Any]:
        """What lies under a key that may be left out."""
        value = document.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.fault(f"{path}{key}", f"must be an object, found {type(value).__name__}")
        return value if isinstance(value, Mapping) else {}

    def numbers(self, values: list[Any], path: str, *, nulls: bool = False) -> Floats | None:
        """Read a list of numbers, with ``null`` for a missing one where `nulls` says so; anything else is a fault with its index."""
        for index, value in enumerate(values):
            if (value is None and nulls) or (isinstance(value, int | float) and not isinstance(value, bool)):
                continue
            if nulls and isinstance(value, str) and value in NOT_JSON:
                continue
            allowed = "a number or null" if nulls else "a number"
            self.fault(f"{path}.{index}", f"must be {allowed}, found {value!r}")
            return None
        try:
            return np.array(
                [np.nan if value is None else NOT_JSON.get(value, value) if isinstance(value, str) else value for value in values],
                dtype=float,
            )
        except OverflowError:
            self.fault(path, "holds a number that is too large")
            return None
