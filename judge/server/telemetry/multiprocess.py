"""Room on the disk for this service's own metrics, taken before it is written to."""

from __future__ import annotations

import logging
import mmap
import os
from contextlib import suppress
from typing import Any

log = logging.getLogger("judge.metrics")

RESERVED = 128 * 1024
"""Bytes of each file that a worker's metrics lie in, to begin with: some 800 of them, which are those of 50 configs."""
_ENTRY = 32
"""Bytes of an entry beside its key, and some."""


def reserve_room() -> None:
    """Let prometheus_client's files take their room when they are made.

    By itself it maps files with holes into memory. On a full disk the first write into a hole ends the process (SIGBUS),
    and the next worker as well. A worker that finds no room keeps its figures to itself, and answers.
    """
    from prometheus_client import values

    class Roomy(values.MmapedDict):  # type: ignore[name-defined, misc]
        _fname: str
        _f: Any
        _m: Any
        _used: int
        _capacity: int

        def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - its own signature
            super().__init__(filename if read_mode else _with_room(filename), read_mode)

        def _init_value(self, key: str) -> None:
            # Its own way to a larger file makes a hole again.
            while self._used + len(key.encode()) + _ENTRY > self._capacity:
                self._grow()
            super()._init_value(key)

        def _grow(self) -> None:
            wanted = 2 * self._capacity
            try:
                _reserve(self._f.fileno(), wanted)
            except OSError as error:
                log.warning("this worker's metrics are no longer shown as they change: %s: %s", self._fname, error.strerror)
                known, self._f = self._m[: self._used], os.fdopen(os.memfd_create("metrics"), "a+b")
                self._f.truncate(wanted)
                self._m = mmap.mmap(self._f.fileno(), wanted)
                self._m[: len(known)] = known
            else:
                self._m = mmap.mmap(self._f.fileno(), wanted)
            self._capacity = wanted

    values.MmapedDict = Roomy  # type: ignore[attr-defined]


def _reserve(file: int, size: int) -> None:
    """Give a file its room on the disk, where the system can."""
    reserve: Any = getattr(os, "posix_fallocate", None)
    if reserve is None:
        os.ftruncate(file, size)
    else:
        reserve(file, 0, size)


def _with_room(filename: str) -> str:
    """Reserve a file's room; where there is none, name a file in memory instead."""
    try:
        with open(filename, "a+b") as file:  # noqa: PTH123 - it is opened as prometheus_client does
            if os.fstat(file.fileno()).st_size == 0:
                _reserve(file.fileno(), RESERVED)
    except OSError as error:
        # What is left of it could not be read as metrics.
        with suppress(OSError):
            os.unlink(filename)  # noqa: PTH108 - as above
        log.warning("this worker's metrics are not shown: %s: %s", filename, error.strerror)
        return f"/proc/self/fd/{os.memfd_create('metrics')}"
    return filename
