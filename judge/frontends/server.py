"""``judge serve``: the HTTP door under gunicorn."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from judge.errors import ConfigError
from judge.settings import Settings, misspelt

THREADS = 4
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
    log.info("judge serves %d configs on http://%s:%d: %s", len(service.configs), host, port, ", ".join(sorted(service.configs)))
    options = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "workers": workers,
        "worker_class": "gthread",
        "threads": THREADS,
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


_stop = threading.Event()


def _start_working(server: Any, worker: Any) -> None:
    """Each worker process works on Kayenta's executions too, beside the requests it answers."""
    del worker
    executions = server.app.wsgi().extensions.get("judge-executions")
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
