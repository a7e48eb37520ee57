"""The incomplete beta function against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from judge.core.statistics.special import betainc

shapes = st.floats(0.01, 1e5)


@given(shapes, shapes, st.floats(0, 1))
def test_betainc_is_that_of_scipy(a, b, x):
    assert float(betainc(a, b, x)) == pytest.approx(float(special.betainc(a, b, x)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_betainc_at_its_ends(share):
    assert float(betainc(3, 4, share)) == share


def test_small_tails_keep_their_size():
    expected = special.betainc(400, 600, 0.3)

    assert expected < 1e-10
    assert float(betainc(400, 600, 0.3)) == pytest.approx(expected, rel=1e-9)


def test_arrays_are_taken_elementwise():
    a, b, x = np.array([1.0, 20.0, 3000.0]), np.array([2.0, 30.0, 9000.0]), np.array([0.2, 0.6, 0.251])

    assert betainc(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-10)
