"""Both stores, so that each test of the archive holds for both."""

from __future__ import annotations

from contextlib import closing

import pytest

from judge.archive import open_archive
from tests.postgres import new_database, postgresql


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL of its own for these tests."""
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An archive's address where nothing is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    return new_database(request.getfixturevalue("server"))


@pytest.fixture
def archive(url):
    """An archive that does not wait for long."""
    with closing(open_archive(url, patience=1.0)) as opened:
        yield opened
