"""How a worker stops listening: accepted connections are answered, later ones are refused at once."""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import ThreadWorker


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
