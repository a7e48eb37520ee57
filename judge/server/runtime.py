"""What routes and worker processes share: the service, its executions, liveness, admission, tracing, the clock and new ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from flask import Flask, current_app

from judge.archive.visibility import ConfinedArchive
from judge.errors import Busy
from judge.server.admission.admission import Admission
from judge.server.liveness import ArchiveCheck, Liveness
from judge.wire.ulid import new_id

if TYPE_CHECKING:
    from judge.access.rights import Caller
    from judge.archive import Archive
    from judge.core.config import CanaryConfig
    from judge.errors import ConfigError
    from judge.server.telemetry.tracing import Tracing
    from judge.verdicts.records import Kept
    from judge.verdicts.service import Service
    from judge.wire.request import Request

    Reader: TypeAlias = Archive | ConfinedArchive


EXTENSION = "judge"
"""Where an application keeps its runtime, among its extensions."""


class Runtime:
    """One application's parts.

    The service stays private, since it holds the whole archive: a route reads verdicts through `reader` only.
    """

    def __init__(self, service: Service, *, clock: Callable[[], float]) -> None:
        """Make the parts; `clock` gives unix seconds."""
        self._service = service
        self.settings = service.settings
        self.clock = clock
        self.liveness = Liveness(deadline=service.settings.deadline)
        self.admission = Admission(service.settings, self.liveness)
        self.archive_check = ArchiveCheck(service.archive)
        self.executions = service.executions(clock=clock, new_id=self.new_id)
        self.tracing: Tracing | None = None
        """Set in each worker while traces are on."""

    def new_id(self) -> str:
        """Make an id; ids sort by time."""
        return new_id(self.clock())

    @property
    def configs(self) -> Mapping[str, CanaryConfig]:
        """Every config that is served, by name."""
        return self._service.configs

    @property
    def config_errors(self) -> Sequence[ConfigError]:
        """What is wrong in the config folder, and with the tokens file."""
        return self._service.config_errors

    @property
    def circuits(self) -> Mapping[str, str]:
        """State of the circuit to each source of the settings; ``closed`` while it answers."""
        return dict.fromkeys(self.settings.sources, "closed") | self._service.circuits

    def kayenta_configs(self) -> Mapping[str, Mapping[str, Any]]:
        """Kayenta configs of the config folder, by their own names."""
        return self._service.kayenta_configs()

    def reader(self, caller: Caller) -> Reader:
        """Give the archive as this caller may read it.

        Raises
        ------
        NotAllowed
            If the caller may not read verdicts.
        """
        caller.require("read")
        return self._service.archive if caller.everywhere else ConfinedArchive(self._service.archive, caller)

    def ask(self, raw: Any, *, id: str, now: float, caller: Caller) -> tuple[Request, Kept]:
        """Judge a question when there is a place for it; without a place in time, decline it as its config says.

        Raises
        ------
        Busy
            If there is no place and the config wants an error then.
        JudgeError
            As `judge.verdicts.service.Service.ask`.
        """
        began = time.monotonic()
        try:
            with self.admission.hold(caller):
                return self._service.ask(raw, id=id, now=now, caller=caller, waited=time.monotonic() - began)
        except Busy as busy:
            declined = self._service.decline(raw, f"not judged: the judge is {busy}", id=id, now=now, caller=caller)
            if declined is None:
                raise
            return declined


def runtime(app: Flask | None = None) -> Runtime:
    """Give the runtime of an application, by default of the one that answers the request."""
    found: Runtime = (current_app if app is None else app).extensions[EXTENSION]
    return found
