"""How long tasks run that scheduled actions start and stop."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trading.cost.usage import HOURS
from trading.errors import ConfigurationError

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
CRON = re.compile(r"cron\((\d+) (\d+) \? \* ([A-Z,-]+|\*) \*\)")
WEEK_HOURS = 168


def open_hours(actions: Sequence[Mapping[str, Any]]) -> float:
    """Return the hours of a month in which a service is up.

    Parameters
    ----------
    actions : inputs of `ScheduledAction`, weekly `cron(M H ? * DAYS *)`; one with a capacity above
        zero starts the service, one with zero stops it. Without any it is always up.

    Raises
    ------
    ConfigurationError
        For an expression that is not weekly.
    """
    if not actions:
        return HOURS
    turns = sorted(turn for action in actions for turn in _turns(action))
    up = 0.0
    for (start, starts), (end, _) in zip(turns, [*turns[1:], turns[0]], strict=True):
        if starts:
            up += (end - start) % WEEK_HOURS or WEEK_HOURS
    return up / WEEK_HOURS * HOURS


def _turns(action: Mapping[str, Any]) -> list[tuple[float, bool]]:
    """Return when in the week (hours since Sunday) an action starts or stops the service."""
    found = CRON.fullmatch(str(action.get("schedule")))
    if found is None:
        raise ConfigurationError(
            f"the hours of the dashboard cannot be read from {action.get('schedule')!r}:"
            " cron(M H ? * DAYS *) is understood"
        )
    minute, hour, days = found.groups()
    starts = float(action["scalableTargetAction"].get("maxCapacity") or 0) > 0
    return [(DAYS.index(day) * 24 + int(hour) + int(minute) / 60, starts) for day in _days(days)]


def _days(text: str) -> list[str]:
    if text == "*":
        return list(DAYS)
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[day % 7] for day in range(begin, end + 1 if end >= begin else end + 8)]
    return found
