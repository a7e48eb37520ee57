"""Records and their samples as bytes.

A record is compressed JSON. Samples are columns of numbers: written as digits they would take most of the time of keeping a
verdict, and a third more room. So each column is kept as the eight bytes of its numbers, once where several series share it
(times do), and what else there is to say of the series stays JSON that names its columns.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

# Of digits, level 6 saves a tenth more and takes four times as long; of columns, level 2 saves nothing.
_LEVEL_OF_JSON = 2
_LEVEL_OF_COLUMNS = 1
_COLUMNS = b"C1"
"""The first bytes of samples in columns; compressed JSON, as older judges wrote it, begins with ``x``."""
_SERIES = ("baseline", "canary", "baseline_total", "canary_total")
_WIDTH = 8


def pack(document: Any) -> bytes:
    """Compress strict JSON; the escapes of ASCII keep halves of surrogate pairs whole.

    Raises
    ------
    TypeError, ValueError
        Where it is not strict JSON.
    """
    return zlib.compress(_strict(document), _LEVEL_OF_JSON)


def unpack(blob: bytes) -> Any:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        Where it is damaged.
    """
    try:
        return json.loads(zlib.decompress(blob))
    except zlib.error as error:
        raise ValueError(str(error)) from error


def pack_samples(samples: Any) -> bytes:
    """Compress a record's `samples`; they come back as they were, to the last bit and type.

    Raises
    ------
    TypeError, ValueError
        Where they are not strict JSON.

    Examples
    --------
    >>> samples = [{"metric": "m", "baseline": {"t": [0.0, 15.0], "v": [1.5, 2.5]}, "canary": {"t": [0.0, 15.0], "v": [1, "Infinity"]}}]
    >>> unpack_samples(pack_samples(samples)) == samples
    True
    """
    columns: dict[bytes, int] = {}
    head = _strict([_without_columns(pair, columns) for pair in samples] if isinstance(samples, list) else samples)
    lengths = array("I", [len(column) // _WIDTH for column in columns])
    if sys.byteorder == "big":
        lengths.byteswap()
    parts = (struct.pack("<II", len(head), len(lengths)), lengths.tobytes(), head, _by_byte(b"".join(columns)))
    return _COLUMNS + zlib.compress(b"".join(parts), _LEVEL_OF_COLUMNS)


def unpack_samples(blob: bytes) -> Any:
    """Read what `pack_samples` wrote, or the JSON of older judges.

    Raises
    ------
    ValueError
        Where it is damaged.
    """
    if not blob.startswith(_COLUMNS):
        return unpack(blob)
    try:
        whole = zlib.decompress(blob[len(_COLUMNS) :])
        head_length, count = struct.unpack_from("<II", whole)
        begin = struct.calcsize("<II")
        lengths = struct.unpack_from(f"<{count}I", whole, begin)
        begin += struct.calcsize(f"<{count}I")
        samples = json.loads(whole[begin : begin + head_length])
        numbers = array("d", _by_number(whole[begin + head_length :]))
        if sys.byteorder == "big":
            numbers.byteswap()
        if len(numbers) != sum(lengths):
            raise ValueError("columns are missing")
        columns, at = [], 0
        for length in lengths:
            columns.append(numbers[at : at + length].tolist())
            at += length
        if isinstance(samples, list):
            for pair in samples:
                _give_columns(pair, columns)
    except (zlib.error, struct.error, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error
    return samples


def _strict(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def _without_columns(pair: Any, columns: dict[bytes, int]) -> Any:
    """The same with the number of its column in place of each list of numbers."""
    if not isinstance(pair, Mapping):
        return pair
    out = dict(pair)
    for name in _SERIES:
        series = out.get(name)
        if isinstance(series, Mapping):
            out[name] = {key: _column(values, columns) for key, values in series.items()}
    return out


def _column(values: Any, columns: dict[bytes, int]) -> Any:
    """The number of the column that holds these; what is no list of finite floats stays as it is."""
    if type(values) is not list or set(map(type, values)) != {float} or not all(map(math.isfinite, values)):
        # Inside an object, since a number by itself means a column.
        return {"is": values}
    numbers = array("d", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return columns.setdefault(numbers.tobytes(), len(columns))


def _give_columns(pair: Any, columns: list[list[float]]) -> None:
    """Put the lists back, each series with a list of its own."""
    if not isinstance(pair, dict):
        return
    for name in _SERIES:
        series = pair.get(name)
        if isinstance(series, dict):
            pair[name] = {key: held["is"] if isinstance(held, dict) else list(columns[held]) for key, held in series.items()}


def _by_byte(numbers: bytes) -> bytes:
    """Signs and exponents together, then ever finer digits: like lies by like, and packs better."""
    return b"".join(numbers[byte::_WIDTH] for byte in range(_WIDTH))


def _by_number(planes: bytes) -> bytes:
    """Undo `_by_byte`."""
    count, odd = divmod(len(planes), _WIDTH)
    if odd:
        raise ValueError("a number is not whole")
    numbers = bytearray(len(planes))
    for byte in range(_WIDTH):
        numbers[byte::_WIDTH] = planes[byte * count : (byte + 1) * count]
    return bytes(numbers)
