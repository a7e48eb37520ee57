"""Every notebook runs from its first cell to its last, offline, and shows what it is there to show."""

from __future__ import annotations

import base64
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
SECONDS = 900


@pytest.fixture(scope="module")
def executed():
    """Execute a notebook once; an error in a cell is the test's."""
    done = {}

    def execute(path):
        if path not in done:
            notebook = jupytext.read(path)
            resources = {"metadata": {"path": str(FOLDER)}}
            NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
            done[path] = notebook
        return done[path]

    return execute


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def words(notebook):
    """Everything that the notebook shows as text."""
    return "\n".join(output.get("text", output.get("data", {}).get("text/plain", "")) for output in outputs(notebook))


def pictures(notebook):
    return [base64.b64decode(output["data"]["image/png"]) for output in outputs(notebook) if "image/png" in output.get("data", {})]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_warns_of_nothing(path, executed):
    notebook = executed(path)

    assert [output["text"] for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert words(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_says_what_it_is(path):
    notebook = jupytext.read(path)

    assert outputs(notebook) == []
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.metadata["kernelspec"]["name"] == "python3"


def test_the_first_notebook_shows_both_verdicts_with_their_reasons(executed):
    shown = words(executed(FOLDER / "first_verdict.py"))

    assert "shop-healthy: PASS 100/100\n  4 of 4 metrics within what is accepted" in shown
    assert "shop-bad: FAIL 0/100\n  critical error-ratio: 860 of 56,871 (1.5%) on the canary" in shown


def test_the_first_notebook_draws_what_the_judge_saw(executed):
    found = pictures(executed(FOLDER / "first_verdict.py"))

    assert len(found) == 3
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 10_000 for picture in found)


def test_the_first_notebook_tells_how_long_to_watch_and_that_too_short_is_no_pass(executed):
    shown = words(executed(FOLDER / "first_verdict.py"))

    assert "latency-p99 +20%: " in shown
    assert "after 3 minutes: inconclusive: " in shown
    assert "after 30 minutes: pass: " in shown


def test_the_review_shows_the_look_that_failed_and_that_nothing_changed_since(executed):
    notebook = executed(FOLDER / "review_a_past_canary.py")
    shown = words(notebook)

    assert "was first failed at look 5 of 20:\ncritical error-ratio: " in shown
    assert "\n0 differences" in f"\n{shown}"
    assert "16 of 20 verdicts would have been others" in shown
    assert 'canary: sum(increase(http_requests_total{service="shop"' in shown
    assert len(pictures(notebook)) == 2


def test_the_choice_of_thresholds_counts_both_kinds_of_mistake(executed):
    notebook = executed(FOLDER / "choose_thresholds.py")
    shown = words(notebook)

    assert "false_alarms" in shown
    assert "counted on: tolerance 5 %: 3 of 62 healthy stopped, 0 of 13 bad passed" in shown
    assert len(pictures(notebook)) == 1
