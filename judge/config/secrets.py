"""Secrets, kept out of what is said."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

_SHORTEST_SECRET = 4
"""A shorter one would blot out parts of words, and defends nothing."""


def secret_forms(*given: str | None) -> tuple[str, ...]:
    """Secrets as they may stand in a text, each once, the longest first; what of an address is quoted also unquoted."""
    found = {form for one in given if one for form in (one, unquote(one))}
    return tuple(sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=lambda secret: (-len(secret), secret)))


def blot(text: str, secrets: Iterable[str]) -> str:
    """Blot out these secrets.

    Examples
    --------
    >>> blot("you sent Bearer s3cret-token", secret_forms("s3cret-token", None))
    'you sent Bearer ***'
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
