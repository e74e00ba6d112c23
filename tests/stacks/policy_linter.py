"""parliament, the IAM linter, as it can be used here."""

import importlib.util
import json
import sys
import types
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# States names two kinds of executions for this action; the machine of the month is no express one.
ACCEPTED = frozenset({("states:DescribeExecution", "arn:*:states:*:*:express:*:*:*")})


@cache
def _parliament() -> Any:
    """Import parliament 1.6, which asks setuptools, of which 84 has no pkg_resources, for files."""
    if importlib.util.find_spec("pkg_resources") is None:
        shim = types.ModuleType("pkg_resources")
        shim.resource_filename = _resource_filename  # type: ignore[attr-defined]
        # pytest's syspath_prepend asks for it as soon as there is a pkg_resources.
        shim.fixup_namespace_packages = lambda _path: None  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = shim
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import parliament
    return parliament


def _resource_filename(package: str, name: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / name)


def findings(policy: Mapping[str, Any]) -> list[str]:
    """Return what parliament finds wrong with an identity policy."""
    analyzed = _parliament().analyze_policy_string(json.dumps(policy))
    return [f"{one.issue}: {one.detail}" for one in analyzed.findings if not _accepted(one)]


def _accepted(finding: Any) -> bool:
    if finding.issue != "RESOURCE_MISMATCH":
        return False
    return all((one["action"], one["required_format"]) in ACCEPTED for one in finding.detail)
