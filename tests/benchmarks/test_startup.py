"""The commands start fast, with twice the promised time as slack for a busy machine."""

from __future__ import annotations

import pytest

from tests.benchmarks.startup import TARGETS, cost, judge, one_canary

SLACK = 2
RUNS = 3


@pytest.mark.parametrize("name", TARGETS)
def test_a_command_takes_no_longer_than_promised(name, tmp_path):
    commands = {"`judge --help`": judge("--help"), "`judge score` of one dump": judge("score", str(one_canary(tmp_path)))}

    found = cost(commands[name], runs=RUNS)

    assert found.status == 0
    seconds = found.wall if TARGETS[name].of == "wall" else found.cpu
    assert seconds < SLACK * TARGETS[name].seconds
