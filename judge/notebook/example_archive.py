"""An archive to try things on: the packaged canaries, judged look by look as Argo Rollouts would have asked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from judge.archive import open_archive
from judge.cli.demo import FOLDER
from judge.settings import Settings
from judge.sources.dumps.read import load_dump
from judge.sources.dumps.recorded import RecordedSettings
from judge.verdicts.service import Service
from judge.wire.ulid import new_id


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
    recording = FOLDER / "canaries.jsonl.gz"
    source = RecordedSettings(type="dumps", path=str(recording))
    archive = open_archive(url)
    service = Service(Settings(sources={"default": source}, config_dir=FOLDER, archive_url=url), archive)
    for dump in load_dump(recording):
        assert dump.start is not None
        assert dump.end is not None
        for look in range(1, looks + 1):
            end = dump.start + (dump.end - dump.start) * look / looks
            question = {
                "config": "http-service",
                "baseline": dump.args["baseline"],
                "canary": dump.args["canary"],
                "rollout": dump.args.get("rollout", "shop"),
                "service": dump.args.get("service", "shop"),
                "start": str(dump.start),
                "end": str(end),
                "look": str(look),
            }
            service.ask(question, id=new_id(end), now=end)
    archive.close()
    return url
