"""A small canary is not failed for the noise of its few requests, and found where it is worse than that. The short form."""

from __future__ import annotations

import pytest

from tests.benchmarks.small_canaries import Small, measure

ROUNDS, SEED = 40, 11


@pytest.mark.parametrize("share", [1 / 6, 1 / 12])
@pytest.mark.parametrize("shared", [0.0, 0.05])
def test_a_healthy_canary_with_few_requests_is_not_failed(share, shared):
    """Were one in ten failed, 40 without any would have a chance of 1.5 %; not knowing the requests it is up to one in two."""
    found = measure(Small(share=share, shared=shared), rounds=ROUNDS, seed=SEED)

    assert (found.failed, found.open) == (0, 0)


@pytest.mark.parametrize("wrong", [{"swings": 6.0}, {"spikes": 4}], ids=["swings six times too widely", "has spikes"])
def test_a_bad_canary_with_few_requests_does_not_pass(wrong):
    found = measure(Small(share=1 / 12, **wrong), rounds=ROUNDS, seed=SEED)

    assert found.failed + found.open >= 0.95 * ROUNDS
