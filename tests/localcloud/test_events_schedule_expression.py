"""When schedules fire, against AWS's documented examples and by property."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.events.schedule_expression import ScheduleExpressionError, parse_schedule

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def times(expression: str, after: datetime = START, count: int = 3, zone: str = "UTC") -> list[str]:
    schedule = parse_schedule(expression, zone=zone, start=START)
    found, moment = [], after
    for _ in range(count):
        following = schedule.after(moment)
        if following is None:
            break
        found.append(following.strftime("%Y-%m-%d %H:%M"))
        moment = following
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 10 * * ? *)", ["2026-11-22 10:00", "2026-11-23 10:00", "2026-11-24 10:00"]),
        ("cron(15 12 * * ? *)", ["2026-11-21 12:15", "2026-11-22 12:15", "2026-11-23 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-11-23 18:00", "2026-11-24 18:00", "2026-11-25 18:00"]),
        ("cron(0 8 1 * ? *)", ["2026-12-01 08:00", "2027-01-01 08:00", "2027-02-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["2026-11-21 12:15", "2026-11-21 12:30", "2026-11-21 12:45"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-12-07 09:00", "2027-01-04 09:00", "2027-02-01 09:00"]),
        ("cron(0 0 L * ? *)", ["2026-11-30 00:00", "2026-12-31 00:00", "2027-01-31 00:00"]),
        ("cron(15 10 ? * 6L 2026-2028)", ["2026-11-27 10:15", "2026-12-25 10:15"]),
        ("cron(0 7 3W * ? *)", ["2026-12-03 07:00", "2027-01-04 07:00", "2027-02-03 07:00"]),
        ("cron(0 7 LW * ? *)", ["2026-11-30 07:00", "2026-12-31 07:00", "2027-01-29 07:00"]),
        ("cron(5 4 29 FEB ? *)", ["2028-02-29 04:05", "2032-02-29 04:05"]),
        ("cron(0 6 ? * TUE-SAT *)", ["2026-11-24 06:00", "2026-11-25 06:00", "2026-11-26 06:00"]),
        ("cron(0 0 1 1 ? 2026)", []),
        ("rate(5 minutes)", ["2026-11-21 12:05", "2026-11-21 12:10", "2026-11-21 12:15"]),
        ("rate(1 day)", ["2026-11-22 12:00", "2026-11-23 12:00", "2026-11-24 12:00"]),
        ("at(2026-11-30T09:30:00)", ["2026-11-30 09:30"]),
        ("at(2026-11-20T09:30:00)", []),
    ],
)
def test_documented_expressions(expression: str, expected: list[str]) -> None:
    assert times(expression)[: max(len(expected), 1)] == expected


def test_wall_clock_of_a_time_zone() -> None:
    """07:00 in New York is 12:00 UTC in winter and 11:00 UTC in summer."""
    march = datetime(2027, 3, 13, tzinfo=UTC)
    expected = ["2027-03-13 12:00", "2027-03-14 11:00", "2027-03-15 11:00"]
    assert times("cron(0 7 * * ? *)", march, zone="America/New_York") == expected
    assert times("at(2026-12-01T07:00:00)", zone="America/New_York") == ["2026-12-01 12:00"]


def test_a_skipped_hour_does_not_fire_and_a_repeated_one_fires_once() -> None:
    spring = datetime(2027, 3, 14, 5, tzinfo=UTC)
    autumn = datetime(2027, 11, 7, 4, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", spring, 1, "America/New_York") == ["2027-03-15 06:30"]
    assert times("cron(30 1 * * ? *)", autumn, 2, "America/New_York") == [
        "2027-11-07 05:30",
        "2027-11-08 06:30",
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 7 * * * *)",
        "cron(0 7 ? * ? *)",
        "cron(0 7 1 * ?)",
        "cron(60 7 1 * ? *)",
        "cron(0 7 1 NOVEMBER ? *)",
        "rate(0 minutes)",
        "rate(1 week)",
        "rate(soon)",
        "at(tomorrow)",
        "0 7 * * *",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleExpressionError, match="is not a schedule"):
        parse_schedule(expression, start=START)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ScheduleExpressionError, match="Mars"):
        parse_schedule("cron(0 7 * * ? *)", zone="Mars/Olympus", start=START)


@pytest.mark.slow
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/London", "Asia/Kolkata"]),
    moment=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
def test_a_daily_time_is_the_next_one_on_the_wall(
    minute: int, hour: int, zone: str, moment: datetime
) -> None:
    found = parse_schedule(f"cron({minute} {hour} * * ? *)", zone=zone, start=START).after(moment)

    assert found is not None
    wall = found.astimezone(ZoneInfo(zone))
    assert (wall.minute, wall.hour) == (minute, hour)
    assert timedelta(0) < found - moment <= timedelta(hours=49)


@given(
    seconds=st.integers(0, 10**7),
    value=st.integers(1, 90),
    unit=st.sampled_from(["minutes", "hours", "days"]),
)
def test_a_rate_keeps_its_distance(seconds: int, value: int, unit: str) -> None:
    period = timedelta(**{unit: value})
    schedule = parse_schedule(f"rate({value} {unit})", start=START)
    moment = START + timedelta(seconds=seconds)
    found = schedule.after(moment)

    assert found is not None
    assert timedelta(0) < found - moment <= period
    assert (found - START) % period == timedelta(0)
