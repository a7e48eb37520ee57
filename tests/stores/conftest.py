"""Thanos, Mimir and what writes to them, built once for a test run, where they are asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.stores import STORES
from tests.stores.programs import build_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED_FOR = "JUDGE_STORES"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs, by name."""
    if os.environ.get(ASKED_FOR) != "1":
        pytest.skip(f"Thanos and Mimir take minutes to build from nothing: {ASKED_FOR}=1 runs these, or python -m tests.stores")
    return {name: one.path for name, one in build_all(tmp_path_factory.mktemp("stores")).items()}


@pytest.fixture(scope="module")
def thanos_world(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Where Thanos can be started."""
    with STORES["thanos"][1](programs, tmp_path_factory.mktemp("thanos")) as world:
        yield world


@pytest.fixture(scope="module")
def mimir_world(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Mimir, with what two teams wrote."""
    with STORES["mimir"][1](programs, tmp_path_factory.mktemp("mimir")) as world:
        yield world
