"""Settings from server.yaml and JUDGE_*."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from judge.errors import ConfigError
from judge.settings import load_settings, misspelt

SERVER = """
sources:
  default:
    url: http://prometheus:9090
    headers: {X-Scope-OrgID: team}
    bearer_token_env: PROM_TOKEN
    read_timeout: 5s
  dumps: {type: dumps, path: saved}
archive_url: sqlite:////data/judge.sqlite
public_url: https://judge.example/
deadline: 6s
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "server.yaml").write_text(SERVER)
    return tmp_path


def test_the_file_says_it_all(folder):
    found = load_settings({"PROM_TOKEN": "s3cret"}, config_dir=folder)

    source = found.sources["default"]
    assert (source.url, source.bearer_token, source.read_timeout) == ("http://prometheus:9090", "s3cret", 5)
    assert source.headers == {"X-Scope-OrgID": "team"}
    assert found.sources["dumps"].path == str(folder / "saved")
    assert (found.archive_url, found.public_url, found.deadline) == ("sqlite:////data/judge.sqlite", "https://judge.example", 6)


def test_the_environment_wins_over_the_file(folder):
    environ = {
        "PROM_TOKEN": "t",
        "JUDGE_CONFIG_DIR": str(folder),
        "JUDGE_PROMETHEUS_URL": "https://other:9090/prom",
        "JUDGE_ARCHIVE_URL": "none",
        "JUDGE_PUBLIC_URL": "http://j",
        "JUDGE_DEADLINE": "4",
    }

    found = load_settings(environ)

    assert found.sources["default"].url == "https://other:9090/prom"
    assert found.sources["default"].headers == {"X-Scope-OrgID": "team"}
    assert (found.archive_url, found.public_url, found.deadline) == ("none", "http://j", 4)


def test_defaults_without_file_or_environment(tmp_path):
    found = load_settings({}, config_dir=tmp_path)

    assert (dict(found.sources), found.archive_url, found.deadline) == ({}, "sqlite:///judge.sqlite", 8)
    assert load_settings({}).config_dir == Path("configs")


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("sources: {default: {urll: x}}", {}, r"sources.default.urll: unknown key; did you mean 'url'"),
        ("sources: {default: {}}", {}, "sources.default.url: is missing"),
        ("sources: {d: {type: dumps}}", {}, "sources.d.path: is missing"),
        ("sources: {d: {type: dump}}", {}, "sources.d.type: should be 'prometheus' or 'dumps', found 'dump'; did you mean 'dumps'"),
        ("sources: {edge: {headers: {a: b}}}", {"JUDGE_PROMETHEUS_URL": "http://p"}, "sources.edge.url: is missing"),
        ("sources: {d: {type: dumps, path: x, url: y}}", {}, "sources.d.url: unknown key"),
        ("sources: {default: {url: 'prometheus:9090'}}", {}, "must be an http or https address"),
        ("sources: {default: {url: 'http://u:p@h:9/?x=1'}}", {}, "an address with a password"),
        ("sources: {default: {url: 'http://h', bearer_token_env: NOPE}}", {}, "the environment variable NOPE is not set"),
        ("deadline: 0.1", {}, "between 1 and 600 seconds"),
        ("", {"JUDGE_PROMETHEUS_URL": "ftp://x"}, "environment: JUDGE_PROMETHEUS_URL: must be an http"),
        ("", {"JUDGE_DEADLINE": "soon"}, "JUDGE_DEADLINE: must be seconds"),
        ("tokens_file: 7", {}, "tokens_file"),
        ("sources: [", {}, "not YAML"),
    ],
)
def test_faults(tmp_path, text, environ, message):
    (tmp_path / "server.yaml").write_text(text)

    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(environ, config_dir=tmp_path)

    assert "u:p" not in str(caught.value)


def test_a_folder_that_may_not_be_looked_into_is_named(folder):
    folder.chmod(0)
    root = os.geteuid() == 0
    if root:  # whom no mode keeps out
        os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match=r"server\.yaml: cannot be read: Permission denied$"):
            load_settings({}, config_dir=folder)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_record_holds_what_can_change_a_verdict_and_no_secret(folder):
    recorded = load_settings({"PROM_TOKEN": "s3cret"}, config_dir=folder).sources["default"].recorded()

    assert (recorded["type"], recorded["read_timeout"], recorded["lookback"], recorded["partial"]) == ("prometheus", 5, 300, "mark")
    assert {"url", "headers", "bearer_token_env"} & set(recorded) == set()
    assert "s3cret" not in repr(recorded)


def test_the_address_of_the_environment_takes_the_place_of_another_type(folder):
    (folder / "server.yaml").write_text("sources: {default: {type: dumps, path: saved}}", encoding="utf-8")
    found = load_settings({"JUDGE_PROMETHEUS_URL": "http://p:9090"}, config_dir=folder)

    assert (found.sources["default"].type, found.sources["default"].url) == ("prometheus", "http://p:9090")


def test_secrets_are_not_shown(folder):
    assert "s3cret" not in repr(load_settings({"PROM_TOKEN": "s3cret"}, config_dir=folder))


def test_misspelt_names_are_said_and_those_of_kubernetes_are_not():
    environ = {"JUDGE_PROMETHEUS_ULR": "x", "JUDGE_PORT": "tcp://10.0.0.1:80", "JUDGE_SERVICE_HOST": "10.0.0.1", "JUDGE_PORT_8080_TCP": "x"}

    assert misspelt(environ) == ["JUDGE_PROMETHEUS_ULR is not read; did you mean JUDGE_PROMETHEUS_URL?"]


def test_a_type_that_is_none_is_refused_by_the_names_that_there_are(folder):
    (folder / "server.yaml").write_text('sources: {default: {type: null, url: "http://prometheus:9090"}}\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"sources\.default\.type: is no type \(allowed: prometheus, dumps\)"):
        load_settings({}, config_dir=folder)
