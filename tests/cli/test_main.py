"""The command line as a person and a CI job use it."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.sources.dumps.read import load_dump
from tests.config.test_load import WHOLE
from tests.demo_service import DEMO

ROOT = Path(__file__).parents[2]
RECORDED = str(DEMO / "canaries.jsonl.gz")


def judge(*args, env=None):
    found = CliRunner().invoke(cli, [str(arg) for arg in args], env=env, catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def dump(tmp_path):
    """Write some of the recorded canaries to a file."""
    healthy, bad = (json.loads(line) for line in gzip.decompress(Path(RECORDED).read_bytes()).splitlines())

    def write(*names, **changes):
        chosen = {"healthy": healthy, "bad": bad}
        path = tmp_path / "dump.jsonl"
        path.write_text("".join(json.dumps({**chosen[name], **changes}) + "\n" for name in names))
        return path

    return write


@pytest.mark.parametrize("command", [(), ("run",), ("fetch",), ("score",), ("serve",), ("demo",), ("check",), ("schema",)])
def test_every_command_has_help(command):
    status, out, _ = judge(*command, "--help")

    assert status == 0
    assert out.startswith("Usage: ")
    if command in {("run",), ("fetch",), ("score",)}:
        assert "Exit status: 0 pass; 1 fail; 2 wrong usage" in " ".join(out.split())


@pytest.mark.parametrize(("names", "status"), [(["healthy"], 0), (["bad"], 1), (["healthy", "bad"], 1)])
def test_exit_status_of_score_is_that_of_the_worst(dump, names, status):
    assert judge("score", dump(*names))[0] == status


def test_score_prints_the_worst_metric_first(dump):
    _, out, _ = judge("score", dump("bad"))

    table = out[out.index("metric  ") :].partition("\n\n")[0]
    assert [row.split()[1] for row in table.splitlines()[1:]] == ["error-ratio", "latency-p50", "latency-p99", "memory"]
    assert "FAIL 0/100" in out


def test_score_writes_one_verdict_a_line(dump):
    status, out, err = judge("score", dump("healthy", "bad"), "--format", "jsonl")

    first, second = lines(out)
    assert (status, err) == (1, "")
    assert (first["id"], first["verdict"], second["id"], second["verdict"]) == ("shop-healthy", "pass", "shop-bad", "fail")
    assert first["n"] == {"baseline": 31, "canary": 31}
    assert all(result["reason"] and result["n_canary"] for result in first["results"])


def test_score_with_two_processes_gives_the_same_lines_in_the_same_order(dump):
    path = dump(*["healthy", "bad"] * 3)

    assert judge("score", path, "--format", "jsonl", "--jobs", "2") == judge("score", path, "--format", "jsonl")


@pytest.mark.parametrize(("form", "start"), [("json", "{"), ("markdown", "shop-bad"), ("text", "shop-bad")])
def test_formats_of_score(dump, form, start):
    _, out, _ = judge("score", dump("bad"), "--format", form)

    assert out.startswith(start)


def test_json_is_the_answer_in_full(dump):
    _, out, _ = judge("score", dump("bad"), "--format", "json")

    document = json.loads(out)
    assert document["verdict"] == "fail"
    assert document["results"][0]["comparison"]["u"] >= 0


def test_a_config_may_be_chosen_instead_of_the_dumps_own(dump, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(WHOLE)

    status, out, _ = judge("score", dump("bad"), "--config", config, "--format", "jsonl")

    [line] = lines(out)
    assert status == 1
    assert [result["name"] for result in line["results"]] == ["error-ratio", "latency-p99", "oom-kills"]
    assert "not in the config, so not judged: latency-p50, memory" in line["warnings"]


def test_a_config_with_none_of_the_dumps_metrics_is_said(dump, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("name: other\nscope: 'h=\"${hash}\"'\nmetrics: [{name: x, query: 'x{${scope}}'}]\n")

    status, _, err = judge("score", dump("bad"), "--config", config)

    assert status == 2
    assert "none of its metrics (error-ratio, latency-p50, latency-p99, memory) is in the config 'other'" in err


def test_a_named_config_that_is_not_there_is_a_warning(dump):
    _, out, _ = judge("score", dump("bad", config="nowhere"), "--format", "jsonl")

    [line] = lines(out)
    assert "there is no config 'nowhere'" in line["warnings"][0]
    assert line["verdict"] == "fail"


def test_an_unknown_judge_is_refused_with_the_known_ones(dump):
    status, _, err = judge("score", dump("bad"), "--judge", "mann-witney")

    assert status == 2
    assert "unknown judge 'mann-witney'; did you mean 'mann-whitney'?" in err


def test_broken_canaries_are_named_and_the_others_judged(dump, tmp_path):
    path = dump("healthy")
    path.write_text(path.read_text() + '{"id": "half", "metrics": [{"name": "m", "baseline": {"t": [0], "v": ["1"]}}]}\n{nope\n')

    status, out, err = judge("score", path, tmp_path / "nowhere.json", "--format", "jsonl")

    found = lines(out)
    assert status == 2
    assert [line["verdict"] for line in found] == ["pass", "error", "error", "error"]
    assert "metrics.0.canary: is missing" in err
    assert "metrics.0.baseline.v.0: must be a number or null, found '1'" in err
    assert "nowhere.json: cannot be read" in err


def test_a_dump_that_may_not_be_read_does_not_keep_the_others_from_being_judged(monkeypatch, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    # Root may read everything; click asks `os.access`, and opening says what the system would.
    monkeypatch.setattr("os.access", lambda path, mode, **_: "secret" not in str(path))
    monkeypatch.setattr("judge.sources.dumps.read.open", _no_entry, raising=False)

    status, out, err = judge("score", tmp_path / "secret.json", RECORDED, "--format", "jsonl")

    assert status == 2
    assert [line["verdict"] for line in lines(out)] == ["error", "pass", "fail"]
    assert "secret.json: cannot be read: Permission denied" in err


def _no_entry(path, *_, **__):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def test_a_truncated_gzip_is_named_and_what_came_before_is_judged(tmp_path):
    text = gzip.decompress(Path(RECORDED).read_bytes())
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(text * 20)[:-900])

    status, out, err = judge("score", path, "--format", "jsonl")

    assert status == 2
    assert len(lines(out)) > 5
    assert "broken or cut off after" in err


ASKED = ("http-service", "--baseline", "a", "--canary", "b", "--arg", "service=shop")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ("--prometheus", "localhost:9090"),
            "judge: --prometheus: must be an http or https address without ? and #, found 'localhost:9090'",
        ),
        (("--archive", "verdicts.db"), "judge: archive: not an archive URL (no scheme) (allowed: none, sqlite:///file.db"),
        (("--deadline", "nan"), "Invalid value for '--deadline': 'nan' is not a valid float"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_asked(tmp_path, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = judge("run", *ASKED, *args, env={"JUDGE_CONFIG_DIR": str(DEMO)})

    assert (status, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_dump_in_milliseconds_does_not_keep_the_next_one_from_being_judged(tmp_path):
    t = [1_700_000_000_000 + 60_000 * i for i in range(12)]
    late = {
        "id": "late",
        "metrics": [{"name": "m", **{side: {"t": t, "v": [1.0 + i / 90 for i in range(12)]} for side in ("baseline", "canary")}}],
    }
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps(late) + "\n")

    status, out, _ = judge("score", path, RECORDED, "--format", "jsonl")

    assert [line["id"] for line in lines(out)[1:]] == ["shop-healthy", "shop-bad"]
    assert status == 2  # the same samples on both sides are an error


def test_without_any_config_it_is_said_how_to_name_the_folder(tmp_path):
    status, _, err = judge("run", *ASKED, env={"JUDGE_CONFIG_DIR": str(tmp_path), "JUDGE_PROMETHEUS_URL": "http://127.0.0.1:9"})

    assert status == 2
    assert (
        err
        == f"judge: there is no config 'http-service' in {tmp_path}; set JUDGE_CONFIG_DIR to a folder of canary configs, or name a file\n"
    )


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "markdown", "junit"])
def test_half_a_surrogate_pair_in_a_name_does_not_keep_the_next_canary_from_being_judged(dump, form):
    status, out, _ = judge("score", dump("healthy", id="half \ud800"), RECORDED, "--format", form)

    assert status == 1
    assert "half " in out
    assert "shop-bad" in out


def test_check_names_every_fault(tmp_path):
    (tmp_path / "good.yaml").write_text(WHOLE)
    (tmp_path / "bad.yaml").write_text("name: x\nscpe: y\n")

    status, out, err = judge("check", tmp_path)

    assert status == 2
    assert "good.yaml: ok, 3 metrics (2 critical), judge sequential" in out
    assert "bad.yaml: scpe: unknown key; did you mean 'scope'?" in err
    assert "bad.yaml: metrics: is missing" in err


def test_check_without_arguments_looks_in_the_config_folder(tmp_path):
    (tmp_path / "good.yaml").write_text(WHOLE)

    assert judge("check", env={"JUDGE_CONFIG_DIR": str(tmp_path)})[0] == 0
    assert judge("check", env={"JUDGE_CONFIG_DIR": str(tmp_path / "nowhere")})[0] == 2


@pytest.mark.parametrize("document", ["config", "server"])
def test_schema_is_a_json_schema(document):
    status, out, _ = judge("schema", document)

    assert status == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nope", "--baseline", "a", "--canary", "b"], "there is no config 'nope'"),
        (["http-service", "--baseline", "a", "--canary", "b"], "service: is missing"),
        (["http-service", "--baseline", "a", "--canary", "b", "--arg", "service"], "--arg needs NAME=VALUE"),
        (["http-service", "--baseline", "a", "--canary", "b", "--arg", "service=a", "--arg", "service=b"], "given twice"),
        (["http-service", "--baseline", "a", "--canary", ".*", "--arg", "service=a"], "is not a Kubernetes name"),
    ],
)
def test_run_refuses_wrong_questions(args, message):
    status, _, err = judge("run", *args, env={"JUDGE_CONFIG_DIR": str(DEMO)})

    assert status == 2
    assert message in err


def recorded(questions, name):
    question = dict(questions[name])
    service = question.pop("service")
    config = question.pop("config")
    return [config, *(part for key, value in question.items() for part in (f"--{key}", value)), "--arg", f"service={service}"]


@pytest.mark.parametrize(("canary", "status"), [("healthy", 0), ("bad", 1)])
def test_run_judges_prints_and_keeps(questions, tmp_path, canary, status):
    env = {"JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": f"sqlite:///{tmp_path / 'a.sqlite'}"}

    found, out, err = judge("run", *recorded(questions, canary), env=env)

    assert (found, err) == (status, "")
    assert {0: "PASS 100/100", 1: "FAIL 0/100"}[status] in out
    assert (tmp_path / "a.sqlite").exists()


def test_run_says_when_the_verdict_was_not_kept(questions, tmp_path):
    env = {"JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": f"sqlite:///{tmp_path}"}

    status, out, err = judge("run", *recorded(questions, "bad"), env=env)

    assert status == 1
    assert "FAIL" in out
    assert "this verdict was not kept" in err


def test_run_against_a_dead_prometheus_is_inconclusive_with_status_4():
    status, out, _ = judge(
        *("run", DEMO / "http-service.yaml", "--baseline", "a", "--canary", "b", "--arg", "service=shop"),
        *("--prometheus", "http://127.0.0.1:9", "--deadline", "3", "--archive", "none"),
    )

    assert status == 4
    assert "INCONCLUSIVE" in out
    assert "Connection refused" in out


def test_fetch_saves_what_score_reads(questions, tmp_path):
    path = tmp_path / "saved.jsonl.gz"

    for name in ("healthy", "bad"):
        status, out, _ = judge("fetch", *recorded(questions, name), "--append", "-o", path, env={"JUDGE_CONFIG_DIR": str(DEMO)})
        assert status == 0
        assert "4 metrics, 248 samples" in out

    _, out, _ = judge("score", path, "--format", "jsonl")
    assert [line["verdict"] for line in lines(out)] == ["pass", "fail"]
    saved, original = load_dump(path)[1], load_dump(RECORDED)[1]
    assert {**saved.args, "rollout": "shop"} == original.args
    assert [pair.canary.v.tolist() for pair in saved.pairs] == [pair.canary.v.tolist() for pair in original.pairs]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("fetch", *ASKED, "-o", "shop.csv"), "shop.csv: a dump is written as JSON; give a name that ends in .json or .jsonl"),
        (("fetch", *ASKED, "-o", "no/folder.json"), "no/folder.json: cannot be written: its folder is not there"),
        (("calibrate", "http-service", "--html", "no/folder.html"), "no/folder.html: cannot be written: its folder is not there"),
        (("calibrate", "http-service", "--json", "no/folder.json"), "no/folder.json: cannot be written: its folder is not there"),
        (("calibrate", "http-service", "-o", "no/folder.yaml"), "no/folder.yaml: cannot be written: its folder is not there"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_before_the_work(tmp_path, monkeypatch, command, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = judge(*command, env={"JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_PROMETHEUS_URL": "http://127.0.0.1:9"})

    assert (status, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_converted_config_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "given.json"
    path.write_text(
        json.dumps(
            {
                "name": "checkout",
                "applications": ["shop"],
                "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
                "metrics": [
                    {
                        "name": "errors",
                        "groups": ["a"],
                        "query": {"type": "prometheus", "customInlineTemplate": 'PromQL:sum(x{v="${scope}"})'},
                    }
                ],
                "classifier": {"groupWeights": {"a": 100}},
            }
        )
    )

    status, _, err = judge("convert", path, "-o", tmp_path / "no" / "folder.yaml")

    assert status == 2
    assert err.endswith("no/folder.yaml: cannot be written: No such file or directory\n")


def test_fetch_from_a_dead_prometheus_saves_nothing(tmp_path):
    path = tmp_path / "saved.jsonl"

    status, _, err = judge(
        *("fetch", DEMO / "http-service.yaml", "--baseline", "a", "--canary", "b", "--arg", "service=shop", "-o", path),
        *("--prometheus", "http://127.0.0.1:9", "--deadline", "3"),
    )

    assert status == 4
    assert "nothing was saved" in err
    assert not path.exists()


def test_the_module_runs_as_the_command_does():
    done = subprocess.run([sys.executable, "-m", "judge", "--version"], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout == "judge, version 0.1.0\n"


@pytest.mark.parametrize("module", ["scipy", "statsmodels", "pandas", "flask", "sqlalchemy", "pydantic", "numpy", "requests"])
def test_help_loads_nothing_heavy(module):
    help_page = "import sys; from judge.cli.main import cli\ntry: cli(['--help'])\nexcept SystemExit: pass"
    code = f"{help_page}\nassert {module!r} not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_what_nobody_foresaw_does_not_look_like_a_canary_that_failed():
    program = """
import sys
from judge.cli import main, score
score.score_dumps = None
main.main()
"""
    done = subprocess.run([sys.executable, "-c", program, "score", RECORDED], capture_output=True, text=True, check=False)

    assert done.returncode == 4
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[-1] == "judge: internal error (TypeError): a fault of judge itself, not of the canary"
