"""``judge calibrate`` and ``judge replay`` from the outside, on a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge import notebook
from judge.cli.calibrate_run import proposed_file
from judge.cli.main import cli
from judge.config.load import load_config
from judge.errors import DumpError
from tests.calibrate.history import END
from tests.servers import free_port, loopback

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "http-service.yaml"

pytestmark = [pytest.mark.integration, pytest.mark.extended]


def arguments(url: str, cache: Path, *more: str, service: str = "checkout", since: str = "2d") -> list[str]:
    args = ["--arg", f"service={service}", "--arg", "namespace=shop", "--since", since, "--until", f"{END:.0f}"]
    return [str(CONFIG), *args, "--prometheus", url, "--cache", str(cache), "--rate", "0", *more]


def said(result) -> str:
    """What was printed, as one line."""
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def calibrated(past_url, tmp_path_factory):
    """One whole calibration, with all its files."""
    folder = tmp_path_factory.mktemp("calibrated")
    files = ["--html", str(folder / "report.html"), "--json", str(folder / "found.json"), "-o", str(folder / "proposed.yaml")]
    result = CliRunner().invoke(cli, ["calibrate", *arguments(past_url, folder / "cache", "--trials", "15", *files)])
    assert result.exit_code == 0, result.output
    return folder, result


def test_calibrate_answers_in_80_columns(calibrated):
    _, result = calibrated

    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    for words in ("Rollouts found: 10", "Healthy windows:", "Smallest change caught", "Other settings", "AnalysisTemplate: initialDelay:"):
        assert words in result.stdout


def test_its_document_has_every_figure_with_its_interval(calibrated):
    folder, _ = calibrated
    found = json.loads((folder / "found.json").read_text())
    split = found["false_alarms"]["split"]

    assert len(found["history"]["rollouts"]) == len(found["replayed"]) == 10
    assert split["n"] == found["pairs"]["kinds"]["split"] > 40
    assert split["stopped"]["low"] <= split["stopped"]["share"] <= split["stopped"]["high"] < 0.2
    assert set(found["power"]) == {"error-ratio", "latency-p99", "latency-p50"}
    level = found["power"]["latency-p99"]["shapes"]["level"]
    assert level["sizes"][0]["caught"]["share"] < 0.3
    assert level["sizes"][-1]["caught"]["share"] > 0.9
    assert 0.05 < level["smallest"]["80%"]["size"] < 0.5
    assert found["proposal"]["template"]["count"] >= 1


def test_a_notebook_gets_frames_of_it(calibrated):
    folder, _ = calibrated
    found = json.loads((folder / "found.json").read_text())
    frames = notebook.calibration(folder / "found.json")

    assert frames.rollouts["canary"].tolist() == [one["canary"] for one in found["replayed"]]
    assert str(frames.rollouts["start"].dt.tz) == "UTC"
    assert len(frames.looks) == sum(len(one["looks"]) for one in found["replayed"])
    stopped = frames.false_alarms.query("pairs == 'split' and outcome == 'stopped'").iloc[0]
    assert (stopped["of"], stopped["high"]) == (found["false_alarms"]["split"]["n"], found["false_alarms"]["split"]["stopped"]["high"])
    level = frames.power.query("metric == 'latency-p99' and shape == 'level'").sort_values("size")
    assert level["share"].iloc[0] < 0.3
    assert level["share"].iloc[-1] > 0.9
    assert set(frames.smallest["wanted"]) == {"80%", "95%"}
    assert frames.samples.set_index("metric").loc["latency-p99", "effective"] > 1
    assert frames.by_hour["hour"].between(0, 23).all()
    assert {"as it is", "every tolerance x 2", "a sample every 2 min"} <= set(frames.variants["name"])
    assert len(frames.settings) == len(found["proposal"]["settings"])


def test_a_notebook_gets_frames_of_a_replay(past_url, past_cache, tmp_path):
    result = CliRunner().invoke(cli, ["replay", *arguments(past_url, past_cache, "--format", "json", service="cart")])
    path = tmp_path / "replayed.json"
    path.write_text(result.stdout)

    frames = notebook.calibration(path)

    assert len(frames.rollouts) == 10
    assert frames.rollouts.dtypes.astype(str)["stopped_at_look"] == "Int64"
    assert frames.power.empty


@pytest.mark.parametrize("text", ["[]", "{}", "no", None])
def test_a_file_that_is_something_else_is_refused_by_name(tmp_path, text):
    path = tmp_path / "found.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(DumpError, match=r"found\.json"):
        notebook.calibration(path)


def test_the_proposal_is_made_on_one_half_and_reported_on_the_other(calibrated):
    folder, _ = calibrated
    found = json.loads((folder / "found.json").read_text())
    later = found["proposal"]["on_later_half"]
    middle = (found["period"]["start"] + found["period"]["end"]) / 2

    assert later["as_it_is"]["false_alarms"]["n"] == later["as_proposed"]["false_alarms"]["n"]
    assert 0 < later["as_it_is"]["false_alarms"]["n"] < found["false_alarms"]["split"]["n"]
    assert middle > found["period"]["start"]


def test_the_proposed_file_is_a_config_that_can_be_used(calibrated):
    folder, _ = calibrated

    assert load_config(folder / "proposed.yaml").name == "http-service"


def test_the_report_is_one_file_that_asks_for_nothing(calibrated):
    folder, _ = calibrated
    page = (folder / "report.html").read_text()

    assert page.count("<svg") > 15
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    for heading in ("False alarms", "What is caught", "What the samples are like", "Proposed", "Rollouts of the past"):
        assert f"<h2>{heading}</h2>" in page


def test_a_second_run_asks_nothing_and_finds_the_same(calibrated, past_url):
    folder, first = calibrated
    result = CliRunner().invoke(cli, ["calibrate", *arguments(past_url, folder / "cache", "--trials", "15", "--jobs", "2", "--no-replay")])

    assert "\n" not in result.stderr.strip()
    assert re.fullmatch(r"0 of \d+ questions are still to be asked of the source \(0 steps\)", result.stderr.strip())
    assert result.stdout.split("Smallest change caught")[1].split("Proposed")[0] in first.stdout


def test_the_load_is_said_before_anything_heavy_is_asked(past_url, tmp_path):
    result = CliRunner().invoke(cli, ["calibrate", *arguments(past_url, tmp_path, "--estimate")])

    assert result.exit_code == 0
    assert re.search(r"\d+ of [\d,]+ questions are still to be asked of the source \([\d,]+ steps\)", said(result))
    assert result.stdout == ""


def test_an_interrupted_run_goes_on_where_it_was(past_url, tmp_path):
    command = [sys.executable, "-P", "-m", "judge", "replay", *arguments(past_url, tmp_path, "--rate", "20")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUTF8": "1"})
    ends = time.monotonic() + 30
    while sum(1 for _ in tmp_path.rglob("*.parquet")) < 20 and time.monotonic() < ends:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=600)
    kept = sum(1 for _ in tmp_path.rglob("*.parquet"))
    result = CliRunner().invoke(cli, ["replay", *arguments(past_url, tmp_path)])

    assert running.returncode == 130
    assert errors.strip() == "judge: interrupted; what was read is kept, the same command goes on from there"
    assert kept >= 20
    assert result.exit_code == 0
    assert "10" in result.stdout


def test_replay_keeps_its_verdicts_marked_and_only_once(past_url, past_cache, tmp_path):
    archive = f"sqlite:///{tmp_path / 'kept.sqlite'}"
    first = CliRunner().invoke(cli, ["replay", *arguments(past_url, past_cache, "--archive", archive, service="cart")])
    again = CliRunner().invoke(cli, ["replay", *arguments(past_url, past_cache, "--archive", archive, service="cart")])
    listed = CliRunner().invoke(cli, ["history", "--archive", archive, "--format", "json"])
    asked_for = CliRunner().invoke(cli, ["history", "--archive", archive, "--replayed", "no"])
    shown = CliRunner().invoke(cli, ["history", "--archive", archive])
    rejudged = CliRunner().invoke(cli, ["rejudge", "--all", "--archive", archive])
    verdicts = json.loads(listed.stdout)["verdicts"]
    one = verdicts[0]["id"]
    report = CliRunner().invoke(cli, ["report", one, "--archive", archive, "-o", "-"])

    assert "10 verdicts kept, marked as replayed" in said(first)
    assert "0 verdicts kept" in said(again)
    assert [verdict["replayed"] for verdict in verdicts] == [True] * 10
    assert "no verdict fits these filters" in asked_for.stdout
    assert shown.stdout.count("replayed") == 10
    assert rejudged.exit_code == 0, rejudged.output
    assert "replayed from history: nobody asked for this verdict" in " ".join(report.stdout.split())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(["--arg", "colour=red"], "the config does not declare this arg", id="an arg that is not declared"),
        pytest.param(["--scope", "nope"], "there is no scope 'nope'", id="a scope that is not there"),
        pytest.param(["--scope", "pod-name"], "selects pods by the rollout's name", id="a rollout that is missing"),
        pytest.param(["--since", "soon"], "not a duration", id="a time that is none"),
        pytest.param(["--since", "10m"], "at least an hour long", id="too short a history"),
        pytest.param(["--until", "yesterday"], "not a time", id="an end that is no time"),
    ],
)
def test_wrong_usage_says_what_and_where(tmp_path, more, message):
    result = CliRunner().invoke(cli, ["calibrate", *arguments("http://127.0.0.1:9", tmp_path), *more])

    assert result.exit_code == 2
    assert message in said(result)


def test_a_source_that_is_away_ends_with_4(tmp_path, monkeypatch):
    monkeypatch.setattr("judge.calibrate.history_reader._PAUSE", 0.0)
    result = CliRunner().invoke(cli, ["replay", *arguments("http://127.0.0.1:9", tmp_path)])

    assert result.exit_code == 4
    assert "the same command goes on from there" in said(result)


def test_a_service_that_is_not_there_says_what_was_looked_for(tmp_path):
    with loopback(lambda request: request.say_result("matrix" if "step" in request.form else "vector", [])) as server:
        result = CliRunner().invoke(cli, ["calibrate", *arguments(server.url, tmp_path)])

    assert result.exit_code == 4
    assert 'there are no series http_requests_total{namespace="shop"' in said(result)
    assert "check the args, the scope and --since" in said(result)


def test_a_proposal_changes_two_lines_of_the_file_and_no_comment(tmp_path):
    settings = [
        {"key": "metrics.latency-p99.tests", "after": {"spread": False}},
        {"key": "metrics.latency-p50.tolerance", "after": "10%"},
    ]
    diff, after = proposed_file(CONFIG, settings)
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    (tmp_path / "proposed.yaml").write_text(after)
    loaded = load_config(tmp_path / "proposed.yaml")

    assert [line.strip("+- ") for line in changed] == ["tests: {spread: false}", "tolerance: 5%", "tolerance: 10%"]
    assert "spread" in loaded.metric("latency-p99").off
    assert loaded.metric("latency-p50").tolerance.relative == 0.1


def test_a_cluster_that_is_away_is_said_before_anything_is_asked(past_url, tmp_path):
    result = CliRunner().invoke(cli, ["calibrate", *arguments(past_url, tmp_path / "cache", "--dask", f"tcp://127.0.0.1:{free_port()}")])

    assert result.exit_code == 4
    assert "no Dask scheduler answers at tcp://127.0.0.1:" in result.stderr
    assert not list(tmp_path.rglob("*.parquet"))
