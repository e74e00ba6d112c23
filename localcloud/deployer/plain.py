"""From what Pulumi's protocol carries to plain JSON values."""

from typing import Any

import pulumi
from pulumi.output import Unknown

from localcloud.deployer.diff import MASK
from localcloud.deployer.errors import UnknownResourceError

# The property that marks a wrapped value, and the mark of a secret, in Pulumi's protocol:
# https://github.com/pulumi/pulumi/blob/master/sdk/python/lib/pulumi/runtime/rpc.py
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  a public constant


# what a preview shows for a value that only a deployment gives
UNKNOWN = "[known once deployed]"


def plain(value: Any) -> Any:
    """Return a value with secrets unwrapped, whole numbers as `int` and unknowns named.

    Raises
    ------
    UnknownResourceError
        When the value holds an asset or archive, which no handler takes.
    """
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value.get("value"))
        return {key: plain(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, pulumi.Asset | pulumi.Archive):
        raise UnknownResourceError(f"no handler takes an asset or archive: {value!r}")
    return value


def masked(value: Any) -> Any:
    """Return a plain value that shows no secret."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return MASK
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return plain(value)
