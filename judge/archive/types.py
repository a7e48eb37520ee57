"""What is asked of a history, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RIGHT, WRONG = "right", "wrong"
LABELS = (RIGHT, WRONG)
LABELLED = ("any", "none")
"""Beside `LABELS`, what the filter `label` understands: labelled at all, and not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which verdicts: those for which everything that is given here holds; None is not asked.

    `service` and `namespace` are the args of these names. `label` is that of the newest label, ``any`` or
    ``none``. `since` and `until` are unix seconds of asking, the latter excluded. `replayed` verdicts are
    those judged from history, when nobody asked. `configs` and `namespaces` are those of which one must be
    the verdict's: what its reader may see at all.
    """

    config: str | None = None
    verdict: str | None = None
    rollout: str | None = None
    service: str | None = None
    namespace: str | None = None
    baseline: str | None = None
    canary: str | None = None
    label: str | None = None
    since: float | None = None
    until: float | None = None
    replayed: bool | None = None
    configs: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Somebody's word on a verdict: `label` is ``right`` or ``wrong``, `at` unix seconds."""

    label: str
    by: str
    why: str = ""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTally:
    """How often one metric of a config got each classification, and when it fired last (unix seconds)."""

    metric: str
    group: str
    critical: bool
    classifications: Mapping[str, int] = field(default_factory=dict)
    fired_at: float | None = None

    @property
    def verdicts(self) -> int:
        """In how many verdicts it was."""
        return sum(self.classifications.values())

    @property
    def fired(self) -> int:
        """In how many it was shown to be worse."""
        return self.classifications.get("high", 0) + self.classifications.get("low", 0)

    def share(self, *classifications: str) -> float:
        """Part of its verdicts (0 to 1) in which it got one of these; 0 where there is none."""
        return sum(self.classifications.get(name, 0) for name in classifications) / max(self.verdicts, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTally:
    """The newest verdicts of one config that somebody asked for, added up; replayed ones gated nothing.

    `oldest` and `newest` are when the first and the last of them was asked for (unix seconds).
    """

    config: str
    verdicts: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    metrics: tuple[MetricTally, ...] = ()
    oldest: float | None = None
    newest: float | None = None

    @property
    def count(self) -> int:
        """How many verdicts these are."""
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long verdicts are kept; None is for ever. `megabytes` are of 1,000,000 bytes."""

    days: float | None = None
    megabytes: float | None = None
    labelled: bool = True

    @property
    def for_ever(self) -> bool:
        """Nothing is ever deleted."""
        return self.days is None and self.megabytes is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted, or would be: how many verdicts, their bytes on disk, and of when the newest of them is."""

    verdicts: int = 0
    bytes: int = 0
    newest: float | None = None
    executions: int = 0
