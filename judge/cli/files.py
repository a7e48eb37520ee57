"""Files that a command writes: their faults are said by name, and before the work where that is long."""

from __future__ import annotations

import os
from pathlib import Path

from judge.errors import DumpError


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises
    ------
    DumpError
        Where it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> DumpError:
    """Say why a file cannot be written."""
    return DumpError(f"cannot be written: {error.strerror if error.strerror else error}", where=str(path))


def must_be_writable(path: Path | None) -> None:
    """Look ahead whether a file can be written, without touching it; None is no file.

    Raises
    ------
    DumpError
        Where its folder is not there, or this user may not write there.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        raise DumpError("cannot be written: its folder is not there", where=str(path))
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise DumpError("cannot be written: Permission denied", where=str(path))
