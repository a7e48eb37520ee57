"""What an archive is: the protocol that everything asks, and the archive that keeps nothing.

A *record* is a JSON-safe dict that explains one verdict whole: the question, the
config, queries, samples, settings and versions. Records are kept in a SQLite file
or in PostgreSQL, by the same code (`judge.archive.sql`); the URL ``none`` keeps
nothing. Everything that pages and notebooks ask of past verdicts is a method of
`Archive`; what they ask with and get is in `judge.archive.types`.
"""

# ruff: noqa: ARG002 - an archive that keeps nothing reads no argument

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from judge.archive.types import EVERYTHING, ConfigTally, Keep, Label, Pruned, Wanted
from judge.errors import ArchiveError, VerdictNotFound

Record: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[dict[str, Any]]

PATIENCE = 5.0
_PAGE = 500


class Archive(Protocol):
    """Keeps records. Every method raises `judge.errors.ArchiveError` when the archive is in trouble.

    The bodies here are those of an archive that keeps nothing; a class that keeps records has its own for all of them.
    """

    def keep(self, record: Mapping[str, Any]) -> str:
        """Keep a record, and return the id of the record that answers its question.

        That is the record's own id, unless the record is ``reusable`` and another
        one answered the same ``question`` first: then it is that one's id, and the
        record given is not kept, because nobody will be told of it.
        """
        return str(record["id"])

    def restore(self, record: Mapping[str, Any], labels: Sequence[Label] = ()) -> bool:
        """Take in a record of another archive, with its labels; False where all of it is here already.

        A record whose id is known is left as it is, whatever the one given says.
        """
        raise ArchiveError("nothing can be taken in: this judge has no archive (its archive URL is 'none')")

    def answer(self, question: str) -> Record | None:
        """Find the reusable record that answers this question (a SHA-256 in hex)."""
        return None

    def get(self, verdict_id: str, *, samples: bool = True) -> Record:
        """Read a whole record, or all of it but its `samples`; raises `judge.errors.VerdictNotFound`."""
        raise _nowhere(verdict_id)

    def row(self, verdict_id: str) -> dict[str, Any]:
        """Read what `list` shows of one verdict; raises `judge.errors.VerdictNotFound`."""
        raise _nowhere(verdict_id)

    def list(self, *, limit: int = 50, before: str | None = None, wanted: Wanted = EVERYTHING) -> Rows:
        """List at most `limit` verdicts, newest first, without their samples.

        A row has ``id, asked_at, config, rollout, baseline, canary, verdict, score,
        look, looks, reason, service, namespace, judge, window_start, window_end,
        label`` (that of the newest label, None where there is none). `before` is the
        id of a verdict: only older ones are listed, so the last id of a page asks
        for the next page; raises `judge.errors.VerdictNotFound` where it is unknown.
        """
        return []

    def looks(self, *, canary: str, baseline: str | None = None, rollout: str | None = None, config: str | None = None) -> Rows:
        """List every look at one canary, the first one first: rows as `list` gives them."""
        return []

    def configs(self) -> Sequence[ConfigTally]:
        """Add up the newest verdicts of each config, the one that was asked for last first; without metrics."""
        return []

    def config(self, name: str, *, newest: int = 500) -> ConfigTally:
        """Add up the newest verdicts of one config: its metrics, how often each fired or stayed undecided, its labels."""
        return ConfigTally(config=name)

    def label(self, verdict_id: str, label: Label) -> Sequence[Label]:
        """Label a verdict, and return all its labels, newest first; raises `judge.errors.VerdictNotFound`."""
        raise _nowhere(verdict_id)

    def labels(self, verdict_id: str) -> Sequence[Label]:
        """Read a verdict's labels, newest first; raises `judge.errors.VerdictNotFound`."""
        raise _nowhere(verdict_id)

    def labelled(self, wanted: Wanted = EVERYTHING) -> Rows:
        """List labelled verdicts, the oldest first.

        A row has ``id, asked_at, config, verdict, label`` and ``metrics``: the
        classification of each metric by its name.
        """
        return []

    def prune(self, keep: Keep, *, now: float, most: int = 100) -> Pruned:
        """Delete at most `most` verdicts that need not be kept any longer, the oldest ones; `now` is in unix seconds."""
        return Pruned()

    def prunable(self, keep: Keep, *, now: float) -> Pruned:
        """Tell what `prune`, called until it finds nothing, would delete."""
        return Pruned()

    def ping(self) -> None:
        """Prove that the archive can be read and is of a schema we know."""
        return

    def close(self) -> None:
        """Let go of every connection; the next call opens a new one."""
        return


class NoArchive(Archive):
    """An archive that keeps nothing: every question is new, no verdict is found again."""


def _nowhere(verdict_id: str) -> VerdictNotFound:
    return VerdictNotFound(f"no verdict has the id {verdict_id!r}: this judge has no archive (its archive URL is 'none')")


def each_row(archive: Archive, wanted: Wanted = EVERYTHING, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Go through the rows of `Archive.list`, newest first, page by page."""
    left, before = limit, None
    while left is None or left > 0:
        page = archive.list(limit=_PAGE if left is None else min(left, _PAGE), before=before, wanted=wanted)
        yield from page
        if not page:
            return
        left, before = None if left is None else left - len(page), page[-1]["id"]
