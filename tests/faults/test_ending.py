"""A service that is told to end while its source is slow: what it let in it answers, what comes later is refused at once."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing

import psutil
import pytest

from tests.faults.world import workers

pytestmark = pytest.mark.integration

SLOW = 2.0


def test_what_was_let_in_is_answered_and_kept(world):
    place = world.place()
    with world.judge(place) as callers:

        def slow(asked):
            time.sleep(SLOW)
            world.relay.hand_on(asked)

        before = len(callers.heard)
        world.relay.fault = slow
        with callers.asking():
            time.sleep(0.7)
            told = time.monotonic()
            master = workers(callers)[0]
            master.send_signal(signal.SIGTERM)
            gone, _ = psutil.wait_procs([master], timeout=30)
            seconds = time.monotonic() - told
            time.sleep(0.5)
        world.relay.fault = None
    under_way = [each for each in callers.heard[before:] if each.at < told]
    later = [each for each in callers.heard[before:] if each.at >= told + 0.2]
    with closing(sqlite3.connect(place / "judge.sqlite")) as archive:
        kept = {row[0] for row in archive.execute("SELECT id FROM judge_verdicts")}

    assert [each for each in under_way if each.status != 200] == []
    # Who was told that there was no place was told that nothing was judged.
    judged = [each for each in under_way if not each.document["reason"].startswith("not judged: the judge is busy")]
    print(f"ended after {seconds:.1f} s: {len(under_way)} were under way, {len(judged)} of them judged, {len(later)} came later")
    assert gone
    assert seconds > 0.5
    assert len(under_way) >= 8
    assert judged
    assert [each for each in judged if each.document["report"] and each.document["id"] not in kept] == []
    assert {each.verdict for each in under_way} <= {"fail", "inconclusive"}
    assert [each for each in later if "refused" not in each.broken or each.seconds > 1] == []
    assert later
