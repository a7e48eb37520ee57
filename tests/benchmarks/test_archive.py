"""The archive's promises in short form: fewer verdicts, and twice the promised time as slack for a busy machine."""

from __future__ import annotations

import pytest

from tests.benchmarks.archive import A_MINUTE, LIST_MS, READ_MS, fill, killed, lists, reads, writes
from tests.postgres import new_database, postgresql

SLACK = 2


@pytest.fixture(scope="module")
def server():
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'archive.db'}" if request.param == "sqlite" else new_database(request.getfixturevalue("server"))


def test_reads_and_lists_take_no_longer_than_promised(url):
    fill(url, 10_000)

    too_slow = [took for took in reads(url, rounds=15) if took.median > SLACK * READ_MS]
    too_slow += [took for took in lists(url, rounds=10) if took.median > SLACK * LIST_MS]
    assert too_slow == []


def test_verdicts_are_kept_fast_enough_and_none_is_lost_or_doubled_while_lists_are_read(url, tmp_path):
    written = writes(url, tmp_path, 120)

    assert (written.lost, written.doubled) == (0, 0)
    assert written.a_minute > A_MINUTE / SLACK
    assert written.lists > 5


def test_a_service_that_is_killed_in_the_middle_of_writes_loses_nothing_that_it_answered(url, tmp_path):
    found = killed(url, tmp_path, 40)

    assert found.answered >= 40
    assert (found.lost, found.broken) == (0, 0)
    # At most what the four askers had under way.
    assert found.unanswered_but_kept <= 4
