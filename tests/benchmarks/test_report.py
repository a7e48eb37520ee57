"""A report page stays small and quick to write, with twice the promised time as slack for a busy machine."""

from __future__ import annotations

import re
import time
from contextlib import closing
from statistics import median

from judge.archive import open_archive
from judge.reports.verdict_page import DRAWN, Around, verdict_page
from judge.server.app import create_app
from judge.settings import Settings
from judge.verdicts.service import Service
from tests.benchmarks.archive import DEMO, LIST_MS, fill
from tests.benchmarks.report import MOST_BYTES, MOST_SECONDS, SIZES, measure, records
from tests.reports.html import checked

SLACK = 2


def test_a_page_is_no_larger_and_takes_no_longer_than_promised():
    metrics, samples, looks = SIZES[1]
    assert (metrics, samples) == (20, 240)

    found = measure(metrics, samples, looks, runs=2)

    assert found.size < MOST_BYTES
    assert found.seconds < SLACK * MOST_SECONDS


def test_two_thousand_metrics_stay_a_page_that_opens():
    told = records(2000, 60, 1)
    page = verdict_page(told[-1], around=Around(dump="/verdicts/x/dump"), public_url="/")

    assert len(page) < 2_500_000
    parts = checked(page)
    assert len(parts.all("svg", class_="series")) == DRAWN
    assert len(re.findall(r'<tr class="brief"', page)) == 2000 - DRAWN
    assert f"the worst {DRAWN} of 2000 metrics" in re.sub(r"\s+", " ", page)
    assert "/verdicts/01JD4Z8Q2M7K3N5P9R1T6V8001?metric=metric-1999" in page


def test_the_list_of_recent_verdicts_is_shown_as_fast_as_promised(tmp_path):
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    fill(url, 10_000)
    with closing(open_archive(url)) as archive:
        client = create_app(Service(Settings(config_dir=DEMO, archive_url=url), archive)).test_client()
        took = []
        for _ in range(6):
            began = time.perf_counter()
            answer = client.get("/?limit=200")
            took.append(1000 * (time.perf_counter() - began))

    assert answer.text.count("<tr>") == 1 + 200
    assert median(took[1:]) < SLACK * LIST_MS
