"""Tell the operator: one mail to the topic of its severity."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import boto3

from trading.month.resources import Resources

Severity = Literal["critical", "warning"]
TOPICS: Final[Mapping[Severity, str]] = {
    "critical": "TRADING_ALERT_TOPIC",
    "warning": "TRADING_WARNING_TOPIC",
}
SUBJECT_LIMIT = 100
LINE_LIMIT = 600
LINES = 60


def tell_operator(
    resources: Resources,
    subject: str,
    lines: Sequence[str],
    *,
    severity: Severity = "critical",
) -> None:
    """Publish a mail of sentences; what is too long for one to read is shortened, and says so.

    `critical` is what stops the month or the day; `warning` can wait until someone looks.
    """
    shown = [line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]}..." for line in lines]
    if len(shown) > LINES:
        shown = [*shown[:LINES], f"... and {len(lines) - LINES:,} lines more"]
    boto3.client("sns").publish(
        TopicArn=resources.name(TOPICS[severity]),
        Subject=_ascii(subject)[:SUBJECT_LIMIT],
        Message="\n".join([*shown, "", f"Environment {resources.settings.environment}."]),
    )


def _ascii(text: str) -> str:
    """Return the text as SNS takes it for a subject: ASCII, one line."""
    return " ".join(text.encode("ascii", "replace").decode().split())
