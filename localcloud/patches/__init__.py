"""Everything that is changed in moto, in one place; each module says what and why."""

from localcloud.context import CloudContext


def install(context: CloudContext) -> None:
    """Put every change in."""
