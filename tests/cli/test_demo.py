"""``judge demo``: the real service under gunicorn, asked over loopback as Argo asks."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from tests.record_demo import FILE, record
from tests.servers import free_port, get, wait_until

pytestmark = pytest.mark.integration


def test_demo_shows_both_verdicts_and_ends_well():
    done = subprocess.run([sys.executable, "-m", "judge", "demo"], capture_output=True, text=True, timeout=600, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "✔ PASS 100/100" in done.stdout
    assert "✖ FAIL 0/100" in done.stdout
    assert done.stdout.index("error-ratio   high") < done.stdout.index("memory        pass", done.stdout.index("FAIL"))


def test_demo_serve_keeps_running_until_it_is_stopped(tmp_path):
    port = free_port()
    log = tmp_path / "out"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "judge", "demo", "--serve", "--port", str(port)], stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until(lambda: "The service goes on" in log.read_text(), "the demo says that it goes on")
        index = get(f"http://127.0.0.1:{port}/")
        assert b"http-service" in index
    finally:
        os.killpg(process.pid, signal.SIGINT)
        status = process.wait(timeout=600)
    assert status == 0
    assert get(f"http://127.0.0.1:{port}/healthz", timeout=1) is None


def test_the_recordings_are_what_a_real_prometheus_gives():
    # Whoever changes the fetch, the dump's form or the history records anew and looks at the difference.
    found, kept = ([json.loads(line) for line in gzip.decompress(data).splitlines()] for data in (record(), FILE.read_bytes()))

    assert _without_samples(found) == _without_samples(kept)
    assert _samples(found) == pytest.approx(_samples(kept), rel=1e-9)


def _without_samples(dumps):
    return [{key: value for key, value in dump.items() if key not in {"metrics", "traffic"}} for dump in dumps]


def _samples(dumps):
    sides = [metric[side] for dump in dumps for metric in dump["metrics"] for side in ("baseline", "canary")]
    return [value for side in sides for part in side.values() for value in part]


def test_serve_shuts_down_and_leaves_nothing_behind(tmp_path):
    port = free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUDGE_")}
    env |= {"JUDGE_CONFIG_DIR": str(FILE.parent), "JUDGE_ARCHIVE_URL": "none", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "judge", "serve", "--port", str(port), "--workers", "1"], env=env, stderr=subprocess.PIPE
    )
    wait_until(lambda: get(f"http://127.0.0.1:{port}/readyz"), "judge serve is ready")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"judge_verdict_seconds_bucket" in answer.read()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=600)

    assert process.returncode == 0
    assert b"judge serves 1 configs" in err
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_serve_says_in_its_last_line_that_the_port_is_taken(tmp_path):
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUDGE_")}
    env |= {"JUDGE_CONFIG_DIR": str(FILE.parent), "JUDGE_ARCHIVE_URL": "none", "TMPDIR": str(tmp_path)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "judge", "serve", "--port", str(port), "--workers", "1"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"judge: --port: cannot listen on 127.0.0.1:{port}: another program has the port, or the address is not this machine's"
    )
    assert "judge serves" not in done.stderr
    assert list(tmp_path.iterdir()) == []
