"""What is wrong with the archive, in a sentence that an operator can act on."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "is locked by another process, and stayed so for {patience:g} s",
    sqlite3.SQLITE_LOCKED: "is locked by another process, and stayed so for {patience:g} s",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk is full or failing",
    sqlite3.SQLITE_READONLY: "cannot be written: the file or its directory is read-only",
    sqlite3.SQLITE_PERM: "cannot be opened: no permission",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: no permission, a missing directory, or not a file",
    sqlite3.SQLITE_NOTADB: "is not a SQLite file, or its start was overwritten; move it away, or name another file",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away, or restore it from a backup",
    sqlite3.SQLITE_TOOBIG: "cannot take a record of this size",
}


def explain(error: BaseException, *, patience: float) -> str:
    """Say what went wrong; the driver's own words follow in brackets."""
    if isinstance(error, sa.exc.IntegrityError):
        return f"keeps this verdict already ({_words(error.orig)})"
    if isinstance(error, sa.exc.TimeoutError):
        return f"is busy: no connection was free within {patience:g} s"
    if isinstance(error, ImportError):
        return f"needs a driver that is not installed: {error}"
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary code; the rest only refines it.
        sentence = _SENTENCES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
        if sentence is not None:
            return f"{sentence.format(patience=patience)} ({_words(cause)})"
    if isinstance(error, OSError):
        return f"cannot be opened: {error.strerror or error} ({error.filename})"
    return f"cannot be used: {_words(cause)}"


def _words(error: BaseException | None) -> str:
    """The driver's message on one line."""
    return " ".join(str(error).split())
