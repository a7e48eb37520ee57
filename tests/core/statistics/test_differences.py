"""The Hodges-Lehmann shift from picked differences has the very numbers of a plain sort of them all."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.statistics import differences
from judge.core.statistics.differences import ordered_differences
from judge.core.statistics.ranks import Shift, critical_rank, hodges_lehmann, tie_sum


def plain(x, y, *, level):
    """The definition: all differences, sorted."""
    every = np.sort(np.subtract.outer(x, y).ravel())
    outside = critical_rank(len(x), len(y), tie_sum(x, y), (1 - level) / 2)
    estimate = float(every[(len(every) - 1) // 2] + every[len(every) // 2]) / 2
    if outside < 0:
        return Shift(estimate=estimate, low=-np.inf, high=np.inf)
    return Shift(estimate=estimate, low=float(every[outside]), high=float(every[-1 - outside]))


@pytest.mark.parametrize("level", [0.9, 0.99, 0.9999])
@pytest.mark.parametrize(("n", "m"), [(5, 7), (62, 66), (240, 240), (60, 1000), (301, 299)])
@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "many ties"])
def test_it_is_the_plain_one(n, m, level, rounded):
    rng = np.random.default_rng([n, m])
    x, y = rng.standard_normal(n) * 3 + 1, rng.standard_normal(m) * 3
    if rounded:
        x, y = np.round(x), np.round(y)

    assert hodges_lehmann(x, y, level=level) == plain(x, y, level=level)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_every_rank_is_right(scale):
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal(80) * scale, rng.standard_normal(70) * scale
    ordered = np.sort(np.subtract.outer(x, y).ravel())

    wanted = [0, 1, 17, 2800, 2801, 5598, 5599]
    assert ordered_differences(x, y, wanted) == [ordered[rank] for rank in wanted]


def test_very_many_differences_are_counted_instead_of_bracketed(monkeypatch):
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal(300), rng.standard_normal(310)
    bracketed = ordered_differences(x, y, [10, 46_000, 92_000])

    monkeypatch.setattr(differences, "_TOO_MANY_TO_BRACKET", 5000)

    assert ordered_differences(x, y, [10, 46_000, 92_000]) == pytest.approx(bracketed, abs=1e-12)
