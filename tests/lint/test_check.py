"""``judge check``: what it reads, what it prints, and that nothing makes it crash."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from judge.cli.main import cli
from judge.lint.checker import check
from judge.lint.documents import Broken, Document, Skipped, line_of, read, split
from judge.lint.rule import Kind
from judge.lint.rules import RULES

ROOT = Path(__file__).parents[2]
GATE = (ROOT / "configs" / "argo" / "judge-gate.yaml").read_text(encoding="utf-8")
FAULTY = GATE.replace("failureLimit: 0", "failureLimit: 1")


@pytest.fixture(autouse=True)
def our_configs(monkeypatch):
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(ROOT / "configs"))


def judge_check(*args, text=None):
    result = CliRunner().invoke(cli, ["check", *map(str, args)], input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_fault_is_told_with_file_line_place_and_rule(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(FAULTY)
    number = FAULTY[: FAULTY.index("failureLimit: 1")].count("\n") + 1

    status, out, err = judge_check(path)

    assert (status, out) == (2, "")
    assert err == (
        f"{path}:{number}: error: spec.metrics.0.failureLimit: "
        "1 measurements cannot fail more than 1 times: this metric never fails [never-fails]\n"
    )


def test_what_is_well_is_told(tmp_path):
    (tmp_path / "gate.yaml").write_text(GATE)

    assert judge_check(tmp_path) == (0, f"{tmp_path / 'gate.yaml'}: ok, ClusterAnalysisTemplate judge-gate, 1 metrics\n", "")


@pytest.mark.parametrize(("text", "status"), [(GATE, 0), (FAULTY, 2)], ids=["good", "faulty"])
def test_standard_input(text, status):
    found = judge_check("-", text=text)

    assert found[0] == status
    assert "standard input" in found[1] + found[2]


def test_a_hint_leaves_the_status_alone(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(GATE.replace("    - name: rollout\n", "    - name: rollout\n    - name: unused\n"))

    status, out, err = judge_check(path)

    assert (status, err) == (0, "")
    assert "info: spec.args.5: no metric uses the arg 'unused' [arg-unused]" in out


def test_json(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(FAULTY)

    document = json.loads(judge_check(path, "--format", "json")[1])

    assert document["ok"] is False
    assert document["checked"] == [{"file": str(path), "kind": "template", "name": "judge-gate"}]
    [finding] = document["findings"]
    assert (finding["rule"], finding["severity"], finding["page"]) == ("never-fails", "error", "docs/checks/never-fails.md")


def test_sarif(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(FAULTY)

    status, out, _ = judge_check(path, "--format", "sarif")

    document = json.loads(out)
    [run] = document["runs"]
    [result] = run["results"]
    assert (status, document["version"]) == (2, "2.1.0")
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {*RULES, "unusable"}
    assert (result["ruleId"], result["level"]) == ("never-fails", "error")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": path.as_posix()}
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] > 10


def test_several_documents_of_a_file(tmp_path):
    path = tmp_path / "all.yaml"
    path.write_text(f"{GATE}--- # the second\n{FAULTY}---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {{}}\n...\n")

    _, out, _ = judge_check(path, "--format", "json")

    document = json.loads(out)
    [finding] = document["findings"]
    assert len(document["checked"]) == 2
    assert document["skipped"] == [{"file": str(path), "reason": "Service of v1"}]
    assert finding["line"] > GATE.count("\n")
    assert path.read_text().splitlines()[finding["line"] - 1].strip().startswith("failureLimit: 1")


def test_a_list_as_kubectl_prints_it(tmp_path):
    reader = YAML(typ="safe", pure=True)
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [reader.load(GATE), reader.load(FAULTY)]}))

    [finding] = json.loads(judge_check(path, "--format", "json")[1])["findings"]

    assert (finding["rule"], finding["line"]) == ("never-fails", 0)


def test_anchors_and_merges_are_followed(tmp_path):
    path = tmp_path / "gate.yaml"
    text = FAULTY.replace("    - name: judge-gate\n", "    - &metric\n      name: judge-gate\n")
    path.write_text(text + "    - {<<: *metric, name: again}\n    - *metric\n")

    found = json.loads(judge_check(path, "--format", "json")[1])["findings"]

    never = [finding["path"] for finding in found if finding["rule"] == "never-fails"]
    assert sorted(never) == [f"spec.metrics.{index}.failureLimit" for index in range(3)]
    assert [finding["path"] for finding in found if finding["rule"] != "never-fails"] == ["spec.metrics.2.name"]
    assert all(finding["line"] for finding in found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("metadata: {name: {{ .Values.name }}}\n", id="a value"),
        pytest.param("{{- if .Values.judge }}\na: 1\n{{- end }}\n", id="a condition"),
        pytest.param("a: {{ include `x` . }}\n", id="an include"),
    ],
)
def test_helm_is_skipped_by_name(tmp_path, text):
    path = tmp_path / "template.yaml"
    path.write_text(text)

    status, out, err = judge_check(path)

    assert (status, err) == (0, "")
    assert out == f"{path}: skipped, a Helm template; render it first: helm template … | judge check -\n"


def test_argos_own_braces_are_no_helm(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text(GATE)

    assert not any(isinstance(item, Skipped) for item in read(path))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("a: [1\n", "not YAML", id="not YAML"),
        pytest.param("a: &a [*a]\n", "refers to itself in a circle", id="a circle"),
        pytest.param("a: 1\na: 2\n", "not YAML", id="a key twice"),
        pytest.param("[1, 2]\n", "expected a mapping", id="a list"),
        pytest.param("", "expected a mapping", id="nothing"),
        pytest.param("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n", "this Rollout has no spec", id="no spec"),
        pytest.param("a: \x00\n", "not YAML", id="a control character"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, fault):
    path = tmp_path / "broken.yaml"
    path.write_text(text)

    status, out, err = judge_check(path)

    assert (status, out) == (2, "")
    assert err.startswith(f"{path}: ")
    assert fault in err


def test_what_is_no_text_is_named(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    assert "cannot be read" in judge_check(path)[2]


def test_folders_inside_are_looked_through(tmp_path):
    inside = tmp_path / "apps" / "shop"
    inside.mkdir(parents=True)
    (inside / "gate.yml").write_text(FAULTY)
    (inside / "values.yaml").write_text("replicas: 3\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("a: [")

    status, out, err = judge_check(tmp_path)

    assert status == 2
    assert "values.yaml: skipped, neither a canary config nor of Argo Rollouts" in out
    assert err.count("\n") == 1


KEYS = (
    "metrics",
    "provider",
    "web",
    "kayenta",
    "scopes",
    "url",
    "jsonBody",
    "jsonPath",
    "count",
    "interval",
    "failureLimit",
    "args",
    "name",
    "dryRun",
    "metricName",
    "strategy",
    "canary",
    "steps",
    "analysis",
    "templates",
    "templateName",
    "analyses",
    "successCondition",
    "config",
    "timeoutSeconds",
    "controlScope",
    "experiment",
    "blueGreen",
    "prePromotionAnalysis",
    "postPromotionAnalysis",
    "scaleDownDelaySeconds",
    "startingStep",
    "setWeight",
    "pause",
    "duration",
    "valueFrom",
    "podTemplateHashValue",
    "value",
)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 99)
    | st.text("{}argsx.$/-0 ", max_size=12)
    | st.sampled_from(["http://j/v1/verdict", "90s"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=4),
    max_leaves=12,
)


@pytest.mark.extended
@hypothesis.settings(max_examples=500)
@given(spec=st.dictionaries(st.sampled_from(KEYS), ODD, max_size=5), kind=st.sampled_from([Kind.TEMPLATE, Kind.ROLLOUT, Kind.EXPERIMENT]))
def test_no_shape_makes_a_rule_crash(spec, kind):
    document = Document(where="x", kind=kind, data={"kind": "X", "metadata": spec, "spec": spec}, text=json.dumps({"spec": spec}))
    template = Document(where="y", kind=Kind.TEMPLATE, data={"kind": "AnalysisTemplate", "metadata": {"name": "90s"}, "spec": spec})

    for finding in check([document, template], configs={}, deadline=8).findings:
        assert finding.message


WORDS = st.sampled_from(
    [
        *KEYS,
        "apiVersion: argoproj.io/v1alpha1",
        "kind: Rollout",
        "kind: AnalysisTemplate",
        "kind: List",
        "spec:",
        "items:",
        "metadata: {name: x}",
        "---",
        "...",
        "&a",
        "*a",
        "<<: *a",
        "!!python/object:os.system",
        "!tag",
        "{{args.x}}",
        "{{ .Values.x }}",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "? ",
        "|",
        ">-",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "# x",
        "'",
        '"',
        "~",
        "1e400",
        "0o17",
        "2026-01-01",
        "\ufeff",
        "\x85",
        "name: shop",
        "scope: 'a=\"${hash}\"'",
        "query: up{${scope}}",
        "judge: kayenta",
        "classifier: {}",
    ]
)


@pytest.mark.extended
@hypothesis.settings(max_examples=400)
@given(text=st.lists(WORDS, max_size=25).map("".join), deep=st.booleans())
def test_no_text_makes_the_reader_crash(tmp_path_factory, text, deep):
    """Whatever stands in a file is a document, is skipped, or is named as broken."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")

    found = list(read(path, deep=deep))
    report = check(found, configs={}, deadline=8)

    assert found
    assert all(isinstance(item, Document | Skipped | Broken) for item in found)
    assert all(finding.message for finding in report.findings)


@hypothesis.settings(max_examples=60)
@given(config=st.dictionaries(st.sampled_from(["name", "scope", "metrics", "judge", "args", "window", "looks", "traffic", "groups"]), ODD))
def test_no_config_makes_the_reader_crash(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(config), encoding="utf-8")

    for item in read(path):
        assert isinstance(item, Document | Broken)


@given(st.text("ab:-. \n#", max_size=60))
def test_splitting_keeps_every_line_where_it_is(text):
    lines = text.split("\n")
    for part in split(text):
        for number, line in enumerate(part.split("\n")):
            if line.strip() and not line.startswith("   "):
                assert lines[number] == line


def test_a_place_that_is_not_there_is_told_by_what_is_above_it():
    document = Document(where="x", kind=Kind.TEMPLATE, data={}, text="a:\n  b:\n    - c: 1\n")

    assert [line_of(document, place) for place in [("a",), ("a", "b", 0, "c"), ("a", "b", 0, "d"), ("a", "x"), ("z",)]] == [1, 3, 3, 1, 1]
