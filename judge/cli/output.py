"""What every command has: the status it ends with, and the line that says how far long work is."""

from __future__ import annotations

import sys

import click

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


def show_progress(text: str = "") -> None:
    """Say how far long work is, in one line of the error stream and to a person only; nothing wipes the line away."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
