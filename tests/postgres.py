"""Debian's PostgreSQL on loopback: one server for a test run, a schema of its own for each test."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import REQUIRED, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path("/usr/lib/postgresql")
OWNER = "postgres"
SECONDS = 600
_numbers = itertools.count()


def programs() -> Path:
    """Folder of the newest server's programs; without one the test skips, or fails where `JUDGE_REQUIRE_SERVERS` is 1."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    message = "initdb is missing: install Debian's package postgresql"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def postgresql(*settings: str) -> Iterator[str]:
    """Run a server until the block ends; answers the address of its first database.

    PostgreSQL refuses to run as root, so root runs it as the user that Debian's package made. `settings` are
    as in postgresql.conf (``max_connections=5``).
    """
    tools = programs()
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="judge-postgresql-"))
    port = free_port()
    try:
        if os.getuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        _run(tools / "initdb", "--pgdata", data, "--username=judge", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        given = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        options = " ".join(f"-c {setting}" for setting in (*(f"{key}='{value}'" for key, value in given.items()), *settings))
        _run(tools / "pg_ctl", "start", "--pgdata", data, "--wait", "--log", folder / "log", "--options", options)
        try:
            yield f"postgresql://judge@127.0.0.1:{port}/postgres"
        finally:
            _run(tools / "pg_ctl", "stop", "--pgdata", data, "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command: object) -> None:
    """Run one of PostgreSQL's programs as a user that it accepts."""
    words = [str(word) for word in command]
    if os.getuid() == 0:
        words = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", *words]
    # The server must not inherit our pipes, or the call would last as long as it does.
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=SECONDS, check=False, cwd="/")
        out.seek(0)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} ended with status {done.returncode}:\n{out.read()}")


def new_database(server: str) -> str:
    """Make an empty place for tables; answers its address, in which it is a schema: much cheaper than a database."""
    import psycopg

    name = f"judge_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server}?application_name={name}&options=-csearch_path%3D{name}"
