"""The months that commands are told."""

import re

from trading.errors import ConfigurationError

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def month_name(text: str) -> str:
    """Return a month as it was given; raises `ConfigurationError` unless it reads YYYY-MM."""
    if not MONTH.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no month; give one as YYYY-MM, such as 2025-02")
    return text
