"""Axes keep what they show inside, and name it in round numbers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.reports.charts.axes import time_axis, value_axis

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1, max_size=20), st.sampled_from(["", "s", "bytes", "ratio"]))
def test_every_value_lies_on_its_axis(values, unit) -> None:
    axis = value_axis(values, unit=unit)

    assert all(0 <= axis.place(value, 100.0) <= 100 for value in values)
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 12
    assert all(math.isfinite(at) for at, _ in axis.ticks)


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_times_are_told_in_order_and_inside(start, length) -> None:
    axis = time_axis(start, start + length)

    assert len(axis.ticks) <= 8
    assert all(axis.low <= at <= axis.high for at, _ in axis.ticks)
    assert all(before < after for (before, _), (after, _) in pairwise(axis.ticks))


@pytest.mark.parametrize(
    ("values", "unit", "texts", "name"),
    [
        pytest.param([0.061, 0.078], "s", ["60", "65", "70", "75", "80"], "ms", id="seconds below one are milliseconds"),
        pytest.param([0.0, 0.01], "ratio", ["0.00", "0.25", "0.50", "0.75", "1.00"], "%", id="a quarter keeps both its digits"),
        pytest.param([3.0, 10.0], "", ["0.0", "2.5", "5.0", "7.5", "10.0"], "", id="near zero it starts at zero"),
        pytest.param([0.0, 0.0], "", ["0.00", "0.25", "0.50", "0.75", "1.00"], "", id="nothing but zeros"),
        pytest.param([5e8, 6e8], "bytes", ["475", "500", "525", "550", "575"], "MiB", id="bytes"),
        pytest.param([-3.0, 4.0], "", ["-4", "-2", "0", "2", "4"], "", id="both signs"),
    ],
)
def test_value_ticks_are_round(values, unit, texts, name) -> None:
    axis = value_axis(values, unit=unit)

    assert [text for _, text in axis.ticks] == texts
    assert axis.unit == name


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        pytest.param(30, ["08:40:00", "08:40:05", "08:40:10", "08:40:15", "08:40:20", "08:40:25", "08:40:30"], id="half a minute"),
        pytest.param(3600, ["08:40", "08:50", "09:00", "09:10", "09:20", "09:30", "09:40"], id="an hour"),
        pytest.param(2 * 86400, ["20 Nov 12:00", "21 Nov 00:00", "21 Nov 12:00", "22 Nov 00:00"], id="two days"),
    ],
)
def test_time_ticks_are_round(length, texts) -> None:
    assert [text for _, text in time_axis(1_763_628_000.0, 1_763_628_000.0 + length).ticks] == texts
