"""A worker's own metrics on a full disk: it keeps them to itself, and lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.world import small_disk

SCRIPT = """
import logging, sys
from pathlib import Path

logging.basicConfig(format="%(message)s")
from judge.server.telemetry.multiprocess import reserve_room

reserve_room()
from prometheus_client.values import MmapedDict

disk, full_at = Path(sys.argv[1]), int(sys.argv[2])
filler = (disk / "filler").open("wb", buffering=0)


def fill():
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass


if full_at == 0:
    fill()
figures = MmapedDict(str(disk / "counter_1.db"))
for number in range(1, 3001):
    if number == full_at:
        fill()
    figures.write_value(f"a figure with a name of some length and the number {number}", float(number), 0.0)
assert [value for _key, value, _time in figures.read_all_values()] == [float(number) for number in range(1, 3001)]
known = disk / "counter_1.db"
print(len(list(MmapedDict.read_all_values_from_file(str(known)))) if known.exists() else 0)
"""


@pytest.mark.parametrize(
    ("full_at", "told", "shown"),
    [
        pytest.param(0, "this worker's metrics are not shown: ", range(1), id="full from the start"),
        pytest.param(10, "this worker's metrics are no longer shown as they change: ", range(500, 2000), id="full later"),
        pytest.param(3001, "", range(3000, 3001), id="never full"),
    ],
)
def test_a_full_disk_ends_nobody(tmp_path, full_at, told, shown):
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        done = subprocess.run([sys.executable, "-c", SCRIPT, disk, str(full_at)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (0, bool(told)), done.stderr
    assert done.stderr.startswith(told)
    assert int(done.stdout) in shown
