"""The fault matrix as a table: ``python -m tests.faults [--long] [--only WORDS]``.

Eight callers ask a real ``judge serve`` with two workers all the while. In each row: false passes, answers after the callers'
time-out of 10 s, verdicts lost that were said to be kept, verdicts said to be unkept, the slowest answer and the
time from the end of the fault to the right verdict in seconds, and all answers. The long form takes about 20 minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pytest

from tests.benchmarks.machine import machine
from tests.faults.cells import CELLS, HEAD, say, table_row
from tests.faults.world import World


def main() -> None:
    """Print the table; end with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="faults last as long as in the promises: the database is gone for 60 s")
    parser.add_argument("--only", default="", help="cells with this in their name")
    chosen = parser.parse_args()
    wrong = 0
    say(f"{machine()}\n{HEAD}")
    with tempfile.TemporaryDirectory(prefix="judge-faults-") as folder, World(Path(folder)) as world:
        for cell in CELLS:
            if chosen.only not in cell.name:
                continue
            try:
                found = cell.run(world, cell.long if chosen.long else cell.short)
            except pytest.skip.Exception as skipped:
                say(f"{cell.name:42} skipped: {skipped}")
                continue
            say(table_row(cell, found))
            for fault in cell.faults(found):
                wrong += 1
                say(f"    WRONG: {fault}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
