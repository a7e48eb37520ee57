"""``judge serve``: the HTTP door under gunicorn."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from judge.errors import ArchiveError, ConfigError
from judge.settings import Settings, misspelt

if TYPE_CHECKING:
    from judge.service import Service

SPARE_THREADS = 4
"""Beside the questions at work and waiting: for pages, health, and to say that there is no place."""
PATIENCE = 1.5
"""Seconds that the archive may take: an answer must still come inside the caller's time-out."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, told by arguments instead of by its own files and command line."""

    def __init__(self, app: Any, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for key, value in self._options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        return self._app


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Serve until told to stop.

    The application is built before the workers are forked: a broken setting ends
    here with its name, and the workers share the memory.

    Raises
    ------
    ConfigError
        Where no config can be used; broken ones beside good ones are only named.
    """
    logging.basicConfig(level=logging.INFO, format=_FORMAT, stream=sys.stderr)
    log = logging.getLogger("judge")
    master = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix="judge-metrics-"))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # Only now: prometheus_client looks at the variable when it is imported.
    from judge.archive import open_archive
    from judge.core.kayenta.adapter import is_kayenta_document
    from judge.frontends.http import create_app
    from judge.service import Service
    from judge.wire.kayenta_config import ignored_keys

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
            log.warning("config %s: nobody reads %s", config.name, ", ".join(ignored))
        if config.source not in settings.sources:
            log.warning("config %s: there is no source %r in the settings", config.name, config.source)
    _prepare(service)
    if settings.tokens_file is None:
        log.warning("no tokens file: whoever reaches this port may ask, read and label (JUDGE_TOKENS_FILE)")
    log.info("judge serves %d configs on http://%s:%d: %s", len(service.configs), host, port, ", ".join(sorted(service.configs)))
    options = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "workers": workers,
        "worker_class": "gthread",
        "threads": settings.questions_at_once + settings.questions_waiting + SPARE_THREADS,
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": 75,
        "preload_app": True,
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108, PTH112 - gunicorn's heartbeat wants memory, not a disk
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "child_exit": _forget_worker,
        "post_fork": _start_working,
        "worker_exit": _stop_working,
    }
    try:
        _Server(create_app(service), options).run()
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


def _start_working(server: Any, worker: Any) -> None:
    """Each worker process works on Kayenta's executions and on retention too, beside the requests it answers."""
    del worker
    extensions = server.app.wsgi().extensions
    threading.Thread(target=extensions["judge-service"].keep_tidy, args=(_stop,), name="retention", daemon=True).start()
    # A worker that a SIGHUP started comes from memory older than the files.
    extensions["judge-service"].reload()
    threading.Thread(target=extensions["judge-service"].watch, args=(_stop,), name="configs", daemon=True).start()
    executions = extensions.get("judge-executions")
    if executions is not None:
        threading.Thread(target=executions.run, args=(_stop,), name="executions", daemon=True).start()


def _stop_working(server: Any, worker: Any) -> None:
    """Take no more work; what was begun is taken over when its claim runs out."""
    del server, worker
    _stop.set()


def _forget_worker(server: Any, worker: Any) -> None:
    """Let go of a dead worker's live gauges."""
    del server
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
