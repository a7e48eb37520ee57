"""Reading Kayenta's documents as Kayenta reads them: lenient paths, Java's types, and a fault where it throws.

Below ``analysisConfigurations`` Kayenta takes raw JSON values apart itself: a
missing key means the default, a null is 0.0 or false (but throws where a text is
wanted), and a number in quotes throws. Everywhere else Jackson reads typed fields
and takes "1.5" for 1.5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from judge.core.model import Floats
from judge.errors import Fault, RequestError

CONFIG, THRESHOLDS, PAIRS = "canaryConfig", "scoreThresholds", "metricSetPairList"
"""What Kayenta calls the three documents: the first part of every path in a fault."""

INT = range(-(2**31), 2**31)

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "INF": math.inf, "-Infinity": -math.inf, "-INF": -math.inf}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PLAIN = {float}
_MISSING = object()

Measure: TypeAlias = Literal["meanRatio", "cles"]


class KayentaFault(RequestError):
    """A document over which Kayenta throws, so that no canary is judged at all."""

    def __init__(self, path: str, message: str) -> None:
        """Take the dotted path of the field, as in ``metricSetPairList.0.values.control``."""
        super().__init__([Fault(path=path, message=message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """How one metric is judged: Kayenta's ``analysisConfigurations.canary`` with its defaults.

    The effect limits are ratios of means (`measure` meanRatio) or probabilities (cles).
    `groups` is None where the config has none; `path` is where the metric is in the config.
    """

    name: str | None
    path: str
    groups: tuple[str, ...] | None
    up: bool
    down: bool
    replace_nan: bool
    remove_outliers: bool
    outlier_factor: float
    critical: bool
    must_have_data: bool
    muted: bool
    measure: Measure
    allowed_increase: float
    allowed_decrease: float
    critical_increase: float
    critical_decrease: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One metric of one canary as it came: samples in order, NaN where there were none."""

    name: str | None
    id: str | None
    tags: Mapping[str, Any] | None
    path: str
    baseline: Floats
    canary: Floats


def found(data: Any, path: Sequence[str]) -> Any:
    """Follow a path of keys as Kayenta does: through lists too, into a list of what was found.

    Examples
    --------
    >>> found({"a": {"b": 1}}, ["a", "b"])
    1
    >>> found({"a": [{"b": 1}, {}, {"b": 2}]}, ["a", "b"])
    [1, 2]
    """
    if not path:
        return data
    if isinstance(data, Mapping):
        return found(data[path[0]], path[1:]) if path[0] in data else _MISSING
    if isinstance(data, list | tuple):
        each = [value for item in data if (value := found(item, path)) is not _MISSING]
        return each or _MISSING
    return _MISSING


class _Canary:
    """The raw values under one metric's ``analysisConfigurations.canary``."""

    def __init__(self, metric: Mapping[str, Any], path: str) -> None:
        self.data = metric.get("analysisConfigurations")
        self.path = f"{path}.analysisConfigurations"
        if self.data is not None:
            canary = _mapping(self.data, self.path).get("canary")
            if canary is not None:
                _mapping(canary, f"{self.path}.canary")

    def _of(self, keys: str) -> tuple[Any, str]:
        return found(self.data, ["canary", *keys.split(".")]), f"{self.path}.canary.{keys}"

    def number(self, keys: str, default: float) -> float:
        value, path = self._of(keys)
        if value is _MISSING:
            return default
        if value is None:
            return 0.0
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value in INT):
            return float(value)
        raise KayentaFault(path, f"need a number without quotes, of at most 32 bits if whole, got {_shown(value)}")

    def flag(self, keys: str) -> bool:
        value, path = self._of(keys)
        if value is _MISSING or value is None:
            return False
        if isinstance(value, bool):
            return value
        raise KayentaFault(path, f"need true or false without quotes, got {_shown(value)}")

    def text(self, keys: str, default: str) -> str:
        value, path = self._of(keys)
        if value is _MISSING:
            return default
        if value is None:
            raise KayentaFault(path, f"is null; leave it out, then it is {default!r}")
        # Whatever else stands here is written out by Kayenta, and then is none of the words it knows.
        return value if isinstance(value, str) else ""


def metric_rule(metric: Mapping[str, Any], path: str) -> MetricRule:
    """Read one entry of ``metrics``.

    Raises
    ------
    KayentaFault
        Where Kayenta throws for this metric.
    """
    canary = _Canary(metric, path)
    direction = canary.text("direction", "either")
    measure: Measure = "cles" if canary.text("effectSize.measure", "meanRatio") == "cles" else "meanRatio"
    limit = 0.5 if measure == "cles" else 1.0
    groups = metric.get("groups")
    if groups is not None:
        groups = tuple(_string(group, f"{path}.groups.{i}") for i, group in enumerate(_sequence(groups, f"{path}.groups")))
    return MetricRule(
        name=_name(metric.get("name"), f"{path}.name"),
        path=path,
        groups=groups,
        up=direction != "decrease",
        down=direction != "increase",
        replace_nan=canary.text("nanStrategy", "none") == "replace",
        remove_outliers=canary.text("outliers.strategy", "none") == "remove",
        outlier_factor=canary.number("outliers.outlierFactor", 3.0),
        critical=canary.flag("critical"),
        must_have_data=canary.flag("mustHaveData"),
        muted=canary.flag("muted"),
        measure=measure,
        allowed_increase=canary.number("effectSize.allowedIncrease", limit),
        allowed_decrease=canary.number("effectSize.allowedDecrease", limit),
        critical_increase=canary.number("effectSize.criticalIncrease", limit),
        critical_decrease=canary.number("effectSize.criticalDecrease", limit),
    )


def metric_entries(config: Mapping[str, Any]) -> dict[str | None, tuple[Mapping[str, Any], str]]:
    """Find each metric's entry by name, with its path; of two with one name the first counts."""
    path = f"{CONFIG}.metrics"
    entries: dict[str | None, tuple[Mapping[str, Any], str]] = {}
    for i, metric in enumerate(_sequence(_mapping(config, CONFIG).get("metrics"), path)):
        entry = _mapping(metric, f"{path}.{i}")
        entries.setdefault(_name(entry.get("name"), f"{path}.{i}.name"), (entry, f"{path}.{i}"))
    return entries


def group_weights(config: Mapping[str, Any]) -> dict[str, float]:
    """Read the configured weights, in the config's order; a null weighs nothing."""
    path = f"{CONFIG}.classifier"
    weights = _mapping(config.get("classifier"), path).get("groupWeights")
    if weights is None:
        return {}
    path += ".groupWeights"
    return {str(name): double(weight, f"{path}.{name}") for name, weight in _mapping(weights, path).items()}


def score_thresholds(thresholds: Any) -> tuple[float, float]:
    """Read the pass and the marginal threshold; a missing one is 0.0."""
    given = _mapping(thresholds, THRESHOLDS)
    return double(given.get("pass"), f"{THRESHOLDS}.pass"), double(given.get("marginal"), f"{THRESHOLDS}.marginal")


def read_pair(pair: Any, path: str) -> Pair:
    """Read one MetricSetPair."""
    given = _mapping(pair, path)
    values = _mapping(given.get("values"), f"{path}.values")
    tags = given.get("tags")
    return Pair(
        name=_name(given.get("name"), f"{path}.name"),
        id=_name(given.get("id"), f"{path}.id"),
        tags=None if tags is None else _mapping(tags, f"{path}.tags"),
        path=path,
        baseline=samples(values.get("control"), f"{path}.values.control"),
        canary=samples(values.get("experiment"), f"{path}.values.experiment"),
    )


def samples(values: Any, path: str) -> Floats:
    """Read a list of samples; a null is 0.0, as it is for Kayenta.

    Examples
    --------
    >>> samples([1, "NaN", 2.5, None], "values").tolist()
    [1.0, nan, 2.5, 0.0]
    """
    if isinstance(values, np.ndarray):
        return values.astype(np.float64, copy=False)
    listed = _sequence(values, path)
    # Nearly every series is floats alone: one look at the types saves a call a sample.
    if set(map(type, listed)) == _PLAIN:
        return np.array(listed, dtype=np.float64)
    return np.array([value if type(value) is float else double(value, f"{path}.{i}") for i, value in enumerate(listed)], dtype=np.float64)


def double(value: Any, path: str) -> float:
    """Read a typed number as Jackson does: null is 0.0, and numbers may stand in quotes."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        text = value.strip()
        if text in _SPECIAL:
            return _SPECIAL[text]
        if _NUMBER.fullmatch(text):
            return float(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    raise KayentaFault(path, f"need a number, got {_shown(value)}")


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise KayentaFault(path, f"need an object, got {_shown(value)}")
    return cast("Mapping[str, Any]", value)


def _sequence(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise KayentaFault(path, f"need a list, got {_shown(value)}")
    return value


def _string(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise KayentaFault(path, f"need a text, got {_shown(value)}")


def _name(value: Any, path: str) -> str | None:
    return None if value is None else _string(value, path)


def _shown(value: Any) -> str:
    """How a value is spoken of in a fault: short, and as JSON has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)[:60]
