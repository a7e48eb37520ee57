"""Ids of verdicts: ULIDs, which sort by time and fit in a path."""

from __future__ import annotations

import os

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(now: float, *, entropy: bytes | None = None) -> str:
    """Make a ULID (48 bits of milliseconds, 80 random bits, Crockford's base 32).

    Parameters
    ----------
    now : float
        Unix seconds.
    entropy : bytes, optional
        Ten bytes, instead of the system's random ones.

    Examples
    --------
    >>> new_id(0.0, entropy=bytes(10))
    '00000000000000000000000000'
    """
    random = os.urandom(10) if entropy is None else entropy
    number = (int(now * 1000) << 80) | int.from_bytes(random, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def question_id(question: str, at: float) -> str:
    """Make the ULID that belongs to a question (a SHA-256 in hex) about a time (unix seconds).

    Examples
    --------
    >>> question_id("ff" * 32, 0.0)
    '0000000000ZZZZZZZZZZZZZZZZ'
    """
    return new_id(max(at, 0.0), entropy=bytes.fromhex(question)[:10])
