"""`notice` is called `must_detect`: whatever still says the old word is refused by name, and `judge convert` rewrites a config."""

from __future__ import annotations

import copy
import gzip
import json

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.config.load import load_config, parse_config
from judge.errors import ConfigError, DumpError
from judge.sources.dumps.read import load_dump
from judge.verdicts.import_dump import read_record
from judge.verdicts.rejudge import with_values
from tests.demo_service import DEMO

OLD = """\
# What we accept of the shop.
name: shop
scope: 'app="${hash}"'
metrics:
  - name: latency   # notice: this comment stays
    query: avg(latency{${scope}})
    tolerance: 5%
    notice: 20%
  - {name: errors, query: 'sum(errors{${scope}})', notice: {relative: 30%, absolute: 0.1}}
"""


def test_a_config_with_the_old_word_is_refused_by_name(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(OLD)

    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    assert [(fault.path, fault.message) for fault in refusal.value.faults] == [
        ("metrics.0.notice", "unknown key: it is called must_detect now"),
        ("metrics.1.notice", "unknown key: it is called must_detect now"),
    ]


def test_convert_rewrites_an_old_config_and_keeps_its_comments(tmp_path):
    path, new = tmp_path / "shop.yaml", tmp_path / "new.yaml"
    path.write_text(OLD)
    done = CliRunner().invoke(cli, ["convert", str(path), "-o", str(new)])

    assert done.exit_code == 0, done.output
    assert new.read_text() == OLD.replace("    notice: 20%", "    must_detect: 20%").replace("notice: {", "must_detect: {")
    config = load_config(new)
    assert (config.metric("latency").must_detect.relative, config.metric("errors").must_detect.absolute) == (0.2, 0.1)


def test_convert_renames_keys_of_metrics_and_nothing_else(tmp_path):
    path = tmp_path / "shop.yaml"
    text = """\
name: shop
description: "see, notice: it"
scopes: {notice: 'app="${hash}"'}
scope: notice
metrics:
  - name: latency
    query: >-
      avg(latency{${scope}}) # the text of
      notice: memory
    "notice": 20%
"""
    path.write_text(text)
    done = CliRunner().invoke(cli, ["convert", str(path)])

    assert done.exit_code == 0, done.output
    assert done.output == text.replace('"notice": 20%', '"must_detect": 20%')


def test_convert_says_where_a_key_is_spelled_so_that_it_is_not_renamed(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(OLD.replace("    notice: 20%", '    "not\\u0069ce": 20%'))
    done = CliRunner().invoke(cli, ["convert", str(path)])

    assert done.exit_code == 2
    assert "line 8: notice is called must_detect now; rename it by hand" in done.output


def test_convert_rewrites_json_too_and_refuses_what_has_nothing_old(tmp_path):
    path = tmp_path / "shop.json"
    path.write_text(
        json.dumps({"name": "shop", "scope": 'app="${hash}"', "metrics": [{"name": "a", "query": "a{${scope}}", "notice": "20%"}]})
    )
    done = CliRunner().invoke(cli, ["convert", str(path)])
    assert done.exit_code == 0, done.output
    assert parse_config(json.loads(done.output), where="").metric("a").must_detect.relative == 0.2

    path.write_text(done.output)
    again = CliRunner().invoke(cli, ["convert", str(path)])
    assert again.exit_code == 2
    assert "nothing to convert" in again.output


def test_a_dump_with_the_old_word_is_refused_although_other_unknown_keys_are_ignored(tmp_path):
    with gzip.open(DEMO / "canaries.jsonl.gz", "rt") as file:
        document = json.loads(file.readline())
    document["metrics"][1] = {**document["metrics"][1], "notice": "40%", "colour": "blue"}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))

    with pytest.raises(DumpError, match=r"metrics\.1\.notice: is called must_detect now"):
        load_dump(path)


def test_a_record_with_the_old_word_is_not_taken_in(bad_record):
    old = copy.deepcopy(bad_record)
    old["config"]["metrics"][0]["notice"] = "20%"
    old["verdict"]["results"][0]["notice"] = "20%"

    with pytest.raises(DumpError) as refusal:
        read_record({"record": old, "metrics": []}, where="line 1")
    assert "record.config.metrics.0.notice: is called must_detect now" in str(refusal.value)
    assert "record.verdict.results.0.notice: is called must_detect now" in str(refusal.value)


def test_a_changed_value_with_the_old_word_is_refused_by_name():
    with pytest.raises(ConfigError, match="it is called must_detect now"):
        with_values({"metrics": [{"name": "a"}]}, [("notice", "20%")])


@pytest.fixture(scope="module")
def bad_record():
    from judge import notebook

    return notebook.score(DEMO / "canaries.jsonl.gz")[1]
