"""Five thousand strings that try to be more than a value, against a real Prometheus: they select nothing they should not."""

from __future__ import annotations

import http.client
import json
import random
from urllib.parse import urlencode, urlsplit

import pytest

from judge.core.templates import render
from judge.errors import ConfigError

COUNT = 5000
PIECES = [
    '"',
    "'",
    "`",
    "\\",
    "\\\\",
    '\\"',
    "{",
    "}",
    "(",
    ")",
    "[5m]",
    "[",
    "]",
    ",",
    "|",
    ".*",
    ".+",
    "^",
    "$",
    "?",
    "(?i)",
    "=~",
    "!=",
    "#",
    "\n",
    "\r",
    "\t",
    "\0",
    " or ",
    " and ",
    " unless ",
    "vector(1)",
    "up",
    '"} or vector(1) #',
    '",service=~".*',
    '"}) or sum(http_requests_total{service=~".*',
    "healthy",
    "errors",
    "shop",
    "${hash}",
    "${service}",
    "{{args.x}}",
    "$1",
    "%22",
    "&#34;",
    "\u2028",
    "\u202e",
    "é",
    "☃",
    "🦉",
    "\ud7ff",
    "\uffff",
    "a" * 50,
    "0",
    "-1",
    "1e309",
    "NaN",
]
TEMPLATES = {
    "equal": 'count(http_requests_total{service="${value}"})',
    "regular expression": 'count(http_requests_total{service=~"${value}"})',
    "part of one": 'count(http_requests_total{pod=~"${value}-[a-z0-9]+-.+"})',
    "single quotes": "count(http_requests_total{service='${value}'})",
    "no match": 'count(http_requests_total{service=~".+"} unless on (service) http_requests_total{service!~"${value}"})',
}


def strings(seed: int = 1) -> list[str]:
    """Made of pieces that mean something to PromQL, to RE2, to YAML, to Argo, or to nobody."""
    chance = random.Random(seed)
    return ["".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6))) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def asked(prometheus_url):
    """Ask Prometheus: the status, and how many series were counted."""
    parts = urlsplit(prometheus_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def ask(query, at):
        body = urlencode({"query": query, "time": at})
        connection.request("POST", "/api/v1/query", body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
        if answer.status != 200:
            return answer.status, document["error"]
        return answer.status, sum(float(one["value"][1]) for one in document["data"]["result"])

    yield ask
    connection.close()


@pytest.mark.extended
@pytest.mark.integration
@pytest.mark.parametrize("place", TEMPLATES)
def test_no_string_selects_more_than_itself(asked, history, history_end, place):
    template = TEMPLATES[place]
    known = set(history)
    # A value that is there is found: the question is one that could go wrong.
    assert asked(render(template, {"value": "healthy"}), history_end)[1] > 0
    refused = selected = 0
    for value in strings():
        try:
            query = render(template, {"value": value})
        except ConfigError:
            refused += 1
            continue
        status, found = asked(query, history_end)
        assert status == 200, (value, query, found)
        if value in known:
            selected += 1
        else:
            assert found == 0, (value, query, found)
    assert selected > 5
    assert refused < COUNT / 10
