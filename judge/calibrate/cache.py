"""Answers of a source on disk, one file each, so that nothing is asked twice.

Parquet where pyarrow is installed, else numpy's compressed arrays. A file appears whole or not at
all, so an interrupted run loses nothing but the question it was at.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from judge.core.model import Series
from judge.errors import ConfigError


class Cache:
    """A folder of answers; a folder of None remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Make the folder.

        Raises
        ------
        ConfigError
            Where it cannot be made or written.
        """
        self.folder = folder
        self._parquet = find_spec("pyarrow") is not None
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / ".writable").touch()
            except OSError as error:
                raise ConfigError(
                    f"the cache cannot be written: {error.strerror or error}; name another with --cache", where=str(folder)
                ) from error

    def path(self, question: Sequence[Any]) -> Path | None:
        """Where the answer to a question is, or would be."""
        if self.folder is None:
            return None
        name = hashlib.sha256(json.dumps(list(question)).encode()).hexdigest()[:40]
        return self.folder / name[:2] / f"{name}.{'parquet' if self._parquet else 'npz'}"

    def read(self, question: Sequence[Any]) -> list[Series] | None:
        """Find an answer; None where there is none, or a file that cannot be read."""
        path = self.path(question)
        if path is None or not path.exists():
            return None
        try:
            return _read_parquet(path) if self._parquet else _read_npz(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # A broken file is only asked for again.
            return None

    def write(self, question: Sequence[Any], series: Sequence[Series]) -> None:
        """Keep an answer."""
        path = self.path(question)
        if path is None:
            return
        path.parent.mkdir(exist_ok=True)
        half = path.with_name(f"{path.name}.{os.getpid()}.part")
        (_write_parquet if self._parquet else _write_npz)(half, series)
        half.replace(path)


def _columns(series: Sequence[Series]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    number = np.repeat(np.arange(len(series), dtype=np.int32), [len(one) for one in series])
    t = np.concatenate([one.t for one in series]) if series else np.empty(0)
    v = np.concatenate([one.v for one in series]) if series else np.empty(0)
    return number, t, v, json.dumps([dict(one.labels) for one in series])


def _rows(number: Any, t: Any, v: Any, labels: str) -> list[Series]:
    named = json.loads(labels)
    edges = np.searchsorted(number, np.arange(len(named) + 1))
    return [Series(t=t[edges[i] : edges[i + 1]], v=v[edges[i] : edges[i + 1]], labels=named[i]) for i in range(len(named))]


def _write_npz(path: Path, series: Sequence[Series]) -> None:
    number, t, v, labels = _columns(series)
    with path.open("wb") as file:
        np.savez_compressed(file, number=number, t=t, v=v, labels=np.array(labels))


def _read_npz(path: Path) -> list[Series]:
    with np.load(path, allow_pickle=False) as kept:
        return _rows(kept["number"], kept["t"], kept["v"], str(kept["labels"]))


def _write_parquet(path: Path, series: Sequence[Series]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number, t, v, labels = _columns(series)
    table = pa.table({"series": number, "t": t, "v": v}).replace_schema_metadata({"labels": labels})
    pq.write_table(table, path, compression="zstd")


def _read_parquet(path: Path) -> list[Series]:
    import pyarrow.parquet as pq

    # Through our own handle: pyarrow's own errors for what is no Parquet are OSError and ValueError.
    with path.open("rb") as file:
        table = pq.ParquetFile(file).read(use_threads=False)
    labels = (table.schema.metadata or {})[b"labels"].decode()
    number, t, v = (table.column(name).to_numpy() for name in ("series", "t", "v"))
    return _rows(number, t, v, labels)
