"""What pages and notebooks ask of past verdicts, on both stores."""

from __future__ import annotations

import pytest

from judge.archive import Archive, NoArchive, each_row
from judge.archive.types import Keep, Label, Wanted
from judge.errors import ArchiveError, VerdictNotFound
from tests.archive.records import asked, ids
from tests.reports.sample import record, result

DAY = 86_400.0
RIGHT = Label(label="right", by="ann", why="the deploy broke checkout", at=50.0)
WRONG = Label(label="wrong", by="bob <b>", why="a load test ran", at=60.0)


def with_results(verdict_id: str, at: float, outcome: str = "fail", config: str = "http-service", **classifications: str):
    """A record whose metrics got these classifications."""
    made = asked(verdict_id, at, config=config)
    results = [result(name, kind, "because", group="g", critical=name == "errors") for name, kind in classifications.items()]
    return made | {"verdict": made["verdict"] | {"verdict": outcome, "results": results}}


@pytest.fixture
def kept(archive: Archive) -> Archive:
    for number, service in enumerate(["shop", "shop", "pay", "pay", "mail"]):
        made = asked(f"01{number}", 10.0 * number, rollout=service, canary=f"c{number % 2}")
        archive.keep(made | {"request": made["request"] | {"args": {"service": service, "namespace": f"ns-{service}"}}})
    archive.label("011", RIGHT)
    archive.label("012", WRONG)
    return archive


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(Wanted(), ["014", "013", "012", "011", "010"], id="everything"),
        pytest.param(Wanted(service="pay"), ["013", "012"], id="by service"),
        pytest.param(Wanted(namespace="ns-mail"), ["014"], id="by namespace"),
        pytest.param(Wanted(canary="c1"), ["013", "011"], id="by canary"),
        pytest.param(Wanted(canary="c1", baseline="nowhere"), [], id="by both sides"),
        pytest.param(Wanted(since=10.0, until=30.0), ["012", "011"], id="by time, the end excluded"),
        pytest.param(Wanted(label="right"), ["011"], id="labelled right"),
        pytest.param(Wanted(label="any"), ["012", "011"], id="labelled"),
        pytest.param(Wanted(label="none", service="shop"), ["010"], id="not labelled"),
    ],
)
def test_verdicts_are_found_by(kept: Archive, wanted: Wanted, found: list[str]) -> None:
    assert ids(kept.list(wanted=wanted)) == found
    assert ids(list(each_row(kept, wanted))) == found


def test_going_through_all_rows_takes_page_after_page(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.archive.interface._PAGE", 2)
    for number in range(5):
        archive.keep(asked(f"01{number}", 1.0))

    assert ids(list(each_row(archive))) == ["014", "013", "012", "011", "010"]
    assert ids(list(each_row(archive, limit=3))) == ["014", "013", "012"]


def test_the_looks_at_one_canary_come_in_order(archive: Archive) -> None:
    for number, (canary, rollout) in enumerate([("new", "shop"), ("new", "shop"), ("other", "shop"), ("new", "pay")]):
        archive.keep(asked(f"01{number}", 10.0 * number, canary=canary, rollout=rollout))

    assert ids(archive.looks(canary="new", rollout="shop", baseline="6f9c7b8d5", config="http-service")) == ["010", "011"]
    assert ids(archive.looks(canary="new")) == ["010", "011", "013"]
    assert archive.looks(canary="new", baseline="another") == []


def test_a_row_is_read_alone(kept: Archive) -> None:
    assert kept.row("012") == kept.list(wanted=Wanted(label="wrong"))[0]
    with pytest.raises(VerdictNotFound, match="no verdict has the id 'nope'"):
        kept.row("nope")


# Labels


def test_labels_are_kept_and_the_newest_counts(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))

    assert list(archive.label("01A", RIGHT)) == [RIGHT]
    assert list(archive.label("01A", WRONG)) == [WRONG, RIGHT]
    assert archive.row("01A")["label"] == "wrong"
    assert list(archive.labels("01A")) == [WRONG, RIGHT]


def test_an_older_label_that_comes_later_does_not_count(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))
    archive.label("01A", WRONG)

    assert list(archive.label("01A", RIGHT)) == [WRONG, RIGHT]
    assert archive.row("01A")["label"] == "wrong"


def test_of_two_labels_at_once_the_later_one_counts(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))
    archive.label("01A", Label(label="right", by="ann", at=5.0))
    archive.label("01A", Label(label="wrong", by="ann", at=5.0))

    assert archive.row("01A")["label"] == "wrong"


def test_an_unknown_verdict_cannot_be_labelled(archive: Archive) -> None:
    for use in (lambda: archive.label("nope", RIGHT), lambda: archive.labels("nope")):
        with pytest.raises(VerdictNotFound, match="no verdict has the id 'nope'"):
            use()


def test_labelled_verdicts_tell_what_each_metric_said(archive: Archive) -> None:
    archive.keep(with_results("01A", 1.0, errors="high", memory="pass"))
    archive.keep(with_results("01B", 2.0, errors="pass"))
    archive.keep(with_results("01C", 3.0, "pass", errors="pass"))
    archive.label("01C", RIGHT)
    archive.label("01A", RIGHT)
    archive.label("01A", WRONG)

    assert archive.labelled() == [
        {
            "id": "01A",
            "asked_at": 1.0,
            "config": "http-service",
            "verdict": "fail",
            "label": "wrong",
            "metrics": {"errors": "high", "memory": "pass"},
        },
        {"id": "01C", "asked_at": 3.0, "config": "http-service", "verdict": "pass", "label": "right", "metrics": {"errors": "pass"}},
    ]
    assert ids(archive.labelled(Wanted(since=2.0))) == ["01C"]


# Configs


def test_a_config_is_added_up(archive: Archive) -> None:
    archive.keep(with_results("01A", 1.0, old="pass", errors="high"))
    archive.keep(with_results("01B", 2.0, "pass", errors="pass", memory="undecided"))
    archive.keep(with_results("01C", 3.0, errors="low", memory="pass"))
    archive.keep(with_results("01D", 4.0, config="other", errors="high"))
    archive.label("01A", RIGHT)

    found = archive.config("http-service")

    assert (found.verdicts, found.labels, found.count) == ({"fail": 2, "pass": 1}, {"right": 1}, 3)
    assert (found.oldest, found.newest) == (1.0, 3.0)
    assert [metric.metric for metric in found.metrics] == ["errors", "memory", "old"]
    errors, memory, _ = found.metrics
    assert (errors.verdicts, errors.fired, errors.fired_at, errors.critical, errors.group) == (3, 2, 3.0, True, "g")
    assert (memory.fired, memory.fired_at, memory.share("undecided")) == (0, None, 0.5)
    assert archive.config("http-service", newest=1).verdicts == {"fail": 1}


def test_of_several_series_of_a_metric_the_worst_is_told(archive: Archive) -> None:
    made = with_results("01A", 1.0, errors="pass")
    series = [result("errors", kind, "because", labels={"pod": str(n)}) for n, kind in enumerate(["pass", "high", "high", "undecided"])]
    archive.keep(made | {"verdict": made["verdict"] | {"results": series}})

    assert archive.config("http-service").metrics[0].classifications == {"high": 1}


def test_every_config_is_listed_the_newest_first(archive: Archive) -> None:
    archive.keep(with_results("01A", 5.0, config="b"))
    archive.keep(with_results("01B", 9.0, config="a", errors="high"))
    archive.keep(with_results("01C", 7.0, "pass", config="c"))

    assert [(found.config, found.count, found.newest) for found in archive.configs()] == [("a", 1, 9.0), ("c", 1, 7.0), ("b", 1, 5.0)]


def test_replayed_verdicts_are_found_but_not_added_up(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))
    archive.restore(asked("01B", 2.0) | {"replayed": True})

    assert ids(archive.list()) == ["01B", "01A"]
    assert ids(archive.list(wanted=Wanted(replayed=True))) == ["01B"]
    assert ids(archive.list(wanted=Wanted(replayed=False))) == ["01A"]
    assert archive.row("01B")["replayed"] is True
    assert archive.config("http-service").count == archive.configs()[0].count == 1
    assert sum(archive.config("http-service").metrics[0].classifications.values()) == 1


def test_an_awkward_name_is_a_name_too(archive: Archive) -> None:
    archive.keep(with_results("01A", 5.0, config="a\0'%é"))

    assert archive.config("a\0'%é").count == 1
    assert [found.config for found in archive.configs()] == ["a\ufffd'%é"]


def test_more_configs_than_one_statement_takes(archive: Archive) -> None:
    for number in range(120):
        archive.keep(with_results(f"01{number:03}", float(number), config=f"config-{number}"))

    assert [found.config for found in archive.configs()] == [f"config-{number}" for number in range(119, -1, -1)]


def test_a_config_nobody_asked_for_is_empty(archive: Archive) -> None:
    found = archive.config("nope")

    assert (found.count, found.metrics, found.newest) == (0, (), None)
    assert archive.configs() == []


# Odd sizes


def test_two_thousand_metrics_are_kept_and_added_up(archive: Archive) -> None:
    archive.keep(with_results("01A", 1.0, **{f"metric-{n}": "pass" for n in range(1999)}, last="high"))

    assert len(archive.get("01A")["verdict"]["results"]) == 2000
    assert len(archive.config("http-service").metrics) == 2000
    assert archive.config("http-service").metrics[-1].fired == 1


def test_a_verdict_without_a_metric_or_a_sample_is_kept(archive: Archive) -> None:
    made = with_results("01A", 1.0, "inconclusive") | {"samples": []}
    archive.keep(made)

    assert archive.get("01A") == made
    assert archive.config("http-service").metrics == ()


# Taking in what another archive gave


def test_a_record_of_another_archive_is_taken_in_once(archive: Archive) -> None:
    made = record(verdict_id="01A")

    assert [archive.restore(made, [WRONG, RIGHT]) for _ in range(2)] == [True, False]
    assert archive.get("01A") == made
    assert archive.answer(made["question"]) == made
    assert list(archive.labels("01A")) == [WRONG, RIGHT]
    assert archive.restore(made, [Label(label="right", by="cy", at=70.0)]) is True
    assert archive.row("01A")["label"] == "right"


def test_a_question_that_is_answered_here_stays_with_its_verdict(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A"))

    assert archive.restore(record(verdict_id="01B")) is True
    assert archive.answer(record()["question"])["id"] == "01A"
    assert sorted(ids(archive.list())) == ["01A", "01B"]


# Retention


def test_for_ever_is_for_ever(kept: Archive) -> None:
    assert Keep().for_ever
    assert kept.prune(Keep(), now=1e12).verdicts == 0
    assert len(kept.list()) == 5


def test_old_verdicts_go_and_labelled_ones_stay(kept: Archive) -> None:
    keep, now = Keep(days=1), DAY + 35.0

    told = kept.prunable(keep, now=now)
    gone = kept.prune(keep, now=now)

    assert (gone.verdicts, gone.newest, told) == (2, 30.0, gone)
    assert ids(kept.list()) == ["014", "012", "011"]
    assert kept.prune(keep, now=now).verdicts == 0
    with pytest.raises(VerdictNotFound, match="no verdict"):
        kept.get("010")


def test_labelled_verdicts_go_too_where_that_is_set(kept: Archive) -> None:
    gone = kept.prune(Keep(days=1, labelled=False), now=DAY + 35.0)

    assert gone.verdicts == 4
    assert ids(kept.list()) == ["014"]


def test_pruning_takes_small_steps(kept: Archive) -> None:
    keep = Keep(days=1, labelled=False)

    assert [kept.prune(keep, now=DAY * 9, most=2).verdicts for _ in range(4)] == [2, 2, 1, 0]


def test_the_oldest_go_until_the_rest_is_small_enough(kept: Archive) -> None:
    one = kept.prunable(Keep(megabytes=0, labelled=False), now=0.0).bytes / 5
    keep = Keep(megabytes=3.5 * one / 1e6)

    told = kept.prunable(keep, now=0.0)
    gone = kept.prune(keep, now=0.0)

    assert (gone.verdicts, gone.newest, told) == (2, 30.0, gone)
    assert ids(kept.list()) == ["014", "012", "011"]
    assert kept.prune(keep, now=0.0).verdicts == 0


def test_where_only_labelled_verdicts_are_left_nothing_more_goes(kept: Archive) -> None:
    keep = Keep(megabytes=0)

    assert kept.prune(keep, now=0.0).verdicts == 3
    assert kept.prune(keep, now=0.0) == kept.prunable(keep, now=0.0)
    assert ids(kept.list()) == ["012", "011"]


def test_a_question_whose_verdict_went_is_judged_anew(archive: Archive) -> None:
    made = record(verdict_id="01A")
    archive.keep(made)
    archive.label("01A", RIGHT)

    assert archive.prune(Keep(days=1, labelled=False), now=made["asked_at"] + 2 * DAY).verdicts == 1
    assert archive.answer(made["question"]) is None
    assert archive.keep(record(verdict_id="01B")) == "01B"
    assert list(archive.labels("01B")) == []


# No archive


def test_no_archive_has_no_history() -> None:
    archive = NoArchive()

    assert list(archive.configs()) == archive.looks(canary="c") == archive.labelled() == []
    assert archive.config("x").count == archive.prune(Keep(days=1), now=0.0).verdicts == 0
    for use in (lambda: archive.label("x", RIGHT), lambda: archive.labels("x"), lambda: archive.row("x")):
        with pytest.raises(VerdictNotFound, match="no archive"):
            use()
    with pytest.raises(ArchiveError, match="no archive"):
        archive.restore(record())
