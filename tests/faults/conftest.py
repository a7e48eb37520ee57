"""One world for all faults of a test run."""

from __future__ import annotations

import pytest

from tests.faults.world import Relay, World


@pytest.fixture(scope="package")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("faults")) as found:
        yield found


__all__ = ["Relay"]
