"""Is this canary worse than its baseline: the judge as a library.

The library's few names, loaded on first use so that ``judge --help`` is instant:
`judge_canary` (pure: numbers in, `Verdict` out), `load_config`, `load_dump`,
and `judge.notebook` for frames and plots.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import judge.notebook as notebook  # noqa: PLR0402 - the other form hides the submodule from the type checker
    from judge.config.load import load_config
    from judge.core.canary import judge_canary
    from judge.core.model import Verdict
    from judge.sources.dumps.read import load_dump

__version__ = "0.1.0"
__all__ = ["Verdict", "__version__", "judge_canary", "load_config", "load_dump", "notebook"]

_HOMES = {
    "Verdict": "judge.core.model",
    "judge_canary": "judge.core.canary",
    "load_config": "judge.config.load",
    "load_dump": "judge.sources.dumps.read",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name == "notebook":
        return import_module("judge.notebook")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module 'judge' has no attribute {name!r}"
    raise AttributeError(msg)
