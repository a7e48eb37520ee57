"""``judge serve``: the HTTP service under gunicorn."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from judge.errors import ArchiveError, ConfigError, Fault
from judge.server.telemetry import logging as logs
from judge.settings import Settings, misspelt

if TYPE_CHECKING:
    from judge.kayenta.store import KayentaStore
    from judge.server.runtime import Runtime
    from judge.verdicts.service import Service

SPARE_THREADS = 4
"""Beside the questions at work and waiting: for pages, health, and to say that there is no place."""
_MEMORY = "/dev/shm"  # nosec B108 # noqa: S108 - gunicorn's heartbeat wants memory, not a disk
PATIENCE = 1.5
"""Seconds that the archive may take: an answer must still come inside the caller's time-out."""
LEAVE_SECONDS = 5.0
"""For an execution that is at work when the process is to end."""
COUNT_SECONDS = 15.0


class _ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's own lines, which go the way of all others."""

    def setup(self, cfg: Any) -> None:
        """Hand every line on to the root's handler, instead of one of gunicorn's own."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.error_log.propagate = True


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, with its options given as arguments instead of files or a command line."""

    def __init__(self, app: Any, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for key, value in self._options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        return self._app


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which refuses new connections while it stops, instead of leaving them in the backlog.

    By itself it stops to accept and keeps its listening socket until its last answer is out. The kernel goes on greeting
    callers meanwhile, who wait and are cut off in the end.
    """

    def set_accept_enabled(self, enabled: Any) -> None:
        """Accept or not; at the end accept the connections that wait already, and close the socket."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
            # The master's and the other workers' own copies stay as they are.
            listener.close()


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve until the process is asked to stop.

    The application is built before the workers are forked: a broken setting ends
    here with its name, and the workers share the memory.

    Raises
    ------
    ConfigError
        If no config can be used (broken ones beside good ones are only named), or if
        the port cannot be listened on.
    """
    logs.set_up(settings.log_format, secrets=logs.secrets_of(settings))
    log = logging.getLogger("judge")
    master = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix="judge-metrics-"))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # Only now: prometheus_client looks at the variable when it is imported.
    from judge.server.telemetry.multiprocess import reserve_room

    reserve_room()
    from judge.archive import open_archive
    from judge.config.kayenta import ignored_keys
    from judge.core.kayenta.adapter import is_kayenta_document
    from judge.server.app import create_app
    from judge.server.runtime import runtime
    from judge.server.telemetry import metrics as signals
    from judge.server.telemetry import tracing
    from judge.verdicts.service import Service

    with_traces = tracing.wanted(settings)
    service = Service(settings, open_archive(settings.archive_url, patience=PATIENCE))
    for warning in misspelt(os.environ):
        log.warning("%s", warning)
    for error in service.config_errors:
        log.error("config not used: %s", error)
    if not service.configs:
        faults = [fault for error in service.config_errors for fault in error.faults]
        raise ConfigError(faults if faults else f"no config in {settings.config_dir}: set JUDGE_CONFIG_DIR to a folder of canary configs")
    for config in service.configs.values():
        ignored = ignored_keys(config.document) if is_kayenta_document(config.document) else []
        if ignored:
            log.warning("config %s: ignored Kayenta keys: %s", config.name, ", ".join(ignored))
        if config.source not in settings.sources:
            log.warning("config %s: there is no source %r in the settings", config.name, config.source)
    signals.begin(configs=service.configs, sources=settings.sources)
    _prepare(service)
    if settings.tokens_file is None:
        log.warning("no tokens file: whoever reaches this port may ask, read and label (JUDGE_TOKENS_FILE)")

    def say_ready(_server: Any) -> None:
        log.info("judge serves %d configs on http://%s:%d: %s", len(service.configs), host, port, ", ".join(sorted(service.configs)))

    options = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "workers": workers,
        "worker_class": DrainingWorker,
        "threads": settings.questions_at_once + settings.questions_waiting + SPARE_THREADS,
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": 75,
        "preload_app": True,
        "control_socket_disable": True,
        "worker_tmp_dir": _MEMORY if Path(_MEMORY).is_dir() else None,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "logger_class": _ServerLog,
        "when_ready": say_ready,
        "child_exit": _forget_worker,
    }
    try:
        app = create_app(service)
        options["post_fork"] = partial(_start_working, service, runtime(app), with_traces=with_traces)
        options["worker_exit"] = partial(_stop_working, runtime(app))
        _Server(app, options).run()
    except SystemExit as ended:
        # So gunicorn ends where it cannot listen, after some tries; its workers leave through here too.
        if ended.code != 1 or os.getpid() != master:
            raise
        message = f"cannot listen on {host}:{port}: another program has the port, or the address is not this machine's"
        raise ConfigError([Fault(path="--port", message=message)]) from ended
    finally:
        # A worker leaves through here too; the folder is the master's.
        if os.getpid() == master:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(service: Service) -> None:
    """Bring the archive's tables up to date before anybody asks; in trouble, verdicts are answered all the same."""
    try:
        service.archive.ping()
    except ArchiveError as error:
        logging.getLogger("judge").warning("verdicts are answered but not kept: %s", error)
    finally:
        # A connection must not be carried over the fork.
        service.archive.close()


_stop = threading.Event()


def _start_working(service: Service, runtime: Runtime, _server: Any, _worker: Any, *, with_traces: bool) -> None:
    """Start a worker's own threads: Kayenta's executions, retention, new configs, liveness."""
    from judge.observer import observed
    from judge.server.telemetry import metrics as signals
    from judge.server.telemetry.metrics_observer import Metered
    from judge.server.telemetry.tracing import Tracing

    liveness, executions = runtime.liveness, runtime.executions
    background = Metered()
    if with_traces:
        # Only now: what sends the spans is a thread, which would not outlive the fork.
        runtime.tracing = Tracing()
        background = runtime.tracing.background()
    signals.PLACES.set(service.settings.questions_at_once)
    with observed(background):
        # A worker that a SIGHUP started comes from memory older than the files.
        service.reload()
        background.loaded(served=tuple(service.configs), faulty=len(service.config_errors))
        liveness.keep_going("retention", service.keep_tidy, _stop)
        liveness.keep_going("configs", service.watch, _stop)
        if executions is not None:
            liveness.keep_going("executions", executions.run, _stop)
            liveness.keep_going("counting", partial(_count, executions.store), _stop)
        liveness.keep_going("liveness", liveness.watch, _stop)


def _count(store: KayentaStore, stop: threading.Event) -> None:
    """Show how many of Kayenta's executions wait and are worked on, until `stop` is set; trouble is waited out."""
    from judge.server.telemetry import metrics as signals

    while True:
        with suppress(ArchiveError):
            for state, number in store.counts().items():
                signals.EXECUTIONS.labels(state).set(number)
        if stop.wait(COUNT_SECONDS):
            return


def _stop_working(runtime: Runtime, _server: Any, _worker: Any) -> None:
    """Take no more work; an execution that was begun is ended, or given back for another replica to take."""
    _stop.set()
    if runtime.executions is not None:
        runtime.executions.leave(LEAVE_SECONDS)
    if runtime.tracing is not None:
        runtime.tracing.close()


def _forget_worker(_server: Any, worker: Any) -> None:
    """Keep what a dead worker has counted, and let go of the rest."""
    from judge.server.telemetry import metrics as signals

    try:
        signals.bury(worker.pid)
    except Exception:
        # The master lives on, whatever became of the files.
        logging.getLogger("judge").exception("what a dead worker has counted was not added up")
