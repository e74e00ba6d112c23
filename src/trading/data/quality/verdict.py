"""The verdict on data: whether it may be used."""

from enum import StrEnum


class QualityVerdict(StrEnum):
    """Whether a session or history may be used."""

    PASS = "pass"  # noqa: S105 (a verdict, no password)
    WARN = "warn"
    FAIL = "fail"
