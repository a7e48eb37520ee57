"""Methods: how one pair of samples is compared.

To add a method, write a module with a function of type `Method` and name it in
`METHODS`; config validation, ``judge check`` and the error texts follow from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from judge.core.config import MetricConfig
from judge.core.mann_whitney import compare as mann_whitney
from judge.core.mann_whitney.sample import Sample
from judge.core.model import Comparison


class Method(Protocol):
    """Compare one pair; `sample` holds finite values that share no data."""

    def __call__(self, sample: Sample, metric: MetricConfig) -> Comparison:
        """Return what was found; never called with fewer samples than `MethodEntry.min_samples`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodEntry:
    """A method and the one-sided level at which it calls a regression."""

    compare: Method
    alpha: float


METHODS: dict[str, MethodEntry] = {
    "mann-whitney": MethodEntry(compare=mann_whitney.compare, alpha=mann_whitney.ALPHA),
}

__all__ = ["METHODS", "Method", "MethodEntry", "Sample"]
