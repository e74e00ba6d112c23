from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trading.errors import DataError
from trading.market.bars import FIELDS, empty_bars, require_bars, to_ohlcv
from trading.market.panel import Panel

SESSIONS = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "datetime64[D]")
SYMBOLS = ("B", "A", "C")


def panel_of(close: np.ndarray, symbols: tuple[str, ...] = SYMBOLS) -> Panel:
    return Panel(SESSIONS[: len(close)], symbols, **dict.fromkeys(FIELDS, close * 1.0))


CLOSES = hnp.arrays(float, (4, 3), elements=st.one_of(st.just(np.nan), st.floats(0.5, 500)))


@given(CLOSES, st.randoms(use_true_random=False))
def test_bars_and_panels_are_two_views_of_the_same(close: np.ndarray, random: object) -> None:
    panel = panel_of(close)
    bars = panel.to_bars()
    keys = list(zip(bars["symbol"], bars["date"], strict=True))
    assert keys == sorted(keys)
    shuffled = bars.sample(frac=1, random_state=random.randrange(99))  # type: ignore[attr-defined]
    again = Panel.from_bars(shuffled, SESSIONS, SYMBOLS)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again, name), getattr(panel, name))


@given(CLOSES, st.integers(0, 4))
def test_returns_do_not_know_the_future(close: np.ndarray, rows: int) -> None:
    panel = panel_of(close)
    day = SESSIONS[rows] if rows < 4 else np.datetime64("2024-02-01")
    np.testing.assert_array_equal(panel.before(day).returns(), panel.returns()[:rows])


def test_returns_are_unknown_beside_a_gap() -> None:
    close = np.array([[1.0, 1.0, 0.0], [np.nan, 1.1, 1.0], [2.0, np.nan, 1.0], [4.0, 1.0, 1.5]])
    expected = np.array(
        [[np.nan] * 3, [np.nan, 0.1, np.nan], [np.nan, np.nan, 0.0], [1.0, np.nan, 0.5]]
    )
    np.testing.assert_allclose(panel_of(close).returns(), expected)


def test_columns_are_picked_by_symbol() -> None:
    close = np.arange(1.0, 13.0).reshape(4, 3)
    picked = panel_of(close).select(["C", "", "Z", "B"])
    assert picked.symbols == ("C", "", "Z", "B")
    np.testing.assert_array_equal(picked.close[:, [0, 3]], close[:, [2, 0]])
    assert np.isnan(picked.close[:, 1:3]).all()


def test_a_panel_keeps_to_the_sessions_and_symbols_asked_for() -> None:
    bars = panel_of(np.ones((4, 3))).to_bars()
    panel = Panel.from_bars(bars, SESSIONS[1:3], ("C", "A"))
    assert panel.shape == (2, 2)
    assert (panel.close == 1).all()
    assert Panel.from_bars(empty_bars()).shape == (0, 0)


def test_a_doubled_bar_is_an_error() -> None:
    bars = panel_of(np.ones((2, 3))).to_bars()
    with pytest.raises(DataError, match="more than once"):
        Panel.from_bars(pd.concat([bars, bars.iloc[:1]]))


def test_shapes_and_order_are_checked() -> None:
    with pytest.raises(DataError, match="shape"):
        Panel(SESSIONS, SYMBOLS, **dict.fromkeys(FIELDS, np.ones((3, 3))))
    with pytest.raises(DataError, match="strictly increasing"):
        Panel(SESSIONS[[1, 0]], SYMBOLS, **dict.fromkeys(FIELDS, np.ones((2, 3))))


def test_bars_as_objects() -> None:
    bars = panel_of(np.full((1, 3), 2.5)).to_bars()
    first = to_ohlcv(bars)[0]
    assert (first.symbol, first.close, first.timestamp.date()) == ("A", 2.5, date(2024, 1, 2))
    assert first.timestamp.utcoffset() is not None
    with pytest.raises(DataError, match=r"lack the column\(s\) volume"):
        require_bars(bars.drop(columns="volume"))


def small_bars() -> pd.DataFrame:
    days = pd.to_datetime(["2024-01-02", "2024-01-03"])
    return pd.DataFrame({"date": days, "symbol": ["A", "B"], **dict.fromkeys(FIELDS, 1.0)})


@pytest.mark.parametrize("column", ["date", "symbol"])
def test_a_bar_without_a_date_or_symbol_is_refused(column: str) -> None:
    bars = small_bars()
    bars.loc[1, column] = None

    with pytest.raises(DataError, match=f"1 of 2 bars have no {column}; leave them out"):
        Panel.from_bars(bars)


@pytest.mark.parametrize("given", [None, [1, 2], {"date": []}])
def test_what_is_no_frame_is_refused(given: object) -> None:
    with pytest.raises(DataError, match=f"pandas DataFrame, got {type(given).__name__}"):
        require_bars(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_day_of_a_zoned_date_is_that_of_its_zone(zone: str) -> None:
    bars = small_bars()
    zoned = bars.assign(date=bars["date"].dt.tz_localize(zone))

    assert (Panel.from_bars(zoned).sessions == Panel.from_bars(bars).sessions).all()
