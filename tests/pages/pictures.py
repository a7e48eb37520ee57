"""Pictures of docs/review.md, made by the product: ``python -m tests.pages.pictures``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pages.chromium import chromium

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
CANARY = "delag-eshopper-224-reg20pct"


def main() -> None:
    """Write the report of the canary, open it, and take its pictures."""
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        report = Path(folder) / "report.html"
        command = ["report", str(ROOT / "tests" / "data" / "delag.jsonl.gz"), "--canary", CANARY, "-o", str(report)]
        done = subprocess.run([sys.executable, "-m", "judge", *command], check=False, capture_output=True, text=True)
        assert report.is_file(), done.stderr
        PICTURES.mkdir(exist_ok=True)
        browser.open(report.as_uri(), width=1100, height=760)
        browser.picture(PICTURES / "review-verdict.png", whole=False)
        browser.run("arguments[0].scrollIntoView(); window.scrollBy(0, -8)", browser.one("details"))
        browser.picture(PICTURES / "review-metric.png", whole=False)
        browser.open(report.as_uri(), width=390, height=760, dark=True)
        browser.picture(PICTURES / "review-phone.png", whole=False)
    for path in sorted(PICTURES.glob("review-*.png")):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
