"""Pictures of README.md and docs/review.md, made by the product: ``python -m tests.pages.pictures``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pages.chromium import chromium

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
REVIEWED = ("tests/data/delag.jsonl.gz", "--canary", "delag-eshopper-224-reg20pct")
DEMO = ("judge/demo/canaries.jsonl.gz", "--canary", "shop-bad")


def written(path: Path, *what: str) -> Path:
    """Write the report of a canary."""
    done = subprocess.run(
        [sys.executable, "-m", "judge", "report", *what, "-o", str(path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"JUDGE_CONFIG_DIR": "judge/demo"},
    )
    assert path.is_file(), done.stderr
    return path


def main() -> None:
    """Open the reports, and take their pictures."""
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        PICTURES.mkdir(exist_ok=True)
        browser.open(written(Path(folder) / "demo.html", *DEMO).as_uri(), width=1100, height=740)
        browser.picture(PICTURES / "demo-verdict.png", whole=False)
        report = written(Path(folder) / "report.html", *REVIEWED)
        browser.open(report.as_uri(), width=1100, height=760)
        browser.picture(PICTURES / "review-verdict.png", whole=False)
        browser.run("arguments[0].scrollIntoView(); window.scrollBy(0, -8)", browser.one("details"))
        browser.picture(PICTURES / "review-metric.png", whole=False)
        browser.open(report.as_uri(), width=390, height=760, dark=True)
        browser.picture(PICTURES / "review-phone.png", whole=False)
    for path in sorted(PICTURES.glob("*.png")):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
