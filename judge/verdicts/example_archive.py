"""An archive to try things on: the packaged canaries, judged look by look as Argo Rollouts would have asked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from judge.archive import open_archive
from judge.settings import Settings
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.read import load_dump
from judge.sources.dumps.recorded import RecordedSettings
from judge.verdicts.service import Service
from judge.wire.request import format_time
from judge.wire.ulid import new_id

FOLDER = Path(__file__).parent.parent / "demo"
"""The recordings that ship with the package, with their config and settings."""
RECORDING = FOLDER / "canaries.jsonl.gz"


def recorded_questions() -> list[dict[str, str]]:
    """Ask about each recorded canary, over all that was recorded of it; a live question leaves start and end out."""
    return [_question(dump) for dump in load_dump(RECORDING)]


def _question(dump: Dump) -> dict[str, str]:
    assert dump.start is not None
    assert dump.end is not None
    return {
        "config": "http-service",
        "baseline": dump.args["baseline"],
        "canary": dump.args["canary"],
        "service": dump.args["service"],
        "start": format_time(dump.start),
        "end": format_time(dump.end),
    }


def rehearse(folder: str | Path | None = None, *, looks: int = 20) -> str:
    """Judge the two recorded canaries of a shop at so many looks, and keep the verdicts; give the archive's URL.

    Parameters
    ----------
    folder : str or Path, optional
        Where the SQLite file goes; a new temporary folder if left out. One that is there is added to.
    looks : int
        Evenly over the recorded half hour, the last one at its end.
    """
    place = Path(tempfile.mkdtemp(prefix="judge-rehearsal-")) if folder is None else Path(folder)
    url = f"sqlite:///{(place / 'judge.sqlite').resolve()}"
    source = RecordedSettings(type="dumps", path=str(RECORDING))
    archive = open_archive(url)
    service = Service(Settings(sources={"default": source}, config_dir=FOLDER, archive_url=url), archive)
    for dump in load_dump(RECORDING):
        assert dump.start is not None
        assert dump.end is not None
        for look in range(1, looks + 1):
            end = dump.start + (dump.end - dump.start) * look / looks
            asked = {**_question(dump), "rollout": dump.args.get("rollout", "shop"), "end": str(end), "look": str(look)}
            service.ask(asked, id=new_id(end), now=end)
    archive.close()
    return url
