"""The judge at work: configs, sources and the archive, opened once and asked many times.

Every front door asks here, so that a question has the same answer at each of them.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judge import __version__
from judge.analysis import Analysis, question, run
from judge.core.config import CanaryConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.errors import ArchiveError, ConfigError, Fault, nearest
from judge.sources import Source, open_source
from judge.wire.config import load_configs
from judge.wire.record import record
from judge.wire.request import Request, parse_request

if TYPE_CHECKING:
    from judge.archive import Archive
    from judge.executions import Executions
    from judge.settings import Settings


_LEAST_SECONDS = 1.0


def versions() -> dict[str, str]:
    """Name what took part in a verdict."""
    import numpy as np

    return {"judge": __version__, "python": platform.python_version(), "numpy": np.__version__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A verdict's record, and a sentence where it could not be kept."""

    record: Mapping[str, Any]
    unkept: str = ""


class Service:
    """Answers questions; safe to use from many threads."""

    def __init__(self, settings: Settings, archive: Archive) -> None:
        """Load every config; broken ones are named in `config_errors` and the good ones served."""
        self.settings = settings
        self.archive = archive
        self.configs, self.config_errors = load_configs(settings.config_dir)
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()

    def kayenta_configs(self) -> dict[str, Mapping[str, Any]]:
        """Kayenta canary configs of the config folder, by their own names."""
        documents = (config.document for config in self.configs.values() if is_kayenta_document(config.document))
        return {str(document.get("name", "")): document for document in documents}

    def executions(self, *, clock: Callable[[], float], new_id: Callable[[], str]) -> Executions | None:
        """What works on Kayenta's executions; None where the archive keeps nothing."""
        from judge.archive.kayenta import KayentaStore
        from judge.archive.sql import SqlArchive
        from judge.executions import Executions

        if not isinstance(self.archive, SqlArchive):
            return None
        return Executions(
            KayentaStore(self.archive.database), lambda: self.named_source("default", where="Kayenta's API"), clock=clock, new_id=new_id
        )

    def source(self, config: CanaryConfig) -> Source:
        """Open the source that a config names, once.

        Raises
        ------
        ConfigError
            Where the settings do not have it.
        """
        return self.named_source(config.source, where=config.name)

    def named_source(self, name: str, *, where: str) -> Source:
        """Open a source by its name, once.

        Raises
        ------
        ConfigError
            Where the settings do not have it.
        """
        if name not in self.settings.sources:
            known = tuple(self.settings.sources)
            hint = " (set JUDGE_PROMETHEUS_URL)" if name == "default" else nearest(name, known)
            raise ConfigError(
                [Fault(path="source", message=f"there is no source {name!r} in the settings{hint}", allowed=known)], where=where
            )
        with self._lock:
            if name not in self._sources:
                self._sources[name] = open_source(self.settings.sources[name])
            return self._sources[name]

    def ask(self, raw: Any, *, id: str, now: float) -> tuple[Request, Kept]:
        """Answer one question; the same question gets the answer it got before.

        Raises
        ------
        RequestError, ConfigError
            Where the question or the settings are wrong.
        SourceUnreachable
            Where the source failed and the config asks for an error then.
        """
        request, config = parse_request(raw, self.configs, now=now)
        asked = question(request, config, now=now)
        began = time.monotonic()
        try:
            earlier = self.archive.answer(asked)
        except ArchiveError:
            # A verdict that cannot be looked up can still be reached again.
            earlier = None
        if earlier is not None:
            return request, Kept(record=earlier)
        # A slow archive takes from the source's time, not from the caller's.
        left = max(self.settings.deadline - (time.monotonic() - began), _LEAST_SECONDS)
        analysis = run(request, config, self.source(config), now=now, deadline=left)
        made = write_record(analysis, id=id, asked_at=now, question=asked, settings=self._settings_of(config))
        return request, self._keep(made)

    def _settings_of(self, config: CanaryConfig) -> dict[str, Any]:
        """Settings that can change a verdict; the source's address is in the record already, secrets never are."""
        source = self.settings.sources[config.source]
        kept = ("type", "read_timeout", "connect_timeout", "max_bytes", "max_points", "max_series", "max_query_length", "lookback")
        return {"deadline": self.settings.deadline, "source": {"name": source.name, **{key: getattr(source, key) for key in kept}}}

    def _keep(self, made: dict[str, Any]) -> Kept:
        try:
            winner = self.archive.keep(made)
            if winner != made["id"]:
                return Kept(record=self.archive.get(winner))
        except ArchiveError as error:
            return Kept(record=made, unkept=f"this verdict was not kept: {error}")
        return Kept(record=made)


def write_record(
    analysis: Analysis, *, id: str, asked_at: float, question: str = "", settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write an analysis as a record; one without a `question` answers none later."""
    return {
        "id": id,
        "asked_at": asked_at,
        "question": question,
        "reusable": analysis.conclusive and bool(question),
        "versions": versions(),
        "settings": {} if settings is None else dict(settings),
        **record(
            request=analysis.request,
            config=analysis.config,
            window=analysis.window,
            verdict=analysis.verdict,
            pairs=analysis.pairs,
            traffic=analysis.traffic,
            conditions=analysis.conditions,
            source=analysis.source,
        ),
    }
