"""Run the examples of docs/calibrate.md on the made-up past of two days: ``python -m tests.calibrate.report.page`` writes them anew.

They are in blocks of their own language, ``text``, since the other pages' sessions know no Prometheus.
The pictures beside the page are made here too.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.calibrate.conftest import victoria
from tests.calibrate.history import END, import_into, past
from tests.docs.pages import DOCS, ROOT, blocks, steps

PAGE = DOCS / "calibrate.md"
PICTURES = DOCS / "calibrate"
UNTIL = f"{END:.0f}"


def run(command: str, url: str, folder: Path) -> str:
    """One command of the page as a reader types it, with our own server, cache and end of the history."""
    words = shlex.split(command)
    assert words[0] == "judge"
    ours = ["--until", UNTIL, "--cache", str(folder / "cache"), "--rate", "0"] if words[1] in {"calibrate", "replay"} else []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUDGE_")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "judge", *words[1:], *ours],
        cwd=folder,
        env={
            **kept,
            "JUDGE_PROMETHEUS_URL": url,
            "JUDGE_CONFIG_DIR": str(ROOT / "configs"),
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
            "COLUMNS": "80",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return "\n".join(line.rstrip() for line in (done.stderr + done.stdout).rstrip("\n").splitlines())


def run_page(url: str, folder: Path) -> list[tuple[str, str, str]]:
    """Every command of the page: it, what the page says, what it printed."""
    for block in blocks(PAGE):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    return [(step.command, step.said, run(step.command, url, folder)) for block in blocks(PAGE, "text") for step in steps(block)]


def shape(output: str) -> list[str]:
    """An output without its numbers: what stays the same on every machine and numpy."""
    return re.sub(r"[-+]?\d[\d.,:]*(e-?\d+)?", "#", output).split()


def pictures(page: str) -> dict[str, str]:
    """Pictures of a report as files of their own, with the colours of a light page."""
    style = (
        "<style>text{font:12px sans-serif;fill:#1f2328}.tick{fill:#57606a}.grid{stroke:#d0d7de}"
        ".curve{fill:none;stroke-width:2;stroke:#0a5dc2}"
        ".curve.drift{stroke:#b04600}.curve.late{stroke:#116329}.curve.tail{stroke:#6639ba}.curve.spread{stroke:#57606a}</style>"
    )
    found = {}
    for drawn in re.findall(r"<svg .*?</svg>", page):
        named = re.search(r'aria-label="share of canaries caught by the size of the change, ([^"]+)"', drawn)
        if named:
            head, rest = drawn.split(">", 1)
            found[f"{named.group(1)}.svg"] = f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'
    return found


def main() -> None:
    """Write the outputs and the pictures anew."""
    with tempfile.TemporaryDirectory() as name, victoria(Path(name)) as url:
        import_into(url, past(days=2.0, scrape=30.0))
        for command, said, printed in run_page(url, Path(name)):
            text = PAGE.read_text(encoding="utf-8")
            before = f"$ {command}\n" + "".join(f"{line}\n" for line in said.splitlines())
            after = f"$ {command}\n" + "".join(f"{line}\n" for line in printed.splitlines())
            assert before in text, command
            PAGE.write_text(text.replace(before, after), encoding="utf-8")
        PICTURES.mkdir(exist_ok=True)
        for file, drawn in pictures((Path(name) / "cart.html").read_text()).items():
            (PICTURES / file).write_text(drawn, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} and {len(list(PICTURES.glob('*.svg')))} pictures written")


if __name__ == "__main__":
    main()
