"""What trouble with an archive sounds like, and what still works."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from judge.archive import Archive, open_archive
from judge.archive.error_messages import explain
from judge.archive.tables import SCHEMA_VERSION
from judge.archive.types import Keep
from judge.errors import ArchiveError, ConfigError
from tests.archive.records import asked, ids
from tests.postgres import new_database
from tests.reports.sample import record
from tests.servers import free_port


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


@pytest.fixture
def archive(path: Path):
    opened = open_archive(f"sqlite:///{path}", patience=0.2)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("archive.db", r"not an archive URL \(no scheme\).*sqlite:///", id="a bare path"),
        pytest.param("mysql://root:secret@db/judge", r"not an archive URL \(mysql\)", id="another database"),
        pytest.param("sqlite://", "needs a file", id="SQLite in memory"),
        pytest.param("sqlite:///:memory:", "needs a file", id="SQLite in memory, by name"),
    ],
)
def test_a_wrong_url_is_refused_at_once(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        open_archive(url)
    assert "secret" not in str(caught.value)


def test_a_postgresql_archive_names_itself_without_its_password() -> None:
    archive = open_archive("postgres://judge:secret@127.0.0.1:1/verdicts", patience=0.2)

    with pytest.raises(ArchiveError, match=r"^archive postgresql\+psycopg://judge:\*\*\*@127.0.0.1:1/verdicts: ") as caught:
        archive.ping()
    assert "secret" not in str(caught.value)


def test_opening_touches_nothing_until_first_use(path: Path) -> None:
    open_archive(f"sqlite:///{path}")

    assert not path.exists()


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    with closing(open_archive(f"sqlite:///{tmp_path}/new/deep/archive.db")) as archive:
        archive.keep(record(verdict_id="01A"))

    assert (tmp_path / "new" / "deep" / "archive.db").is_file()


@pytest.mark.parametrize("use", [lambda a: a.ping(), lambda a: a.list(), lambda a: a.keep(record())], ids=["ping", "list", "keep"])
def test_a_file_that_is_no_database_is_named_and_left_alone(archive: Archive, path: Path, use: Any) -> None:
    path.write_bytes(b"not a database " * 1000)

    with pytest.raises(ArchiveError, match=f"^archive {path}: is not a SQLite file"):
        use(archive)
    assert path.read_bytes() == b"not a database " * 1000


def test_a_file_damaged_in_the_middle_is_an_archive_error(archive: Archive, path: Path) -> None:
    for number in range(40):
        archive.keep(asked(f"01{number:02}", float(number)))
    archive.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (size - 8192))

    with pytest.raises(ArchiveError, match=f"archive {path}: "):
        [archive.get(f"01{number:02}") for number in range(40)]


def test_a_damaged_record_is_an_archive_error(archive: Archive, path: Path) -> None:
    archive.keep(record(verdict_id="01A"))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE judge_records SET record = ?", (b"\0\1\2",))

    with pytest.raises(ArchiveError, match="record of verdict 01A is damaged"):
        archive.get("01A")


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive.db").mkdir()

    with pytest.raises(ArchiveError, match=r"archive\.db: cannot be opened"):
        open_archive(f"sqlite:///{tmp_path}/archive.db").ping()


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")

    with pytest.raises(ArchiveError, match=r"file/archive\.db: cannot be opened: .*exists"):
        open_archive(f"sqlite:///{tmp_path}/file/archive.db").ping()


def test_an_archive_opened_read_only_still_answers_but_keeps_nothing(archive: Archive, path: Path) -> None:
    archive.keep(record(verdict_id="01A"))
    with closing(open_archive(f"sqlite:///file:{path}?mode=ro&uri=true", patience=0.2)) as reader:
        assert reader.get("01A") == record(verdict_id="01A")
        with pytest.raises(ArchiveError, match=r"cannot be written: .* read-only"):
            reader.keep(asked("01B", 1.0))


def test_a_locked_archive_says_so_after_its_patience_and_still_reads(archive: Archive, path: Path) -> None:
    archive.keep(record(verdict_id="01A"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match=r"is locked by another process, and stayed so for 0\.2 s"):
            archive.keep(asked("01B", 1.0))
        assert ids(archive.list()) == ["01A"]
        other.execute("ROLLBACK")

    assert archive.keep(asked("01B", 1.0)) == "01B"


def test_a_newer_schema_is_refused_and_left_as_it_is(archive: Archive, path: Path) -> None:
    archive.keep(record(verdict_id="01A"))
    archive.close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO judge_schema VALUES (?)", (SCHEMA_VERSION + 1,))

    with pytest.raises(
        ArchiveError, match=f"schema version {SCHEMA_VERSION + 1}, of a newer judge; this judge knows version {SCHEMA_VERSION}"
    ):
        archive.keep(record(verdict_id="01B"))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT id FROM judge_verdicts").fetchall() == [("01A",)]


def test_a_full_disk_is_an_archive_error_and_what_was_kept_stays(path: Path) -> None:
    """A limit on the size of files stands in for the disk's end."""
    script = (
        "import resource, signal, sys\n"
        "from judge.archive import open_archive\n"
        "from judge.errors import ArchiveError\n"
        "from tests.reports.sample import record\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "archive = open_archive(sys.argv[1])\n"
        "archive.keep(record(verdict_id='01A', reusable=False))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "    for number in range(1000):\n"
        "        archive.keep(record(verdict_id=f'{number}', reusable=False))\n"
        "except ArchiveError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, text=True, check=True, timeout=600)

    assert f"archive {path}: cannot" in done.stdout
    assert "disk is full" in done.stdout
    with closing(open_archive(f"sqlite:///{path}")) as archive:
        assert archive.get("01A")["id"] == "01A"


@pytest.mark.parametrize("there", [pytest.param(False, id="nothing is there yet"), pytest.param(True, id="an archive is there")])
def test_a_read_only_directory_is_named(there: bool) -> None:
    """Root may write anywhere, so the script becomes nobody first; nobody may not enter pytest's own folder."""
    script = (
        "import os, sys\n"
        "from judge.archive import open_archive\n"
        "from judge.errors import ArchiveError\n"
        "import judge.archive.sql, sqlalchemy.dialects.sqlite.pysqlite\n"
        "from tests.archive.records import asked\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "archive = open_archive(sys.argv[1], patience=0.2)\n"
        "for use in (lambda: [row['id'] for row in archive.list()], lambda: archive.keep(asked('01B', 2.0))):\n"
        "    try:\n"
        "        print(use())\n"
        "    except ArchiveError as error:\n"
        "        print(error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "archive.db"
        if there:
            with closing(open_archive(f"sqlite:///{path}")) as archive:
                archive.keep(asked("01A", 1.0))
        path.parent.chmod(0o555)
        command = [sys.executable, "-c", script, f"sqlite:///{path}"]
        read, kept = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout.splitlines()
        path.parent.chmod(0o755)

    # SQLite makes files beside the archive even to read it.
    assert {said.partition(": cannot be ")[0] for said in (read, kept)} == {f"archive {path}"}
    assert ("read-only" if there else "no permission") in kept


def test_a_disk_that_fills_up_stops_new_verdicts_and_keeps_the_old_ones(archive: Archive, path: Path) -> None:
    """SQLite's own limit on a file stands in for the disk's end."""
    archive.keep(asked("01A", 1.0))
    archive.database.close()
    engine = archive.database._engine()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 60"))
    engine.dispose()

    def keep_many() -> None:
        for number in range(100):
            archive.keep(asked(f"{number}", 2.0))

    with pytest.raises(ArchiveError, match=f"archive {path}: cannot grow: the disk is full"):
        keep_many()
    kept = archive.list(limit=200)
    assert [archive.get(row["id"])["id"] for row in kept] == ids(kept)
    # Deleting makes room again, without more disk.
    assert archive.prune(Keep(megabytes=0), now=0.0, most=5).verdicts == 5
    assert archive.keep(asked("after", 3.0)) == "after"


# PostgreSQL


def test_a_database_that_is_not_there_is_said(server: str) -> None:
    with closing(open_archive(f"{server.rpartition('/')[0]}/nowhere")) as archive, pytest.raises(ArchiveError, match="does not exist"):
        archive.ping()


def test_a_server_that_is_away_is_said(server: str) -> None:
    address = f"postgresql://judge@127.0.0.1:{free_port()}/judge"

    with closing(open_archive(address, patience=0.2)) as archive, pytest.raises(ArchiveError, match=r"cannot be used: .*refused"):
        archive.keep(record())


def test_a_read_only_database_still_answers_but_keeps_nothing(server: str) -> None:
    address = new_database(server)
    with closing(open_archive(address)) as archive:
        archive.keep(asked("01A", 1.0))

    with closing(open_archive(f"{address}%20-cdefault_transaction_read_only%3Don")) as archive:
        assert ids(archive.list()) == ["01A"]
        with pytest.raises(ArchiveError, match="cannot be written: the database is read-only"):
            archive.keep(asked("01B", 2.0))


def test_a_lock_is_not_waited_for_without_end(server: str) -> None:
    address = new_database(server)
    with closing(open_archive(address, patience=0.3)) as archive:
        archive.keep(asked("01A", 1.0))
        with psycopg.connect(address) as other:
            other.execute("LOCK TABLE judge_verdicts IN EXCLUSIVE MODE")
            with pytest.raises(ArchiveError, match=r"is locked by another process, and stayed so for 0\.3 s"):
                archive.keep(asked("01B", 1.0))
            assert ids(archive.list()) == ["01A"]
            other.rollback()
        assert archive.keep(asked("01B", 1.0)) == "01B"


def test_a_connection_that_was_cut_is_made_anew(server: str) -> None:
    address = new_database(server)
    with closing(open_archive(address)) as archive:
        archive.keep(asked("01A", 1.0))
        with psycopg.connect(server, autocommit=True) as connection:
            name = address.partition("application_name=")[2].partition("&")[0]
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [name]
            ).fetchall()
            assert cut == [(True,)]

        assert archive.keep(asked("01B", 1.0)) == "01B"
        assert len(archive.list()) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.errors.DiskFull("no space left"), "cannot grow: the disk is full (no space left)"),
        (psycopg.errors.InvalidPassword("for user judge"), "refuses this user or password (for user judge)"),
        (psycopg.errors.TooManyConnections("sorry"), "has no connection free (sorry)"),
        (psycopg.errors.DataCorrupted("page 7"), "is damaged; restore it from a backup (page 7)"),
        (psycopg.errors.UndefinedColumn("no column\nx"), "cannot be used: no column x"),
    ],
)
def test_what_postgresql_says_becomes_a_sentence(error: psycopg.Error, said: str) -> None:
    assert explain(sa.exc.OperationalError("SELECT 1", {}, error), patience=1.0) == said
