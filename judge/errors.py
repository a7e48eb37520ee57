"""Everything judge raises on purpose, and what the caller sees of it.

* JudgeError
  + RequestError       a question is wrong                        (HTTP 400, exit 2)
  + ConfigError        a canary config or the settings are wrong  (HTTP 400, exit 2)
  + NotAuthenticated   nobody known asks                          (HTTP 401, exit 2)
  + NotAllowed         who asks may not ask for this              (HTTP 403, exit 2)
  + DumpError          a saved dump cannot be read                (HTTP 400, exit 2)
  + Busy               more is asked than can be answered         (HTTP 503, exit 4)
    - OverShare          one caller asks more at once than its share (HTTP 429, exit 4)
  + SourceError        the source could not answer                (HTTP 503, exit 4)
    - QueryRejected      it answered, and refused the query: asking again is useless
    - SourceUnreachable  no answer, or a broken one: asking again may help
  + WorkersError       processes or a cluster were lost at work   (exit 4)
  + ArchiveError       a verdict could not be kept or read        (HTTP 503, exit 4)
    - VerdictNotFound    no verdict has this id                   (HTTP 404, exit 4)

A metric that cannot be judged is not an exception: it is a `MetricResult`
classified `nodata` or `error`, and never counts as passed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: where it is, what was found, what is allowed.

    `path` is dotted (``metrics.0.tolerance``), empty for the whole document.
    """

    path: str
    message: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``path: message (allowed: …)``."""
        where = f"{self.path}: " if self.path else ""
        known = f" (allowed: {', '.join(self.allowed)})" if self.allowed else ""
        return f"{where}{self.message}{known}"


class JudgeError(Exception):
    """The root; `status` is what HTTP answers, `exit_code` what the command line does."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 4


class _FaultyDocument(JudgeError):
    """Something a person wrote is wrong: all faults at once, each with its place."""

    status: ClassVar[int] = 400
    exit_code: ClassVar[int] = 2

    def __init__(self, faults: Sequence[Fault] | str, *, where: str = "") -> None:
        """Take the faults (a string is one fault without a path); `where` names the document."""
        if isinstance(faults, str):
            faults = [Fault(path="", message=faults)]
        self.faults = tuple(faults)
        self.where = where
        prefix = f"{where}: " if where else ""
        super().__init__("\n".join(f"{prefix}{fault}" for fault in self.faults))


class RequestError(_FaultyDocument):
    """A question that cannot be judged as it was asked."""


class ConfigError(_FaultyDocument):
    """A canary config, or the settings of the service, that cannot be used."""


class NotAuthenticated(JudgeError):
    """Nobody known asks: no token, or one that is not valid. Never says what was brought."""

    status: ClassVar[int] = 401
    exit_code: ClassVar[int] = 2


class NotAllowed(JudgeError):
    """Who asks is known, and may not ask for this."""

    status: ClassVar[int] = 403
    exit_code: ClassVar[int] = 2


class DumpError(_FaultyDocument):
    """A saved dump that cannot be read, or not to its end."""


class Busy(JudgeError):
    """More is asked at once than can be answered in time: asking again in a moment helps."""

    status: ClassVar[int] = 503


class OverShare(Busy):
    """One caller asks more at once than its share; others are answered."""

    status: ClassVar[int] = 429


class SourceError(JudgeError):
    """The source of the series could not answer."""

    status: ClassVar[int] = 503


class QueryRejected(SourceError):
    """The source understood us and refused the query: the query is at fault."""


class SourceUnreachable(SourceError):
    """No answer, an answer too late, or one that makes no sense: the source is at fault.

    `outcome` says in one word which (``late``, ``unreachable``, ``tls`` or ``broken``), for those who count.
    """

    def __init__(self, message: str, *, outcome: str = "broken") -> None:
        super().__init__(message)
        self.outcome = outcome


class WorkersError(JudgeError):
    """The processes or the cluster that should do the work cannot, or were lost at it."""


class ArchiveError(JudgeError):
    """A verdict could not be kept or read."""

    status: ClassVar[int] = 503


class VerdictNotFound(ArchiveError):
    """No verdict has this id."""

    status: ClassVar[int] = 404


def nearest(word: str, known: Iterable[str]) -> str:
    """Say ``; did you mean 'x'?`` for the known word that is closest, or nothing.

    Examples
    --------
    >>> nearest("directon", ["direction", "tolerance"])
    "; did you mean 'direction'?"
    >>> nearest("zebra", ["direction", "tolerance"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
