"""docs/calibrate.md shows what the commands print, beside numbers that another numpy may draw otherwise."""

from __future__ import annotations

import re

import pytest

from tests.calibrate.report.page import PAGE, PICTURES, pictures, run_page, shape

pytestmark = [pytest.mark.integration, pytest.mark.extended]


@pytest.fixture(scope="module")
def ran(past_url, tmp_path_factory):
    """Every example with what it printed, and the folder it was run in."""
    folder = tmp_path_factory.mktemp("page")
    return run_page(past_url, folder), folder


def test_every_example_prints_what_the_page_says(ran):
    found, _ = ran

    assert len(found) >= 3
    for command, said, printed in found:
        assert shape(said) == shape(printed), command


def test_no_line_of_the_examples_is_wider_than_a_terminal(ran):
    found, _ = ran

    assert max(len(line) for _, _, printed in found for line in printed.splitlines() if not line.startswith("1,")) <= 110
    assert max(len(line) for _, _, printed in found for line in printed.splitlines()[1:]) <= 80


def test_the_pictures_are_those_of_the_report(ran):
    _, folder = ran
    made = pictures((folder / "cart.html").read_text())
    kept = {path.name: path.read_text() for path in PICTURES.glob("*.svg")}

    assert set(made) == set(kept)
    assert {name: shape(re.sub(r'points="[^"]*"', "", drawn)) for name, drawn in made.items()} == {
        name: shape(re.sub(r'points="[^"]*"', "", drawn)) for name, drawn in kept.items()
    }
    assert all(f"calibrate/{name}" in PAGE.read_text() or name != "latency-p99.svg" for name in kept)
