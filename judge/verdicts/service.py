"""The judge at work: configs, sources and the archive, opened once and asked many times.

Every live question is asked here: over HTTP, by `judge run` and `judge fetch`, from a notebook. So the same question has the
same answer, id and record, however it is asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from judge.access.gate import Gate
from judge.access.rights import ANYONE, Caller
from judge.access.tokens import Door, read_door
from judge.archive.types import Keep
from judge.config.reload import load, marks, serve_only
from judge.core.config import CanaryConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.errors import ArchiveError, ConfigError, Fault, nearest
from judge.observer import observer
from judge.sources import Source
from judge.verdicts.analysis import question, run, unjudged
from judge.verdicts.records import Kept, write_record
from judge.wire.record import request_fields
from judge.wire.request import Request, parse_request
from judge.wire.ulid import new_id, question_id

if TYPE_CHECKING:
    from judge.archive import Archive
    from judge.kayenta.executions import Executions
    from judge.settings import Settings


log = logging.getLogger("judge.verdicts.service")

WATCH_SECONDS = 5.0
TIDY_SECONDS = 60.0
TIDY_PAUSE = 0.5
"""Seconds between two small steps: whoever wants to write comes first."""
_LEAST_SECONDS = 1.0


class Service:
    """Answers questions; safe to use from many threads."""

    def __init__(self, settings: Settings, archive: Archive, *, configs: Sequence[CanaryConfig] | None = None) -> None:
        """Load every config of the folder; broken ones are named in `config_errors` and the good ones served.

        `configs` are served instead of the folder's.
        """
        self.settings = settings
        self.archive = archive
        self._loaded = load(settings.config_dir) if configs is None else serve_only(configs)
        self._door = Door() if settings.tokens_file is None else read_door(settings.tokens_file)
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()
        # Threads of one process take turns at the processor anyway; one after the other, the first is done sooner, the last no later,
        # and a question that is declined meanwhile waits for one of them and not for all.
        self._turn = threading.Lock()

    @property
    def configs(self) -> Mapping[str, CanaryConfig]:
        """Every config that is served, by name."""
        return self._loaded.configs

    @property
    def config_errors(self) -> Sequence[ConfigError]:
        """What is wrong in the config folder, and with the tokens file."""
        trouble = self._door.trouble
        return self._loaded.errors if trouble is None else (*self._loaded.errors, trouble)

    @property
    def gate(self) -> Gate:
        """Who is let in."""
        return self._door.gate

    @property
    def open(self) -> frozenset[str]:
        """What needs no token."""
        return self._door.open

    def reload(self) -> bool:
        """Read the config folder and the tokens file again where they changed; whether anything did.

        Each is swapped whole. What became faulty goes on as it was, and the fault is named.
        """
        changed = False
        seen = marks(self.settings.config_dir)
        if seen and seen != self._loaded.marks:
            self._loaded = load(self.settings.config_dir, before=self._loaded)
            changed = True
            log.info("configs read again: %s", ", ".join(sorted(self.configs)))
            for error in self._loaded.errors:
                log.error("config not used: %s", error)
        if self.settings.tokens_file is not None and self._door.changed(self.settings.tokens_file):
            self._door = self._door.again(self.settings.tokens_file)
            changed = True
            log.info("tokens file read again")
            if self._door.trouble is not None:
                log.error("%s", self._door.trouble)
        if changed:
            observer().reloaded(served=tuple(self.configs), faulty=len(self.config_errors))
        return changed

    def watch(self, stop: threading.Event) -> None:
        """Reload what changes, until told to stop."""
        while not stop.wait(WATCH_SECONDS):
            try:
                self.reload()
            except Exception:
                log.exception("the configs could not be read again")

    def kayenta_configs(self) -> dict[str, Mapping[str, Any]]:
        """Kayenta canary configs of the config folder, by their own names."""
        documents = (config.document for config in self.configs.values() if is_kayenta_document(config.document))
        return {str(document.get("name", "")): document for document in documents}

    def executions(self, *, clock: Callable[[], float], new_id: Callable[[], str]) -> Executions | None:
        """What works on Kayenta's executions; None where the archive keeps nothing."""
        from judge.archive.sql import SqlArchive
        from judge.kayenta.executions import Executions
        from judge.kayenta.store import KayentaStore

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
                self._sources[name] = self.settings.sources[name].open(name)
            return self._sources[name]

    @property
    def circuits(self) -> dict[str, str]:
        """State of the circuit to each source that this process has asked: ``closed`` while it answers."""
        with self._lock:
            return {name: source.state for name, source in sorted(self._sources.items())}

    def read(self, raw: Any, *, now: float, caller: Caller = ANYONE) -> tuple[Request, CanaryConfig]:
        """Read a question; configs that are not the caller's are not there.

        Raises
        ------
        RequestError
            Where the question is wrong.
        NotAllowed
            Where the caller may not ask it.
        """
        caller.require("ask")
        configs = {name: config for name, config in self.configs.items() if caller.knows(name)}
        request, config = parse_request(raw, configs, now=now)
        caller.require_question(request_fields(request))
        return request, config

    def decline(self, raw: Any, why: str, *, id: str, now: float, caller: Caller = ANYONE) -> tuple[Request, Kept] | None:
        """Answer a question without judging it, as inconclusive; None where its config wants an error then. It is not kept."""
        request, config = self.read(raw, now=now, caller=caller)
        if config.on_source_error == "error":
            return None
        made = write_record(unjudged(request, config, why, now=now), id=id, asked_at=now, question="", settings=self._settings_of(config))
        return request, Kept(record=made, declined=True)

    def ask(
        self, raw: Any, *, id: str | None = None, now: float, caller: Caller = ANYONE, waited: float = 0.0, keep: bool = True
    ) -> tuple[Request, Kept]:
        """Answer one question; the same question gets the answer it got before.

        Parameters
        ----------
        raw : Any
            The question, as it came.
        id : str, optional
            The id of a new verdict. Without one it follows from the question, so that an archive is not needed to give it again.
        now : float
            Unix seconds.
        caller : Caller
        waited : float
            Seconds of the deadline that are gone already.
        keep : bool
            Whether the archive keeps a new verdict.

        Raises
        ------
        NotAllowed
            Where the caller may not ask it.
        RequestError, ConfigError
            Where the question or the settings are wrong.
        SourceUnreachable
            Where the source failed and the config asks for an error then.
        """
        request, config = self.read(raw, now=now, caller=caller)
        asked = question(request, config, now=now)
        began = time.monotonic()
        try:
            with observer().stage("lookup"):
                earlier = self.archive.answer(asked)
        except ArchiveError:
            # A verdict that cannot be looked up can still be reached again.
            earlier = None
        if earlier is not None:
            return request, Kept(record=earlier)
        # A slow archive takes from the source's time, not from the caller's.
        left = max(self.settings.deadline - waited - (time.monotonic() - began), _LEAST_SECONDS)
        analysis = run(request, config, self.source(config), now=now, deadline=left, turn=self._turn)
        if id is None:
            # What is asked again because something was missing is another verdict, and needs another id.
            id = question_id(asked, analysis.window.end) if analysis.conclusive else new_id(now)
        made = write_record(analysis, id=id, asked_at=now, question=asked, settings=self._settings_of(config))
        if not keep:
            return request, Kept(record=made, source_failed=analysis.source_failed)
        with observer().stage("keep"):
            return request, replace(self._keep(made), source_failed=analysis.source_failed)

    @property
    def retention(self) -> Keep:
        """How long verdicts are kept."""
        settings = self.settings
        return Keep(days=settings.archive_keep_days, megabytes=settings.archive_keep_megabytes, labelled=settings.archive_keep_labelled)

    def keep_tidy(self, stop: threading.Event, *, clock: Callable[[], float] = time.time) -> None:
        """Delete what need not be kept any longer, a few verdicts at a time, until told to stop; trouble is waited out."""
        if self.retention.for_ever:
            return
        while not stop.wait(TIDY_SECONDS):
            try:
                while (gone := self.archive.prune(self.retention, now=clock())).verdicts or gone.executions:
                    log.info("archive: deleted %d verdicts and %d executions that need not be kept longer", gone.verdicts, gone.executions)
                    if stop.wait(TIDY_PAUSE):
                        return
            except ArchiveError as error:
                log.warning("nothing old was deleted: %s", error)

    def _settings_of(self, config: CanaryConfig) -> dict[str, Any]:
        """Settings that can change a verdict; the source's address is in the record already, secrets never are."""
        recorded = self.settings.sources[config.source].recorded()
        return {"deadline": self.settings.deadline, "source": {"name": config.source, **recorded}}

    def _keep(self, made: dict[str, Any]) -> Kept:
        try:
            winner = self.archive.keep(made)
            if winner != made["id"]:
                return Kept(record=self.archive.get(winner))
        except ArchiveError as error:
            return Kept(record=made, unkept=f"this verdict was not kept: {error}")
        return Kept(record=made)
