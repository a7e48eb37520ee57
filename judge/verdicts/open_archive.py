"""The archive that a command reads: named on the command line, in the environment, or in server.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from judge.archive import Archive, NoArchive, open_archive
from judge.errors import ArchiveError, ConfigError
from judge.settings import Settings, load_settings


@contextmanager
def opened(url: str, *, settings: Settings | None = None, make: bool = False) -> Iterator[Archive]:
    """Open an archive for one command.

    Parameters
    ----------
    url : str
        Its address; empty takes that of the settings.
    settings : Settings, optional
        Instead of those of the environment.
    make : bool
        A SQLite file that is not there is made; without it that is an error, since a new file holds nothing to read.

    Raises
    ------
    ConfigError
        Where the archive is ``none``.
    ArchiveError
        Where its file is not there.
    """
    if not url:
        url = (load_settings() if settings is None else settings).archive_url
    if url.strip().lower() == "none":
        raise ConfigError("there is no history: the archive is 'none'; name one with --archive or JUDGE_ARCHIVE_URL")
    archive = open_archive(url)
    where = getattr(archive, "where", None)
    if not make and url.startswith("sqlite") and where and not where.startswith("file:") and not Path(where).exists():
        raise ArchiveError(f"archive {where}: there is no such file; name another with --archive or JUDGE_ARCHIVE_URL")
    try:
        yield archive
    finally:
        archive.close()


@contextmanager
def opened_if_there(url: str) -> Iterator[Archive]:
    """Open an archive to look things up in; one that keeps nothing where there is none, so that no file is made."""
    with ExitStack() as stack:
        try:
            archive = NoArchive() if url.strip().lower() == "none" else stack.enter_context(opened(url))
        except ArchiveError:
            archive = NoArchive()
        yield archive
