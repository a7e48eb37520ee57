"""Dumps as a tidy table (CSV, Parquet): columns ``metric, side, timestamp, value``, optionally ``id``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from judge.errors import DumpError, Fault, nearest


def read_table(path: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a table into canaries of the first dump form: (id, document).

    Without a column ``id`` the file is one canary, called `name`.

    Raises
    ------
    DumpError
        Where a column is missing or a cell is not what its column holds; names the row.
    """
    import pandas as pd

    try:
        if path.name.endswith(".parquet"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, dtype={"metric": str, "side": str, "id": str}, skipinitialspace=True)
    except ImportError as error:
        raise DumpError("reading Parquet needs pyarrow: pip install pyarrow", where=str(path)) from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DumpError(f"not a table: {error}", where=str(path)) from error
    needed = ("metric", "side", "timestamp", "value")
    if len(frame.columns) == 1 and (sign := next((each for each in ";\t|" if each in str(frame.columns[0])), "")):
        raise DumpError(f"its columns are separated by {sign!r}, and must be by commas", where=str(path))
    missing = [
        Fault(path=column, message=f"the column is missing{nearest(column, map(str, frame.columns))}", allowed=needed)
        for column in needed
        if column not in frame.columns
    ]
    if missing:
        raise DumpError(missing, where=str(path))
    unknown = sorted({str(side) for side in frame["side"].unique()} - {"baseline", "canary"})
    if unknown:
        raise DumpError([Fault(path="side", message=f"unknown side {unknown[0]!r}", allowed=("baseline", "canary"))], where=str(path))
    stamps = frame["timestamp"]
    if not pd.api.types.is_numeric_dtype(stamps):
        parsed = pd.to_datetime(stamps, utc=True, errors="coerce", format="ISO8601")
        if parsed.isna().any():
            row = int(np.flatnonzero(parsed.isna().to_numpy())[0])
            raise DumpError([Fault(path=f"timestamp.{row}", message=f"not a time: {stamps.iloc[row]!r}")], where=str(path))
        stamps = (parsed - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    values = pd.to_numeric(frame["value"], errors="coerce")
    wrong = values.isna() & frame["value"].notna() & ~frame["value"].astype(str).str.fullmatch("(?i)nan")
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise DumpError([Fault(path=f"value.{row}", message=f"not a number: {frame['value'].iloc[row]!r}")], where=str(path))
    frame = frame.assign(timestamp=stamps, value=values)
    groups = frame.groupby("id", sort=False) if "id" in frame.columns else [(name, frame)]
    for found, group in groups:
        metrics = []
        for metric, part in group.groupby("metric", sort=False):
            sides = {side: part[part["side"] == side].sort_values("timestamp") for side in ("baseline", "canary")}
            metrics.append(
                {"name": str(metric)}
                | {side: {"t": rows["timestamp"].tolist(), "v": rows["value"].tolist()} for side, rows in sides.items()}
            )
        yield str(found), {"id": str(found), "metrics": metrics}
