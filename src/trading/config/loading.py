"""Reading the configuration: files, then `$TRADING_SETTINGS`, then the environment's variables."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trading.config.settings import Settings
from trading.errors import ConfigurationError

PREFIX = "TRADING_"
RESERVED = frozenset({"TRADING_HOME", "TRADING_SETTINGS", "TRADING_CONFIG_DIR", "TRADING_PROFILE"})


def config_directory() -> Path:
    """Return the folder of the YAML files: `$TRADING_CONFIG_DIR`, else the checkout's."""
    configured = os.environ.get("TRADING_CONFIG_DIR")
    return Path(configured) if configured else Path(__file__).parents[3] / "config"


def load_settings(
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the validated settings.

    Later wins: `default.yaml`, `<profile>.yaml` (or `$TRADING_PROFILE`), `$TRADING_SETTINGS`,
    `$TRADING_ENVIRONMENT` and `$TRADING_A__B`, `overrides`. Raises `ConfigurationError` with every
    mistake, one a line.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, Any] = {}
    names = ["default", profile or environ.get("TRADING_PROFILE")]
    for name in filter(None, names):
        _merge(merged, _read_yaml(config_directory() / f"{name}.yaml", required=name != "default"))
    _merge(merged, _from_json(environ.get("TRADING_SETTINGS")))
    _merge(merged, _from_environment(environ))
    _merge(merged, dict(overrides or {}))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or '(top)'}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("the configuration is invalid: " + "; ".join(lines)) from error


def _read_yaml(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists():
        if required:
            raise ConfigurationError(f"there is no configuration file {path}")
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if loaded is not None and not isinstance(loaded, dict):
        raise ConfigurationError(f"{path} must hold a mapping, not {type(loaded).__name__}")
    return loaded or {}


def _from_json(text: str | None) -> dict[str, Any]:
    try:
        loaded = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"TRADING_SETTINGS is not valid JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigurationError("TRADING_SETTINGS must be a JSON object")
    return loaded


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if named := environ.get("TRADING_ENVIRONMENT"):
        found["environment"] = named
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in RESERVED or "__" not in name:
            continue
        *parents, leaf = name.removeprefix(PREFIX).lower().split("__")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = yaml.safe_load(text)
    return found


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value
