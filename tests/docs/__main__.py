"""Show what the pages' sessions print otherwise than the pages say, and write it into them: ``python -m tests.docs [page...]``.

An output with an ellipsis, or one that is JSON, is only shown: what to leave out is for a person to choose.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.pages import ELLIPSIS, PAGES, ROOT, blocks, named, steps
from tests.docs.sessions import run_page


def main() -> None:
    """Bring the sessions of these pages, or of all, up to date."""
    chosen = [ROOT / name for name in sys.argv[1:]]
    for page in chosen if chosen else PAGES:
        if not blocks(page, "console"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            ran = run_page(page, Path(folder))
        for block in blocks(page, "console"):
            fresh = ""
            for step, done in zip(steps(block), [one for one in ran if one.block == block], strict=True):
                said = step.said
                if not done.fits:
                    by_hand = ELLIPSIS in said or said.startswith("{")
                    print(f"{block}: $ {step.command}\n{done.printed}\n{'^ not written: by hand' if by_hand else ''}")
                    said = said if by_hand else done.printed
                command = step.command.replace("\n", "\n> ")
                fresh += f"$ {command}\n" + "".join(f"{line}\n" for line in said.splitlines())
            page.write_text(page.read_text(encoding="utf-8").replace(block.text, fresh), encoding="utf-8")
        print(f"{named(page)}: {len(ran)} commands")


if __name__ == "__main__":
    main()
