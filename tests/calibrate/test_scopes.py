"""A config's scope taken apart: how versions are told from each other."""

from __future__ import annotations

import pytest

from judge.calibrate.scopes import Asked, versions_of
from judge.core.config import CanaryConfig, MetricConfig
from judge.errors import ConfigError

QUERY = 'sum(rate(http_requests_total{service="${service}",${scope}}[${step}]))'


def asked(scope: str, *, rollout: str = "", query: str = QUERY) -> Asked:
    config = CanaryConfig(name="c", scopes={"scope": scope}, metrics=(MetricConfig(name="m", query=query),))
    return Asked(config=config, scope="scope", args={"service": "shop"}, rollout=rollout)


@pytest.mark.parametrize(
    ("scope", "rollout", "label", "selector", "values"),
    [
        pytest.param(
            'hash="${hash}"', "", "hash", 'http_requests_total{service="shop",hash!=""}', {"6f9c": "6f9c"}, id="a label of its own"
        ),
        pytest.param(
            'pod=~"${rollout}-${hash}-.+"', "shop.eu", "pod", 'http_requests_total{service="shop",pod=~"shop\\\\.eu-[a-z0-9]+-.+"}',
            {"shop.eu-6f9c-x2b7z": "6f9c", "shop-eu-6f9c-x2b7z": None}, id="the pod's name",
        ),
        pytest.param(
            'version="v${hash}",zone="eu"', "", "version", 'http_requests_total{service="shop",version=~"v[a-z0-9]+",zone="eu"}',
            {"v12": "12", "w12": None}, id="a part of a label, beside another matcher",
        ),
    ],
)  # fmt: skip
def test_versions_are_read_from_the_scope(scope, rollout, label, selector, values):
    found = versions_of(asked(scope, rollout=rollout))

    assert (found.label, found.selector, found.counter) == (label, selector, True)
    assert {value: found.version_of(value) for value in values} == values


def test_a_gauge_is_no_counter():
    assert not versions_of(asked('hash="${hash}"', query="avg(temperature{${scope}})")).counter


def test_chosen_pods_are_added_to_the_scope_and_escaped():
    matcher = asked('hash="${hash}"').matcher("6f9c", ["b.1", "a-2"])

    assert matcher == 'hash="6f9c",pod=~"a-2|b\\\\.1"'


@pytest.mark.parametrize(
    ("scope", "query", "said"),
    [
        pytest.param('job="shop"', QUERY, r"must have one matcher with \$\{hash\}", id="no hash"),
        pytest.param('hash!="${hash}"', QUERY, r"must have one matcher with \$\{hash\}, by = or =~", id="the hash is excluded"),
        pytest.param('a="${hash}",b="${hash}"', QUERY, "must have one matcher", id="two labels"),
        pytest.param('hash="${hash}"', "up", r"no query of its metrics has a selector with \$\{scope\}", id="no scope in any query"),
    ],
)
def test_a_scope_that_tells_no_versions_apart_is_refused(scope, query, said):
    with pytest.raises(ConfigError, match=said):
        versions_of(asked(scope, query=query))
