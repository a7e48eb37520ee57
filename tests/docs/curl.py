"""The part of curl that the pages use, so that their lines are asked where there is no curl: ``python -m tests.docs.curl``.

`INSTEAD` in the environment is the address of the service that answers for the
one which the pages speak of.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import urllib.error
import urllib.request

INSTEAD = "DOCS_SERVICE_URL"
ON_THE_PAGES = "http://127.0.0.1:8080"


def main() -> None:
    """Send one request and print the body of the answer, and its status where ``-i`` asks for it."""
    words = argparse.ArgumentParser(prog="curl")
    words.add_argument("-s", action="store_true")
    words.add_argument("-i", action="store_true")
    words.add_argument("-H", action="append", default=[])
    words.add_argument("-d")
    words.add_argument("url")
    asked = words.parse_args()
    headers = {name.strip(): value.strip() for name, _, value in (header.partition(":") for header in asked.H)}
    if asked.d is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    url = asked.url.replace(ON_THE_PAGES, os.environ[INSTEAD])
    request = urllib.request.Request(url, data=None if asked.d is None else asked.d.encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, body = f"HTTP/1.1 {answer.status} {answer.reason}", answer.read()
    except urllib.error.HTTPError as error:
        status, body = f"HTTP/1.1 {error.code} {error.reason}", error.read()
    # Whoever reads only the first line may have gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), (f"{status}\n".encode() if asked.i else b"") + body)


if __name__ == "__main__":
    main()
