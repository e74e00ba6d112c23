from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import ConfigurationError, DataError
from trading.market import calendar

DAYS = st.dates(date(1990, 6, 1), date(2035, 6, 1))


@given(DAYS)
def test_sessions_around_a_day(day: date) -> None:
    before, following = calendar.last_session_before(day), calendar.first_session_from(day)
    assert before < day <= following
    assert calendar.is_session(before)
    assert calendar.is_session(following)
    assert len(calendar.sessions_between(before, following)) == 2
    assert calendar.is_session(day) == (following == day)


@given(DAYS)
def test_a_month_starts_once(day: date) -> None:
    first = calendar.first_session_of_month(day)
    assert calendar.is_month_start(first)
    assert (first.year, first.month) == (day.year, day.month)
    assert calendar.last_session_before(first).month != first.month


def test_known_holidays_and_closes() -> None:
    assert not calendar.is_session(date(2024, 7, 4))
    assert not calendar.is_session(date(2024, 3, 29))
    assert not calendar.is_session(date(2012, 10, 29))
    assert calendar.first_session_of_month(date(2024, 1, 31)) == date(2024, 1, 2)
    assert calendar.session_close(date(2024, 7, 3)) == datetime(2024, 7, 3, 17, tzinfo=UTC)
    assert calendar.session_close(date(2024, 1, 2)) == datetime(2024, 1, 2, 21, tzinfo=UTC)
    assert calendar.month_of(date(2024, 1, 2)) == "2024-01"


def test_the_date_is_the_exchanges() -> None:
    late = datetime(2024, 1, 2, 3, tzinfo=UTC)
    assert calendar.today(now=late) == date(2024, 1, 1)
    assert calendar.utc_midnight(date(2024, 1, 1)) == datetime(2024, 1, 1, tzinfo=UTC)


def test_what_the_calendar_does_not_know_is_an_error() -> None:
    with pytest.raises(DataError, match="outside the trading calendar"):
        calendar.sessions_between(date(1980, 1, 1), date(2000, 1, 1))
    with pytest.raises(DataError, match="no session before"):
        calendar.last_session_before(date(1990, 1, 1))
    with pytest.raises(DataError, match="not a session"):
        calendar.session_close(date(2024, 7, 4))
    with pytest.raises(ConfigurationError, match="XNYS"):
        calendar.is_session(date(2024, 1, 2), "NOWHERE")


def test_a_calendar_that_begins_late_is_known_from_there() -> None:
    assert calendar.known_days() == (calendar.FIRST_DAY, calendar.LAST_DAY)
    assert calendar.known_days("XTKS") == (date(1997, 1, 1), calendar.LAST_DAY)
    assert calendar.is_session(date(1997, 1, 6), "XTKS")
    assert not len(calendar.sessions_between(date(1990, 1, 1), date(1996, 12, 31), "XTKS"))
    assert len(calendar.sessions_between(calendar.FIRST_DAY, date(1997, 1, 31), "XTKS")) == 19
    for ask in (calendar.is_session, calendar.last_session_before, calendar.first_session_from):
        with pytest.raises(DataError, match=r"calendar of XTKS \(1997-01-01 to 2035-12-31\)"):
            ask(date(1996, 12, 31), "XTKS")


@pytest.mark.parametrize("exchange", ["ASEX", "XTAE"])
def test_a_calendar_that_cannot_be_computed_is_one_sentence(exchange: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot compute the calendar") as refused:
        calendar.is_session(date(2024, 1, 2), exchange)
    assert len(str(refused.value)) < 160
