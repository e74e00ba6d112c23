"""The statements of a resource's own policy."""

import json
from collections.abc import Mapping
from typing import Any


def policy_statements(document: str | Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the statements of a policy document, JSON text or object; none when there is none."""
    loaded = json.loads(document) if isinstance(document, str) and document else document
    found = (loaded or {}).get("Statement", []) if isinstance(loaded, Mapping) else []
    return list(found) if isinstance(found, list) else [found]
