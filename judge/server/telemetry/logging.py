"""The log: one line an event, for people (text) or for machines (one JSON object a line), with the id of what it is about.

A secret of the settings is blotted out wherever it would stand in a line, and nothing that a caller sends can begin a
line of its own.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from judge.config.secrets import blot, secret_forms

if TYPE_CHECKING:
    from judge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What lines are about: the id of the request or execution, the caller's own id of it, and its trace."""

    id: str = ""
    theirs: str = ""
    trace: str = ""

    def fields(self) -> dict[str, str]:
        """What is known, by its name in a line."""
        named = {"request_id": self.id, "caller_request_id": self.theirs, "trace_id": self.trace}
        return {name: value for name, value in named.items() if value}


_NOTHING = About()
_ABOUT: ContextVar[About] = ContextVar("about", default=_NOTHING)


def set_about(what: About) -> None:
    """From now on lines of this context are about this."""
    _ABOUT.set(what)


@contextmanager
def about(id: str) -> Iterator[None]:
    """Lines are about this id until the block ends."""
    before = _ABOUT.set(About(id=id))
    try:
        yield
    finally:
        _ABOUT.reset(before)


def fields(**known: Any) -> dict[str, Any]:
    """Write fields for ``log.info(…, extra=fields(verdict="pass"))``; a JSON line has them typed."""
    return {"fields": known}


class _Remember(logging.Filter):
    """Notes what a line is about while it is written: a handler may write it later, or elsewhere."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = _ABOUT.get()
        return True


class TextForm(logging.Formatter):
    """Lines for people: time, level, logger, message, and the request's id where the message does not have it."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; what goes on over a line's end is indented."""
        head, _, rest = super().format(record).partition("\n")
        for name, value in _about(record).items():
            if value not in head:
                head = f"{head} {name.removesuffix('_id')}={value}"
        text = f"{head}\n{rest}" if rest else head
        return blot("\n    ".join(_seen(text).split("\n")), self._secrets)


class JsonForm(logging.Formatter):
    """Strict JSON, one object a line; a number that JSON cannot hold is spelt as text."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        # A field never takes the place of one of these.
        found |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in found}
        if self._secrets:
            found = {key: blot(value, self._secrets) if isinstance(value, str) else value for key, value in found.items()}
        try:
            text = json.dumps(found, allow_nan=False, ensure_ascii=False, default=str)
        except ValueError:
            text = json.dumps(_plain(found), allow_nan=False, ensure_ascii=False, default=str)
        # Half a surrogate pair cannot be written to a stream.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _about(record: logging.LogRecord) -> dict[str, str]:
    what = getattr(record, "about", None)
    return what.fields() if isinstance(what, About) else {}


def _seen(text: str) -> str:
    """Show control characters instead of obeying them; the ends of lines stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def _plain(value: Any) -> Any:
    """Spell NaN and the infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Name what must not stand in any line: the secrets of the sources, and the archive's password."""
    archive = urlsplit(settings.archive_url).password if "@" in settings.archive_url else None
    return secret_forms(archive, *(secret for source in settings.sources.values() for secret in source.secrets))


def set_up(form: str, *, secrets: Sequence[str] = ()) -> None:
    """Write every line of this process to the error stream, in this form (``text`` or ``json``)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonForm(secrets) if form == "json" else TextForm(secrets))
    handler.addFilter(_Remember())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


def _thread_ended(told: threading.ExceptHookArgs) -> None:
    """A thread that dies says so in the log's own form."""
    name = "" if told.thread is None else told.thread.name
    if told.exc_value is not None:
        log = logging.getLogger("judge")
        log.critical("the thread %s has ended", name, exc_info=(told.exc_type, told.exc_value, told.exc_traceback))
