"""Where work on many canaries is done: in this process, in several on this machine, or on a Dask cluster.

All three take the same functions and give the same results in the same order. A cluster needs
the extra ``dask``; another kind of place is another executor of `concurrent.futures`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, wait
from functools import partial
from itertools import chain, islice
from typing import Any, Self, TypeVar

from judge import __version__
from judge.errors import Fault, RequestError, WorkersError

T = TypeVar("T")
R = TypeVar("R")

SCHEMES = ("tcp://", "tls://")
CONNECT_SECONDS = 5.0
"""Until the scheduler must have answered."""
_AT_ONCE = 64
"""Tasks handed to each process ahead of their turn."""
_GLANCE_SECONDS = 1.0
_NAMED = 3
_CHATTY = ("distributed", "distributed.client", "distributed.core", "tornado.application")
"""They tell in ten lines of a lost connection what our own error tells in one."""
_EXTRA = "needs the extra dask: pip install '.[dask]' in a checkout of judge"


class Workers:
    """So many processes, started when there is the first work for them; one is this process. Or a cluster, asked at once.

    A context manager: its end stops the processes or leaves the cluster, in the middle of work where something went wrong.
    """

    def __init__(self, jobs: int = 1, *, dask: str = "") -> None:
        """Take the number of processes, or in `dask` the address of a scheduler (``tcp://host:8786``).

        Raises
        ------
        RequestError
            Where both are given, or `dask` is no address.
        """
        if dask and jobs != 1:
            raise RequestError([Fault(path="--dask", message="give --jobs or --dask, not both: a cluster has its own number of workers")])
        if dask and not dask.startswith(SCHEMES):
            message = f"{dask!r} is not the address of a Dask scheduler"
            raise RequestError([Fault(path="--dask", message=message, allowed=tuple(f"{scheme}host:8786" for scheme in SCHEMES))])
        self.jobs = jobs
        self._dask = dask
        self._client: Any = None
        self._pool: Executor | None = None

    def __enter__(self) -> Self:
        """Begin.

        Raises
        ------
        RequestError
            Where the extra is missing.
        WorkersError
            Where the cluster cannot be used.
        """
        if self._dask:
            self._client, self.jobs = _join(self._dask)
            # Every task is done for itself: to find out which ones are alike would cost more than to judge.
            self._pool = self._client.get_executor(pure=False)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Stop every process, or leave the cluster."""
        if self._client is not None:
            # What the cluster still works on for us is given up with the connection.
            self._client.close()
        elif self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
        self._client = self._pool = None

    def each(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Work on all tasks, which are taken as they are needed; answers come in their order.

        Raises
        ------
        WorkersError
            Where a process or the cluster is lost.
        """
        rest = iter(tasks)
        first = list(islice(rest, 2))
        if not self._dask and (self.jobs <= 1 or len(first) <= 1):
            yield from map(work, chain(first, rest))
            return
        if self._pool is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            self._pool = ProcessPoolExecutor(self.jobs, mp_context=multiprocessing.get_context("forkserver"))
        sent: Callable[[T], R] = partial(_with_the_same_judge, __version__, work) if self._dask else work
        waiting: deque[Future[R]] = deque()
        for task in chain(first, rest):
            waiting.append(self._submit(sent, task))
            if len(waiting) > self.jobs * _AT_ONCE:
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    def _submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        assert self._pool is not None
        try:
            return self._pool.submit(work, task)
        except Exception as error:
            raise self._lost(error) from error

    def _result(self, future: Future[R]) -> R:
        try:
            while self._client is not None and not future.done():
                # A scheduler that is gone leaves its futures open for ever.
                wait([future], timeout=_GLANCE_SECONDS)
                if not future.done() and self._client.status != "running":
                    raise self._lost(CancelledError())
            return future.result()
        except WorkersError:
            raise
        except (Exception, CancelledError) as error:
            lost = self._lost(error)
            if lost is error:
                raise
            raise lost from error

    def _lost(self, error: BaseException) -> BaseException:
        """Say in our words that work was lost; an error of the work itself stays as it is."""
        from concurrent.futures.process import BrokenProcessPool

        if isinstance(error, BrokenProcessPool):
            return WorkersError(f"one of the {self.jobs} processes ended in the middle of its work (out of memory?); try fewer --jobs")
        if not self._dask:
            return error
        if isinstance(error, CancelledError):
            return WorkersError(f"the Dask scheduler {self._dask} went away in the middle of the work")
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):
            return WorkersError(f"the Dask cluster {self._dask} gave up: {' '.join(str(error).split())}")
        if isinstance(error, CommClosedError | TimeoutError):
            return WorkersError(f"the Dask scheduler {self._dask} cannot be reached any more: {error}")
        if isinstance(error, ModuleNotFoundError):
            return WorkersError(f"a worker of the Dask cluster {self._dask} lacks a module: {error}")
        return error


def _with_the_same_judge(version: str, work: Callable[[T], R], task: T) -> R:
    """Work, unless this worker, which may have joined late, has another judge than the one that asks."""
    if version != __version__:
        raise WorkersError(f"a Dask worker has judge {__version__}, here is judge {version}; a verdict must name one version")
    return work(task)


def _join(address: str) -> tuple[Any, int]:
    """Connect to a cluster; its client, and how many tasks it works on at once."""
    try:
        from distributed import Client
    except ImportError:
        raise RequestError([Fault(path="--dask", message=_EXTRA)]) from None
    for name in _CHATTY:
        # Only now: it sets its own levels when it is imported.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = _client(Client, address)
    try:
        found = client.run(_versions, on_error="return")
        if not found:
            raise WorkersError(f"the Dask cluster {address} has no workers; start some: dask worker {address}")
        _agree(address, found)
        return client, max(sum(client.nthreads().values()), 1)
    except BaseException:
        client.close()
        raise


def _client(make: Callable[..., Any], address: str) -> Any:
    """Connect, or say within `CONNECT_SECONDS` and a little that nobody answers who knows how to."""
    made: list[Any] = []

    def connect() -> None:
        try:
            made.append(make(address, timeout=CONNECT_SECONDS, set_as_default=False, name="judge"))
        except Exception as error:  # noqa: BLE001 - told below, by the thread that waits
            made.append(error)

    # Its own time-out does not hold against a peer that accepts and then talks of something else.
    thread = threading.Thread(target=connect, name="dask", daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS + _GLANCE_SECONDS)
    if not made:
        raise WorkersError(f"{address} was reached, but no Dask scheduler answers there within {CONNECT_SECONDS:g} s")
    if isinstance(made[0], Exception):
        said = " ".join(str(made[0]).split())
        raise WorkersError(f"no Dask scheduler answers at {address} within {CONNECT_SECONDS:g} s: {said}") from made[0]
    return made[0]


def _versions() -> dict[str, str]:
    """Versions in this process of what must agree."""
    import numpy as np
    import scipy

    return {"judge": __version__, "numpy": np.__version__, "scipy": scipy.__version__}


def _agree(address: str, there: Mapping[str, Mapping[str, str] | BaseException]) -> None:
    """Refuse workers whose verdicts could be others than ours."""
    own = _versions()
    wrong = []
    for worker, found in sorted(there.items()):
        if isinstance(found, BaseException):
            wrong.append(f"{worker} has no judge of ours ({found})")
        else:
            wrong += [f"{worker} has {name} {found[name]}" for name in own if found[name] != own[name]]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        mine = ", ".join(f"{name} {version}" for name, version in own.items())
        raise WorkersError(
            f"the workers of {address} differ from this judge ({mine}): {'; '.join(wrong[:_NAMED])}{more}; install the same versions there"
        )
