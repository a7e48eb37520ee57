"""Room on the disk for this service's own metrics, taken before it is written to."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import Any

log = logging.getLogger("judge.metrics")

RESERVED = 128 * 1024
"""Bytes of each file that a worker's metrics lie in: some 800 of them."""


def reserve_room() -> None:
    """Let prometheus_client's files take their room when they are made.

    By itself it maps files with holes into memory. On a full disk the first write into a hole ends the process (SIGBUS),
    and the next worker as well. A worker that finds no room keeps its figures to itself, and answers.
    """
    from prometheus_client import values

    class Roomy(values.MmapedDict):  # type: ignore[name-defined, misc]
        def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - its own signature
            super().__init__(filename if read_mode else _with_room(filename), read_mode)

    values.MmapedDict = Roomy  # type: ignore[attr-defined]


def _with_room(filename: str) -> str:
    """Reserve a file's room; where there is none, name a file in memory instead."""
    reserve: Any = getattr(os, "posix_fallocate", None)
    if reserve is None:
        return filename
    try:
        with open(filename, "a+b") as file:  # noqa: PTH123 - it is opened as prometheus_client does
            if os.fstat(file.fileno()).st_size == 0:
                reserve(file.fileno(), 0, RESERVED)
    except OSError as error:
        # What is left of it could not be read as metrics.
        with suppress(OSError):
            os.unlink(filename)  # noqa: PTH108 - as above
        log.warning("this worker's metrics are not shown: %s: %s", filename, error.strerror)
        return f"/proc/self/fd/{os.memfd_create('metrics')}"
    return filename
