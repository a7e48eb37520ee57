"""Who may ask, read and label: bearer tokens (kept as hashes), signed tokens of an identity provider, a proxy's header.

Nothing is open unless it is told to be: where there is a tokens file, whoever brings no token gets no answer but
whether the service lives. Where there is none, everybody may do everything, as the log says at the start.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from judge.errors import NotAllowed, NotAuthenticated

if TYPE_CHECKING:
    from pathlib import Path

    from judge.config.tokens_file import RightsDocument, TokensDocument

RIGHTS = ("ask", "read", "label", "kayenta")
SHORTEST = 20
"""A token with fewer characters is refused unread: it could be guessed."""
LONGEST = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whom the service knows, and what they may do.

    `may` holds some of `RIGHTS`. `configs` are patterns (``checkout-*``); `namespaces` and `scopes` are the
    values of the arg ``namespace`` and the names of scopes that may be asked about; None is any.
    `questions_at_once` bounds the questions of this caller that are judged or wait in one process; None is a fair share.
    """

    name: str
    may: frozenset[str] = frozenset(RIGHTS)
    configs: tuple[str, ...] = ("*",)
    namespaces: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    questions_at_once: int | None = None

    @property
    def anonymous(self) -> bool:
        """Whether this is everybody: nobody is told apart where there is no tokens file."""
        return self is ANYONE

    @property
    def everywhere(self) -> bool:
        """Nothing is hidden from this caller."""
        return "*" in self.configs and self.namespaces is None and self.scopes is None

    def knows(self, config: str) -> bool:
        """Whether a config of this name is there for this caller."""
        return any(fnmatchcase(config, pattern) for pattern in self.configs)

    def sees(self, request: Mapping[str, Any]) -> bool:
        """Whether a verdict on this question is there for this caller.

        Parameters
        ----------
        request : mapping
            As a record keeps it: `config`, `scope`, `args`.
        """
        namespace = (request.get("args") or {}).get("namespace")
        return (
            self.knows(str(request.get("config", "")))
            and (self.namespaces is None or namespace in self.namespaces)
            and (self.scopes is None or request.get("scope") in self.scopes)
        )

    def require(self, right: str) -> None:
        """Refuse what this caller may not do.

        Raises
        ------
        NotAllowed
            With the right that is missing.
        """
        if right not in self.may:
            raise NotAllowed(f"{self.name} may not {_DEEDS[right]}: its token lacks the right {right!r}")

    def require_question(self, request: Mapping[str, Any]) -> None:
        """Refuse a question about what this caller may not see; says which part of it.

        Raises
        ------
        NotAllowed
            Where the config, the namespace or the scope is not this caller's.
        """
        self.require("ask")
        if not self.knows(str(request.get("config", ""))):
            raise NotAllowed(f"{self.name} may not ask for the config {request.get('config')!r}")
        if not self.sees(request):
            namespace = (request.get("args") or {}).get("namespace")
            if self.namespaces is not None and namespace not in self.namespaces:
                told = "the config has no arg namespace" if namespace is None else f"not about {namespace!r}"
                raise NotAllowed(f"{self.name} may only ask about the namespaces {', '.join(sorted(self.namespaces))}: {told}")
            raise NotAllowed(f"{self.name} may not use the scope {request.get('scope')!r}")


_DEEDS = {"ask": "ask for a verdict", "read": "read verdicts", "label": "label verdicts", "kayenta": "use Kayenta's API"}

ANYONE = Caller(name="anyone")
"""Whoever asks a service that has no tokens file."""


NOBODY = Caller(name="nobody", may=frozenset(), configs=())
"""Whoever came without a token through a door that is open all the same."""


class Gate(Protocol):
    """Tells who asks."""

    def caller(self, headers: Mapping[str, str], *, address: str, now: float) -> Caller:
        """Name the caller of a request; the names of `headers` are in lower case.

        Raises
        ------
        NotAuthenticated
            Where nobody known asks; never says what was brought.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Lets everybody in."""

    def caller(self, headers: Mapping[str, str], *, address: str, now: float) -> Caller:
        """Everybody is `ANYONE`."""
        del headers, address, now
        return ANYONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One bearer token: the SHA-256 of it, who brings it, and until when (unix seconds)."""

    digest: bytes = field(repr=False)
    caller: Caller
    until: float | None = None


class SignedTokens(Protocol):
    """Checks tokens that an identity provider signed."""

    def caller(self, token: str, *, now: float) -> Caller:
        """Name the caller; raises `NotAuthenticated`."""
        ...


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
    """Lets in who brings a token that is known, or comes through the proxy."""

    known: tuple[Known, ...] = ()
    signed: SignedTokens | None = None
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


def caller_of(document: RightsDocument, *, name: str) -> Caller:
    """Give the rights of a document to somebody."""
    return Caller(
        name=name,
        may=frozenset(document.may),
        configs=document.configs,
        namespaces=None if document.namespaces is None else frozenset(document.namespaces),
        scopes=None if document.scopes is None else frozenset(document.scopes),
        questions_at_once=document.questions_at_once,
    )


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
    signed = None
    if document.jwt is not None:
        from judge.access.jwt import JsonWebTokens

        signed = JsonWebTokens(document.jwt, folder=folder)
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
