"""What the pages show is what happens: console sessions, Python examples, answers and files."""

from __future__ import annotations

import contextlib
import doctest
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.config.load import parse_config
from judge.config.yaml import parse as parse_yaml
from judge.config.yaml import validate
from judge.core.kayenta.adapter import is_kayenta_document
from judge.settings import server_document
from judge.sources.dumps.read import RawCanary, parse
from judge.wire.request import parse_request
from tests.configs.questions import CONFIGS
from tests.docs.pages import DOCS, PAGES, README, ROOT, Block, blocks, everywhere, named, text
from tests.docs.sessions import alike, matches, run_page, serving
from tests.integration.service import fetch

GATE = ROOT / "configs" / "argo" / "judge-gate.yaml"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
WITH_SESSIONS = [page for page in PAGES if blocks(page, "console")]
WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]
OURS = {README, *(DOCS / f"{name}.md" for name in ("cli", "dumps", "http", "server"))}
"""Pages whose documents are compared here; what other pages show is theirs to test, and must only be well written."""


@pytest.mark.extended
@pytest.mark.parametrize("page", WITH_SESSIONS, ids=named)
def test_every_command_prints_what_the_page_says(page, tmp_path):
    ran = run_page(page, tmp_path)
    wrong = [f"{one.block}: $ {one.step.command}\n--- said\n{one.step.said}\n--- printed\n{one.printed}" for one in ran if not one.fits]

    assert ran
    if wrong:
        pytest.fail("\n\n".join([*wrong, "to write what is printed into the pages: python -m tests.docs"]), pytrace=False)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=named)
def test_every_python_example_works(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = "\n".join(block.text for block in blocks(page, "python"))
    example = doctest.DocTestParser().get_doctest(found, {}, named(page), str(page), 0)
    said: list[str] = []

    failed, tried = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)

    assert tried
    assert failed == 0, "".join(said)


@pytest.mark.parametrize("block", everywhere("python"), ids=str)
def test_python_is_shown_with_what_it_gives(block):
    assert block.text.startswith(">>> ")


def test_the_pages_that_must_show_something_do():
    assert {named(page) for page in WITH_SESSIONS} >= {"README.md", "docs/cli.md", "docs/dumps.md", "docs/http.md"}
    assert {named(page) for page in WITH_PYTHON} >= {"README.md", "docs/methods/mann-whitney.md"}


def test_the_verdict_in_the_readme_is_what_score_prints_of_the_recording():
    [shown] = blocks(README, "text")
    done = CliRunner().invoke(cli, ["score", str(ROOT / "judge" / "demo" / "canaries.jsonl.gz")], env={"COLUMNS": "80"})

    bad = done.stdout.partition("shop-bad\n")[2]
    assert shown.text.startswith("✖ FAIL")
    assert matches(shown.text, bad), bad


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Real answers about both recordings."""
    from tests.docs.curl import ON_THE_PAGES

    with serving(tmp_path_factory.mktemp("service")) as url:
        asked = [
            f"{url}/v1/verdict?config=http-service&baseline={baseline}&canary={canary}&service=shop&start=2025-11-20T08:30:00Z&end=2025-11-20T09:00:00Z"
            for baseline, canary in (("4wz2bt6wx", "nwlqxqmdp"), ("lmbjm2z2v", "r6cpj765v"))
        ]
        yield [json.loads(json.dumps(fetch(one)).replace(url, ON_THE_PAGES)) for one in asked]


@pytest.mark.parametrize("block", [block for block in everywhere("json") if block.page in OURS], ids=str)
def test_every_json_document_is_real(block, answers):
    document = json.loads(block.text)

    if isinstance(document, dict) and "verdict" in document:
        assert [one for one in answers if alike(document, one)], answers
    elif isinstance(document, dict) and "config" in document and "metrics" not in document:
        parse_request(document, CONFIGS, now=1_800_000_000)
    elif isinstance(document, dict) and is_kayenta_document(document):
        assert parse_config(document, where=str(block)).metrics
    else:
        assert parse(RawCanary(place=str(block), fallback_id="x", document=document)).pairs


@pytest.mark.parametrize("block", [block for block in everywhere("yaml") if block.page in OURS], ids=str)
def test_every_yaml_document_is_real(block):
    document = parse_yaml(block.text, where=str(block))
    gate = parse_yaml(GATE.read_text(encoding="utf-8"), where=str(GATE))["spec"]["metrics"][0]

    if "sources" in document:
        assert validate(server_document(), document, where=str(block)).sources
    elif "metrics" in document:
        [metric] = document["metrics"]
        assert {key: gate.get(key) for key in metric} == metric
    else:
        assert {key: gate.get(key) for key in document} == document


@pytest.mark.parametrize("block", [block for block in everywhere("json", "yaml") if block.page not in OURS], ids=str)
def test_every_other_document_can_be_read(block):
    assert (
        json.loads(block.text, parse_constant=refuse) if block.language == "json" else parse_yaml(block.text, where=str(block))
    ) is not None


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def commands(block: Block) -> list[list[str]]:
    """The arguments of each ``judge`` in a block of commands to type."""
    lines = [line.split("#")[0].split() for line in block.text.splitlines()]
    return [line[index + 1 :] for line in lines for index, word in enumerate(line) if word == "judge" and index + 1 < len(line)]


@pytest.mark.parametrize("block", [block for block in everywhere("sh") if commands(block)], ids=str)
def test_every_command_to_type_is_understood(block):
    for name, *args in commands(block):
        command = cli.get_command(None, name)
        assert command is not None, name
        with contextlib.suppress(SystemExit):
            command.make_context(name, args)


def test_the_readme_can_be_read_in_one_go():
    assert len(text(README).splitlines()) <= 220


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent not in {DOCS / "adr", DOCS / "checks"}], ids=named)
def test_no_block_is_of_a_language_that_nothing_checks(page):
    assert {block.language for block in blocks(page)} <= {"console", "csv", "json", "python", "sh", "text", "yaml"}


@pytest.mark.parametrize(
    ("said", "printed", "fits"),
    [
        pytest.param("a\nb", "a\nb", True, id="equal"),
        pytest.param("a", "a\nb", False, id="more is printed"),
        pytest.param("a\n…", "a\nb\nc", True, id="the rest is left out"),
        pytest.param("a\n…\nc", "a\nc", True, id="nothing is left out"),
        pytest.param("a\n…\nb\n…\nd", "a\nx\nb\ny\nd", True, id="two parts are left out"),
        pytest.param("a\n…\nb\n…\nd", "a\nx\ny\nd", False, id="a part in the middle is missing"),
        pytest.param("a\n…\na", "a", False, id="a line does not count twice"),
        pytest.param("at 127.0.0.1:8080", "at 127.0.0.1:4711", True, id="any port"),
    ],
)
def test_outputs_are_compared_line_by_line(said, printed, fits):
    assert matches(said, printed) is fits


@pytest.mark.parametrize(
    ("said", "found", "fits"),
    [
        pytest.param({"a": 1}, {"a": 1}, True, id="equal"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="a key is not told"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, False, id="a key is not there"),
        pytest.param({"a": "…"}, {"a": [1]}, True, id="any value"),
        pytest.param({"a": 1, "…": 0}, {"a": 1, "b": 2}, True, id="more keys"),
        pytest.param([1, "…"], [1, 2, 3], True, id="more items"),
        pytest.param([1, 2], [1, 2, 3], False, id="an item is not told"),
        pytest.param("+23% …", "+23% and so on", True, id="the rest of a text"),
        pytest.param("pass", "fail", False, id="another text"),
        pytest.param(True, 1, False, id="a number is no truth"),
        pytest.param(0.0, 0, True, id="a number is a number"),
    ],
)
def test_documents_are_compared_key_by_key(said, found, fits):
    assert alike(said, found) is fits


def test_the_pages_are_found():
    assert Path(README) in PAGES
    assert len(PAGES) > 8
