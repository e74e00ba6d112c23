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
            return exchange_calendars.get_calendar(
                exchange, start=str(FIRST_DAY), end=str(LAST_DAY)
            )
        except exchange_calendars.errors.InvalidCalendarName as error:
            raise ConfigurationError(
                f"data.exchange {exchange!r} is not a calendar of exchange_calendars; "
                "expected a code such as XNYS"
            ) from error


@lru_cache(maxsize=4)
def _sessions(exchange: str) -> npt.NDArray[np.datetime64]:
    return np.asarray(_calendar(exchange).sessions.to_numpy(), dtype="datetime64[D]")


def _checked(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise DataError(f"{day} lies outside the trading calendar ({FIRST_DAY} to {LAST_DAY})")
    return day


def sessions_between(
    start: date, end: date, exchange: str = DEFAULT_EXCHANGE
) -> npt.NDArray[np.datetime64]:
    """Return the sessions from `start` to `end`, both included, as datetime64[D]."""
    sessions = _sessions(exchange)
    left = np.searchsorted(sessions, np.datetime64(_checked(start), "D"))
    right = np.searchsorted(sessions, np.datetime64(_checked(end), "D"), side="right")
    return sessions[left:right]


def is_session(day: date, exchange: str = DEFAULT_EXCHANGE) -> bool:
    """Tell whether the exchange trades on `day`."""
    return len(sessions_between(day, day, exchange)) == 1


def last_session_before(day: date, exchange: str = DEFAULT_EXCHANGE) -> date:
    """Return the last session strictly before `day`."""
    sessions = _sessions(exchange)
    index = int(np.searchsorted(sessions, np.datetime64(_checked(day), "D")))
    if index == 0:
        raise DataError(f"the calendar has no session before {day}")
    return _as_date(sessions[index - 1])


def first_session_from(day: date, exchange: str = DEFAULT_EXCHANGE) -> date:
    """Return the first session on or after `day`."""
    sessions = _sessions(exchange)
    index = int(np.searchsorted(sessions, np.datetime64(_checked(day), "D")))
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
