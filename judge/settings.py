"""Settings of the service: ``server.yaml`` beside the configs, then ``JUDGE_*``.

The environment wins over the file, the file over the defaults. Only the names in
`ENVIRONMENT` are read: Kubernetes itself puts names such as ``JUDGE_PORT`` and
``JUDGE_SERVICE_HOST`` into every pod beside a Service called *judge*, and those
mean something else.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, create_model

from judge.config.load import SETTINGS_FILE
from judge.config.units import Duration, http_address
from judge.config.yaml import Document, read, validate
from judge.errors import ConfigError, Fault
from judge.sources import SourceSettings
from judge.sources.registry import SOURCES

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
DEFAULT_CONFIG_DIR = "configs"
DEFAULT_ARCHIVE = "sqlite:///judge.sqlite"


class ServerDocument(Document):
    """server.yaml."""

    sources: Annotated[
        Mapping[str, SourceSettings],
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


def server_document() -> type[ServerDocument]:
    """`ServerDocument` with the fields of each type of source in `judge.sources.registry.SOURCES`."""
    kinds = tuple(Annotated[kind, Tag(name)] for name, kind in SOURCES.items())
    source: Any = Annotated[Union[kinds], Discriminator(_source_type)]  # noqa: UP007 - made from a tuple
    described = ServerDocument.model_fields["sources"].description
    field: Any = (Mapping[str, source], Field(default={}, description=described))
    return create_model("ServerDocument", __base__=ServerDocument, __doc__=ServerDocument.__doc__, sources=field)


def _source_type(source: Any) -> Any:
    return source.get("type", "prometheus") if isinstance(source, Mapping) else getattr(source, "type", "prometheus")


class Settings(ServerDocument):
    """Everything the service was told: server.yaml, the environment, and defaults of what neither says."""

    config_dir: Path = Path(DEFAULT_CONFIG_DIR)
    archive_url: str = DEFAULT_ARCHIVE
    public_url: str = ""
    deadline: float = 8.0
    tokens_file: Path | None = None  # type: ignore[assignment]  # the file as a path, no longer as it is written


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
    document = _with_address({} if document is None else document, environ.get("JUDGE_PROMETHEUS_URL", ""))
    server = validate(server_document(), document, where=str(path))
    public = environ.get("JUDGE_PUBLIC_URL", "") or server.public_url
    decided = {
        "sources": _resolved(server, environ, path),
        "archive_url": environ.get("JUDGE_ARCHIVE_URL", "") or server.archive_url,
        "public_url": _checked_url(public, "public_url", str(path)).rstrip("/") if public else None,
        "deadline": _deadline(environ, server),
        "tokens_file": _tokens_file(environ, server, folder),
        "log_format": _chosen(environ, "JUDGE_LOG_FORMAT", ("text", "json"), server.log_format),
        "traces": _chosen(environ, "JUDGE_TRACES", ("true", "false"), str(server.traces).lower()) == "true",
    }
    given = {name: value for name, value in {**dict(server), **decided}.items() if value is not None}
    return Settings.model_construct(config_dir=folder, **given)


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


def _deadline(environ: Mapping[str, str], server: ServerDocument) -> float | None:
    text = environ.get("JUDGE_DEADLINE", "")
    if not text:
        value = server.deadline
    else:
        try:
            value = float(text.removesuffix("s"))
        except ValueError:
            raise ConfigError([Fault(path="JUDGE_DEADLINE", message=f"must be seconds, found {text!r}")], where="environment") from None
    if value is not None and not 1 <= value <= 600:
        raise ConfigError([Fault(path="deadline", message=f"must be between 1 and 600 seconds, found {value:g}")])
    return value


def _with_address(document: Any, url: str) -> Any:
    """The document with this address for the source named default, which is a Prometheus then."""
    sources: Any = document.get("sources", {}) if isinstance(document, Mapping) else None
    known: Any = sources.get("default", {}) if isinstance(sources, Mapping) else None
    if not url or not isinstance(known, Mapping):
        return document
    kept = known if _source_type(known) == "prometheus" else {}
    default = {**kept, "url": _checked_url(url, "JUDGE_PROMETHEUS_URL", "environment")}
    return {**document, "sources": {**sources, "default": default}}


def _resolved(server: ServerDocument, environ: Mapping[str, str], path: Path) -> dict[str, SourceSettings]:
    sources, found = {}, []
    for name, source in server.sources.items():
        try:
            sources[name] = source.resolved(environ, path.parent)
        except ConfigError as error:
            found += [replace(fault, path=f"sources.{name}.{fault.path}") for fault in error.faults]
    if found:
        raise ConfigError(found, where=str(path))
    return sources


def _checked_url(url: str, path: str, where: str) -> str:
    try:
        return http_address(url)
    except ValueError as error:
        raise ConfigError([Fault(path=path, message=str(error))], where=where) from None


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
