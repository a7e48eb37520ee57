"""Work on many canaries: in this process, in several, on a real Dask cluster; the same results in the same order."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from judge.errors import RequestError, WorkersError
from judge.parallel import Workers, _with_the_same_judge
from tests.dask_cluster import cluster
from tests.servers import free_port, loopback

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "judge" / "demo" / "canaries.jsonl.gz"


def score(*args, **environ):
    """``judge score`` as a person runs it."""
    words = [sys.executable, "-m", "judge", "score", *(str(arg) for arg in args)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=6000, cwd=ROOT, env={**os.environ, **environ})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Sixty canaries, every tenth of them broken in one way or another."""
    recorded = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
    lines = []
    for number in range(60):
        canary = {**recorded[number % 2], "id": f"canary-{number}"}
        if number % 30 == 9:
            canary["metrics"] = [{"name": "m"}]
        lines.append("{broken" if number % 30 == 19 else json.dumps(canary))
    lines.append(json.dumps({**recorded[0], "id": "by-name", "config": "shop-of-mine"}))
    lines.append(json.dumps({**recorded[0], "id": "by-a-name-nobody-knows", "config": "nowhere"}))
    path = tmp_path_factory.mktemp("dumps") / "many.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """A folder of configs that no worker has."""
    folder = tmp_path_factory.mktemp("configs")
    metrics = [{"name": "latency-p99", "query": "up{${scope}}"}]
    (folder / "mine.json").write_text(json.dumps({"name": "shop-of-mine", "scope": 'a="${hash}"', "metrics": metrics}))
    return folder


@pytest.mark.extended
@pytest.mark.parametrize("form", ["jsonl", "text"])
def test_a_cluster_gives_byte_for_byte_what_processes_give(two_workers, many, configs, form):
    environ = {"JUDGE_CONFIG_DIR": str(configs)}
    here = score(many, "--format", form, **environ)

    there = score(many, "--format", form, "--dask", two_workers.address, **environ)

    assert there == here
    if form == "jsonl":
        assert there == score(many, "--format", form, "--jobs", "2", **environ)
    # Four canaries are broken; each is named, the others are judged.
    assert (here[0], here[2].count("judge: ")) == (2, 4)
    assert "not JSON" in here[2]


@pytest.mark.extended
def test_a_worker_that_dies_is_done_without(tmp_path, many):
    path = tmp_path / "more.jsonl"
    path.write_text("".join(line + "\n" for line in many.read_text().splitlines() for _ in range(4) if "broken" not in line))
    expected = score(path, "--format", "jsonl", "--jobs", "2")
    words = [sys.executable, "-m", "judge", "score", str(path), "--format", "jsonl"]

    with cluster(tmp_path) as dask:
        victim = dask.workers()[0]
        # Unbuffered: what a buffer has read beyond the first line, communicate() would not see.
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        running = subprocess.Popen([*words, "--dask", dask.address], **pipes, bufsize=0, cwd=ROOT)
        assert running.stdout is not None
        first = running.stdout.readline()
        victim.kill()
        rest, said = running.communicate(timeout=6000)

    assert not victim.is_running()
    assert (running.returncode, (first + rest).decode(), said.decode()) == expected
    assert len(expected[1].splitlines()) > 200


@pytest.mark.extended
def test_a_scheduler_that_goes_away_ends_in_a_sentence(tmp_path, many):
    path = tmp_path / "more.jsonl"
    path.write_text(many.read_text() * 30)
    words = [sys.executable, "-m", "judge", "score", str(path), "--format", "jsonl"]

    with cluster(tmp_path) as dask:
        running = subprocess.Popen([*words, "--dask", dask.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert running.stdout is not None
        running.stdout.readline()
        dask.running.kill()
        began = time.monotonic()
        _, said = running.communicate(timeout=600)
        seconds = time.monotonic() - began

    assert running.returncode == 4
    assert f"judge: the Dask scheduler {dask.address} " in said
    assert "Traceback" not in said
    assert seconds < 10


@pytest.mark.extended
def test_no_scheduler_is_said_within_ten_seconds(many):
    address = f"tcp://127.0.0.1:{free_port()}"
    began = time.monotonic()

    status, out, said = score(many, "--dask", address)

    assert (status, out) == (4, "")
    assert said.startswith(f"judge: no Dask scheduler answers at {address} within 5 s")
    assert time.monotonic() - began < 10


@pytest.mark.extended
def test_what_is_no_scheduler_is_said_within_ten_seconds(many):
    """A web server accepts the connection and then makes no sense."""
    with loopback(lambda asked: asked.say(400, "what?")) as web:
        address = web.url.replace("http://", "tcp://")
        began = time.monotonic()

        status, out, said = score(many, "--dask", address)

    assert (status, out) == (4, "")
    assert said == f"judge: {address} was reached, but no Dask scheduler answers there within 5 s\n"
    assert time.monotonic() - began < 10


@pytest.mark.extended
def test_a_cluster_without_workers_is_no_endless_wait(tmp_path, many):
    with cluster(tmp_path, workers=0) as dask:
        status, out, said = score(many, "--dask", dask.address)

    assert (status, out) == (4, "")
    assert f"has no workers; start some: dask worker {dask.address}" in said


@pytest.mark.extended
def test_workers_with_another_judge_are_refused(tmp_path, many):
    other = tmp_path / "other.py"
    other.write_text("import judge\njudge.__version__ = '9.9.9'\n")
    with cluster(tmp_path, preload=other) as dask:
        status, out, said = score(many, "--dask", dask.address)

    assert (status, out) == (4, "")
    assert "has judge 9.9.9" in said
    assert "install the same versions there" in said


def test_a_worker_that_joins_late_with_another_judge_is_refused_too():
    with pytest.raises(WorkersError, match=r"has judge .*, here is judge 9\.9; a verdict must name one version"):
        _with_the_same_judge("9.9", abs, -1)


def test_without_the_extra_its_name_is_said(tmp_path, many):
    (tmp_path / "distributed.py").write_text("raise ImportError('not here')")

    status, out, said = score(many, "--dask", "tcp://127.0.0.1:1", PYTHONPATH=str(tmp_path))

    assert (status, out) == (2, "")
    assert "--dask: needs the extra dask: pip install '.[dask]'" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"jobs": 2, "dask": "tcp://h:1"}, "give --jobs or --dask, not both", id="one of the two"),
        pytest.param({"dask": "scheduler:8786"}, r"'scheduler:8786' is not .* \(allowed: tcp://host:8786, tls://host:8786\)", id="scheme"),
    ],
)
def test_what_is_asked_wrongly_is_refused(options, message):
    with pytest.raises(RequestError, match=message):
        Workers(**options)


def test_judges_are_not_compared_on_a_cluster(many):
    status, _, said = score(many, "--judge", "kayenta,sequential", "--dask", "tcp://127.0.0.1:1")

    assert status == 2
    assert "--dask: judges are compared on this machine" in said


def test_a_process_that_dies_ends_in_a_sentence():
    with Workers(2) as workers, pytest.raises(WorkersError, match="one of the 2 processes ended"):
        list(workers.each(os._exit, [3, 3, 3]))


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    with Workers(2) as workers:
        answers = workers.each(abs, tasks())
        assert next(answers) == 0
        assert len(taken) < 200
        assert list(answers) == list(range(1, 1000))
