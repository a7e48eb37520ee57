"""The archive as somebody sees it who may not see everything: what is not theirs is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from judge.access.rights import Caller
from judge.archive.interface import Archive, Record, Rows
from judge.archive.types import EVERYTHING, ConfigTally, Label, Wanted
from judge.errors import VerdictNotFound


class ConfinedArchive:
    """Reads and labels only verdicts that `caller` may see; of any other it says that no verdict has the id."""

    def __init__(self, archive: Archive, caller: Caller) -> None:
        self._archive = archive
        self._caller = caller

    def get(self, verdict_id: str, *, samples: bool = True) -> Record:
        """Read a whole record, or all of it but its samples."""
        self._check(verdict_id)
        return self._archive.get(verdict_id, samples=samples)

    def row(self, verdict_id: str) -> dict[str, Any]:
        """Read what `list` shows of one verdict."""
        return self._check(verdict_id)

    def list(self, *, limit: int = 50, before: str | None = None, wanted: Wanted = EVERYTHING) -> Rows:
        """List the verdicts that may be seen, newest first."""
        if before is not None:
            self._check(before)
        return self._archive.list(limit=limit, before=before, wanted=self._within(wanted))

    def looks(self, *, canary: str, baseline: str | None = None, rollout: str | None = None, config: str | None = None) -> Rows:
        """List the looks at one canary that may be seen."""
        found = self._archive.looks(canary=canary, baseline=baseline, rollout=rollout, config=config)
        return [row for row in found if self._sees(row)]

    def configs(self) -> Sequence[ConfigTally]:
        """Add up the configs that may be seen; nothing where only some of a config's verdicts may."""
        if self._caller.namespaces is not None:
            return []
        return [tally for tally in self._archive.configs() if self._caller.knows(tally.config)]

    def config(self, name: str, *, newest: int = 500) -> ConfigTally:
        """Add up a config, where all of its verdicts may be seen."""
        if self._caller.namespaces is not None or not self._caller.knows(name):
            return ConfigTally(config=name)
        return self._archive.config(name, newest=newest)

    def label(self, verdict_id: str, label: Label) -> Sequence[Label]:
        """Label a verdict."""
        self._check(verdict_id)
        return self._archive.label(verdict_id, label)

    def labels(self, verdict_id: str) -> Sequence[Label]:
        """Read a verdict's labels, newest first."""
        self._check(verdict_id)
        return self._archive.labels(verdict_id)

    def labelled(self, wanted: Wanted = EVERYTHING) -> Rows:
        """List the labelled verdicts that may be seen, the oldest first."""
        return self._archive.labelled(self._within(wanted))

    def ping(self) -> None:
        """Prove that the archive can be read."""
        self._archive.ping()

    def _within(self, wanted: Wanted) -> Wanted:
        """Confine a question in the database itself, so that pages are whole."""
        return replace(wanted, configs=self._names(), namespaces=self._caller.namespaces)

    def _names(self) -> frozenset[str] | None:
        """Names of the configs that may be seen, None for all; the archive is only asked where a pattern must be matched."""
        patterns = self._caller.configs
        if "*" in patterns:
            return None
        if not any(sign in pattern for pattern in patterns for sign in "*?["):
            return frozenset(patterns)
        return frozenset(tally.config for tally in self._archive.configs() if self._caller.knows(tally.config))

    def _check(self, verdict_id: str) -> dict[str, Any]:
        found = self._archive.row(verdict_id)
        if not self._sees(found):
            # Word for word what is said of an id that nobody gave.
            raise VerdictNotFound(f"no verdict has the id {verdict_id!r}")
        return found

    def _sees(self, row: Mapping[str, Any]) -> bool:
        namespaces = self._caller.namespaces
        return self._caller.knows(str(row.get("config", ""))) and (namespaces is None or row.get("namespace") in namespaces)
