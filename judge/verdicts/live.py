"""One live question outside the service: asked of a `Service` that serves one config, so that its answer is the service's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from judge.archive import Archive
from judge.config.load import load_config, load_configs
from judge.core.config import CanaryConfig
from judge.errors import ConfigError, Fault, RequestError, nearest
from judge.settings import Settings, load_settings
from judge.sources import SourceSettings
from judge.verdicts.records import Kept
from judge.verdicts.service import Service


def ask_live(question: Mapping[str, Any], settings: Settings, archive: Archive, *, now: float, deadline: float, keep: bool = True) -> Kept:
    """Answer one question as the service would, with more patience.

    Parameters
    ----------
    question : mapping
        As over HTTP; `config` may be a file, empty values are left out.
    settings : Settings
    archive : Archive
        Is asked first; keeps the verdict where `keep` says so.
    now : float
        Unix seconds.
    deadline : float
        Seconds until there must be an answer.
    keep : bool

    Raises
    ------
    RequestError, ConfigError
        Where the question, the config or the settings are wrong.
    SourceUnreachable
        Where the source failed and the config asks for an error then.
    """
    config = find_config(question["config"], settings)
    patient = source_of(config, settings).patient(deadline)
    settings = settings.model_copy(update={"deadline": deadline, "sources": {**settings.sources, config.source: patient}})
    given = {key: value for key, value in question.items() if key == "args" or value}
    service = Service(settings.model_copy(update={"tokens_file": None}), archive, configs=[config])
    return service.ask({**given, "config": config.name}, now=now, keep=keep)[1]


def source_of(config: CanaryConfig, settings: Settings) -> SourceSettings:
    """Find the settings of the source that a config names.

    Raises
    ------
    ConfigError
        Where there are none.
    """
    if config.source in settings.sources:
        return settings.sources[config.source]
    hint = "give --prometheus or set JUDGE_PROMETHEUS_URL" if config.source == "default" else "it is not in server.yaml"
    raise ConfigError([Fault(path="source", message=f"there is no source {config.source!r}: {hint}", allowed=tuple(settings.sources))])


def settings_for(url: str) -> Settings:
    """Read the settings, with this address for the source named default where one is given."""
    environ = dict(os.environ)
    if url:
        environ["JUDGE_PROMETHEUS_URL"] = url
    try:
        return load_settings(environ)
    except ConfigError as error:
        if not url or error.faults[0].path != "JUDGE_PROMETHEUS_URL":
            raise
        # It was named on the command line, and not in the environment.
        raise RequestError([replace(error.faults[0], path="--prometheus")]) from error


def find_config(name: str, settings: Settings) -> CanaryConfig:
    """Load a config by file or by name.

    Raises
    ------
    ConfigError
        Where there is none, or it is broken.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml", ".json"} or path.is_file():
        return load_config(path)
    configs, errors = load_configs(settings.config_dir)
    if name in configs:
        return configs[name]
    for error in errors:
        if Path(error.where).stem == name:
            raise error
    known = tuple(sorted(configs))
    hint = nearest(name, known) if known else "; set JUDGE_CONFIG_DIR to a folder of canary configs, or name a file"
    raise ConfigError([Fault(path="", message=f"there is no config {name!r} in {settings.config_dir}{hint}", allowed=known)])
