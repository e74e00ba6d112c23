"""Splits and dividends adjust history as CRSP does; the adjusted is derived, the traded stays."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from faulty_bars import DIVIDEND, SPLIT, day_of, history, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.data.actions.adjustment import adjust_bars, unadjust_bars
from trading.errors import DataError
from trading.market.bars import CorporateAction


def bars_of(closes: list[float], symbol: str = "A") -> pd.DataFrame:
    days = pd.bdate_range("2024-01-02", periods=len(closes)).astype("datetime64[s]")
    close = np.array(closes)
    frame = pd.DataFrame(
        {"date": days, "symbol": symbol, "open": close, "high": close, "low": close}
        | {"close": close, "volume": 1000.0, "adjusted_close": np.nan}
    )
    return frame.astype({"symbol": "str"})


def test_a_split_and_a_dividend_worked_out_by_hand() -> None:
    # 100 -> 2:1 split -> 50 -> dividend of 5 -> 45
    traded = bars_of([100.0, 50.0, 45.0])
    actions = [
        CorporateAction("A", date(2024, 1, 3), SPLIT, 2.0),
        CorporateAction("A", date(2024, 1, 4), DIVIDEND, 5.0),
    ]
    made = adjust_bars(traded, actions)
    np.testing.assert_allclose(made["close"], [50.0, 50.0, 45.0])
    np.testing.assert_allclose(made["volume"], [2000.0, 1000.0, 1000.0])
    np.testing.assert_allclose(made["adjusted_close"], [45.0, 45.0, 45.0])


def test_a_split_and_a_dividend_on_one_day() -> None:
    # 100 before; 2:1 and 5 a new share on the same morning: 50 - 5 = 45 when nothing else happens
    actions = [
        CorporateAction("A", date(2024, 1, 3), SPLIT, 2.0),
        CorporateAction("A", date(2024, 1, 3), DIVIDEND, 5.0),
    ]
    made = adjust_bars(bars_of([100.0, 45.0]), actions)
    np.testing.assert_allclose(made["adjusted_close"], [45.0, 45.0])


def test_only_what_was_known_counts_and_nothing_later_changes_it() -> None:
    bars = history(2)
    mine = rows_of(bars, "S001")
    early = CorporateAction("S001", day_of(bars, mine[100]), SPLIT, 2.0)
    late = CorporateAction("S001", day_of(bars, mine[300]), SPLIT, 3.0)
    day = day_of(bars, mine[200])
    then = adjust_bars(bars, [early, late], known_by=day)
    truncated = bars[bars["date"] <= pd.Timestamp(day)]
    pd.testing.assert_frame_equal(then, adjust_bars(truncated, [early]), check_exact=True)


def test_a_dividend_as_large_as_the_price_is_refused() -> None:
    with pytest.raises(DataError, match="is not below the close before it"):
        adjust_bars(bars_of([10.0, 10.0]), [CorporateAction("A", date(2024, 1, 3), DIVIDEND, 10.0)])


@pytest.mark.parametrize("day", [date(2023, 1, 1), date(2030, 1, 1), date(2024, 1, 2)])
def test_actions_outside_the_history_change_nothing(day: date) -> None:
    bars = bars_of([10.0, 11.0])
    made = adjust_bars(bars, [CorporateAction("A", day, SPLIT, 2.0)])
    np.testing.assert_array_equal(made["close"], bars["close"])


@settings(max_examples=50)
@given(
    ratios=st.lists(st.sampled_from([0.1, 0.5, 1.5, 2.0, 3.0, 20.0]), max_size=4),
    spots=st.lists(st.integers(1, 400), min_size=4, max_size=4, unique=True),
)
def test_traded_prices_come_back(ratios: list[float], spots: list[int]) -> None:
    bars = history(2)
    mine = rows_of(bars, "S001")
    actions = [
        CorporateAction("S001", day_of(bars, mine[spot]), SPLIT, ratio)
        for ratio, spot in zip(ratios, spots, strict=False)
    ]
    back = unadjust_bars(adjust_bars(bars, actions), actions)
    pd.testing.assert_frame_equal(back, bars, rtol=1e-12, check_dtype=False)
    total = float(np.prod(ratios)) if ratios else 1.0
    made = adjust_bars(bars, actions)
    np.testing.assert_allclose(made["close"].iloc[mine[0]] * total, bars["close"].iloc[mine[0]])
