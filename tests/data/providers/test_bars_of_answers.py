"""Reading of values, acceptance of rows, the board and the gaps, on their own."""

import math
from datetime import UTC, date, datetime
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.data.providers.answers import as_day, as_number, as_text, decode_json, local_days
from trading.data.providers.board import Board
from trading.data.providers.client import Answer
from trading.data.providers.failures import MalformedAnswer
from trading.data.providers.gaps import missing_bars
from trading.data.providers.vendor_bars import VendorBars, accept_bars, finished_sessions
from trading.market.bars import FIELDS, empty_bars
from trading.market.calendar import sessions_between

SESSIONS = sessions_between(date(2024, 6, 24), date(2024, 6, 28))
GOOD = {
    "open": 10.0,
    "high": 11.0,
    "low": 9.0,
    "close": 10.5,
    "volume": 100.0,
    "adjusted_close": 10.5,
}


def rows(*told: tuple[str, str, dict[str, float]]) -> VendorBars:
    return VendorBars(
        [symbol for symbol, _, _ in told],
        np.array([day for _, day, _ in told], dtype="datetime64[D]"),
        {f: np.array([(GOOD | change)[f] for _, _, change in told], dtype=float) for f in FIELDS},
    )


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (" 1,234.5 ", 1234.5),
        ("1e3", 1000.0),
        (-0.0, 0.0),
        (True, None),
        (None, None),
        ("NaN", None),
        ("inf", None),
        ("1e999", None),
        (10**400, None),
        (float("inf"), None),
        ("12abc", None),
        ("１２", None),
        ([1], None),
        ("", None),
        ("9" * 5_000, None),
    ],
)
def test_numbers_are_finite_or_unknown(value: Any, number: float | None) -> None:
    found = as_number(value)
    assert math.isnan(found) if number is None else found == number


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()))
def test_any_value_is_read_without_an_exception(value: Any) -> None:
    assert math.isfinite(as_number(value)) or math.isnan(as_number(value))
    assert as_text(value) is None or isinstance(value, str)
    assert as_day(value) is None or isinstance(value, str)


def test_stamps_are_days_of_the_exchanges_wall_clock() -> None:
    stamps = np.array([1_602_705_600.0, 1_112_331_600.0, 1_719_604_800.0, np.nan, 1e300, -1e300])
    days = local_days(stamps, "America/New_York")
    assert [str(day) for day in days] == ["2020-10-14", "2005-04-01", "2024-06-28", *["NaT"] * 3]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"<html>", "HTML"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": 1, "a": 2}', "repeats"),
        (b'{"a": 1', "character"),
        (b"\xff\xfe\x00", "decoded"),
        (b"[" * 100_000, "decoded"),
        (b"1" * 5_000, "decoded"),
    ],
)
def test_what_is_no_json_says_why(body: bytes, reason: str) -> None:
    answer = Answer(200, httpx.Headers({"Content-Type": "application/json"}), body)
    with pytest.raises(MalformedAnswer, match=reason):
        decode_json(answer, "iex", "it")


@pytest.mark.parametrize(
    ("change", "day", "symbol", "reason"),
    [
        ({"close": np.nan}, "2024-06-28", "A", "no_close"),
        ({"close": 0.0, "low": 0.0}, "2024-06-28", "A", "nonpositive_price"),
        ({"low": -1.0}, "2024-06-28", "A", "nonpositive_price"),
        ({"high": np.inf}, "2024-06-28", "A", "impossible_price"),
        ({"high": 8.0}, "2024-06-28", "A", "high_below_low"),
        ({"high": 10.2}, "2024-06-28", "A", "open_or_close_outside_range"),
        ({}, "NaT", "A", "no_date"),
        ({}, "2024-06-29", "A", "outside_the_request"),
        ({}, "2024-06-28", "", "no_symbol"),
        ({}, "2024-06-28", "a b", "no_symbol"),
        ({}, "2024-06-28", "Ä", "no_symbol"),
        ({}, "2024-06-28", "\ud800", "no_symbol"),
    ],
)
def test_a_row_that_cannot_be_true_is_left_out(
    change: dict[str, float], day: str, symbol: str, reason: str
) -> None:
    bars, report = accept_bars(rows(("B", "2024-06-28", {}), (symbol, day, change)), SESSIONS, "x")
    assert list(bars["symbol"]) == ["B"]
    assert report.dropped == {reason: 1}


def test_repeats_are_one_row_and_contradictions_none() -> None:
    told = rows(
        ("A", "2024-06-27", {}),
        ("A", "2024-06-27", {}),
        ("B", "2024-06-27", {}),
        ("B", "2024-06-27", {"close": 10.6}),
        ("B", "2024-06-28", {}),
        ("C", "2024-06-27", {"close": np.nan}),
        ("C", "2024-06-27", {}),
    )
    bars, report = accept_bars(told, SESSIONS, "x")
    assert [(r.symbol, r.date.day) for r in bars.itertuples()] == [("A", 27), ("B", 28)]
    assert report.dropped == {"no_close": 1, "conflicting_duplicate": 3, "duplicate": 1}


def test_a_volume_that_cannot_be_is_unknown_and_no_rows_are_an_empty_frame() -> None:
    bars, _ = accept_bars(rows(("A", "2024-06-28", {"volume": -5.0})), SESSIONS, "x")
    assert np.isnan(bars["volume"].iloc[0])
    bars, report = accept_bars(rows(), SESSIONS, "x")
    pd.testing.assert_frame_equal(bars, empty_bars())
    assert report.rows_read == 0


def test_a_session_is_finished_twenty_minutes_after_its_close() -> None:
    early = datetime(2024, 7, 3, 17, 19, tzinfo=UTC)
    whole = finished_sessions(date(2024, 7, 1), date(2024, 7, 9), "XNYS", early)
    assert str(whole[-1]) == "2024-07-02"
    later = early.replace(minute=20)
    whole = finished_sessions(date(2024, 7, 1), date(2030, 7, 9), "XNYS", later)
    assert str(whole[-1]) == "2024-07-03", "a half day ends at one o'clock"


def frame(*told: tuple[str, str, dict[str, float]]) -> pd.DataFrame:
    return accept_bars(rows(*told), SESSIONS, "x")[0]


def test_the_first_to_tell_a_bar_keeps_it() -> None:
    board = Board(SESSIONS, ("A", "B"), 0.005)
    assert board.add(frame(("A", "2024-06-28", {"volume": np.nan})), "one") == 5
    assert board.add(frame(("A", "2024-06-28", {}), ("B", "2024-06-28", {})), "two") == 7
    bars = board.bars()
    assert list(bars["symbol"]) == ["A", "B"]
    assert list(bars["volume"]) == [100.0, 100.0]
    origin = board.provenance()
    assert list(origin["source"]) == ["one", "two"]
    assert list(origin["volume_source"]) == ["two", "two"]
    assert board.lacking().sum() == 2 * len(SESSIONS) - 2
    assert not board.disagreements


def test_a_range_that_another_would_break_keeps_its_gap() -> None:
    board = Board(SESSIONS, ("A",), 0.005)
    board.add(frame(("A", "2024-06-28", {"high": np.nan, "open": 11.0})), "one")
    board.add(frame(("A", "2024-06-28", {"high": 10.9})), "two")
    assert np.isnan(board.bars()["high"].iloc[0])
    assert board.lacking()[-1, 0]


def test_rows_of_strangers_are_left_alone() -> None:
    board = Board(SESSIONS[:2], ("A",), 0.005)
    assert board.add(frame(("A", "2024-06-28", {}), ("Z", "2024-06-24", {})), "one") == 0
    assert board.add(empty_bars(), "one") == 0
    assert board.bars().empty
    assert board.provenance().empty


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCD"), st.integers(0, 4), st.sampled_from([*FIELDS, "none"])),
        unique_by=lambda told: told[:2],
    )
)
def test_what_is_held_and_what_is_missing_are_all_there_is(
    told: list[tuple[str, int, str]],
) -> None:
    bars = frame(*((s, str(SESSIONS[t]), {f: np.nan} if f != "none" else {}) for s, t, f in told))
    gaps = missing_bars(bars, "DBCA", SESSIONS, {"A": "why"}, "unknown")
    cells: dict[tuple[str, int], tuple[str, ...]] = {}
    for gap in gaps:
        first = int(np.searchsorted(SESSIONS, np.datetime64(gap.first)))
        assert gap.reason == ("why" if gap.symbol == "A" else "unknown")
        assert SESSIONS[first + gap.sessions - 1] == np.datetime64(gap.last)
        for t in range(first, first + gap.sessions):
            assert (gap.symbol, t) not in cells
            cells[gap.symbol, t] = gap.fields
    expected: dict[tuple[str, int], tuple[str, ...]] = {
        (s, t): () for s in "ABCD" for t in range(len(SESSIONS))
    }
    for symbol, t, field in told:
        if field in ("none", "adjusted_close"):
            del expected[symbol, t]
        elif field != "close":
            expected[symbol, t] = (field,)
    assert cells == expected
