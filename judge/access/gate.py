"""Who is let in: bearer tokens (kept as hashes), signed tokens of an identity provider, a proxy's header.

With a tokens file, a request without a token gets no answer, except from the few routes that are open.
Without one, every caller may do everything, and the log says so at the start.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from judge.access.jwt import JsonWebTokens
from judge.access.rights import ANYONE, Caller, caller_of
from judge.errors import NotAuthenticated

if TYPE_CHECKING:
    from pathlib import Path

    from judge.access.tokens_file import TokensDocument

SHORTEST = 20
"""A token with fewer characters is refused unread: it could be guessed."""
LONGEST = 8192


class Gate(Protocol):
    """Finds the caller of a request."""

    def caller(self, headers: Mapping[str, str], *, address: str, now: float) -> Caller:
        """Name the caller of a request; the names of `headers` are in lower case.

        Raises
        ------
        NotAuthenticated
            Where the caller is not known; the message repeats nothing of the token.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Lets every request in."""

    def caller(self, headers: Mapping[str, str], *, address: str, now: float) -> Caller:
        """Every caller is `ANYONE`."""
        del headers, address, now
        return ANYONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One bearer token: the SHA-256 of it, who brings it, and until when (unix seconds)."""

    digest: bytes = field(repr=False)
    caller: Caller
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A reverse proxy that has authenticated people: its header names them."""

    header: str
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    caller: Caller

    def trusts(self, address: str) -> bool:
        """Whether a request from this address is the proxy's."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGate:
    """Lets in requests with a known token, and those that come through the proxy."""

    known: tuple[Known, ...] = ()
    signed: JsonWebTokens | None = None
    proxy: Proxy | None = None

    def caller(self, headers: Mapping[str, str], *, address: str, now: float) -> Caller:
        """Name the caller by the token, else by the proxy's header."""
        authorization = headers.get("authorization", "")
        if authorization:
            return self._by_token(_token(authorization), now)
        if self.proxy is not None and self.proxy.trusts(address):
            person = headers.get(self.proxy.header.lower(), "").strip()
            if person and person.isprintable() and len(person) <= 200:
                return replace(self.proxy.caller, name=person)
        raise NotAuthenticated("a token is needed: send the header Authorization: Bearer <token>")

    def _by_token(self, token: str, now: float) -> Caller:
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known in self.known:  # all of them, so that the time tells nothing
            if hmac.compare_digest(known.digest, digest):
                found = known
        if found is not None:
            if found.until is not None and now >= found.until:
                raise NotAuthenticated(f"the token of {found.caller.name} has run out")
            return found.caller
        if self.signed is not None and token.count(".") == 2:
            return self.signed.caller(token, now=now)
        raise NotAuthenticated("the token is not known")


def _token(authorization: str) -> str:
    """Take the token out of ``Bearer <token>``, or of ``Basic`` with the token as the password (browsers ask for that)."""
    kind, _, rest = authorization.partition(" ")
    token = rest.strip()
    if kind.lower() == "basic":
        try:
            token = base64.b64decode(token, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            raise NotAuthenticated("the Authorization header cannot be read") from None
    elif kind.lower() != "bearer":
        raise NotAuthenticated("the Authorization header must be Bearer or Basic")
    if not SHORTEST <= len(token) <= LONGEST:
        raise NotAuthenticated(f"a token has {SHORTEST} to {LONGEST:,} characters")
    return token


def gate_of(document: TokensDocument, *, folder: Path) -> TokenGate:
    """Build the gate that a tokens file describes; `folder` is where it lies.

    Raises
    ------
    ConfigError
        Where signed tokens are to be checked and cannot be.
    """
    known = tuple(
        Known(digest=bytes.fromhex(token.sha256), caller=caller_of(token, name=token.name), until=token.until) for token in document.tokens
    )
    signed = None if document.jwt is None else JsonWebTokens(document.jwt, folder=folder)
    proxy = None
    if document.proxy is not None:
        networks = tuple(ipaddress.ip_network(network, strict=False) for network in document.proxy.networks)
        proxy = Proxy(header=document.proxy.header, networks=networks, caller=caller_of(document.proxy, name="proxy"))
    return TokenGate(known=known, signed=signed, proxy=proxy)


def digest_of(token: str) -> str:
    """SHA-256 of a token, as the tokens file keeps it.

    Examples
    --------
    >>> digest_of("a-long-and-secret-word")[:16]
    '0f27d92c84c2f3da'
    """
    return hashlib.sha256(token.encode()).hexdigest()
