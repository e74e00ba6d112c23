"""The trading calendar: sessions of the exchange, months and their first sessions."""

import warnings
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.errors import ConfigurationError, DataError

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2035, 12, 31)
DEFAULT_EXCHANGE = "XNYS"


@lru_cache(maxsize=4)
def _calendar(exchange: str) -> Any:
    with warnings.catch_warnings():
        # exchange_calendars 4.13 reads Series.values of zoned stamps, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return _widest_calendar(exchange)
        except exchange_calendars.errors.InvalidCalendarName as error:
            raise ConfigurationError(
                f"data.exchange {exchange!r} is not a calendar of exchange_calendars; "
                "expected a code such as XNYS"
            ) from error
        except (NotImplementedError, ValueError) as error:
            raise ConfigurationError(
                f"exchange_calendars cannot compute the calendar data.exchange {exchange!r}; "
                "expected another code, such as XNYS"
            ) from error


def _widest_calendar(exchange: str) -> Any:
    """Return the calendar from `FIRST_DAY` to `LAST_DAY`, or as far as its holidays are known."""
    try:
        return exchange_calendars.get_calendar(exchange, start=str(FIRST_DAY), end=str(LAST_DAY))
    except ValueError:
        usual = exchange_calendars.get_calendar(exchange)
        first = usual.bound_min() or usual.first_session
        last = usual.bound_max() or pd.Timestamp(LAST_DAY)
        return exchange_calendars.get_calendar(
            exchange,
            start=max(first, pd.Timestamp(FIRST_DAY)),
            end=min(last, pd.Timestamp(LAST_DAY)),
        )


@lru_cache(maxsize=4)
def _sessions(exchange: str) -> npt.NDArray[np.datetime64]:
    return np.asarray(_calendar(exchange).sessions.to_numpy(), dtype="datetime64[D]")


@lru_cache(maxsize=4)
def known_days(exchange: str = DEFAULT_EXCHANGE) -> tuple[date, date]:
    """Return the first and the last day of which it is known whether they are sessions.

    `FIRST_DAY` and `LAST_DAY`, or less where an exchange's holidays are not recorded as far: those
    of Tokyo (XTKS) are known from 1997 on.
    """
    calendar = _calendar(exchange)
    first, last = (_as_date(session) for session in _sessions(exchange)[[0, -1]])
    # A calendar that reaches into the first and the last year covers them.
    start = FIRST_DAY if first.year == FIRST_DAY.year else _bound(calendar.bound_min(), first)
    end = LAST_DAY if last.year == LAST_DAY.year else _bound(calendar.bound_max(), last)
    return max(start, FIRST_DAY), min(end, LAST_DAY)


def _bound(bound: pd.Timestamp | None, session: date) -> date:
    return session if bound is None else bound.date()


def _checked(day: date, exchange: str) -> date:
    first, last = known_days(exchange)
    if not first <= day <= last:
        raise DataError(
            f"{day} lies outside the trading calendar of {exchange} ({first} to {last})"
        )
    return day


def sessions_between(
    start: date, end: date, exchange: str = DEFAULT_EXCHANGE
) -> npt.NDArray[np.datetime64]:
    """Return the known sessions from `start` to `end`, both included, as datetime64[D].

    Both ends lie between `FIRST_DAY` and `LAST_DAY`; see `known_days` for where an exchange's
    sessions begin to be known.
    """
    for day in (start, end):
        if not FIRST_DAY <= day <= LAST_DAY:
            raise DataError(f"{day} lies outside the trading calendar ({FIRST_DAY} to {LAST_DAY})")
    sessions = _sessions(exchange)
    left = np.searchsorted(sessions, np.datetime64(start, "D"))
    right = np.searchsorted(sessions, np.datetime64(end, "D"), side="right")
    return sessions[left:right]


def is_session(day: date, exchange: str = DEFAULT_EXCHANGE) -> bool:
    """Tell whether the exchange trades on `day`."""
    _checked(day, exchange)
    return len(sessions_between(day, day, exchange)) == 1


def last_session_before(day: date, exchange: str = DEFAULT_EXCHANGE) -> date:
    """Return the last session strictly before `day`."""
    sessions = _sessions(exchange)
    index = int(np.searchsorted(sessions, np.datetime64(_checked(day, exchange), "D")))
    if index == 0:
        raise DataError(f"the calendar has no session before {day}")
    return _as_date(sessions[index - 1])


def first_session_from(day: date, exchange: str = DEFAULT_EXCHANGE) -> date:
    """Return the first session on or after `day`."""
    sessions = _sessions(exchange)
    index = int(np.searchsorted(sessions, np.datetime64(_checked(day, exchange), "D")))
    if index == len(sessions):
        raise DataError(f"the calendar has no session from {day} on")
    return _as_date(sessions[index])


def first_session_of_month(day: date, exchange: str = DEFAULT_EXCHANGE) -> date:
    """Return the first session of the calendar month of `day`."""
    return first_session_from(day.replace(day=1), exchange)


def month_of(day: date) -> str:
    """Return the month of `day` as `YYYY-MM`."""
    return f"{day:%Y-%m}"


def is_month_start(day: date, exchange: str = DEFAULT_EXCHANGE) -> bool:
    """Tell whether `day` is the first session of its month."""
    return first_session_of_month(day, exchange) == day


def session_open(day: date, exchange: str = DEFAULT_EXCHANGE) -> datetime:
    """Return the opening time of the session `day`, in UTC."""
    if not is_session(day, exchange):
        raise DataError(f"{day} is not a session of {exchange}; it has no open")
    opens = _calendar(exchange).session_open(pd.Timestamp(day))
    return opens.to_pydatetime()  # type: ignore[no-any-return]


def session_close(day: date, exchange: str = DEFAULT_EXCHANGE) -> datetime:
    """Return the closing time of the session `day`, in UTC."""
    if not is_session(day, exchange):
        raise DataError(f"{day} is not a session of {exchange}; it has no close")
    close = _calendar(exchange).session_close(pd.Timestamp(day))
    return close.to_pydatetime()  # type: ignore[no-any-return]


def today(timezone: str = "America/New_York", now: datetime | None = None) -> date:
    """Return the exchange's date; `now` (aware) stands in for the clock."""
    zone = ZoneInfo(timezone)
    return (now.astimezone(zone) if now else datetime.now(zone)).date()


def utc_midnight(day: date) -> datetime:
    """Return `day` 00:00 UTC."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo("UTC"))


def _as_date(session: np.datetime64) -> date:
    return session.astype(object)  # type: ignore[no-any-return]
