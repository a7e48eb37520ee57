"""One question has one answer, one id and one whole record, whether HTTP, `judge run`, a notebook or a dump asks it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from judge import notebook
from judge.cli.main import cli
from judge.verdicts.service import Service
from tests.demo_service import DEMO
from tests.one_question import HEALTHY, PERIOD, by_fetch, by_http, by_notebook, by_run, command

WHOLE = {"question", "settings", "versions", "source", "config", "config_digest", "request", "window", "samples", "verdict"}


@pytest.fixture(params=["sqlite", "none"])
def archive_url(request, tmp_path, monkeypatch):
    """An archive that everybody uses, and none."""
    url = "none" if request.param == "none" else f"sqlite:///{tmp_path / 'judge.sqlite'}"
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(DEMO))
    monkeypatch.setenv("JUDGE_ARCHIVE_URL", url)
    monkeypatch.chdir(tmp_path)
    return url


def test_a_question_that_is_asked_twice_has_one_id(archive_url):
    assert by_run(**PERIOD)["id"] == by_run(**PERIOD)["id"]


def test_everybody_gets_the_id_of_the_first_answer(archive_url, tmp_path):
    if archive_url == "none":
        pytest.skip("HTTP gives each request an id of its own; without an archive no later one can know it")
    first = by_http(archive_url, **PERIOD)["id"]

    assert by_run(**PERIOD)["id"] == first
    assert by_notebook(**PERIOD)["id"] == first
    assert by_fetch(tmp_path / "saved.jsonl.gz", **PERIOD)["id"] == first
    assert by_http(archive_url, **PERIOD)["id"] == first


def test_run_a_notebook_and_the_score_of_the_dump_agree_on_the_whole_record(archive_url, tmp_path):
    ran = by_run(**PERIOD)
    live = by_notebook(**PERIOD)
    scored = by_fetch(tmp_path / "saved.jsonl.gz", **PERIOD)

    assert ran["id"] == live["id"] == scored["id"]
    assert [name for name in WHOLE if not live[name]] == []
    assert [name for name in WHOLE if not scored[name]] == []
    assert live["settings"]["source"]["name"] == "default"
    differs = {name for name in live if json.dumps(live[name]) != json.dumps(scored[name])}
    # A file may say anything, so it answers no live question. Without an archive each asks at its own time.
    assert differs - {"asked_at"} == {"reusable"}
    assert archive_url == "none" or "asked_at" not in differs


def test_a_dump_of_another_origin_has_a_whole_record_too():
    first, again = notebook.score(DEMO / "canaries.jsonl.gz"), notebook.score(DEMO / "canaries.jsonl.gz")

    assert [name for record in first for name in WHOLE if not record[name]] == []
    assert [record["question"] for record in first] == [record["question"] for record in again]
    assert len({record["question"] for record in first}) == len(first)


def test_another_judge_is_another_question_and_is_in_the_record(tmp_path, archive_url):
    from judge.sources.dumps.read import load_dump
    from judge.verdicts.rejudge import rejudge
    from judge.verdicts.score_dump import score_dump

    dump = load_dump(DEMO / "canaries.jsonl.gz")[1]
    own, other = score_dump(dump), score_dump(dump, judge="mann-whitney")

    assert own["question"] != other["question"]
    assert other["settings"]["judge"] == other["verdict"]["judge"] == "mann-whitney"
    assert rejudge(other).is_identical


def test_a_live_question_is_asked_of_the_service_alone(monkeypatch, archive_url):
    asked = []
    real = Service.ask

    def noted(self, raw, **more):
        asked.append(raw["canary"])
        return real(self, raw, **more)

    monkeypatch.setattr(Service, "ask", noted)
    by_run(**PERIOD)
    by_notebook(**PERIOD)
    by_http(archive_url, **PERIOD)

    assert asked == [HEALTHY["canary"]] * 3


BAD = ["--baseline", "lmbjm2z2v", "--canary", "r6cpj765v", "--arg", "service=shop", "--start", PERIOD["start"], "--end", PERIOD["end"]]


@pytest.fixture
def saved(archive_url, tmp_path):
    """The dump of the bad canary, as `judge fetch` writes it, and where to write another."""
    command("fetch", "http-service", *BAD, "-o", tmp_path / "bad.json")
    return json.loads((tmp_path / "bad.json").read_text())


def test_a_verdict_in_a_file_that_its_samples_do_not_give_answers_no_live_question(saved, archive_url, tmp_path):
    if archive_url == "none":
        pytest.skip("nothing is taken in")
    saved["record"]["verdict"] |= {"verdict": "pass", "score": 100.0}
    (tmp_path / "lie.json").write_text(json.dumps(saved))
    command("history", "import", tmp_path / "lie.json")
    judged = CliRunner().invoke(cli, ["run", "http-service", *BAD, "--format", "json"])

    assert judged.exit_code == 1
    assert json.loads(judged.output)["verdict"] == "fail"


def test_the_score_by_another_judge_has_another_id(saved, tmp_path):
    path = tmp_path / "bad.json"
    ids = {json.loads(command("score", path, "--judge", judge, "--format", "json"))["id"] for judge in ("sequential", "mann-whitney")}

    assert len(ids) == 2
    assert saved["id"] in ids


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"asked_at": 10**400}, id="a time of 400 digits"),
        pytest.param({"asked_at": float("nan")}, id="no time"),
        pytest.param({"request": {"canary": "\ud800"}}, id="half a surrogate pair"),
        pytest.param({"request": {"end": float("nan")}}, id="no end"),
        pytest.param({"request": 5}, id="no question"),
        pytest.param({"settings": []}, id="no settings"),
    ],
)
def test_a_damaged_record_in_a_dump_is_no_crash(saved, tmp_path, damage):
    for key, value in damage.items():
        saved["record"][key] = {**saved["record"][key], **value} if isinstance(value, dict) else value
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(saved))
    done = CliRunner().invoke(cli, ["score", str(path), "--format", "jsonl"])

    assert done.exit_code in {1, 2}
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_record_of_another_config_is_refused(saved, tmp_path):
    saved["record"]["config"]["name"] = "elsewhere"
    path = tmp_path / "other.json"
    path.write_text(json.dumps(saved))
    done = CliRunner().invoke(cli, ["score", str(path)])

    assert done.exit_code == 2
    assert "record.config: is not the config of the dump" in done.output


def test_a_canary_is_added_to_a_file_without_a_last_line_end_and_not_to_what_is_no_gzip(saved, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(path.read_text().rstrip("\n"))
    command("fetch", "http-service", *BAD, "-o", path, "--append")
    assert len(notebook.score(path)) == 2

    odd = tmp_path / "odd.jsonl.gz"
    odd.write_text("{}\n")
    done = CliRunner().invoke(cli, ["fetch", "http-service", *BAD, "-o", str(odd), "--append"])
    assert done.exit_code == 2
    assert odd.read_text() == "{}\n"
