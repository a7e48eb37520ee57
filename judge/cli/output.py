"""With which status the command line ends."""

from __future__ import annotations

STATUS = {"pass": 0, "fail": 1, "error": 2, "marginal": 3, "inconclusive": 3}
"""Exit status of each verdict; trouble of the source or the archive is 4."""
WORST_FIRST = (2, 4, 1, 3, 0)


def worst(statuses: set[int]) -> int:
    """Choose the exit status of many canaries.

    Examples
    --------
    >>> worst({0, 3, 1}), worst({0}), worst(set())
    (1, 0, 0)
    """
    return next((status for status in WORST_FIRST if status in statuses), 0)
