"""The commands that look back, on a real archive: history, label, report, export and import, prune, rejudge."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.archive import open_archive
from judge.archive.types import Label
from judge.cli.main import cli
from judge.verdicts.service import Service
from tests.demo_service import DEMO, NOW
from tests.reports.sample import record, result

HEALTHY, BAD, OPEN = (f"01KAGFXG3R000000000000000{number}" for number in range(3))
HTML = "<b>p99</b>&\x1b[2J|*"


@pytest.fixture
def url(settings, questions):
    """An archive with three real verdicts: pass, fail, inconclusive."""
    with closing(open_archive(settings.archive_url)) as archive:
        service = Service(settings, archive)
        for number, (verdict_id, question) in enumerate(
            [(HEALTHY, questions["healthy"]), (BAD, questions["bad"]), (OPEN, {**questions["bad"], "canary": "nowhere"})]
        ):
            service.ask({**question, "rollout": "shop"}, id=verdict_id, now=NOW + number)
    return settings.archive_url


@pytest.fixture
def judge(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*args, archive=url):
        env = {"JUDGE_ARCHIVE_URL": archive, "JUDGE_CONFIG_DIR": str(DEMO), "COLUMNS": "80", "USER": ""}
        found = CliRunner().invoke(cli, [str(arg) for arg in args], env=env, catch_exceptions=False)
        return found.exit_code, found.stdout, found.stderr

    return run


def keep(url, *records, labels=None):
    with closing(open_archive(url)) as archive:
        for made in records:
            archive.keep(made)
        for verdict_id, label in ({} if labels is None else labels).items():
            archive.label(verdict_id, Label(label=label, by="ann", at=1.0))


def judged(verdict_id, verdict, at=1_763_629_860.0, config="http-service", **metrics):
    """A record with this verdict and these classifications."""
    made = record(verdict_id=verdict_id, asked_at=at, reusable=False)
    results = [result(name, kind, "because") for name, kind in metrics.items()]
    return made | {"request": made["request"] | {"config": config}, "verdict": made["verdict"] | {"verdict": verdict, "results": results}}


# history


def test_history_has_one_line_a_verdict_newest_first_in_80_columns(judge):
    status, out, _ = judge("history")

    head, *lines = out.splitlines()
    assert status == 0
    assert [line.split()[-1] for line in lines] == [OPEN, BAD, HEALTHY]
    assert [line.split()[3] for line in lines] == ["inconclusive", "fail", "pass"]
    assert max(map(len, out.splitlines())) <= 80
    assert head.split() == ["UTC", "verdict", "of", "look", "id"]


def test_history_shows_at_most_twenty_and_how_to_ask_for_older_ones(judge, url):
    keep(url, *(judged(f"02{number:02}", "pass", at=2e9 + number) for number in range(19)))

    _, out, _ = judge("history")
    _, rest, _ = judge("history", "--before", BAD)

    assert len(out.splitlines()) == 22
    assert out.splitlines()[-1] == f"older ones: --before {OPEN}" or f"--before {BAD}" in out.splitlines()[-1]
    assert [line.split()[-1] for line in rest.splitlines()[1:]] == [HEALTHY]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--verdict", "fail"], [BAD]),
        (["--config", "http-service", "--service", "shop", "--rollout", "shop", "--limit", "2"], [OPEN, BAD]),
        (["--canary", "nowhere"], [OPEN]),
        (["--since", "2025-11-20T00:00:00Z", "--until", "2025-11-20T09:00:06Z"], [HEALTHY]),
        (["--namespace", "nowhere"], []),
        (["--label", "any"], []),
    ],
)
def test_history_is_filtered(judge, options, found):
    status, out, _ = judge("history", "--format", "json", *options)

    assert status == 0
    assert [row["id"] for row in json.loads(out)["verdicts"]] == found


def test_formats_of_history(judge):
    rows = list(csv.DictReader(io.StringIO(judge("history", "--format", "csv")[1])))
    table = judge("history", "--format", "markdown")[1].splitlines()

    assert [row["verdict"] for row in rows] == ["inconclusive", "fail", "pass"]
    assert rows[1]["asked_at"] == "2025-11-20T09:00:06Z"
    assert table[3].startswith("| 2025-11-20 09:00:06 | ✖ fail | shop http-service | 20/20 |  | critical error-ratio: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--verdict", "marginal"], "no verdict fits these filters"),
        (["--before", HEALTHY], "there is no older verdict of this kind"),
    ],
)
def test_an_empty_history_says_why(judge, options, said):
    assert judge("history", *options) == (0, f"{said}\n", "")


def test_a_history_without_a_verdict_says_where_they_come_from(judge, tmp_path):
    empty = f"sqlite:///{tmp_path}/empty.db"
    with closing(open_archive(empty)) as archive:
        archive.ping()

    assert "no verdict has been kept yet" in judge("history", archive=empty)[1]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["history", "--verdict", "bad"], 2, "verdict: unknown verdict 'bad' (allowed: pass, marginal"),
        (["history", "--since", "yesterday"], 2, "since: not a time: 'yesterday'"),
        (["history", "--before", "nope"], 4, "no verdict has the id 'nope'"),
        (["history", "--archive", "none"], 2, "there is no history: the archive is 'none'"),
        (["history", "--archive", "sqlite:///nowhere.db"], 4, "archive nowhere.db: there is no such file"),
        (["label", "nope", "right", "--by", "ann"], 4, "no verdict has the id 'nope'"),
        (["label", BAD, "right"], 2, "by: is missing: who says so?"),
        (["report", "nope"], 4, "no verdict has the id 'nope'"),
        (["rejudge", "nope"], 4, "no verdict has the id 'nope'"),
        (["rejudge"], 2, "give either the IDs of verdicts or --all"),
        (["rejudge", BAD, "--of", "x"], 2, "filters go with --all"),
        (["rejudge", BAD, "--set", "tolerance"], 2, "--set: needs KEY=VALUE"),
        (["rejudge", BAD, "--set", "tolerence=5%"], 2, "tolerence: is no key of a config"),
        (["rejudge", BAD, "--set", "metrics.p99.must_detect=5%"], 2, "there is no metric 'p99' (allowed: error-ratio"),
        (["rejudge", BAD, "--set", "tolerance=-5%"], 2, "tolerance"),
        (["rejudge", BAD, "--judge", "kayent"], 2, "unknown judge 'kayent'; did you mean 'kayenta'?"),
        (["history", "export", "no/such/folder.jsonl"], 2, "no/such/folder.jsonl: cannot be written: No such file"),
        (["history", "import", "nowhere.jsonl"], 2, "nowhere.jsonl: cannot be read"),
        (["report", "nowhere.jsonl"], 2, "nowhere.jsonl: there is no such file, and no kept verdict of this id"),
        (["history", "prune", "--days", "nan"], 2, "'--days': 'nan' is not a valid float"),
        (["history", "prune", "--megabytes", "nan"], 2, "'--megabytes': 'nan' is not a valid float"),
    ],
)
def test_wrong_use_is_said_with_its_status(judge, args, status, said):
    found, _, err = judge(*args)

    assert (found, said in err) == (status, True), err
    assert not Path("nowhere.db").exists()


def test_nothing_that_a_name_holds_is_obeyed_by_a_terminal_or_by_markdown(judge, url):
    keep(url, judged("02A", "fail", at=2e9, config=HTML))

    text, table = judge("history")[1], judge("history", "--format", "markdown")[1]

    assert "\x1b" not in text + table
    assert "<b>" not in table
    assert "&lt;b&gt;p99&lt;/b&gt;" in table


# labels and scores


def test_a_label_is_shown_in_the_history_and_may_be_changed(judge):
    assert judge("label", BAD, "wrong", "--by", "ann", "--why", "the load test ran")[0] == 0
    status, out, _ = judge("label", BAD, "right", "--by", "bob")

    assert (status, out) == (0, f"{BAD}: the verdict fail of http-service is labelled right by bob; 1 earlier kept beside it\n")
    assert [row["label"] for row in json.loads(judge("history", "--format", "json")[1])["verdicts"]] == [None, "right", None]
    assert "label" in judge("history")[1].splitlines()[0]


def test_the_score_of_unlabelled_verdicts_is_said_in_words(judge):
    status, out, _ = judge("history", "--score")

    assert status == 0
    assert out.startswith("no verdict is labelled yet, so nobody can tell how often the judge was right.\n")
    assert "judge label ID right|wrong" in out


def test_the_score_counts_alarms_misses_and_what_stayed_open(judge, url):
    keep(
        url,
        judged("02A", "fail", errors="high", latency="pass"),
        judged("02B", "fail", errors="high", latency="undecided"),
        judged("02C", "pass", errors="pass", latency="pass"),
        judged("02D", "pass", errors="pass", latency="nodata"),
        judged("02E", "inconclusive", errors="undecided"),
        judged("02F", "fail", at=1_766_000_000.0, errors="pass", latency="low"),
        labels={"02A": "right", "02B": "wrong", "02C": "right", "02D": "wrong", "02E": "right", "02F": "right"},
    )

    found = json.loads(judge("history", "--score", "--format", "json")[1])["scores"]

    counts = ("alarms", "false_alarms", "missed", "quiet", "undecided", "precision", "recall")
    told = {(one["metric"], one["month"]): tuple(one[name] for name in counts) for one in found}
    assert told == {
        ("", ""): (2, 1, 1, 1, 1, pytest.approx(2 / 3), pytest.approx(2 / 3)),
        ("", "2025-11"): (1, 1, 1, 1, 1, 0.5, 0.5),
        ("", "2025-12"): (1, 0, 0, 0, 0, 1.0, 1.0),
        ("errors", ""): (1, 1, 2, 1, 0, 0.5, pytest.approx(1 / 3)),
        ("errors", "2025-11"): (1, 1, 1, 1, 0, 0.5, 0.5),
        ("errors", "2025-12"): (0, 0, 1, 0, 0, None, 0.0),
        ("latency", ""): (1, 0, 1, 1, 2, 1.0, 0.5),
        ("latency", "2025-11"): (0, 0, 1, 1, 2, None, 0.0),
        ("latency", "2025-12"): (1, 0, 0, 0, 0, 1.0, 1.0),
    }


def test_the_score_as_text_says_what_its_words_mean(judge, url):
    keep(url, labels={BAD: "right", HEALTHY: "wrong", OPEN: "right"})

    out = judge("history", "--score")[1]

    assert out.startswith("http-service: 3 labelled verdicts\n")
    assert re.search(r"verdicts +1\.00 \(1 of 1\) +0\.50 \(1 of 2\) +1\n", out)
    assert re.search(r"memory +– +0\.00 \(0 of 2\) +–\n", out)
    assert "of the bad canaries that passed or failed" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(("form", "start"), [("csv", "config,metric,month,labelled,"), ("markdown", "| config | of | month |")])
def test_formats_of_the_score(judge, url, form, start):
    keep(url, labels={BAD: "right"})

    assert judge("history", "--score", "--format", form)[1].startswith(start)


# report


def test_the_report_of_a_kept_verdict_is_one_file(judge, tmp_path):
    status, out, _ = judge("report", BAD, "-o", "bad.html")

    page = (tmp_path / "bad.html").read_text()
    assert (status, out.startswith("bad.html: fail, ")) == (0, True)
    assert page.lower().startswith("<!doctype html>")
    assert "error-ratio" in page


def test_the_report_of_a_dump_is_that_of_the_canary_that_is_named(judge, tmp_path):
    dump = DEMO / "canaries.jsonl.gz"

    several = judge("report", dump)
    named = judge("report", dump, "--canary", "shop-bad")
    unknown = judge("report", dump, "--canary", "shop")

    assert (several[0], "holds 2 canaries; choose one with --canary (allowed: shop-healthy, shop-bad)" in several[2]) == (2, True)
    assert (named[0], (tmp_path / "shop-bad.html").is_file()) == (0, True)
    assert (unknown[0], "there is no canary 'shop'" in unknown[2]) == (2, True)


def test_the_report_of_an_exported_verdict_is_that_of_the_archive(judge, tmp_path):
    judge("history", "export", "saved.jsonl", BAD)

    assert judge("report", "saved.jsonl", "-o", "from-dump.html")[0] == 0
    judge("report", BAD, "-o", "from-archive.html")
    assert (tmp_path / "from-dump.html").read_text() == (tmp_path / "from-archive.html").read_text()


# export and import


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz"])
def test_what_is_exported_comes_back_as_it_was(judge, url, tmp_path, name):
    judge("label", BAD, "wrong", "--by", "ann", "--why", HTML)
    judge("label", BAD, "right", "--by", "bob")
    other = f"sqlite:///{tmp_path}/other.db"

    assert judge("history", "export", name)[:2] == (0, f"{name}: 3 verdicts\n")
    assert judge("history", "import", name, archive=other)[:2] == (0, f"{name}: 3 verdicts taken in\n")
    assert judge("history", "import", name, archive=other)[:2] == (0, f"{name}: nothing to take in; all 3 are here already\n")
    judge("history", "export", f"again-{name}", archive=other)

    assert Path(name).read_bytes() == Path(f"again-{name}").read_bytes()
    with closing(open_archive(url)) as here, closing(open_archive(other)) as there:
        for verdict_id in (HEALTHY, BAD, OPEN):
            assert there.get(verdict_id) == here.get(verdict_id)
            assert list(there.labels(verdict_id)) == list(here.labels(verdict_id))
        assert there.list() == here.list()
        assert there.answer(here.get(BAD)["question"]) == here.get(BAD)


def test_an_exported_file_is_a_dump_that_gives_the_same_verdicts(judge):
    judge("history", "export", "two.jsonl.gz", BAD, HEALTHY)

    lines = [json.loads(line) for line in judge("score", "two.jsonl.gz", "--format", "jsonl")[1].splitlines()]

    assert [(line["id"], line["verdict"], line["score"]) for line in lines] == [(BAD, "fail", 0.0), (HEALTHY, "pass", 100.0)]


def test_series_stand_in_an_exported_line_once(judge):
    judge("history", "export", "one.jsonl", BAD)

    line = json.loads(Path("one.jsonl").read_text())
    latency = next(index for index, metric in enumerate(line["metrics"]) if metric["name"] == "latency-p99")
    assert len(line["metrics"][latency]["canary"]["t"]) == 31
    assert line["record"]["samples"][latency]["canary"] is None


def test_a_record_that_cannot_be_judged_again_is_exported_all_the_same(judge, url, tmp_path):
    keep(url, record(verdict_id="02A"))
    other = f"sqlite:///{tmp_path}/other.db"

    judge("history", "export", "odd.jsonl", "02A")
    judge("history", "import", "odd.jsonl", archive=other)

    whole = record(verdict_id="02A")
    assert whole["reusable"]
    with closing(open_archive(other)) as there:
        # Its samples cannot show that its verdict is theirs, so it answers no live question.
        assert there.get("02A") == {**whole, "reusable": False}
        assert there.answer(whole["question"]) is None


def test_an_export_that_fails_leaves_the_file_as_it_was(judge):
    Path("mine.jsonl").write_text("precious")

    status, _, err = judge("history", "export", "mine.jsonl", BAD, "nope")

    assert (status, "no verdict has the id 'nope'" in err) == (4, True)
    assert Path("mine.jsonl").read_text() == "precious"
    assert [path.name for path in Path().glob("*.part")] == []


def test_other_dumps_are_judged_and_taken_in_once(judge, tmp_path):
    other = f"sqlite:///{tmp_path}/other.db"
    plain = {
        "id": "night <b>",
        "metrics": [
            {"name": "p99", "direction": "increase", **{side: {"t": [0, 60, 120], "v": [1, 2, 3]} for side in ("baseline", "canary")}}
        ],
    }
    Path("plain.json").write_text(json.dumps(plain))

    assert judge("history", "import", DEMO / "canaries.jsonl.gz", "plain.json", archive=other)[0] == 0
    assert "all 2 are here already" in judge("history", "import", DEMO / "canaries.jsonl.gz", archive=other)[1]

    rows = json.loads(judge("history", "--format", "json", archive=other)[1])["verdicts"]
    assert sorted((row["config"], row["canary"]) for row in rows) == [
        ("dump", "night <b>"),
        ("http-service", "nwlqxqmdp"),
        ("http-service", "r6cpj765v"),
    ]
    assert judge("rejudge", "--all", archive=other)[0] == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"record": {}}, "record.id: is missing", id="an empty record"),
        pytest.param({"record": {"id": "../etc"}}, "record.id: is no id of a verdict: '../etc'", id="an id that is a path"),
        pytest.param({"labels": [{"label": "maybe"}]}, "labels.0: must have label (right or wrong)", id="a wrong label"),
        pytest.param({"labels": "right"}, "labels: must be a list", id="labels that are no list"),
        pytest.param({"metrics": []}, "metrics.1: is missing; its samples stand nowhere else", id="series that are gone"),
        pytest.param({"metrics": [1, 2, 3, 4]}, "metrics: do not belong to the record", id="metrics that are none"),
    ],
)
def test_a_line_that_was_tampered_with_is_named_and_the_others_taken_in(judge, tmp_path, changed, said):
    judge("history", "export", "all.jsonl", BAD, HEALTHY)
    first, second = Path("all.jsonl").read_text().splitlines()
    Path("all.jsonl").write_text(f"{json.dumps(json.loads(first) | changed)}\n{second}\n{{nope\n")

    status, out, err = judge("history", "import", "all.jsonl", archive=f"sqlite:///{tmp_path}/other.db")

    assert (status, out) == (2, "all.jsonl: 1 verdict taken in\n")
    assert f"all.jsonl:1: {said}" in err
    assert "all.jsonl:3: not JSON" in err


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes(judge, tmp_path):
    judge("history", "export", "all.jsonl.gz")
    lines = gzip.decompress(Path("all.jsonl.gz").read_bytes())
    Path("cut.jsonl").write_bytes(lines[: len(lines) - 500])

    status, out, err = judge("history", "import", "cut.jsonl", archive=f"sqlite:///{tmp_path}/other.db")

    assert (status, out) == (2, "cut.jsonl: 2 verdicts taken in\n")
    assert "cut.jsonl:3: not JSON" in err


# prune


def test_pruning_is_said_before_it_is_done(judge):
    judge("label", HEALTHY, "right", "--by", "ann")

    would = judge("history", "prune", "--days", "0", "--dry-run")
    did = judge("history", "prune", "--days", "0")

    assert would[1].startswith("would delete 2 verdicts (0.0 MB), the newest of 2025-11-20 09:00:07 UTC")
    assert did[1] == would[1].replace("would delete", "deleted")
    assert [row["id"] for row in json.loads(judge("history", "--format", "json")[1])["verdicts"]] == [HEALTHY]
    assert judge("history", "prune", "--days", "0")[1] == "deleted nothing: every verdict is to be kept\n"
    assert judge("history", "prune", "--days", "0", "--no-keep-labelled")[1].startswith("deleted 1 verdicts")


def test_verdicts_are_kept_for_ever_unless_told_otherwise(judge):
    assert judge("history", "prune")[1].startswith("verdicts are kept for ever: set archive_keep_days")


# rejudge


def test_a_verdict_judged_again_is_identical(judge):
    assert judge("rejudge", BAD)[:2] == (
        0,
        f"{BAD}: fail, identical\n1 judged again: 1 identical, 0 the same verdict with other numbers, 0 another verdict\n",
    )
    assert judge("rejudge", "--all")[:2] == (0, "3 judged again: 3 identical, 0 the same verdict with other numbers, 0 another verdict\n")
    assert judge("rejudge", "--all", "--of", "nope")[:2] == (0, "no verdict fits, so nothing was judged again\n")


def test_other_settings_show_which_verdicts_would_change(judge):
    status, out, _ = judge("rejudge", "--all", "--set", "tolerance=900%", "--set", "must_detect=1000%")

    assert status == 3
    assert f"{BAD}: fail then, pass now\n  because: tolerance set to 900%\n" in out
    assert 'results.error-ratio.classification: "high" then, "pass" now' in out
    assert HEALTHY not in out
    assert out.splitlines()[-1] == "3 judged again: 2 the same verdict, 1 another"


def test_another_config_or_judge_may_be_tried(judge, tmp_path):
    config = (DEMO / "http-service.yaml").read_text()
    Path("strict.yaml").write_text(config)

    assert judge("rejudge", BAD, "--config", "strict.yaml")[0] == 0
    status, out, _ = judge("rejudge", BAD, "--judge", "kayenta", "--format", "jsonl")

    found = json.loads(out)
    assert status == 0
    assert found["why"] == ["judge kayenta instead of sequential"]
    assert (found["identical"], found["same_verdict"], found["now"]["verdict"]) == (False, True, "fail")


def test_a_verdict_of_another_version_says_what_differs_and_why(judge, url):
    with closing(open_archive(url)) as archive:
        changed = archive.get(BAD)
        changed = changed | {"id": "02A", "reusable": False, "versions": {**changed["versions"], "judge": "0.0.9"}}
        changed["verdict"] = changed["verdict"] | {"verdict": "pass", "score": 97.0}
        archive.keep(changed)

    status, out, _ = judge("rejudge", "02A")

    assert status == 3
    assert out.startswith("02A: pass then, fail now\n  because: judge 0.0.9 then, ")
    assert "  score: 97.0 then, 0.0 now" in out


def test_a_damaged_record_is_named_and_the_others_judged(judge, url):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw, raw:
        raw.execute("UPDATE judge_records SET samples = NULL WHERE verdict_id = ?", (OPEN,))

    status, out, err = judge("rejudge", "--all")

    assert status == 2
    assert "cannot be judged again, its record is not whole: it has no 'samples'" in err
    assert "2 judged again: 2 identical" in out
    assert "1 could not be judged again" in out


def test_retention_of_the_settings_is_what_prune_and_the_service_use(settings, tmp_path):
    service = Service(settings.model_copy(update={"archive_keep_days": 30.0, "archive_keep_labelled": False}), open_archive("none"))

    assert (service.retention.days, service.retention.megabytes, service.retention.labelled) == (30.0, None, False)
    assert Service(settings, open_archive("none")).retention.for_ever
