"""Records and samples as bytes: nothing changes on the way, and damage is told."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.archive.codec import pack, pack_samples, unpack, unpack_samples

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from(["NaN", "Infinity", "-Infinity"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
COLUMN = st.lists(FLOATS, max_size=12) | st.lists(FLOATS | WORDS | st.integers(-3, 3), max_size=6) | JSON
SERIES = st.fixed_dictionaries({"t": COLUMN, "v": COLUMN}) | JSON
PAIR_FIELDS = {"metric": st.text(), "baseline": SERIES, "canary": SERIES}
PAIR = st.fixed_dictionaries(PAIR_FIELDS, optional={"canary_total": SERIES, "x": JSON}) | JSON


def written(document: object) -> str:
    """As text: 1 and 1.0 are equal in Python, and so are 0.0 and -0.0."""
    return json.dumps(document)


@given(st.lists(PAIR, max_size=4) | JSON)
def test_samples_come_back_as_they_were(samples):
    assert written(unpack_samples(pack_samples(samples))) == written(samples)


def test_lists_that_were_alike_are_not_one_list_afterwards():
    times = [0.0, 15.0]
    (pair,) = unpack_samples(pack_samples([{"baseline": {"t": times, "v": times}, "canary": {"t": times, "v": times}}]))

    pair["baseline"]["t"].append(30.0)

    assert pair["canary"] == {"t": times, "v": times}


def test_a_column_that_many_series_share_is_kept_once():
    def packed(series: int) -> int:
        times = [math.sin(number) for number in range(240)]
        return len(pack_samples([{"baseline": {"t": times, "v": [0.5] * 240}} for _ in range(series)]))

    assert packed(40) < packed(1) + 300


def test_samples_of_older_judges_are_read():
    samples = [{"metric": "m", "baseline": {"t": [0.0], "v": ["Infinity"]}}]

    assert unpack_samples(pack(samples)) == samples


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"bytes"])
@pytest.mark.parametrize("place", ["in a column", "beside"])
def test_what_is_not_strict_json_is_refused(value, place):
    samples = [{"baseline": {"t": [0.0], "v": [value]}}] if place == "in a column" else [{"baseline": {}, "more": value}]

    with pytest.raises((TypeError, ValueError)):
        pack_samples(samples)


@given(st.data())
def test_damaged_samples_are_told_and_never_half_read(data):
    samples = [{"metric": "m", "baseline": {"t": [0.0, 15.0], "v": [1.0, 2.5]}, "canary": {"t": [0.0, 15.0], "v": [7, "NaN"]}}]
    blob = bytearray(pack_samples(samples))
    if data.draw(st.booleans(), label="cut off"):
        del blob[data.draw(st.integers(0, len(blob) - 1)) :]
    else:
        blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = unpack_samples(bytes(blob))
    except ValueError:
        return
    # A bit of zlib's own head may change without a change of what it holds.
    assert found == samples


@pytest.mark.parametrize("blob", [b"", b"C1", b"x", b"C1x", pack({"a": 1})[:-1]])
def test_what_is_no_packed_document_is_told(blob):
    with pytest.raises(ValueError, match=r"."):
        unpack_samples(blob)
    with pytest.raises(ValueError, match=r"."):
        unpack(blob)
