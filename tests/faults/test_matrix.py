"""Every cell of the fault matrix in its short form; ``python -m tests.faults --long`` is the long one."""

from __future__ import annotations

import pytest

from tests.faults.callers import Callers, Figures, Heard
from tests.faults.cells import BROKEN, CELLS, RECOVERY, Cell, Found, table_row
from tests.servers import loopback

pytestmark = pytest.mark.integration


@pytest.mark.extended
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_nothing_passes_nothing_is_late_nothing_is_lost_and_all_is_well_again(world, cell):
    found = cell.run(world, cell.short)

    print(table_row(cell, found))
    assert cell.faults(found) == []
    assert found.figures.counts["fail"] >= 2


def heard(verdict, seconds=0.1, **more):
    return Heard(at=0.0, seconds=seconds, status=200, document={"verdict": verdict, "reason": "", "report": "", **more})


@pytest.mark.parametrize(
    ("answers", "recovery", "words"),
    [
        pytest.param([heard("pass")], 1.0, "1 false passes", id="a pass of a bad canary"),
        pytest.param([heard("inconclusive", seconds=10.5)], 1.0, "1 answers after the callers' time-out", id="an answer nobody hears"),
        pytest.param([Heard(at=0.0, seconds=9.9, broken="TimeoutError: timed out")], 1.0, "1 answers after", id="no answer"),
        pytest.param([heard("inconclusive")], RECOVERY + 1, "right again only after 26.0 s", id="too long"),
        pytest.param([heard("error")], 1.0, "heard ['error']", id="a verdict that does not belong"),
        pytest.param([heard("fail")], 1.0, "never heard any of ['inconclusive']", id="a fault that was none"),
    ],
)
def test_a_broken_promise_is_seen(answers, recovery, words):
    cell = Cell(
        name="c",
        run=None,
        short=1,
        long=1,
        verdicts=frozenset({"fail", "inconclusive", "TimeoutError", "pass"}),
        needed=frozenset({"inconclusive"}),
    )
    callers = Callers("http://127.0.0.1:1", {})
    callers.heard += answers

    found = Found(figures=callers.figures(), recovery=recovery)

    assert any(words in fault for fault in cell.faults(found)), cell.faults(found)


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_that_ends_in_the_middle_is_a_broken_one(status):
    def killed(asked):
        asked.send_response(status)
        asked.send_header("Content-Length", "100")
        asked.end_headers()
        asked.wfile.write(b'{"verdict": ')
        asked.close_connection = True

    with loopback(killed) as server:
        callers = Callers(server.url, {"end": "0"})
        callers.ask()

    assert callers.figures().counts == {"IncompleteRead": 1}
    assert "IncompleteRead" in BROKEN


def test_a_lost_verdict_is_seen():
    figures = Figures(counts={"fail": 1}, passes=[], late=[], lost=[heard("fail")], unkept=0, slowest=0.1)
    cell = Cell(name="c", run=None, short=1, long=1, verdicts=frozenset({"fail"}), unkept=True)

    assert cell.faults(Found(figures=figures, recovery=1.0)) == [
        "1 verdicts lost that were said to be kept",
        "no answer said that it is not kept",
    ]
