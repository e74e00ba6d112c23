"""State machine definitions: files with `${Substitutions}`, and what they call."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trading.errors import ConfigurationError

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


def substitutions(template: str) -> frozenset[str]:
    """Return the names that a template asks for as `${Name}`."""
    return frozenset(_SUBSTITUTION.findall(template))


def render(template: str, values: Mapping[str, str]) -> str:
    """Return the definition with every `${Name}` replaced.

    Raises
    ------
    ConfigurationError
        When the template asks for an unknown name, leaves a known one unused, or is not JSON.
    """
    asked, known = substitutions(template), frozenset(values)
    if unknown := asked - known:
        raise ConfigurationError(
            f"the state machine asks for {_names(unknown)}, which the program does not give;"
            f" it gives {_names(known)}"
        )
    if unused := known - asked:
        raise ConfigurationError(
            f"the program gives {_names(unused)}, which the state machine does not use: call the"
            " function, or set step=False in stacks/functions_catalogue.py"
        )
    rendered = _SUBSTITUTION.sub(lambda match: json.dumps(values[match[1]])[1:-1], template)
    try:
        json.loads(rendered)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"the state machine is not valid JSON: {error}") from error
    return rendered


def integrations(template: str) -> frozenset[str]:
    """Return the service integrations that the tasks use, such as `sns:publish`.

    A task whose resource is a substitution calls a function, and is not listed.
    """
    prefix = "arn:aws:states:::"
    resources = _task_resources(json.loads(template))
    return frozenset(r.removeprefix(prefix) for r in resources if r.startswith(prefix))


def _task_resources(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("Type") == "Task" and isinstance(node.get("Resource"), str):
            yield node["Resource"]
        for child in node.values():
            yield from _task_resources(child)
    elif isinstance(node, list):
        for child in node:
            yield from _task_resources(child)


def _names(names: frozenset[str]) -> str:
    return ", ".join(f"${{{name}}}" for name in sorted(names))
