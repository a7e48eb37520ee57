"""Who ran when, told from the presence of pods on a grid of minutes."""

from __future__ import annotations

import numpy as np
import pytest

from judge.calibrate.timeline import Ending, Presence, Timeline, read_timeline

STEP = 60.0


def pod(version: str, first: int, last: int, *, name: str = "1", without: tuple[int, int] | None = None) -> Presence:
    """A pod that is seen from minute `first` to `last`, but not from ``without[0]`` to ``without[1]``."""
    minutes = np.arange(first, last + 1)
    if without is not None:
        minutes = minutes[(minutes < without[0]) | (minutes > without[1])]
    return Presence(version=version, pod=f"{version}-{name}", t=minutes * STEP)


def timeline(*pods: Presence, minutes: int = 600, **given) -> Timeline:
    return read_timeline(pods, start=0.0, end=minutes * STEP, step=STEP, **{"traffic": {}, **given})


@pytest.mark.parametrize(
    ("pods", "rollouts"),
    [
        pytest.param([pod("a", 0, 600)], [], id="one version all the time is no rollout"),
        pytest.param([pod("a", 0, 240), pod("b", 200, 600)], [("a", "b", 200, 240, "promoted")], id="the newer one stays: promoted"),
        pytest.param([pod("a", 0, 600), pod("b", 200, 240)], [("a", "b", 200, 240, "rolled back")], id="the older one stays: rolled back"),
        pytest.param([pod("a", 0, 600), pod("b", 580, 600)], [("a", "b", 580, 600, "running")], id="both are there at the end: running"),
        pytest.param([pod("a", 0, 199), pod("b", 201, 600)], [], id="one after the other never ran together"),
        pytest.param(
            [pod("a", 0, 240), pod("b", 200, 440), pod("a", 400, 600, name="2")],
            [("a", "b", 200, 240, "promoted"), ("b", "a", 400, 440, "promoted")],
            id="a version that comes back is a rollout of its own",
        ),
        pytest.param(
            [pod("a", 0, 600), pod("b", 200, 220), pod("c", 215, 260)],
            [("a", "b", 200, 220, "rolled back"), ("a", "c", 215, 260, "rolled back")],
            id="a second canary is compared with the stable version",
        ),
        pytest.param(
            [pod("a", 0, 600, without=(210, 250)), pod("b", 200, 300, without=(210, 250))],
            [("a", "b", 200, 300, "rolled back")],
            id="a gap of everything in the middle makes one rollout, not two",
        ),
        pytest.param(
            [pod("a", 0, 600), pod("a", 0, 600, name="2"), pod("b", 200, 240, without=(210, 212))],
            [("a", "b", 200, 240, "rolled back")],
            id="a few missed scrapes end no rollout",
        ),
    ],
)
def test_rollouts(pods, rollouts):
    found = timeline(*pods)

    assert [(one.baseline, one.canary, one.start / STEP, one.end / STEP, one.ending.value) for one in found.rollouts] == rollouts


def test_a_version_that_came_when_nobody_was_there_is_a_switch():
    found = timeline(pod("a", 0, 199), pod("b", 201, 600))

    assert found.switches == ((201 * STEP, "b"),)


def test_traffic_tells_the_canary_s_share_over_time():
    minutes = np.arange(200, 241) * STEP
    share = np.where(minutes < 220 * STEP, 0.1, 0.4)
    traffic = {"a": (minutes, 100 * (1 - share)), "b": (minutes, 100 * share)}
    (one,) = timeline(pod("a", 0, 600), pod("b", 200, 240), traffic=traffic).rollouts

    assert one.weights == ((200 * STEP, 0.1), (220 * STEP, 0.4))
    assert one.share in {0.1, 0.4}
    assert one.ending is Ending.ROLLED_BACK


def test_without_traffic_the_share_is_not_known():
    (one,) = timeline(pod("a", 0, 600), pod("b", 200, 240)).rollouts

    assert one.share is None
    assert one.weights == ()


def test_stretches_end_where_a_pod_comes_or_goes():
    found = timeline(pod("a", 0, 600), pod("a", 0, 300, name="2"), pod("a", 301, 600, name="3"))

    assert [(one.pods, one.start / STEP, one.end / STEP) for one in found.stretches] == [
        (("a-1", "a-2"), 0, 300),
        (("a-1", "a-3"), 301, 600),
    ]


@pytest.mark.parametrize(
    ("start", "end", "touched"),
    [
        pytest.param(20, 50, "", id="quiet"),
        pytest.param(190, 210, "rollout", id="into a rollout"),
        pytest.param(242, 260, "rollout", id="soon after a rollout"),
        pytest.param(260, 280, "", id="long after a rollout"),
        pytest.param(340, 360, "gap", id="into a gap"),
        pytest.param(495, 505, "restart", id="over a restart"),
        pytest.param(590, 620, "no data", id="beyond the end"),
    ],
)
def test_what_a_window_touches(start, end, touched):
    found = timeline(pod("a", 0, 600, without=(350, 390)), pod("b", 200, 240), restarts=[(500 * STEP, "a-1")])

    assert found.disturbance(start * STEP, end * STEP, settle=600.0) == touched


def test_no_pods_make_an_empty_timeline():
    assert timeline().rollouts == ()
    assert timeline().seen is None
