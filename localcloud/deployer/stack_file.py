"""The configuration of a stack: `Pulumi.<stack>.yaml`, then what the caller sets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.deployer.errors import StackFileError


def project_name(folder: Path) -> str:
    """Return the project's name from `Pulumi.yaml`; raises `StackFileError`."""
    name = _mapping(folder / "Pulumi.yaml").get("name")
    if not isinstance(name, str):
        raise StackFileError(f"{folder / 'Pulumi.yaml'} must name the project: `name: ...`")
    return name


def stack_configuration(
    folder: Path, stack: str, project: str, overrides: Mapping[str, Any]
) -> dict[str, str]:
    """Return the configuration as the SDK wants it: qualified keys to text or JSON.

    Parameters
    ----------
    folder : where `Pulumi.<stack>.yaml` lies
    overrides : key to value; a key without a namespace is the project's, mappings are merged

    Raises
    ------
    StackFileError
        When the file is missing or malformed, or holds a value that only Pulumi can decrypt.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    if not path.exists():
        known = sorted(p.name.split(".")[1] for p in folder.glob("Pulumi.*.yaml"))
        raise StackFileError(f"there is no {path}; the stacks are {', '.join(known) or 'none'}")
    merged: dict[str, Any] = dict(_mapping(path).get("config") or {})
    for key, value in overrides.items():
        qualified = key if ":" in key else f"{project}:{key}"
        merged[qualified] = _merged(merged.get(qualified), value)
    for key, value in merged.items():
        if isinstance(value, dict) and set(value) == {"secure"}:
            raise StackFileError(
                f"{path} holds {key} encrypted, which only Pulumi can read: set it by --config"
            )
    return {key: _text(value) for key, value in merged.items() if value is not None}


def _mapping(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StackFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise StackFileError(f"{path} must hold a mapping, not {type(loaded).__name__}")
    return loaded


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, Mapping):
        return base | {key: _merged(base.get(key), value) for key, value in over.items()}
    return over


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
