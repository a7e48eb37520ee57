"""Where verdicts and their samples are kept: `open_archive` opens one, `Archive` says what it can do."""

from __future__ import annotations

from judge.archive.interface import PATIENCE, Archive, NoArchive, Record, Rows, each_row

__all__ = ["PATIENCE", "Archive", "NoArchive", "Record", "Rows", "each_row", "open_archive"]


def open_archive(url: str, *, patience: float = PATIENCE) -> Archive:
    """Open the archive at this URL, without connecting to it yet.

    `url` is ``none``, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
    ``postgresql://user:password@host/database``; a URL that is none of these raises
    `judge.errors.ConfigError`. `patience` is how many seconds to wait for a lock
    that another process holds.

    Connections are made on first use, one set per process, so that an archive
    opened before a fork (gunicorn's ``--preload``) is safe on both sides of it.
    """
    if url.strip().lower() == "none":
        return NoArchive()
    # SQLAlchemy takes longer to import than `judge --help` may last.
    from judge.archive.sql import SqlArchive

    return SqlArchive(url, patience=patience)
