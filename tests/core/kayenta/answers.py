"""Kayenta's recorded answers: where they are, and comparing with them field by field and bit by bit."""

from __future__ import annotations

import gzip
import json
import math
import struct
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "kayenta"


def sample(name):
    """A few lines of each file, kept with the tests."""
    return read(SAMPLE / f"{name}.jsonl")


def recorded(name):
    """All lines of a file, where the checkout has them beside it."""
    path = SHARED / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"Kayenta's answers are not here: {path}")
    return read(path)


def read(path):
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]


def bits(document):
    """The document with every number as the bits of a double: 0.0 is not -0.0, and 1 is 1.0, as in JSON."""
    if isinstance(document, dict):
        return {key: bits(value) for key, value in document.items()}
    if isinstance(document, list):
        return [bits(value) for value in document]
    if isinstance(document, int | float) and not isinstance(document, bool):
        return "NaN" if math.isnan(document) else struct.pack(">d", document).hex()
    return document
