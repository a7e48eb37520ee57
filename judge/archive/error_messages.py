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

_SQLSTATES = {
    "53100": "cannot grow: the disk is full",
    "53200": "cannot be used: the server is out of memory",
    "53300": "has no connection free",
    "55P03": "is locked by another process, and stayed so for {patience:g} s",
    "57014": "took too long: a statement was given up",
    "57P01": "is shutting down",
    "57P02": "is shutting down",
    "57P03": "is starting up or shutting down",
    "25006": "cannot be written: the database is read-only",
    "28000": "refuses this user",
    "28P01": "refuses this user or password",
    "3D000": "does not exist: create the database first",
    "42501": "cannot be used: this user may not do that",
    "XX001": "is damaged; restore it from a backup",
    "XX002": "is damaged; restore it from a backup",
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
    sentence = _SQLSTATES.get(getattr(cause, "sqlstate", None) or "")
    if sentence is not None:
        return f"{sentence.format(patience=patience)} ({_words(cause)})"
    if isinstance(error, OSError):
        return f"cannot be opened: {error.strerror or error} ({error.filename})"
    return f"cannot be used: {_words(cause)}"


def _words(error: BaseException | None) -> str:
    """The driver's message on one line."""
    return " ".join(str(error).split())
