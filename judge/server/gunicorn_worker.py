"""How a worker stops listening: whoever was let in is answered, whoever comes later is refused at once."""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which on its way out leaves nobody waiting at a door that will not open.

    By itself it stops to accept and keeps its listening socket until its last answer is out. The kernel goes on greeting
    callers meanwhile, who wait and are cut off in the end.
    """

    def set_accept_enabled(self, enabled: Any) -> None:
        """Accept or not; at the end take in everybody who waits already, and close the door."""
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
