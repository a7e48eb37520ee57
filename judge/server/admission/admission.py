"""Admission to judging, for every route: the caller's share first, then a place of the process."""

from __future__ import annotations

from contextlib import AbstractContextManager

from judge.access.rights import Caller
from judge.server.admission.fair_share import Shares
from judge.server.admission.queue import Slots
from judge.server.liveness import Liveness, hold_places
from judge.settings import Settings

RETRY_AFTER = "2"
"""Seconds after which a refused caller may ask again, as the header has it."""


class Admission:
    """The places of this process; its liveness watches the questions that hold them."""

    def __init__(self, settings: Settings, liveness: Liveness) -> None:
        """Have as many as the settings say."""
        working, waiting = settings.questions_at_once, settings.questions_waiting
        self._shares = Shares(working=working, waiting=waiting, patience=settings.deadline / 4)
        self._slots = Slots(working=working, waiting=waiting, patience=settings.deadline / 2)
        self._liveness = liveness

    def hold(self, caller: Caller) -> AbstractContextManager[None]:
        """Wait for a place, and hold it while a question of this caller is judged.

        Raises
        ------
        OverShare
            On entering, if the caller has its share already.
        Busy
            On entering, if there is no place in time.
        """
        return hold_places(self._liveness, self._shares.place(caller), self._slots.place())
