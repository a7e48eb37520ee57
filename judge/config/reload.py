"""The config folder as it is now: read again where it changed, without a moment in which half of it counts.

A file that became faulty does not take its config away: the version from before goes on being served, and the fault is
named, so that a slip at noon does not leave the rollouts at night without their judge. A file that was deleted does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judge.config.load import read_folder
from judge.core.config import CanaryConfig
from judge.errors import ConfigError, Fault

Marks = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """Every config that is served, the file of each, what is wrong, and the marks by which a change is seen."""

    configs: Mapping[str, CanaryConfig]
    homes: Mapping[str, Path]
    errors: tuple[ConfigError, ...]
    marks: Marks


def marks(folder: Path) -> Marks:
    """Name, time, size and inode of everything in a folder: other ones where anything was written, swapped or taken away."""
    found = []
    try:
        for path in sorted(folder.iterdir()):
            # Followed: a ConfigMap's files are links into a folder that is swapped whole.
            told = path.stat()
            found.append((path.name, told.st_mtime_ns, told.st_size, told.st_ino))
    except OSError:
        # In the middle of a swap; the next look finds it done.
        return ()
    return tuple(found)


def load(folder: Path, *, before: Loaded | None = None) -> Loaded:
    """Read the folder; with `before`, what became faulty since is served as it was."""
    seen = marks(folder)
    found = read_folder(folder)
    configs, homes = dict(found.configs), dict(found.homes)
    errors = list(found.errors)
    broken = {error.where for error in errors}
    for name, home in {} if before is None else before.homes.items():
        if name not in configs and str(home) in broken:
            assert before is not None
            configs[name], homes[name] = before.configs[name], home
            errors = [_goes_on(error, name) if error.where == str(home) else error for error in errors]
    return Loaded(configs=configs, homes=homes, errors=tuple(errors), marks=seen)


def serve_only(configs: Sequence[CanaryConfig]) -> Loaded:
    """Serve these configs and no folder: one question from the command line or a notebook needs one config."""
    return Loaded(configs={config.name: config for config in configs}, homes={}, errors=(), marks=())


def _goes_on(error: ConfigError, name: str) -> ConfigError:
    return ConfigError(
        [*error.faults, Fault(path="", message=f"the version of {name!r} from before goes on being served")], where=error.where
    )
