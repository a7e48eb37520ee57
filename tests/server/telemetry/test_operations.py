"""docs/operations.md: its first steps are those of the manifests, and its backups bring back what was kept."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from judge.archive import open_archive
from judge.archive.types import Label
from tests.archive.records import asked
from tests.configs.kustomizations import DEPLOY
from tests.configs.manifests import read_all
from tests.docs.pages import DOCS, section, text
from tests.postgres import postgresql, programs

if TYPE_CHECKING:
    from pathlib import Path

PAGE = DOCS / "operations.md"


def make(number: int) -> dict[str, Any]:
    """A record of its own."""
    return asked(f"01{number:024d}", 1_795_000_000.0 + number)


def commands(name: str) -> str:
    """What the page says to type."""
    found = re.search(rf"^<!-- {re.escape(name)} -->\n```sh\n(.*?)^```$", text(PAGE), flags=re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def typed(script: str, folder: Path, **environ: str) -> None:
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # noqa: PTH120 - `python` is this one
    done = subprocess.run(
        ["sh", "-ec", script], cwd=folder, env={**os.environ, "PATH": path, **environ}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_steps_are_those_of_the_manifests():
    [deployment] = read_all(DEPLOY / "base" / "deployment.yaml")
    [judge] = deployment["spec"]["template"]["spec"]["containers"]
    told = _second_table("How large")

    assert judge["resources"]["requests"]["memory"].replace("Mi", " MiB") in told["memory"]
    assert judge["resources"]["limits"]["memory"].replace("Mi", " MiB") in told["memory"]


def _second_table(heading: str) -> dict[str, str]:
    tables = re.findall(r"(?:^\|.*\n)+", section(PAGE, heading), flags=re.MULTILINE)
    lines = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in tables[1].splitlines()[2:]]
    return {line[0]: line[1] for line in lines}


@pytest.mark.parametrize("way", ["backup: sqlite", "backup: sqlite-in-the-image"])
def test_a_sqlite_archive_is_saved_while_it_is_written_to_and_brought_back(way, tmp_path):
    url = f"sqlite:///{tmp_path}/judge.sqlite"
    archive = open_archive(url)
    before = [make(number) for number in range(20)]
    for one in before:
        archive.keep(one)
    archive.label(before[0]["id"], Label(label="right", by="me", why="seen", at=1.0))
    stop = threading.Event()

    def write() -> None:
        own = open_archive(url)
        number = 1000
        while not stop.is_set():
            own.keep(make(number))
            number += 1
        own.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        typed(commands(way).replace("/data", str(tmp_path)), tmp_path)
    finally:
        stop.set()
        writer.join()
    archive.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "judge.sqlite")) as broken:
        broken.execute("DELETE FROM judge_verdicts")
        broken.commit()
    typed(commands("restore: sqlite").replace("/data", str(tmp_path)), tmp_path)
    again = open_archive(url)

    assert [again.get(one["id"]) for one in before] == before
    assert [label.why for label in again.labels(before[0]["id"])] == ["seen"]
    again.ping()
    again.close()


@pytest.mark.integration
def test_a_postgresql_archive_is_saved_and_brought_back(tmp_path):
    from judge.kayenta.store import KayentaStore

    with postgresql() as server:
        url = server.replace("postgresql://", "postgresql+psycopg://")
        archive = open_archive(url)
        before = [make(number) for number in range(20)]
        for one in before:
            archive.keep(one)
        KayentaStore(archive.database).add_config("of-kayenta", {"id": "of-kayenta", "name": "n"}, now=1.0)
        with _cursor(server) as cursor:
            cursor.execute("CREATE TABLE of_others (id int)")
            cursor.execute("INSERT INTO of_others VALUES (7)")
        path = os.pathsep.join([str(programs()), os.environ["PATH"]])
        # Its own pg_dump, not an older one of the machine.
        typed(f'PATH="{path}"\n' + commands("backup: postgresql"), tmp_path, DATABASE=server)
        archive.close()
        with _cursor(server) as cursor:
            cursor.execute("DROP TABLE judge_results, judge_questions, judge_labels, judge_records, judge_verdicts CASCADE")
        typed(f'PATH="{path}"\n' + commands("restore: postgresql"), tmp_path, DATABASE=server)
        again = open_archive(url)
        after = [again.get(one["id"]) for one in before]
        kayenta = KayentaStore(again.database).config("of-kayenta")
        again.ping()
        again.keep(make(99))
        again.close()
        with _cursor(server) as cursor:
            others = cursor.execute("SELECT id FROM of_others").fetchall()

    assert after == before
    assert kayenta == {"id": "of-kayenta", "name": "n"}
    assert others == [(7,)]


@contextlib.contextmanager
def _cursor(server):
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        yield connection.cursor()


def test_the_changelog_has_the_heading_that_an_upgrade_begins_with():
    assert "**Verdicts**" in text(PAGE)
    assert re.search(r"^#+ Verdicts", text(DOCS.parent / "CHANGELOG.md"), flags=re.MULTILINE)
