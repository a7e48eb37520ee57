"""Real Thanos and Mimir as sources, as a table: ``python -m tests.stores [--only WORDS]``.

For each cell: its seconds, what was expected and, where it is not that, what was seen. Building Thanos and Mimir from nothing takes
minutes and a few gigabytes of Go's caches. Ends with 1 where a cell is not as expected.
"""

from __future__ import annotations

import argparse
import tempfile
import traceback
from pathlib import Path
from time import monotonic
from typing import Any

from _pytest.outcomes import OutcomeException

from tests.benchmarks.machine import machine
from tests.stores import STORES
from tests.stores.cells import Cell, words
from tests.stores.programs import build_all


def main() -> None:
    """Print the table; end with 1 where something is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cells with this in their name, such as 'mimir: two'")
    only = parser.parse_args().only
    right: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="judge-stores-") as place:
        folder = Path(place)
        try:
            built = build_all(folder / "programs")
        except OutcomeException as told:
            raise SystemExit(str(told)) from None
        programs = {name: one.path for name, one in built.items()}
        say(f"{machine()}; built in {', '.join(f'{one.seconds:.0f} s ({name})' for name, one in built.items())}")
        for store, (cells, world) in STORES.items():
            chosen = [cell for cell in cells if only in f"{store}: {cell.name}"]
            if chosen:
                own = folder / store
                own.mkdir()
                with world(programs, own) as running:
                    right += [run(store, cell, running) for cell in chosen]
    say(f"{len(right)} cells, {right.count(False)} not as expected")
    raise SystemExit(0 if right and all(right) else 1)


def run(store: str, cell: Cell[Any], world: object) -> bool:
    """Run one cell, and say whether it came out as expected."""
    began = monotonic()
    try:
        seen = cell.run(world)
    except Exception as error:  # noqa: BLE001 - the next cell may still tell something
        traceback.print_exc()
        seen = {"ended with": repr(error)}
    say(f"{store}: {cell.name} ({monotonic() - began:.1f} s)")
    good = seen == cell.expected
    say(f"    {'as expected' if good else 'EXPECTED'}: {words(cell.expected)}")
    if not good:
        say(f"    SEEN: {words(seen)}")
    return good


def say(text: str) -> None:
    """Print at once: a long run is looked at while it goes."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
