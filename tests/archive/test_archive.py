"""The archive on real SQLite files: what is kept, how it is listed, and what trouble sounds like."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from judge.archive import Archive, open_archive
from judge.archive.model import SCHEMA_VERSION
from judge.errors import ArchiveError, ConfigError, VerdictNotFound
from tests.reports.sample import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


@pytest.fixture
def archive(path: Path):
    opened = open_archive(f"sqlite:///{path}", patience=0.2)
    yield opened
    opened.close()


def asked(verdict_id: str, at: float, **request: str) -> dict[str, Any]:
    """A record of this id and time, reusable for nobody, with other words in its request."""
    base = record(verdict_id=verdict_id, asked_at=at, reusable=False)
    return base | {"request": base["request"] | request}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_a_record_comes_back_as_it_was_kept(archive: Archive) -> None:
    kept = record(verdict_id="01A")

    assert archive.keep(kept) == "01A"
    assert archive.get("01A") == kept
    assert archive.answer(kept["question"]) == kept


def test_a_record_outlives_the_process_that_kept_it(archive: Archive, path: Path) -> None:
    archive.keep(record(verdict_id="01A"))
    archive.close()

    with closing(open_archive(f"sqlite:///{path}")) as reopened:
        assert reopened.get("01A") == record(verdict_id="01A")
        reopened.ping()


def test_a_closed_archive_opens_again_on_use(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A"))
    archive.close()

    assert ids(archive.list()) == ["01A"]


def test_the_second_to_answer_a_question_gets_the_first_ones_id(archive: Archive) -> None:
    first, second = record(verdict_id="01A"), record("pass", verdict_id="01B")

    assert archive.keep(first) == "01A"
    assert archive.keep(second) == "01A"
    assert archive.answer(first["question"]) == first
    assert ids(archive.list()) == ["01A"]


def test_keeping_a_reusable_record_twice_changes_nothing(archive: Archive) -> None:
    assert [archive.keep(record(verdict_id="01A")) for _ in range(2)] == ["01A", "01A"]
    assert ids(archive.list()) == ["01A"]


def test_a_record_that_is_not_reusable_is_kept_but_answers_nobody(archive: Archive) -> None:
    once = record(verdict_id="01A", reusable=False)

    assert archive.keep(once) == "01A"
    assert archive.answer(once["question"]) is None
    assert archive.keep(record(verdict_id="01B")) == "01B"
    assert archive.get("01A") == once


def test_an_id_is_not_given_twice(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))

    with pytest.raises(ArchiveError, match="keeps this verdict already"):
        archive.keep(asked("01A", 2.0))


def test_a_row_holds_what_a_list_shows_and_no_samples(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A"))

    assert archive.list() == [
        {
            "id": "01A",
            "asked_at": 1_763_629_860.0,
            "config": "http-service",
            "rollout": "shop",
            "baseline": "6f9c7b8d5",
            "canary": "7d4b9c6f8",
            "verdict": "fail",
            "score": 0.0,
            "look": 7,
            "reason": "error-ratio +620% (limit +25% and 0.1 pp), 98% interval +540% to +700%, counts p=0.0004",
        }
    ]


def test_the_list_is_newest_first_and_its_last_id_asks_for_the_next_page(archive: Archive) -> None:
    for verdict_id, at in [("01B", 20.0), ("01A", 10.0), ("01D", 30.0), ("01C", 30.0), ("01E", 40.0)]:
        archive.keep(asked(verdict_id, at))

    assert ids(archive.list()) == ["01E", "01D", "01C", "01B", "01A"]
    assert ids(archive.list(limit=2)) == ["01E", "01D"]
    assert ids(archive.list(limit=2, before="01D")) == ["01C", "01B"]
    assert ids(archive.list(before="01A")) == []
    assert archive.list(limit=0) == archive.list(limit=-1) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"config": "grpc"}, ["01C", "01B"], id="by config"),
        pytest.param({"rollout": "pay"}, ["01C"], id="by rollout"),
        pytest.param({"config": "grpc", "rollout": "shop"}, ["01B"], id="both must hold"),
        pytest.param({"verdict": "fail"}, ["01C", "01B", "01A"], id="by verdict"),
        pytest.param({"verdict": "pass"}, [], id="none of this verdict"),
        pytest.param({"config": "grpc' OR '1'='1"}, [], id="quotes are only text"),
        pytest.param({"config": "grpc", "before": "01C"}, ["01B"], id="filter and page"),
    ],
)
def test_the_list_is_filtered(archive: Archive, wanted: dict[str, str], found: list[str]) -> None:
    archive.keep(asked("01A", 10.0))
    archive.keep(asked("01B", 20.0, config="grpc"))
    archive.keep(asked("01C", 30.0, config="grpc", rollout="pay"))

    assert ids(archive.list(**wanted)) == found


@pytest.mark.parametrize("find", [lambda a: a.get("01Z"), lambda a: a.list(before="01Z")], ids=["get", "list before"])
def test_an_unknown_id_is_not_found(archive: Archive, find: Any) -> None:
    with pytest.raises(VerdictNotFound, match="no verdict has the id '01Z'"):
        find(archive)


def test_awkward_text_is_kept_and_found(archive: Archive) -> None:
    awkward = asked("01A", 1.0, rollout="shop\0|'é☃\ud800")
    archive.keep(awkward)

    assert archive.get("01A") == awkward
    assert ids(archive.list(rollout="shop\0|'é☃\ud800")) == ["01A"]


def test_a_verdict_without_a_window_is_kept(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A", window=None, traffic=None))

    assert archive.list()[0]["look"] is None


def test_a_record_that_is_not_strict_json_is_refused(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="record of verdict 01A is not strict JSON"):
        archive.keep(record(verdict_id="01A", asked_at=float("nan")))
    assert archive.list() == []


def test_none_keeps_nothing() -> None:
    archive = open_archive("none")
    archive.ping()

    assert archive.keep(record(verdict_id="01A")) == "01A"
    assert archive.answer(record()["question"]) is None
    assert archive.list() == []
    with pytest.raises(VerdictNotFound, match="no archive"):
        archive.get("01A")
    archive.close()


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


# Trouble.


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
        raw.execute("UPDATE judge_verdicts SET record = ?", (b"\0\1\2",))

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
    done = subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, text=True, check=True, timeout=60)

    assert f"archive {path}: cannot" in done.stdout
    assert "disk is full" in done.stdout
    with closing(open_archive(f"sqlite:///{path}")) as archive:
        assert archive.get("01A")["id"] == "01A"
