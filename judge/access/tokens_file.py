"""The tokens file: who may ask, read and label. YAML, closed, all faults at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from judge.access.rights import Right
from judge.config.yaml import Document, read, validate
from judge.errors import ConfigError, Fault
from judge.wire.request import parse_time

OpenRoute: TypeAlias = Literal["metrics", "description"]
Text = Annotated[str, Field(min_length=1, max_length=253)]


def _moment(value: Any) -> float:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        # YAML's own times without a zone are in UTC.
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        msg = f"not a time: {value!r}; write 2027-01-01T00:00:00Z"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError as a fault
    return parse_time(str(value))


Moment = Annotated[
    float,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}], "examples": ["2027-01-01T00:00:00Z"]}),
]


class RightsDocument(Document):
    """What a caller may do."""

    may: Annotated[tuple[Right, ...], Field(min_length=1, description="ask for verdicts, read and label them, use Kayenta's API.")] = (
        "ask",
        "read",
    )
    configs: Annotated[tuple[Text, ...], Field(min_length=1, description="Names of configs, or patterns such as checkout-*.")] = ("*",)
    namespaces: Annotated[tuple[Text, ...] | None, Field(min_length=1, description="Values of the arg namespace; left out: any.")] = None
    scopes: Annotated[tuple[Text, ...] | None, Field(min_length=1, description="Names of a config's scopes; left out: any.")] = None
    questions_at_once: Annotated[
        int | None, Field(ge=1, le=64, description="So many questions are judged or wait at once, in each process; left out: a fair share.")
    ] = None


class TokenDocument(RightsDocument):
    """One bearer token."""

    name: Annotated[Text, Field(description="Who brings it; stands in the log.")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the token, in lower-case hexadecimal; `judge token` makes it.")]
    until: Annotated[Moment | None, Field(description="From then on it is refused.")] = None


class SubjectDocument(RightsDocument):
    """What the bearer of a signed token may do, by its claims."""

    name: Annotated[Text, Field(description="Stands in the log.")]
    claims: Annotated[Mapping[str, str], Field(min_length=1, description="Each must be in the token, as this text or in a list.")]


class JwtDocument(Document):
    """An identity provider whose signed tokens (JWT) are taken."""

    issuer: Text
    audience: Text
    keys: Annotated[str, Field(min_length=1, description="Its JWKS: an https address, or a file beside this one.")]
    ca_file: Annotated[str, Field(description="The authority that signed its certificate.")] = ""
    subjects: Annotated[tuple[SubjectDocument, ...], Field(min_length=1, description="The first that fits counts.")]


class ProxyDocument(RightsDocument):
    """A reverse proxy that authenticates people, and names them in a header that only it can set."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,79}$")] = "X-Forwarded-User"
    networks: Annotated[tuple[str, ...], Field(min_length=1, description="Where it connects from: 10.1.2.3, or 10.1.0.0/16.")]
    may: Annotated[tuple[Right, ...], Field(min_length=1)] = ("read",)


class TokensDocument(Document):
    """The tokens file."""

    tokens: tuple[TokenDocument, ...] = ()
    jwt: JwtDocument | None = None
    proxy: ProxyDocument | None = None
    open: Annotated[tuple[OpenRoute, ...], Field(description="Needs no token: /metrics, /openapi.json.")] = ()


def load_tokens(path: Path) -> TokensDocument:
    """Read the tokens file.

    Raises
    ------
    ConfigError
        All faults with their paths; a hash or claim is never repeated in them.
    """
    try:
        document = validate(TokensDocument, read(path), where=str(path))
    except ConfigError as error:
        raise ConfigError([_discreet(fault) for fault in error.faults], where=str(path)) from None
    found = list(_faults(document))
    if found:
        raise ConfigError(found, where=str(path))
    return document


def check_token(entry: Mapping[str, Any]) -> None:
    """Check one entry of the tokens file before it is written there.

    Raises
    ------
    ConfigError
        With what the tokens file would be refused for.
    """
    found = list(_confined(validate(TokenDocument, entry, where=""), ""))
    if found:
        raise ConfigError(found)


def _discreet(fault: Fault) -> Fault:
    """A person may have written the token itself in place of its hash: it must not go on to a log."""
    if not fault.path.endswith(".sha256") or fault.message == "is missing":
        return fault
    return Fault(path=fault.path, message="must be 64 lower-case hexadecimal digits in quotes, as `judge token` prints them")


def _faults(document: TokensDocument) -> Iterator[Fault]:
    if not document.tokens and document.jwt is None and document.proxy is None:
        yield Fault(path="", message="lets nobody in: give tokens, jwt or proxy", allowed=("tokens", "jwt", "proxy"))
    names: dict[str, int] = {}
    digests: dict[str, int] = {}
    for index, token in enumerate(document.tokens):
        # Two tokens of one name are a rotation; one token under two names is a mistake.
        if token.sha256 in digests:
            yield Fault(path=f"tokens.{index}.sha256", message=f"is that of tokens.{digests[token.sha256]} too")
        names.setdefault(token.name, index)
        digests.setdefault(token.sha256, index)
        yield from _confined(token, f"tokens.{index}")
    if document.jwt is not None:
        for index, subject in enumerate(document.jwt.subjects):
            yield from _confined(subject, f"jwt.subjects.{index}")
    if document.proxy is not None:
        yield from _confined(document.proxy, "proxy")
        for index, network in enumerate(document.proxy.networks):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                yield Fault(path=f"proxy.networks.{index}", message=f"not an address or network: {network!r}")


def _confined(rights: RightsDocument, path: str) -> Iterator[Fault]:
    """Kayenta's configs bring queries of their own, so a confined caller may not use them."""
    if "kayenta" in rights.may and ("*" not in rights.configs or rights.namespaces is not None or rights.scopes is not None):
        yield Fault(
            path=f"{path}.may".removeprefix("."),
            message="kayenta cannot be confined to configs, namespaces or scopes: Kayenta's requests bring queries of their own",
        )
