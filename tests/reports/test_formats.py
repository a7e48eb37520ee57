"""A format that is added as one function and one line works in every command that writes verdicts."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from judge.reports.formats import FORMATS
from tests.demo_service import DEMO

RECORDED = str(DEMO / "canaries.jsonl.gz")
PROGRAM = """
import sys
from judge.reports import formats

formats.FORMATS["toy"] = formats.Format(
    verdict=lambda record: f"toy {record['id'][:4]} {record['verdict']['verdict']}",
    fault=lambda id, fault: f"toy {id} broken",
    opening="<toy>",
    closing="</toy>",
    machine=True,
    document=lambda document: f"toy {sorted(document)}",
)
if __name__ == "__main__":
    from judge.cli.main import main

    main()
"""


def toy(*arguments, folder):
    """Run a command of a judge that has the toy format."""
    environ = {"JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'judge.sqlite'}", "PYTHONPATH": ":".join(sys.path)}
    program = folder / "toy.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_score_opens_writes_each_canary_and_closes(tmp_path, jobs):
    torn = tmp_path / "torn.jsonl"
    torn.write_text('{"id": "torn", "metrics": 7}\n', encoding="utf-8")

    lines = toy("score", RECORDED, torn, "--format", "toy", "--jobs", jobs, folder=tmp_path)

    assert lines == ["<toy>", "toy shop pass", "toy shop fail", "toy torn:1 broken", "</toy>"]


def test_judges_are_compared_in_it(tmp_path):
    lines = toy("score", RECORDED, "--judge", "kayenta,sequential", "--format", "toy", folder=tmp_path)

    assert lines == ["toy ['agree', 'differences', 'id', 'verdicts']"] * 2


@pytest.mark.extended
def test_run_and_rejudge_write_it(tmp_path):
    one = json.loads(gzip.decompress((DEMO / "canaries.jsonl.gz").read_bytes()).splitlines()[1])
    (tmp_path / "server.yaml").write_text(f"sources: {{default: {{type: dumps, path: {RECORDED}}}}}\n", encoding="utf-8")
    (tmp_path / "http-service.yaml").write_text((DEMO / "http-service.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    question = ["--baseline", one["args"]["baseline"], "--canary", one["args"]["canary"], "--arg", "service=shop", "--rollout", "shop"]
    period = ["--start", one["window"]["start"], "--end", one["window"]["end"]]

    judged = toy("run", tmp_path / "http-service.yaml", *question, *period, "--format", "toy", folder=tmp_path)
    again = toy("rejudge", "--all", "--format", "toy", folder=tmp_path)

    assert [line[:4] for line in judged] == ["<toy", "toy ", "</to"]
    assert again == ["toy ['before', 'differences', 'id', 'identical', 'now', 'same_verdict', 'why']"]


@pytest.mark.parametrize("form", [name for name, one in FORMATS.items() if one.document is None and name != "text"])
def test_a_format_that_cannot_show_where_judges_differ_is_refused(tmp_path, form):
    command = [sys.executable, "-m", "judge", "score", RECORDED, "--judge", "kayenta,sequential", "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith(f"judge: --format: {form!r} cannot show where judges disagree")
    assert done.stdout == ""
