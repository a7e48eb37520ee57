"""The one way to a place where something is judged, for every door: the caller's share first, then a place of the process."""

from __future__ import annotations

from contextlib import AbstractContextManager

from judge.server.admission.fair_share import Shares
from judge.server.admission.queue import Slots
from judge.server.auth import caller
from judge.server.liveness import Vitals, seen
from judge.settings import Settings

RETRY_AFTER = "2"
"""Seconds, as a header says them, after which who was refused may ask again."""


class Places:
    """The places of this process, watched over by its vitals."""

    def __init__(self, settings: Settings, vitals: Vitals) -> None:
        """Have as many as the settings say."""
        working, waiting = settings.questions_at_once, settings.questions_waiting
        self._shares = Shares(working=working, waiting=waiting, patience=settings.deadline / 4)
        self._slots = Slots(working=working, waiting=waiting, patience=settings.deadline / 2)
        self._vitals = vitals

    def hold(self) -> AbstractContextManager[None]:
        """Wait for a place, and hold it while a question of this request's caller is judged.

        Raises
        ------
        OverShare
            On entering, where the caller has its share already.
        Busy
            On entering, where there is no place in time.
        """
        return seen(self._vitals, self._shares.place(caller()), self._slots.place())
