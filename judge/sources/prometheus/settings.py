"""What server.yaml says of a Prometheus server, and what the environment adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, Field, PrivateAttr

from judge.config.secrets import secret_forms
from judge.config.units import Duration, http_address
from judge.errors import ConfigError, Fault
from judge.sources import SourceSettings

if TYPE_CHECKING:
    from judge.sources import Source

_SECRET_HEADER_WORDS = ("auth", "token", "key", "secret", "cookie", "password")
# Only what all readers of addresses understand alike: no credentials, no backslash, no query, nothing that is not printable.
_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/-]*)?")
_LONGEST_LINK = 6000
_LATEST = 253402300799
"""Unix seconds of the last time that a calendar has."""
_HISTORY_BYTES = 256 * 1024 * 1024
_HISTORY_SERIES = 20_000
_LIMITS = ("read_timeout", "connect_timeout", "max_bytes", "max_points", "max_series", "max_query_length")
_RECORDED = ("type", *_LIMITS, "lookback", "partial")


class PrometheusSettings(SourceSettings):
    """Prometheus, or what speaks its query API; times in seconds, sizes in bytes."""

    type: Annotated[Literal["prometheus"], Field(description="The type that a source has if it names none.")] = "prometheus"
    url: Annotated[
        str,
        AfterValidator(http_address),
        Field(
            repr=False,
            description="Prometheus, or what speaks its query API (VictoriaMetrics, Thanos and Mimir are tested). A path is kept.",
        ),
    ]
    headers: Annotated[Mapping[str, str], Field(repr=False, description="Sent with every query: tenants of Mimir or Thanos.")] = {}
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
    _secrets: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def resolved(self, environ: Mapping[str, str], folder: Path) -> Self:
        """Look the secrets up."""
        del folder
        asked = {"password": self.password_env, "bearer_token": self.bearer_token_env}
        found = {key: environ.get(variable, "") if variable else "" for key, variable in asked.items()}
        missing = [key for key, variable in asked.items() if variable and not found[key]]
        if missing:
            raise ConfigError([Fault(path=f"{key}_env", message=f"the environment variable {asked[key]} is not set") for key in missing])
        resolved = self.model_copy()
        resolved._secrets = found  # noqa: SLF001 - its own class
        return resolved

    @property
    def password(self) -> str:
        """What `password_env` names."""
        return self._secrets.get("password", "")

    @property
    def bearer_token(self) -> str:
        """What `bearer_token_env` names."""
        return self._secrets.get("bearer_token", "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Passwords (also as they stand in the address), tokens and secret headers."""
        headers = (value for name, value in self.headers.items() if any(word in name.lower() for word in _SECRET_HEADER_WORDS))
        return secret_forms(self.password, self.bearer_token, urlsplit(self.url).password, *headers)

    def open(self, name: str = "default") -> Source:
        """Open it; nothing is connected yet."""
        from judge.sources.prometheus.source import PrometheusSource

        return PrometheusSource(self, name)

    def recorded(self) -> dict[str, Any]:
        """Limits, and which samples are left out."""
        return self.model_dump(include=set(_RECORDED))

    def patient(self, seconds: float) -> Self:
        """Wait so long for the server's silence."""
        return self.model_copy(update={"read_timeout": max(self.read_timeout, seconds)})

    def for_history(self, *, timeout: float, concurrency: int) -> Self:
        """Take long answers of many series."""
        limits = {"max_bytes": max(self.max_bytes, _HISTORY_BYTES), "max_series": max(self.max_series, _HISTORY_SERIES)}
        return self.patient(timeout).model_copy(update={**limits, "concurrency": concurrency})

    @staticmethod
    def query_page(described: Mapping[str, Any], query: str, *, start: float | None, end: float | None, step: float | None) -> str:
        """Write the address of a query in Prometheus' own page, over the judged window.

        Examples
        --------
        >>> PrometheusSettings.query_page({"url": "http://prom:9090"}, "up", start=1763627400.0, end=1763629200.0, step=60.0)
        'http://prom:9090/graph?g0.expr=up&g0.tab=0&g0.range_input=1800s&g0.end_input=2025-11-20+09%3A00%3A00&g0.step_input=60'
        """
        address = described.get("url")
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            return ""
        asked = {"g0.expr": query, "g0.tab": "0"}
        if start is not None and end is not None:
            until = datetime.fromtimestamp(min(max(end, 0.0), _LATEST), UTC).strftime("%Y-%m-%d %H:%M:%S")
            asked |= {"g0.range_input": f"{max(round(end - start), 1)}s", "g0.end_input": until}
        if step:
            asked["g0.step_input"] = f"{step:g}"
        found = f"{address.rstrip('/')}/graph?{urlencode(asked, errors='replace')}"
        return found if len(found) <= _LONGEST_LINK else ""
