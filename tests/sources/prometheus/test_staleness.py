"""A dead series' last value, repeated, is no data; a live series keeps every sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.model import Series
from judge.sources.prometheus.staleness import drop_carried, selects_instant

STEP = 60.0
LOOKBACK = 300.0


def series(*values: float | None, step: float = STEP) -> Series:
    """Values on consecutive steps from 0; None is a missing sample."""
    there = [(step * place, value) for place, value in enumerate(values) if value is not None]
    return Series(t=np.array([t for t, _ in there]), v=np.array([v for _, v in there], dtype=float), labels={"pod": "a"})


def kept(*values: float | None, steps_asked: int | None = None) -> list[float]:
    """The values that stay; the window ends with the last one, or after `steps_asked` steps."""
    end = STEP * ((len(values) if steps_asked is None else steps_asked) - 1)
    before = series(*values)
    after, dropped = drop_carried(before, step=STEP, end=end, lookback=LOOKBACK)
    assert len(after) + dropped == len(before)
    assert after.labels == before.labels
    return after.v.tolist()


HOLE = [None] * 4


@pytest.mark.parametrize(
    ("values", "steps_asked", "expected"),
    [
        pytest.param([1, 2, 3, 3, 3, 3, *HOLE, 4, 5], None, [1, 2, 3, 4, 5], id="repeated before a gap"),
        pytest.param([1, 2, 3, 3, 3, 3], 20, [1, 2, 3], id="repeated at an early end"),
        pytest.param([1, 1, 2, 2, 2, 2, *HOLE, 4], None, [1, 1, 2, 2, 4], id="elsewhere a value stays two steps, so two stay"),
        pytest.param([3, 3, 3, 1, 2, 2, 2, *HOLE, 4], None, [3, 3, 3, 1, 2, 2, 2, 4], id="no longer than elsewhere"),
        pytest.param([1, 2, 2, *HOLE, 3, 4, 4, *HOLE, 5], None, [1, 2, 3, 4, 5], id="runs before other gaps are no measure"),
        pytest.param([7] * 10, 20, [7] * 4, id="one constant that ends loses what may be repeated, and no more"),
        pytest.param([7] * 10, None, [7] * 10, id="one constant to the end stays"),
        pytest.param([1, 2, 3, 4, 5, 6, 6, 6, 6], None, [1, 2, 3, 4, 5, 6], id="repeated at the end, known from five others"),
        pytest.param([1, 2, 3, 4, 6, 6, 6, 6], None, [1, 2, 3, 4, 6, 6, 6, 6], id="at the end, four others are too few"),
        pytest.param([1, 2, 3, 4, 5, 6, 6], None, [1, 2, 3, 4, 5, 6, 6], id="at the end, twice is no evidence"),
        pytest.param([1, 1, 3, 4, 5, 6, 7, 7, 7, 7], None, [1, 1, 3, 4, 5, 6, 7, 7, 7, 7], id="at the end, twice the longest is none"),
        pytest.param([1, 2, 3, 4, 5, *[6] * 8], None, [1, 2, 3, 4, 5, *[6] * 8], id="at the end, longer than anything is repeated"),
        pytest.param([1, 2, None, 3, 4], None, [1, 2, 3, 4], id="a gap alone takes nothing"),
        pytest.param([0.0, -0.0, 0.0, -0.0], 20, [0.0, -0.0, 0.0, -0.0], id="bitwise, not numerically"),
        pytest.param([5], 20, [5], id="a lone sample stays"),
        pytest.param([], 20, [], id="nothing stays nothing"),
    ],
)
def test_rule(values, steps_asked, expected):
    assert kept(*values, steps_asked=steps_asked) == expected


def test_nan_is_a_value_like_others():
    assert len(kept(1, 2, *[float("nan")] * 3, steps_asked=20)) == 3


values = st.lists(st.none() | st.integers(0, 3).map(float), max_size=60)
windows = st.integers(0, 20)


@given(values, windows)
def test_a_sample_that_differs_from_its_predecessor_is_never_dropped(drawn, later):
    before = series(*drawn)
    after, dropped = drop_carried(before, step=STEP, end=STEP * (len(drawn) + later), lookback=LOOKBACK)

    differs = np.ones(len(before), dtype=bool)
    differs[1:] = before.v[1:] != before.v[:-1]
    assert set(before.t[differs]) <= set(after.t)
    assert set(after.t) <= set(before.t)
    assert dropped == len(before) - len(after)


@given(values, windows)
def test_what_is_dropped_lies_within_the_lookback_of_a_last_sample(drawn, later):
    before = series(*drawn)
    after, _ = drop_carried(before, step=STEP, end=STEP * (len(drawn) + later), lookback=LOOKBACK)

    last_samples = before.t[np.append(np.diff(before.t) > STEP, True)] if len(before) else before.t
    for t in np.setdiff1d(before.t, after.t):
        assert last_samples[last_samples >= t].min() - t < LOOKBACK + STEP


@given(st.lists(st.floats(allow_nan=False), max_size=60, unique=True), windows)
def test_a_series_without_repetitions_is_untouched(drawn, later):
    before = series(*drawn)

    assert drop_carried(before, step=STEP, end=STEP * (len(drawn) + later), lookback=LOOKBACK) == (before, 0)


@given(st.lists(st.integers(0, 2).map(float), min_size=1, max_size=60))
def test_a_series_that_reaches_the_end_loses_only_its_last_run(drawn):
    before = series(*drawn)
    after, _ = drop_carried(before, step=STEP, end=STEP * (len(drawn) - 1), lookback=LOOKBACK)

    last_run = len(drawn) - max((place + 1 for place, value in enumerate(drawn) if value != drawn[-1]), default=0)
    assert after.v[: len(drawn) - last_run].tolist() == drawn[: len(drawn) - last_run]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("up", True),
        ('{__name__="up"}', True),
        ('job:latency:p99{job="a"}', True),
        ("m offset 5m", True),
        ("m @ 1700000000", True),
        ("sum by (pod) (m)", True),
        ("sum(m) by (pod)", True),
        ("rate(a[1m]) / on (pod) group_left (x) b", True),
        ("max_over_time(m[5m:15s])", True),
        ('m{a="}[1m]"}', True),
        ("m # [1m]", True),
        ("rate(m[1m])", False),
        ('rate(m{a="b",c=~"d.*"} [1m] offset 5m)', False),
        ('histogram_quantile(0.99, sum by (le) (rate(b{x="m{}"}[1m])))', False),
        ("sum(increase(e[1m])) / sum without (pod, code) (increase(r[1m])) or vector(0)", False),
        ("rate(a[1m]) * ignoring (x) group_right rate(b[1m])", False),
        ("max_over_time(rate(m[1m])[5m:])", False),
        ('rate({__name__="m"}[1m])', False),
        ("-1e3 + Inf > bool NaN", False),
        ("time() - 5", False),
        ("SUM(rate(m[1m])) BY (pod)", False),
        ("", False),
        ("(((", False),
        ("sum by (pod", False),
    ],
)
def test_an_instant_selector_is_told_from_a_range(text, instant):
    assert selects_instant(text) is instant


@given(st.text(alphabet="abm_(){}[]:,\"'` 159smby on/+-", max_size=40))
def test_any_text_is_read_to_its_end(text):
    assert selects_instant(text) in {True, False}
