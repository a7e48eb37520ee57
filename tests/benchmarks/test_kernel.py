"""The kernel is fast enough by a wide margin, whatever else the machine does meanwhile; the benchmark measures how fast."""

from __future__ import annotations

from tests.benchmarks import kernel

SLACK = 2
"""A test run shares its machine: half of each goal must be reached."""


def test_the_kernel_beats_a_plain_port_by_half_of_each_goal_at_least(capsys):
    found = kernel.main(["--quick"])

    printed = capsys.readouterr().out
    for n, goal in kernel.GOALS.items():
        assert found[n]["port"] / found[n]["kernel"] > goal.faster / SLACK, printed
    assert found[kernel.BATCH]["batch"] < found[kernel.BATCH]["kernel"], printed
    assert "cores, Python" in printed
