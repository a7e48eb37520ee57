"""The fast Hodges-Lehmann shift gives the very numbers of the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.statistics import ranks
from judge.core.statistics.differences import hodges_lehmann, ordered_differences


@pytest.mark.parametrize("level", [0.9, 0.99, 0.9999])
@pytest.mark.parametrize(("n", "m"), [(5, 7), (62, 66), (240, 240), (60, 1000), (301, 299)])
@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "many ties"])
def test_it_is_the_plain_one(n, m, level, rounded):
    rng = np.random.default_rng([n, m])
    x, y = rng.standard_normal(n) * 3 + 1, rng.standard_normal(m) * 3
    if rounded:
        x, y = np.round(x), np.round(y)

    assert hodges_lehmann(x, y, level=level) == ranks.hodges_lehmann(x, y, level=level)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_every_rank_is_right(scale):
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal(80) * scale, rng.standard_normal(70) * scale
    ordered = np.sort(np.subtract.outer(x, y).ravel())

    wanted = [0, 1, 17, 2800, 2801, 5598, 5599]
    assert ordered_differences(x, y, wanted) == [ordered[rank] for rank in wanted]
