"""The grid of monthly decisions."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import ConfigurationError, DataError
from trading.features.decisions import decision_grid, next_in_phase, outcome_known
from trading.features.specification import HISTORY
from trading.market.calendar import first_session_of_month, last_session_before, sessions_between

START = date(2021, 1, 4)


def before(as_of: date) -> np.ndarray:
    return sessions_between(START, as_of - timedelta(days=1))


def test_phase_zero_decides_after_the_last_session_before_each_month() -> None:
    as_of = date(2023, 7, 3)
    sessions = before(as_of)
    grid = decision_grid(sessions, as_of, phases=4)
    days = [day.astype(object) for day in sessions[grid.rows[grid.phases == 0]]]
    months = [date(year, month, 1) for year in (2022, 2023) for month in range(1, 13)]
    expected = [last_session_before(first_session_of_month(day)) for day in months]
    known = [
        day
        for day in expected
        if sessions[HISTORY - 1] <= np.datetime64(day) < np.datetime64(as_of)
    ]
    assert days == known
    assert grid.rows[-1] == len(sessions) - 1


def test_an_as_of_inside_a_month_adds_one_decision() -> None:
    as_of = date(2023, 7, 20)
    sessions = before(as_of)
    grid = decision_grid(sessions, as_of, phases=1)
    assert [str(day) for day in sessions[grid.rows[-2:]]] == ["2023-06-30", "2023-07-19"]
    assert outcome_known(grid.rows, grid.phases, len(sessions))[-3:].tolist() == [
        True,
        False,
        False,
    ]


@settings(max_examples=60, deadline=None)
@given(as_of=st.dates(date(2022, 2, 1), date(2026, 1, 1)), phases=st.integers(1, 10))
def test_decisions_ascend_and_the_last_is_the_month_to_be_scored(as_of: date, phases: int) -> None:
    sessions = before(as_of)
    grid = decision_grid(sessions, as_of, phases)
    assert (np.diff(grid.rows) > 0).all()
    assert grid.rows[0] >= HISTORY - 1
    assert (grid.rows[-1], grid.phases[-1]) == (len(sessions) - 1, 0)
    known = outcome_known(grid.rows, grid.phases, len(sessions))
    assert not known[-1]
    following = next_in_phase(grid.rows, grid.phases)
    for i in np.flatnonzero(following >= 0):
        assert following[i] > grid.rows[i]
        assert known[i] == (following[i] + 1 <= len(sessions) - 1)


@settings(max_examples=40, deadline=None)
@given(days=st.tuples(st.integers(400, 1600), st.integers(0, 400)), phases=st.integers(1, 10))
def test_a_later_as_of_keeps_the_decisions_of_an_earlier_one(
    days: tuple[int, int], phases: int
) -> None:
    early = START + timedelta(days=days[0])
    late = early + timedelta(days=days[1])
    first = decision_grid(before(early), early, phases)
    second = decision_grid(before(late), late, phases)
    kept = dict(zip(second.rows.tolist(), second.phases.tolist(), strict=True))
    for row, phase in zip(first.rows[:-1].tolist(), first.phases[:-1].tolist(), strict=True):
        assert kept[row] == phase


def test_too_short_a_history_and_too_many_phases_are_refused() -> None:
    sessions = before(date(2021, 6, 1))
    with pytest.raises(DataError, match="the features need 253"):
        decision_grid(sessions, date(2021, 6, 1), 4)
    with pytest.raises(ConfigurationError, match="expected 1 to 10"):
        decision_grid(before(date(2023, 6, 1)), date(2023, 6, 1), 11)


def test_a_month_cut_short_gives_no_row_twice() -> None:
    days = sessions_between(date(2000, 1, 3), date(2002, 6, 28))
    grid = decision_grid(days, date(2002, 7, 1), phases=4)
    assert (np.diff(grid.rows) > 0).all()
    meeting = np.flatnonzero(days[grid.rows] == np.datetime64("2001-09-28"))
    assert grid.phases[meeting].tolist() == [0]
