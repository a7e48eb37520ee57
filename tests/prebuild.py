"""Build the tests' Go programs before they are needed: ``python -m tests.prebuild``.

Where nothing is built yet that takes minutes of both cores. What it leaves behind is Go's own cache; the fixtures build again,
which is quick then, and say what went wrong.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from _pytest.outcomes import OutcomeException

from tests.argo.argo import VERSIONS
from tests.argo.argo import build as build_argo
from tests.configs.kustomizations import build as build_kustomize
from tests.integration.prometheus3 import build as build_prometheus


def main() -> None:
    """Build one after the other, behind everything else that runs."""
    os.nice(15)
    with tempfile.TemporaryDirectory() as folder, suppress(OutcomeException):
        for version in VERSIONS:
            build_argo(Path(folder), version)
        build_prometheus(Path(folder))
        build_kustomize(Path(folder))


if __name__ == "__main__":
    main()
