"""Numbers on the command line: in a range, and numbers at all."""

from __future__ import annotations

import math
from typing import Any

import click


class NumberRange(click.FloatRange):
    """A `click.FloatRange` that refuses ``nan`` too: it is smaller than nothing and larger than nothing, so every range lets it in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number.

        Raises
        ------
        click.BadParameter
            Where it is none, or out of the range.
        """
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is not a valid float.", param, ctx)
        return found
