"""What a check of an account found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands: fit, fit with a reservation, unfit, or not to be known."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, and the way out where it does not stand well."""

    check: str
    verdict: Verdict
    says: str
    way_out: str = ""

    @property
    def blocks(self) -> bool:
        """Whether a deployment would fail, or its first month."""
        return self.verdict is Verdict.FAILED


def ok(check: str, says: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, says)


def failed(check: str, says: str, way_out: str) -> Finding:
    """Return what keeps a deployment or its month from succeeding."""
    return Finding(check, Verdict.FAILED, says, way_out)


def warning(check: str, says: str, way_out: str) -> Finding:
    """Return what the operator should know before."""
    return Finding(check, Verdict.WARNING, says, way_out)


def unknown(check: str, says: str, way_out: str) -> Finding:
    """Return what could not be asked."""
    return Finding(check, Verdict.UNKNOWN, says, way_out)
