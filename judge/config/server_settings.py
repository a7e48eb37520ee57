"""Settings of the service: ``server.yaml`` beside the configs, then ``JUDGE_*``.

The environment wins over the file, the file over the defaults. Only the names in
`ENVIRONMENT` are read: Kubernetes itself puts names such as ``JUDGE_PORT`` and
``JUDGE_SERVICE_HOST`` into every pod beside a Service called *judge*, and those
mean something else.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from judge.config.load import SETTINGS_FILE
from judge.config.units import Duration
from judge.config.yaml import Document, read, validate
from judge.errors import ConfigError, Fault

ENVIRONMENT = {
    "JUDGE_PROMETHEUS_URL": "address of the source named default",
    "JUDGE_CONFIG_DIR": "folder of canary configs and server.yaml (default: configs)",
    "JUDGE_ARCHIVE_URL": "where verdicts are kept: an SQLAlchemy URL, or none (default: sqlite:///judge.sqlite)",
    "JUDGE_PUBLIC_URL": "address under which people reach this service, for the report link",
    "JUDGE_TOKENS_FILE": "who may ask, read and label; without it everybody may",
    "JUDGE_DEADLINE": "seconds within which every question is answered (default: 8)",
    "JUDGE_LOG_FORMAT": "text, or json for one JSON object a line (default: text)",
    "JUDGE_TRACES": "true sends OpenTelemetry traces, as the OTEL_ variables say (default: false)",
}
_SHORTEST_SECRET = 4
"""A shorter one would blot out parts of words, and defends nothing."""
_SECRET_HEADER_WORDS = ("auth", "token", "key", "secret", "cookie", "password")
DEFAULT_CONFIG_DIR = "configs"
DEFAULT_ARCHIVE = "sqlite:///judge.sqlite"


class SourceDocument(Document):
    """One source of series."""

    type: Annotated[
        Literal["prometheus", "dumps"],
        Field(description="`dumps` answers from saved canaries, for rehearsals: by hashes and names of metrics, not by PromQL."),
    ] = "prometheus"
    url: Annotated[
        str, Field(description="Prometheus, or what speaks its query API (VictoriaMetrics, Thanos and Mimir are tested). A path is kept.")
    ] = ""
    path: Annotated[str, Field(description="For `dumps`: a file or a folder, relative to `server.yaml`.")] = ""
    headers: Annotated[Mapping[str, str], Field(description="Sent with every query: tenants of Mimir or Thanos.")] = {}
    username: Annotated[str, Field(description="Basic authentication.")] = ""
    password_env: Annotated[str, Field(description="The environment variable that holds its password.")] = ""
    bearer_token_env: Annotated[str, Field(description="The environment variable that holds a bearer token.")] = ""
    ca_file: Annotated[str, Field(description="The authority that signed the server's certificate.")] = ""
    cert_file: Annotated[str, Field(description="Our own certificate, where the server wants one.")] = ""
    key_file: Annotated[str, Field(description="Its key.")] = ""
    insecure: Annotated[bool, Field(description="Trusts any certificate; for trying out.")] = False
    connect_timeout: Annotated[Duration, Field(description="For one connection.")] = 2.0
    read_timeout: Annotated[
        Duration, Field(description="For the server's silence in between. The deadline ends everything in any case.")
    ] = 8.0
    max_bytes: Annotated[int, Field(ge=1024, description="The longest answer, unpacked. A longer one is not read on.")] = 16 * 1024 * 1024
    max_points: Annotated[int, Field(ge=11, description="Points in time that one query may cover; above 11,000 it is asked in parts.")] = (
        55_000
    )
    max_series: Annotated[int, Field(ge=1, description="A query that answers more lacks a `sum` or `avg`; its metric is an `error`.")] = 200
    max_query_length: Annotated[int, Field(ge=100, description="Characters of a query.")] = 10_000
    concurrency: Annotated[int, Field(ge=1, le=64, description="Queries under way at once in each process.")] = 8
    lookback: Annotated[
        Duration,
        Field(description="The server's `--query.lookback-delta`: repetitions of an ended series' last value are no samples."),
    ] = 300.0
    compress: Annotated[bool, Field(description="Ask for packed answers: where the server is far away.")] = False
    partial: Annotated[
        Literal["mark", "refuse"],
        Field(description="What to do with an answer in which a part of the storage is missing: use it and say so, or take it for none."),
    ] = "mark"


class ServerDocument(Document):
    """server.yaml."""

    sources: Annotated[
        Mapping[str, SourceDocument],
        Field(description="Where series come from. A canary config says `source: <name>`; without it, it is `default`."),
    ] = {}
    archive_url: Annotated[str | None, Field(description="Where verdicts are kept: an SQLAlchemy URL, or none.")] = None
    archive_keep_days: Annotated[int | None, Field(ge=1, description="Verdicts that are older are deleted.")] = None
    archive_keep_megabytes: Annotated[
        int | None, Field(ge=1, description="The oldest verdicts are deleted until the rest takes no more than this.")
    ] = None
    archive_keep_labelled: Annotated[bool, Field(description="Whether labelled verdicts stay, whatever their age.")] = True
    public_url: Annotated[str | None, Field(description="The `report` of an answer begins with it. Without it the answer has a path.")] = (
        None
    )
    deadline: Annotated[
        Duration | None, Field(description="From 1 s to 10 minutes. Shorter than Argo's `timeoutSeconds` (10 s unless set).")
    ] = None
    max_body: Annotated[int, Field(ge=1024, description="Bytes of a request; a larger one is refused with 413.")] = 1024 * 1024
    tokens_file: Annotated[str | None, Field(description="Who may ask, read and label; relative to `server.yaml`.")] = None
    questions_at_once: Annotated[int, Field(ge=1, le=64, description="Questions that one worker process judges at a time.")] = 4
    questions_waiting: Annotated[int, Field(ge=0, le=256, description="How many more may wait for a place.")] = 8
    log_format: Annotated[Literal["text", "json"], Field(description="`json` writes one JSON object a line, for a log store.")] = "text"
    traces: Annotated[bool, Field(description="Sends OpenTelemetry traces, as the OTEL_ variables say; needs the extra `otel`.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One source; times in seconds, sizes in bytes, secrets already looked up."""

    name: str = "default"
    type: str = "prometheus"
    url: str = field(default="", repr=False)
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False
    connect_timeout: float = 2.0
    read_timeout: float = 8.0
    max_bytes: int = 16 * 1024 * 1024
    max_points: int = 55_000
    max_series: int = 200
    max_query_length: int = 10_000
    concurrency: int = 8
    lookback: float = 300.0
    compress: bool = False
    partial: str = "mark"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be said of this source: passwords (also as they stand in the address), tokens and secret headers."""
        headers = (value for name, value in self.headers.items() if any(word in name.lower() for word in _SECRET_HEADER_WORDS))
        return secret_forms(self.password, self.bearer_token, urlsplit(self.url).password, *headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the service was told."""

    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    config_dir: Path = Path(DEFAULT_CONFIG_DIR)
    archive_url: str = DEFAULT_ARCHIVE
    archive_keep_days: float | None = None
    archive_keep_megabytes: float | None = None
    archive_keep_labelled: bool = True
    public_url: str = ""
    deadline: float = 8.0
    max_body: int = 1024 * 1024
    tokens_file: Path | None = None
    questions_at_once: int = 4
    questions_waiting: int = 8
    log_format: str = "text"
    traces: bool = False


def load_settings(environ: Mapping[str, str] | None = None, *, config_dir: Path | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    environ : mapping, optional
        Instead of the process's environment.
    config_dir : Path, optional
        Instead of ``JUDGE_CONFIG_DIR``.

    Raises
    ------
    ConfigError
        All faults of the file or of the environment, with their names.
    """
    environ = os.environ if environ is None else environ
    folder = config_dir if config_dir is not None else Path(environ.get("JUDGE_CONFIG_DIR", DEFAULT_CONFIG_DIR))
    path = folder / SETTINGS_FILE
    try:
        document = read(path) if path.exists() else {}
    except PermissionError as error:
        raise ConfigError("cannot be read: Permission denied", where=str(path)) from error
    server = validate(ServerDocument, {} if document is None else document, where=str(path))
    sources = {name: _source(name, source, environ, path) for name, source in server.sources.items()}
    url = environ.get("JUDGE_PROMETHEUS_URL", "")
    if url:
        known = sources.get("default", SourceSettings())
        sources["default"] = replace(known, type="prometheus", url=_checked_url(url, "JUDGE_PROMETHEUS_URL", "environment"))
    public = environ.get("JUDGE_PUBLIC_URL", "") or (server.public_url if server.public_url is not None else "")
    archive = environ.get("JUDGE_ARCHIVE_URL", "") or (server.archive_url if server.archive_url is not None else DEFAULT_ARCHIVE)
    return Settings(
        sources=sources,
        config_dir=folder,
        archive_url=archive,
        archive_keep_days=server.archive_keep_days,
        archive_keep_megabytes=server.archive_keep_megabytes,
        archive_keep_labelled=server.archive_keep_labelled,
        public_url=_checked_url(public, "public_url", str(path)).rstrip("/") if public else "",
        deadline=_deadline(environ, server),
        max_body=server.max_body,
        tokens_file=_tokens_file(environ, server, folder),
        questions_at_once=server.questions_at_once,
        questions_waiting=server.questions_waiting,
        log_format=_chosen(environ, "JUDGE_LOG_FORMAT", ("text", "json"), server.log_format),
        traces=_chosen(environ, "JUDGE_TRACES", ("true", "false"), str(server.traces).lower()) == "true",
    )


def _chosen(environ: Mapping[str, str], name: str, allowed: tuple[str, ...], otherwise: str) -> str:
    """One of few words of the environment, in any case; `otherwise` where it says nothing."""
    told = environ.get(name, "").strip().lower()
    if not told:
        return otherwise
    if told not in allowed:
        raise ConfigError([Fault(path=name, message=f"is {environ[name]!r}", allowed=allowed)], where="environment")
    return told


def _tokens_file(environ: Mapping[str, str], server: ServerDocument, folder: Path) -> Path | None:
    told = environ.get("JUDGE_TOKENS_FILE", "")
    if told:
        return Path(told)
    return None if server.tokens_file is None else folder / server.tokens_file


def _deadline(environ: Mapping[str, str], server: ServerDocument) -> float:
    text = environ.get("JUDGE_DEADLINE", "")
    if not text:
        value = 8.0 if server.deadline is None else server.deadline
    else:
        try:
            value = float(text.removesuffix("s"))
        except ValueError:
            raise ConfigError([Fault(path="JUDGE_DEADLINE", message=f"must be seconds, found {text!r}")], where="environment") from None
    if not 1 <= value <= 600:
        raise ConfigError([Fault(path="deadline", message=f"must be between 1 and 600 seconds, found {value:g}")])
    return value


def _source(name: str, source: SourceDocument, environ: Mapping[str, str], path: Path) -> SourceSettings:
    values: dict[str, Any] = source.model_dump(exclude={"password_env", "bearer_token_env"})
    found = []
    for key, variable in (("password", source.password_env), ("bearer_token", source.bearer_token_env)):
        values[key] = environ.get(variable, "") if variable else ""
        if variable and not values[key]:
            found.append(Fault(path=f"sources.{name}.{key}_env", message=f"the environment variable {variable} is not set"))
    if source.type == "prometheus" and not source.url and not environ.get("JUDGE_PROMETHEUS_URL"):
        found.append(Fault(path=f"sources.{name}.url", message="is missing"))
    if source.type == "dumps" and not source.path:
        found.append(Fault(path=f"sources.{name}.path", message="is missing"))
    if found:
        raise ConfigError(found, where=str(path))
    if source.path:
        values["path"] = str(path.parent / source.path)
    if source.url:
        values["url"] = _checked_url(source.url, f"sources.{name}.url", str(path))
    return SourceSettings(name=name, **values)


def _checked_url(url: str, path: str, where: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "\\" in url:
        shown = url if "@" not in url else "an address with a password"
        raise ConfigError([Fault(path=path, message=f"must be an http or https address without ? and #, found {shown!r}")], where=where)
    return url


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """Name environment variables that look like ours but are not, with the nearest one that is."""
    found = []
    for name in environ:
        if (
            name.startswith("JUDGE_")
            and name not in ENVIRONMENT
            and not name.startswith(("JUDGE_SERVICE_", "JUDGE_PORT", "JUDGE_REQUIRE_"))
        ):
            close = difflib.get_close_matches(name, list(ENVIRONMENT), n=1, cutoff=0.8)
            if close:
                found.append(f"{name} is not read; did you mean {close[0]}?")
    return found


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
