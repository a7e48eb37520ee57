"""What ``judge calibrate`` and ``judge replay`` do: settings, clock, progress and files around `judge.calibrate`."""

from __future__ import annotations

import difflib
import io
import os
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.archive import open_archive
from judge.calibrate.discovery import GRID
from judge.calibrate.history_reader import Reader, open_reader
from judge.calibrate.scopes import Asked
from judge.calibrate.study import Options, estimate, look_around, plan_pairs, study
from judge.cli.files import must_be_writable, write_text
from judge.cli.output import show_progress
from judge.cli.run import given_args
from judge.core import formatting as words
from judge.core.config import CanaryConfig
from judge.core.templates import placeholders, resolve_defaults, seconds
from judge.errors import ConfigError, Fault, RequestError, nearest
from judge.parallel import Workers
from judge.reports.terminal_text import Palette
from judge.verdicts.live import find_config, settings_for, source_of
from judge.wire.json import dumps
from judge.wire.request import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from judge.calibrate.past_rollouts import Replayed

INTERRUPTED = 130
_HOUR = 3600.0
_SHOWN_EVERY = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """Everything that both commands begin with."""

    asked: Asked
    path: Path | None
    reader: Reader
    start: float
    end: float
    progress: Progress
    settings: dict[str, Any]


class Progress:
    """One line on the error stream that says what is going on, where somebody looks at it."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._what = ""
        self._began = time.monotonic()

    def reading(self, what: str, done: int, of: int, left: float) -> None:
        """Told by the reader."""
        self._say(what, done, of, left)

    def working(self, what: str, done: int, of: int) -> None:
        """Told by the study."""
        if what != self._what:
            self._began = time.monotonic()
        spent = time.monotonic() - self._began
        self._say(what, done, of, spent / done * (of - done) if done else 0.0)

    def _say(self, what: str, done: int, of: int, left: float) -> None:
        now = time.monotonic()
        if not what or (what == self._what and done < of and now - self._shown < _SHOWN_EVERY):
            self._what = what if what else self._what
            return
        self._what, self._shown = what, now
        rest = f", {words.duration(left)} left" if left >= 1 else ""
        show_progress(f"{what}: {done} of {of}{rest}")

    def close(self) -> None:
        """Take the line away."""
        show_progress()


@contextmanager
def _session(asked: dict[str, Any]) -> Iterator[_Session]:
    settings = settings_for(asked["url"])
    config = find_config(asked["config"], settings)
    patient = source_of(config, settings).for_history(timeout=asked["timeout"], concurrency=asked["at_once"])
    if patient is None:
        raise ConfigError([Fault(path="source", message=f"the source {config.source!r} has no history that can be asked in PromQL")])
    start, end = _period(asked["since"], asked["until"])
    path = Path(asked["config"])
    asks = {"rate": asked["rate"], "at_once": asked["at_once"], "deadline": asked["timeout"]}
    with (
        closing(Progress()) as progress,
        open_reader(config.source, patient, _cache_folder(asked["cache"]), progress=progress.reading, **asks) as reader,
    ):
        yield _Session(
            asked=_asked(config, asked),
            path=path if path.is_file() else settings.config_dir / f"{config.name}.yaml",
            reader=reader,
            start=start,
            end=end,
            progress=progress,
            settings={"source": {"name": config.source, **patient.recorded()}},
        )


def _cache_folder(given: str) -> Path | None:
    if given.strip().lower() == "none":
        return None
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "canary-judge"


def _period(since: str, until: str) -> tuple[float, float]:
    """From when to when, on whole minutes."""
    try:
        end = parse_time(until) if until else time.time() // _HOUR * _HOUR
        start = parse_time(since) if not since[-1:].isalpha() or since.endswith("Z") else end - seconds(since)
    except ValueError as error:
        raise RequestError([Fault(path="--since, --until", message=str(error))]) from None
    start, end = start // GRID * GRID, end // GRID * GRID
    if end - start < _HOUR:
        raise RequestError([Fault(path="--since", message="the history must be at least an hour long")])
    return start, end


def _asked(config: CanaryConfig, asked: dict[str, Any]) -> Asked:
    """Check scope and args as a live question would."""
    faults = []
    scope = asked["scope"] if asked["scope"] else config.scope
    if scope not in config.scopes:
        faults.append(
            Fault(path="--scope", message=f"there is no scope {scope!r}{nearest(scope, config.scopes)}", allowed=tuple(config.scopes))
        )
    elif not asked["rollout"] and "rollout" in placeholders(config.scopes[scope]):
        faults.append(Fault(path="--rollout", message=f"is missing; the scope {scope!r} selects pods by the rollout's name"))
    given = dict(given_args(asked["args"]))
    known = tuple(config.args)
    faults += [
        Fault(path=f"--arg {name}", message=f"the config does not declare this arg{nearest(name, known)}", allowed=known)
        for name in given
        if name not in known
    ]
    for name, arg in config.args.items():
        if arg.default is None and not given.get(name):
            what = f": {arg.description}" if arg.description else ""
            faults.append(Fault(path=f"--arg {name}", message=f"is missing; the config declares it{what}"))
    if faults:
        raise RequestError(faults)
    defaults = {name: arg.default for name, arg in config.args.items() if arg.default is not None}
    return Asked(config=config, scope=scope, args=resolve_defaults(given, defaults), rollout=asked["rollout"])


def calibrate_config(asked: dict[str, Any], *, form: str) -> int:
    """Calibrate, print and write the reports; return the exit status."""
    for target in ("html", "json_path", "output"):
        # Hours of work are not to end at a misspelt folder.
        must_be_writable(asked[target])
    with _session(asked) as session:
        options = Options(
            start=session.start,
            end=session.end,
            seed=asked["seed"],
            most=asked["pairs"],
            trials=asked["trials"],
            pods=asked["canary_pods"],
            pod_label=asked["pod_label"],
            replay=not asked["no_replay"],
        )
        with _interruptible(session) as stopped, Workers(asked["jobs"], dask=asked["dask"]) as workers:
            found = look_around(session.asked, session.reader, options)
            asking = plan_pairs(session.asked, found, options)
            load = estimate(session.asked, found, asking, session.reader, options)
            slowest = load.missing / asked["rate"] if asked["rate"] else 0.0
            said = f"{load.missing:,} of {load.questions:,} questions are still to be asked of the source ({load.steps:,} steps)"
            click.echo(f"{said}, which takes at least {words.duration(max(slowest, 1.0))}" if load.missing else said, err=True)
            if asked["only_estimate"]:
                return 0
            document = study(session.asked, found, asking, session.reader, options, workers=workers, tell=session.progress.working)
        if stopped:
            return INTERRUPTED
    diff, proposed = proposed_file(session.path, document["proposal"]["settings"])
    _write(asked, document, diff, proposed)
    if form == "json":
        click.echo(dumps(document, indent=2))
    else:
        from judge.calibrate.report.terminal_report import calibration_text

        click.echo(calibration_text(document, palette=_palette(), diff=diff))
    return 0


def _write(asked: dict[str, Any], document: dict[str, Any], diff: str, proposed: str) -> None:
    if asked["html"] is not None:
        from judge.calibrate.report.page import calibration_page

        write_text(asked["html"], calibration_page(document, diff=diff))
    if asked["json_path"] is not None:
        write_text(asked["json_path"], dumps(document, indent=2) + "\n")
    if asked["output"] is not None:
        write_text(asked["output"], proposed)


@contextmanager
def _interruptible(session: _Session) -> Iterator[list[bool]]:
    """Ctrl-C ends with a sentence; what was read is in the cache."""
    stopped: list[bool] = []
    try:
        yield stopped
    except KeyboardInterrupt:
        session.progress.close()
        stopped.append(True)
        click.echo("judge: interrupted; what was read is kept, the same command goes on from there", err=True)


def _palette() -> Palette:
    encoding = (sys.stdout.encoding if sys.stdout.encoding else "ascii").lower()
    return Palette(ascii=encoding not in {"utf-8", "utf8"})


def replay_rollouts(asked: dict[str, Any], *, archive_url: str, every_look: bool, form: str) -> int:
    """Find and judge the rollouts of the past, print them, keep them where wanted; return the exit status."""
    from judge.calibrate import result as doc
    from judge.calibrate.past_rollouts import keep_replays, replay

    replays: list[Replayed] = []
    with _session(asked) as session, _interruptible(session) as stopped:
        options = Options(start=session.start, end=session.end, pod_label=asked["pod_label"])
        found = look_around(session.asked, session.reader, options)
        rollouts = found.timeline.rollouts
        for number, one in enumerate(replay(rollouts, session.asked, session.reader), start=1):
            replays.append(one)
            session.progress.working("replaying rollouts", number, len(rollouts))
    if stopped:
        return INTERRUPTED
    notes = list(found.notes)
    if len(set(found.timeline.versions)) == 1:
        notes.append("the label that tells versions apart never changes: there is no rollout to find")
    elif not rollouts:
        notes.append("no two versions ever ran together: there is no rollout to replay (a Recreate strategy leaves none)")
    if archive_url.strip().lower() != "none":
        with closing(open_archive(archive_url)) as archive:
            kept = keep_replays(replays, archive, every_look=every_look, settings=session.settings)
        notes.append(f"{kept} verdicts kept, marked as replayed; judge history --archive lists them")
    document = {
        "made_by": "judge replay",
        "config": session.asked.config.name,
        "config_digest": session.asked.config.digest,
        "args": dict(session.asked.args),
        "period": {"start": session.start, "end": session.end, "scrape": found.scrape, "pod_label": found.pod_label},
        "history": doc.history(found.timeline),
        "replayed": [doc.replayed(one) for one in replays],
        "notes": notes,
    }
    if form == "json":
        click.echo(dumps(document, indent=2))
    else:
        from judge.calibrate.report.terminal_report import replay_text

        click.echo(replay_text(document, palette=_palette()))
    return 0


def proposed_file(path: Path | None, settings: list[dict[str, Any]]) -> tuple[str, str]:
    """The proposed change of the config's file as a diff, and the whole file; empty texts where nothing changes or there is no file."""
    keys = [one for one in settings if one["key"]]
    if path is None or not path.is_file():
        return "", ""
    before = path.read_text(encoding="utf-8")
    if not keys:
        return "", before
    if path.suffix == ".json":
        return "", before
    after = _edited(before, keys)
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path.name}", f"b/{path.name}", n=2)
    return "".join(lines), after


def _edited(text: str, settings: list[dict[str, Any]]) -> str:
    """A config's YAML with other values, its comments and order as they were."""
    yaml, document = _round_trip(text)
    for one in settings:
        _, name, *path = _keys(one["key"], [metric["name"] for metric in document["metrics"]])
        target = next(metric for metric in document["metrics"] if metric["name"] == name)
        value = _flow(one["after"])
        if path[0] in target:
            target[path[0]] = value
        else:
            # Before the last key, which carries the blank lines and comments that follow the metric.
            target.insert(max(len(target) - 1, 0), path[0], value)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _flow(value: Any) -> Any:
    """A mapping on one line."""
    if not isinstance(value, dict):
        return value
    from ruamel.yaml.comments import CommentedMap

    made = CommentedMap(value)
    made.fa.set_flow_style()
    return made


def _keys(key: str, names: list[str]) -> list[str]:
    """A dotted key taken apart; a metric's name may itself hold dots."""
    rest = key.removeprefix("metrics.")
    name = max((one for one in names if rest.startswith(f"{one}.")), key=len)
    return ["metrics", name, *rest.removeprefix(f"{name}.").split(".")]


def _round_trip(text: str) -> tuple[Any, Any]:
    """A YAML reader and writer that changes as little of this text as possible."""
    from ruamel.yaml import YAML

    best: tuple[int, Any, Any] | None = None
    for sequence, offset in ((4, 2), (2, 0)):
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 4096
        yaml.indent(mapping=2, sequence=sequence, offset=offset)
        document = yaml.load(text)
        out = io.StringIO()
        yaml.dump(document, out)
        changed = sum(line[:1] in "+-" for line in difflib.ndiff(text.splitlines(), out.getvalue().splitlines()))
        if best is None or changed < best[0]:
            best = (changed, yaml, document)
    assert best is not None
    return best[1], best[2]
