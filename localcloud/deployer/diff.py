"""What differs between two values of a resource's inputs, property by property."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MASK = "[secret]"


@dataclass(frozen=True)
class Difference:
    """One property that differs; None stands for one that is not there.

    Attributes
    ----------
    path : where, such as `environment.variables.TRADING_SETTINGS` or `rules[0].status`
    old, new : the values as JSON, secrets masked
    """

    path: str
    old: Any
    new: Any

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"path": self.path, "old": self.old, "new": self.new}


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Yield every property that differs, in the order of the names.

    Mappings and lists are compared inside, and so is text that is JSON on both sides: of a policy
    the one statement is named that changed.
    """
    old_inner, new_inner = _opened(old), _opened(new)
    if isinstance(old_inner, Mapping) and isinstance(new_inner, Mapping):
        for name in sorted({*old_inner, *new_inner}):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(old_inner.get(name), new_inner.get(name), inner)
    elif isinstance(old_inner, list) and isinstance(new_inner, list):
        for place in range(max(len(old_inner), len(new_inner))):
            before, after = (
                one[place] if place < len(one) else None for one in (old_inner, new_inner)
            )
            yield from differences(before, after, f"{path}[{place}]")
    elif old != new:
        yield Difference(path, old, new)


def _opened(value: Any) -> Any:
    """Return what JSON text holds, and any other value as it is."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
