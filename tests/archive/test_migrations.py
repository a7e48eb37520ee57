"""Archives of older judges are brought up to date, at once and only once; those of newer ones are left alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from judge.archive import migrations, open_archive
from judge.archive.database import Database
from judge.archive.migrations import VERSION_TABLE, revision, upgrade
from judge.archive.tables import SCHEMA_VERSION, metadata
from judge.archive.types import Wanted
from judge.config.load import parse_config
from judge.errors import ArchiveError
from judge.verdicts.rejudge import rejudge
from tests.archive.records import ids
from tests.reports.sample import record

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_1 = Path(__file__).with_name("version1.sql")
"""What judge 0.1.0 wrote before there were migrations: three real verdicts."""
HEALTHY, BAD, NOWHERE = (f"01KAGFXG3R000000000000000{number}" for number in range(3))

OPEN = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from judge.archive import open_archive

archive = open_archive(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(len(archive.list()), flush=True)
archive.close()
"""


@contextmanager
def raw(url: str) -> Iterator[sa.Connection]:
    """A connection of nobody's making."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture
def old(url: str) -> str:
    """An archive as judge 0.1.0 left it."""
    with sqlite3.connect(":memory:") as source, raw(url) as target:
        source.executescript(VERSION_1.read_text(encoding="utf-8"))
        if target.dialect.name == "sqlite":
            target.connection.driver_connection.executescript(VERSION_1.read_text(encoding="utf-8"))
        else:
            # The first step makes what the old judge made there.
            upgrade(target, since=None, to=1)
            target.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
            for table in ("judge_verdicts", "judge_questions"):
                rows = source.execute(f"SELECT * FROM {table}")
                names = [column[0] for column in rows.description]
                into = sa.table(table, *(sa.column(name) for name in names))
                target.execute(sa.insert(into), [dict(zip(names, row, strict=True)) for row in rows])
    source.close()
    return url


def tables(url: str) -> dict[str, list[str]]:
    with raw(url) as connection:
        inspector = sa.inspect(connection)
        return {name: sorted(column["name"] for column in inspector.get_columns(name)) for name in inspector.get_table_names()}


def noted(url: str) -> tuple[int, str]:
    """The version in both places where it is noted."""
    with raw(url) as connection:
        mine = connection.scalar(sa.text("SELECT max(version) FROM judge_schema"))
        return mine, connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))


def test_there_is_a_step_to_every_version() -> None:
    steps = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert [step.revision for step in steps.walk_revisions()] == [revision(version) for version in range(SCHEMA_VERSION, 0, -1)]


@pytest.mark.parametrize("made", ["at once", "by steps", "from version 1"])
def test_tables_are_the_same_however_they_were_made(url: str, made: str, request: pytest.FixtureRequest) -> None:
    if made == "by steps":
        with raw(url) as connection:
            upgrade(connection, since=None, to=SCHEMA_VERSION)
    elif made == "from version 1":
        request.getfixturevalue("old")
    with closing(open_archive(url)) as archive:
        archive.ping()

    with raw(url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    assert noted(url) == (SCHEMA_VERSION, revision(SCHEMA_VERSION))


def test_an_old_archive_keeps_every_verdict_and_gets_its_columns(old: str) -> None:
    with closing(open_archive(old)) as archive:
        rows = archive.list()
        bad = archive.get(BAD)

        assert ids(rows) == [NOWHERE, BAD, HEALTHY]
        assert [row["verdict"] for row in rows] == ["inconclusive", "fail", "pass"]
        assert {(row["service"], row["namespace"], row["judge"], row["looks"], row["label"]) for row in rows} == {
            ("shop", None, "sequential", 20, None)
        }
        assert ids(archive.list(wanted=Wanted(service="shop", verdict="fail"))) == [BAD]
        assert [len(sample["canary"]["t"]) for sample in bad["samples"]] == [31] * 4
        assert archive.answer(bad["question"]) == bad
        assert {metric.metric: metric.fired for metric in archive.config("http-service").metrics} == {
            "error-ratio": 1,
            "latency-p99": 1,
            "latency-p50": 1,
            "memory": 0,
        }
        assert archive.keep(record(verdict_id="01Z", reusable=False)) == "01Z"


def test_a_damaged_record_does_not_stop_the_others(old: str) -> None:
    with raw(old) as connection:
        connection.execute(sa.text("UPDATE judge_verdicts SET record = :blob WHERE id = :id"), {"blob": b"\0\1", "id": BAD})

    with closing(open_archive(old)) as archive:
        assert len(archive.list()) == 3
        assert archive.get(HEALTHY)["verdict"]["verdict"] == "pass"
        with pytest.raises(ArchiveError, match=f"record of verdict {BAD} is damaged"):
            archive.get(BAD)


def test_a_step_that_fails_changes_nothing(old: str) -> None:
    with raw(old) as connection:
        connection.execute(sa.text("CREATE TABLE judge_labels (mine integer)"))
    before = tables(old)

    with closing(open_archive(old)) as archive:
        with pytest.raises(ArchiveError, match=r"judge_labels.* already exists"):
            archive.list()
        assert tables(old) == before
        with raw(old) as connection:
            connection.execute(sa.text("DROP TABLE judge_labels"))
        assert len(archive.list()) == 3


@pytest.mark.extended
@pytest.mark.parametrize("before", ["nothing", "version 1"])
def test_of_processes_that_open_an_archive_at_once_one_makes_its_tables(url: str, before: str, request: pytest.FixtureRequest) -> None:
    if before == "version 1":
        request.getfixturevalue("old")
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with ExitStack() as stack:
        started = [subprocess.Popen([sys.executable, "-c", OPEN, url], **pipes, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
        processes = [stack.enter_context(process) for process in started]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = "".join(process.communicate(timeout=600)[0] for process in processes)

    assert said.splitlines().count("3" if before == "version 1" else "0") == 4, said
    assert said.count("its tables are brought from version 1") == (1 if before == "version 1" else 0), said
    assert noted(url) == (SCHEMA_VERSION, revision(SCHEMA_VERSION))


def test_a_newer_archive_is_left_as_it_is(url: str) -> None:
    with closing(open_archive(url)) as archive:
        archive.keep(record(verdict_id="01A"))
    with raw(url) as connection:
        connection.execute(sa.text("INSERT INTO judge_schema VALUES (99)"))
    before = tables(url)

    with closing(open_archive(url)) as archive:
        for use in (archive.ping, archive.list, lambda: archive.keep(record(verdict_id="01B"))):
            with pytest.raises(ArchiveError, match=f"schema version 99, of a newer judge; this judge knows version {SCHEMA_VERSION}"):
                use()
    assert tables(url) == before


def test_an_archive_that_turns_newer_while_it_is_open_is_noticed(url: str) -> None:
    with closing(open_archive(url)) as archive:
        archive.ping()
        with raw(url) as connection:
            connection.execute(sa.text("INSERT INTO judge_schema VALUES (99)"))

        with pytest.raises(ArchiveError, match="of a newer judge"):
            archive.ping()


def test_an_archive_without_a_version_is_refused(url: str) -> None:
    with closing(open_archive(url)) as archive:
        archive.ping()
    with raw(url) as connection:
        connection.execute(sa.text("DELETE FROM judge_schema"))

    with closing(open_archive(url)) as archive, pytest.raises(ArchiveError, match="has no schema version"):
        archive.ping()


@pytest.mark.parametrize("before", ["nothing", "the present version"])
def test_alembic_is_only_loaded_where_an_archive_is_older(tmp_path: Path, before: str) -> None:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    if before != "nothing":
        Database(url).ping()
    script = "import sys; from judge.archive import open_archive; open_archive(sys.argv[1]).list(); sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script, url], check=False, timeout=600).returncode == 0


def test_the_old_word_for_must_detect_is_rewritten_and_the_verdict_can_be_judged_again(old: str) -> None:
    with closing(open_archive(old)) as archive:
        record, row = archive.get(BAD), archive.row(BAD)

    assert '"notice"' not in json.dumps(record)
    assert all("must_detect" in result for result in record["verdict"]["results"])
    assert record["config_digest"] == parse_config(record["config"], where="").digest
    again = rejudge(record)
    assert again.is_same_verdict
    assert [why for why in again.why if "digest" in why] == []
    assert row["id"] == BAD
