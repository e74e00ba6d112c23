"""Gaps of single sessions become runs, and nothing is lost."""

from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading.data.backfill import joined_gaps
from trading.data.providers import MissingBars
from trading.market.calendar import sessions_between

SESSIONS = tuple(s.astype(object) for s in sessions_between(date(2024, 6, 3), date(2024, 7, 12)))


def gap(
    symbol: str, session: date, reason: str = "none", fields: tuple[str, ...] = ()
) -> MissingBars:
    return MissingBars(symbol, session, session, 1, fields, reason)


def test_neighbouring_sessions_of_one_symbol_and_reason_are_one_gap() -> None:
    first, second, third, _, fifth = SESSIONS[:5]
    found = joined_gaps(
        [
            gap("B", third),
            gap("A", second),
            gap("A", first),
            gap("A", third, "another"),
            gap("A", fifth, "another"),
        ],
        SESSIONS,
    )
    assert [(g.symbol, g.first, g.last, g.sessions) for g in found] == [
        ("A", first, second, 2),
        ("A", third, third, 1),
        ("A", fifth, fifth, 1),
        ("B", third, third, 1),
    ]


def test_a_gap_that_may_pass_is_not_joined_to_one_that_does_not() -> None:
    first, second = gap("A", SESSIONS[0]), replace(gap("A", SESSIONS[1]), may_pass=True)
    assert joined_gaps([first, second], SESSIONS) == (first, second)
    assert joined_gaps([], SESSIONS) == ()


@given(st.sets(st.tuples(st.sampled_from("ABC"), st.integers(0, len(SESSIONS) - 1))))
def test_runs_miss_exactly_what_the_gaps_missed(cells: set[tuple[str, int]]) -> None:
    found = joined_gaps([gap(name, SESSIONS[t]) for name, t in cells], SESSIONS)
    told = np.array(SESSIONS, dtype="datetime64[D]")
    spread = {
        (g.symbol, int(t))
        for g in found
        for t in np.flatnonzero((told >= np.datetime64(g.first)) & (told <= np.datetime64(g.last)))
    }
    assert spread == cells
    assert sum(g.sessions for g in found) == len(cells)
