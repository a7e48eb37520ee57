"""The pages name what the code has: commands, settings, addresses, statuses, words, and nothing that is not there."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from importlib import import_module

import pytest

from judge.archive import NoArchive, open_archive
from judge.cli.main import cli
from judge.cli.output import STATUS
from judge.config.schema import DEFAULT_JUDGE
from judge.core.canary import JUDGES
from judge.core.config import Margin
from judge.core.mann_whitney.compare import ALPHA
from judge.core.model import Classification, Outcome
from judge.errors import JudgeError
from judge.reports.formats import FORMATS
from judge.server.app import create_app
from judge.settings import ENVIRONMENT, ServerDocument, Settings
from judge.sources.dumps.read import TABLES
from judge.sources.registry import SOURCES
from judge.verdicts.service import Service
from judge.wire import request as wire_request
from judge.wire.answer import answer
from tests.docs import generated
from tests.docs.pages import DOCS, PAGES, README, ROOT, anchors, blocks, codes, links, named, prose, rows, section, steps, text
from tests.wire.test_answer import record

CLI, HTTP, SERVER, DUMPS, PROMISES = (DOCS / f"{name}.md" for name in ("cli", "http", "server", "dumps", "promises"))
MANN_WHITNEY = DOCS / "methods" / "mann-whitney.md"
FOREIGN = {"JUDGE_REQUIRE_SERVERS"}
"""A variable of the tests, not of the service."""


@cache
def routes() -> set[str]:
    """Every address of the service with its method, as the pages write it."""
    settings = Settings(config_dir=ROOT / "judge" / "demo")
    # With an archive, since some doors need one; nothing is opened until something is asked.
    rules = create_app(Service(settings, open_archive("sqlite:///never-opened.sqlite"))).url_map.iter_rules()
    told = [(method, rule.rule) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}]
    return {f"{method} " + re.sub(r"<(?:\w+:)?(?:\w+_)?(\w+)>", r"{\1}", rule) for method, rule in told}


def exit_statuses() -> set[int]:
    """Every exit status of the code."""
    classes = [JudgeError]
    for found in classes:
        classes += found.__subclasses__()
    return {found.exit_code for found in classes} | set(STATUS.values())


# The command line


@pytest.mark.parametrize("command", [*cli.commands, ""])
def test_every_command_has_its_help_on_the_page(command):
    asked = f"judge {command} --help" if command else "judge --help"

    assert asked in [step.command for block in blocks(CLI, "console") for step in steps(block)]


@pytest.mark.parametrize("command", cli.commands)
def test_every_command_has_its_section(command):
    assert f"judge-{command}" in anchors(CLI)
    assert section(CLI, f"judge {command}").strip() or blocks(CLI)


def test_every_exit_status_is_told():
    assert {int(row["status"]) for row in rows(CLI, "Exit status")} == exit_statuses()


def test_every_exit_status_is_told_in_the_readme():
    told = section(README, "On the command line").partition("Exit status:")[2]

    assert {int(found) for found in re.findall(r"\b(\d) \w", told)} == exit_statuses()


def test_the_status_of_every_verdict_is_right():
    told = {word: int(row["status"]) for row in rows(CLI, "Exit status") for word in codes(row["meaning"]) if word in set(Outcome)}

    assert told == STATUS


def test_every_format_is_told():
    assert [row["format"] for row in rows(CLI, "Formats")] == [f"`{form}`" for form in FORMATS]


# HTTP


def test_every_address_is_told():
    told = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`?\s]*)`", prose(HTTP)))

    assert told == routes()


def test_every_key_of_a_question_is_told():
    assert [codes(row["key"])[0] for row in rows(HTTP, "Asking")] == list(wire_request.KEYS)


def test_every_alias_is_told():
    _, aliases = re.findall(r"(?:^\|.*\n)+", section(HTTP, "Asking"), flags=re.MULTILINE)
    told = {}
    for line in aliases.splitlines()[2:]:
        written, target = line.strip("|").split(" | ")
        told |= dict.fromkeys(codes(written), codes(target)[0])

    assert told == wire_request.ALIASES


def test_every_detail_is_told():
    [row] = [row for row in rows(HTTP, "Asking") if row["key"] == "`detail`"]

    assert codes(row["type"]) == list(wire_request.DETAILS[1:])


def test_every_field_of_an_answer_is_told():
    short, full = answer(record()), answer(record(), detail="full")
    [more] = re.findall(r"^With `detail` `full` also (.*)$", section(HTTP, "The answer"), flags=re.MULTILINE)

    assert [codes(row["field"])[0] for row in rows(HTTP, "The answer")] == list(short)
    assert codes(more) == [key for key in full if key not in short]
    for field in ("metrics", "window"):
        [row] = [row for row in rows(HTTP, "The answer") if row["field"] == f"`{field}`"]
        assert set(codes(row["meaning"])) >= set(short[field])


def test_every_verdict_and_its_code_is_told():
    lines = re.findall(r"^\| `(\w+)` \| (\d) \|", section(HTTP, "The answer"), flags=re.MULTILINE)

    assert lines == [(outcome.value, str(outcome.code)) for outcome in Outcome]


@pytest.mark.parametrize(("page", "heading"), [(HTTP, "The answer"), (MANN_WHITNEY, "The decision")], ids=["http", "mann-whitney"])
def test_every_classification_is_told(page, heading):
    table = section(page, heading).partition("| classification")[2].partition("\n\n")[0]
    told = [word for line in table.splitlines()[2:] for word in codes(line.split(" | ")[0])]

    assert sorted(told) == sorted(Classification)


@pytest.mark.parametrize("words", [Outcome, Classification])
def test_the_readme_names_every_verdict_and_classification(words):
    assert {word.value for word in words} <= set(codes(section(README, "What it answers, and how")))


def test_every_status_of_an_error_is_told():
    told = {int(row["status"]) for row in rows(HTTP, "Wrong questions")}
    described = create_app(Service(Settings(config_dir=ROOT / "judge" / "demo"), NoArchive())).test_client().get("/openapi.json").json
    used = {int(status) for path in described["paths"].values() for one in path.values() for status in one["responses"] if status != "200"}

    assert used <= told


# Settings


@pytest.mark.parametrize("name", generated.TABLES)
def test_a_table_that_is_written_from_the_code_is_up_to_date(name):
    page = generated.HOMES[name]

    assert name in generated.marked(page)
    assert text(page) == generated.fresh(text(page)), "python -m tests.docs.generated"


def test_a_table_stands_on_one_page_only():
    assert sorted(name for page in PAGES for name in generated.marked(page)) == sorted(generated.TABLES)


@pytest.mark.parametrize("model", [ServerDocument, *SOURCES.values()])
def test_every_setting_says_when_to_use_it(model):
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_variable_that_is_not_there(page):
    named_here = set(re.findall(r"\bJUDGE_[A-Z_]*[A-Z]\b", text(page)))

    assert named_here - set(ENVIRONMENT) - FOREIGN == set()


def test_every_ending_of_a_dump_is_told():
    told = {ending for row in rows(DUMPS, "Dumps: saved canaries") for ending in codes(row["name ends in"])}

    assert told >= {*TABLES, ".json", ".jsonl"}


# Methods, configs, limits


@pytest.mark.parametrize("name", JUDGES)
def test_every_judge_is_named_in_the_readme(name):
    assert name in re.findall(r"[\w-]+", " ".join(codes(prose(README))))


def test_the_default_judge_is_named_in_the_readme():
    assert f"The default judge, `{DEFAULT_JUDGE}`," in section(README, "Limits")


def test_the_level_of_the_method_is_told():
    assert f"α = {ALPHA:g}" in text(MANN_WHITNEY)


def test_the_margins_of_the_method_are_told():
    from judge.core import config
    from judge.core import formatting as words

    assert {field.name for field in fields(Margin)} == {"relative", "absolute"}
    told = [(row["margin"], row["measured values"], row["counts"]) for row in _table(MANN_WHITNEY, "| margin")]
    assert told == [
        ("`tolerance`", words.margin(config.TOLERANCE, counts=False), words.margin(config.COUNT_TOLERANCE, counts=True)),
        ("`must_detect`", words.margin(config.MUST_DETECT, counts=False), words.margin(config.COUNT_MUST_DETECT, counts=True)),
    ]


def _table(page, head):
    """The table that begins so."""
    lines = (head + text(page).partition(head)[2].partition("\n\n")[0]).splitlines()
    names, _, *body = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [dict(zip(names, cells, strict=True)) for cells in body]


def test_every_ready_made_config_is_in_the_readme():
    there = {path.stem for path in (ROOT / "configs").glob("*.yaml")} - {"server"}

    assert {re.sub(r"\[(.*)\]\(.*\)", r"\1", row["config"]) for row in rows(README, "Ready-made configs")} == there


# Links


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_the_readme_leads_to_every_page():
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in links(README)}
    pages = {page for page in PAGES if page.parent not in {DOCS / "adr", DOCS / "checks"} and page != README}

    assert {named(page) for page in pages - linked} == set()


# Promises


def test_every_promise_names_a_command_that_is_there():
    for row in rows(PROMISES, "Promises"):
        [command] = [code for code in codes(row["printed by"]) if code.startswith("python -m ")]
        module, *args = command.removeprefix("python -m ").split()
        assert import_module(module) is not None
        assert [path for path in args if "/" in path and not (ROOT / path.partition("::")[0]).exists()] == []


@pytest.mark.parametrize("column", ["promise", "target", "measured", "printed by"])
def test_every_promise_is_whole(column):
    assert [row for row in rows(PROMISES, "Promises") if not row[column].strip()] == []


def test_the_targets_are_those_that_are_measured():
    from tests.benchmarks.startup import TARGETS

    told = {row["promise"]: row["target"] for row in rows(PROMISES, "Promises")}

    assert {name: told.get(name) for name in TARGETS} == {name: target.words for name, target in TARGETS.items()}


def test_prose_is_what_is_left_of_a_page():
    assert "```" not in prose(README)
