"""The calibration benchmark in short form: its config of ten metrics, and one seed of each kind of past."""

from __future__ import annotations

import pytest

from tests.benchmarks.calibrate import one_seed, ten_metrics


def test_the_config_of_the_speed_figure_has_ten_metrics_of_every_kind():
    config = ten_metrics()

    assert len(config.metrics) == 10
    assert {bool(metric.denominator) for metric in config.metrics} == {True, False}
    assert config.looks.count == 20


@pytest.mark.integration
@pytest.mark.extended
def test_healthy_pairs_and_fresh_healthy_rollouts_are_hardly_ever_stopped():
    stopped, pairs, fresh, rollouts = one_seed(1, 1.5)["shipped"]

    assert pairs > 30
    assert rollouts > 12
    assert stopped <= 0.1 * pairs
    assert fresh <= 2
