"""What the judge makes of a real Thanos: `tests.stores.thanos_cells`, one test a cell."""

from __future__ import annotations

import pytest

from tests.stores.thanos_cells import CELLS


@pytest.mark.integration
@pytest.mark.extended
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_judge_says_what_it_must(thanos_world, cell):
    assert cell.run(thanos_world) == cell.expected
