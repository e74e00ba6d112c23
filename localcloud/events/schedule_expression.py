"""When a schedule fires: `cron(...)`, `rate(...)` and `at(...)`.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from localcloud.errors import CloudError

MONTHS = dict(zip(map(str.upper, calendar.month_abbr[1:]), range(1, 13), strict=True))
WEEKDAYS = dict(zip(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), range(1, 8), strict=True))
SEARCHED_DAYS = 366 * 8
UNITS = {"minute": 60, "hour": 3600, "day": 86_400}


class ScheduleExpressionError(CloudError):
    """The expression is not one that EventBridge accepts."""


class Schedule(Protocol):
    """Knows when it fires."""

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment` (UTC), or None when it never fires again."""


@dataclass(frozen=True)
class At:
    """Fires once."""

    moment: datetime

    def after(self, moment: datetime) -> datetime | None:
        """Return its time while it lies ahead."""
        return self.moment if self.moment > moment else None


@dataclass(frozen=True)
class Rate:
    """Fires every `period`, counted from `start`."""

    period: timedelta
    start: datetime

    def after(self, moment: datetime) -> datetime | None:
        """Return the next multiple of the period."""
        passed = max(0, (moment - self.start) // self.period)
        return self.start + (passed + 1) * self.period


@dataclass(frozen=True)
class Cron:
    """Fires at wall-clock minutes of a time zone.

    A time that the spring change skips does not fire; one that the autumn change repeats fires
    once, the first time.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    on_day: Callable[[date], bool]
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        """Return the first matching minute after `moment`, searched eight years ahead."""
        local = moment.astimezone(self.zone)
        for days in range(SEARCHED_DAYS):
            day = local.date() + timedelta(days=days)
            if day.year in self.years and day.month in self.months and self.on_day(day):
                for found in self._times(day):
                    if found > moment:
                        return found
        return None

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                found = wall.astimezone(UTC)
                if found.astimezone(self.zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
                    yield found


def parse_schedule(expression: str, *, zone: str = "UTC", start: datetime) -> Schedule:
    """Return the schedule of an expression.

    Parameters
    ----------
    expression
        `cron(minutes hours day-of-month month day-of-week year)`, `rate(value unit)` or
        `at(yyyy-mm-ddThh:mm:ss)`.
    zone
        Time zone of `cron` and `at`, IANA name.
    start
        From when a rate counts, UTC.

    Raises
    ------
    ScheduleExpressionError
        The expression or the time zone is unknown.
    """
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression.strip())
    if match is None:
        raise _error(expression, "expected cron(...), rate(...) or at(...)")
    kind, text = match.groups()
    try:
        place = ZoneInfo(zone)
        if kind == "at":
            moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=place)
            return At(moment.astimezone(UTC))
        return _rate(text, start) if kind == "rate" else _cron(text, place)
    except (ValueError, KeyError, OSError) as error:
        raise _error(expression, str(error)) from error


def _error(expression: str, reason: str) -> ScheduleExpressionError:
    return ScheduleExpressionError(f"{expression!r} is not a schedule: {reason}")


def _rate(text: str, start: datetime) -> Rate:
    value, unit = text.split()
    seconds = int(value) * UNITS[unit.removesuffix("s")]
    if seconds <= 0:
        raise ValueError("a rate is a positive number of minutes, hours or days")
    return Rate(timedelta(seconds=seconds), start)


def _cron(text: str, zone: ZoneInfo) -> Cron:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError(f"cron has 6 fields, not {len(fields)}")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    on_day = _weekday_rule(weekdays) if days == "?" else _day_rule(days)
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _values(months, 1, 12, MONTHS),
        _values(years, 1970, 2199),
        on_day,
        zone,
    )


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (_number(one, names) for one in span.split("-"))
        else:
            first = _number(span, names)
            last = high if step else first
        if not (low <= first <= last <= high):
            raise ValueError(f"{part} lies outside {low}-{high}")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: dict[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)


def _day_rule(text: str) -> Callable[[date], bool]:
    if text == "L":
        return lambda day: day.day == _last_day(day)
    if text == "LW":
        return lambda day: day == _nearest_weekday(day.replace(day=_last_day(day)))
    if text.endswith("W"):
        number = int(text[:-1])
        return lambda day: (
            number <= _last_day(day) and day == _nearest_weekday(day.replace(day=number))
        )
    days = _values(text, 1, 31)
    return lambda day: day.day in days


def _weekday_rule(text: str) -> Callable[[date], bool]:
    if "#" in text:
        name, _, place = text.partition("#")
        wanted, nth = _number(name, WEEKDAYS), int(place)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == nth
    if text.endswith("L"):
        last = _number(text[:-1], WEEKDAYS) if text != "L" else WEEKDAYS["SAT"]
        return lambda day: _weekday(day) == last and day.day + 7 > _last_day(day)
    weekdays = _values(text, 1, 7, WEEKDAYS)
    return lambda day: _weekday(day) in weekdays


def _weekday(day: date) -> int:
    """Return the weekday as EventBridge counts it, Sunday 1 to Saturday 7."""
    return day.isoweekday() % 7 + 1


def _last_day(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date) -> date:
    """Return the weekday nearest to a day, within its month."""
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if day.day < _last_day(day) else day - timedelta(days=2)
    return day
