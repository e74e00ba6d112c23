"""What a run replays: checked bars, sessions, corporate actions, implied dividends."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from trading.backtest.feed import BarFeed, implied_dividends
from trading.errors import DataError
from trading.market.bars import BarInterval, CorporateAction, CorporateActionType
from trading.market.market_data import MarketData
from trading.market.panel import Panel

SPLIT, DIVIDEND = CorporateActionType.SPLIT, CorporateActionType.DIVIDEND


def daily(closes: list[list[float]], adjusted: list[list[float]] | None = None) -> Panel:
    close = np.array(closes, dtype=np.float64)
    days = np.arange("2024-01-02", "2025-01-01", dtype="datetime64[D]")
    sessions = days[np.is_busday(days)][: len(close)]
    fitted = close if adjusted is None else np.array(adjusted)
    symbols = tuple("ABCDE"[: close.shape[1]])
    volume = np.full(close.shape, 1e6)
    return Panel(sessions, symbols, close, close, close, close, volume, fitted)


def minutes(stamps: list[str], zone: str | None = "UTC") -> pd.DataFrame:
    dates = pd.to_datetime(stamps)
    price = [10.0] * len(stamps)
    frame = dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), price)
    return pd.DataFrame(
        {
            "date": dates.tz_localize(zone) if zone else dates,
            "symbol": "A",
            "volume": 100.0,
            **frame,
        }
    )


def test_a_dividend_is_what_the_adjusted_closes_imply() -> None:
    """2 USD go ex on the second day after a close of 100: the first day's factor is 0.98."""
    feed = BarFeed.from_panel(daily([[100.0], [99.0], [99.0]], [[98.0], [99.0], [99.0]]))
    assert [(one.symbol, one.ex_date, one.type) for one in feed.actions] == [
        ("A", date(2024, 1, 3), DIVIDEND)
    ]
    assert feed.actions[0].value == pytest.approx(2.0)


def test_rounding_of_adjusted_closes_is_no_dividend() -> None:
    closes = [[33.33], [33.37], [33.41]]
    adjusted = [[33.329], [33.37], [33.41]]
    assert not BarFeed.from_panel(daily(closes, adjusted)).actions


def test_dividends_of_the_past_do_not_depend_on_the_future() -> None:
    rng = np.random.default_rng(5)
    close = 50.0 + rng.normal(0, 1, (40, 3)).cumsum(axis=0)
    factor = np.cumprod(np.where(rng.random((40, 3)) < 0.1, 0.98, 1.0)[::-1], axis=0)[::-1]
    data = MarketData.from_panel(daily(close.tolist(), (close * factor).tolist()))
    whole = implied_dividends(data)
    assert len(whole) > 5
    for row in range(1, 40):
        until = data.sessions[row].item()
        assert implied_dividends(data.upto(row)) == [a for a in whole if a.ex_date <= until]


def test_intraday_bars_know_their_sessions() -> None:
    stamps = ["2024-01-02 20:59", "2024-01-02 21:00", "2024-01-03 14:31", "2024-01-04 00:30"]
    feed = BarFeed.from_bars(minutes(stamps), interval=BarInterval.MINUTE)
    sessions = feed.sessions
    assert feed.data.sessions.tolist() == [
        *(date(2024, 1, 2),) * 2,
        *(date(2024, 1, 3),) * 2,  # half past seven in the evening in New York
    ]
    assert sessions.first.tolist() == [True, False, True, False]
    assert sessions.last.tolist() == [False, True, False, True]
    assert sessions.index.tolist() == [0, 0, 1, 1]


def test_intraday_bars_need_a_time_zone() -> None:
    with pytest.raises(DataError, match="time zone"):
        BarFeed.from_bars(minutes(["2024-01-02 20:59"], None), interval=BarInterval.MINUTE)


def test_an_action_waits_for_the_next_session_and_sorts_by_kind() -> None:
    panel = daily([[10.0, 10.0]] * 3)
    actions = [
        CorporateAction("B", date(2024, 1, 3), DIVIDEND, 0.5),
        CorporateAction("B", date(2024, 1, 3), SPLIT, 2.0),
        CorporateAction("A", date(2024, 1, 3), DIVIDEND, 0.25),
        CorporateAction("A", date(2023, 12, 30), SPLIT, 3.0),  # before the first session
        CorporateAction("A", date(2024, 6, 1), SPLIT, 3.0),  # after the last
        CorporateAction("Z", date(2024, 1, 3), SPLIT, 3.0),  # not replayed
    ]
    rows, columns, kinds, values = BarFeed.from_panel(panel, actions=actions).action_columns
    assert rows.tolist() == [1, 1, 1]
    assert columns.tolist() == [1, 0, 1]
    assert kinds.tolist() == [0, 1, 1]
    assert values.tolist() == [2.0, 0.25, 0.5]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("open", -1.0, "not positive"),
        ("close", 0.0, "not positive"),
        ("high", np.inf, "infinite"),
        ("high", 9.0, "outside low..high"),
        ("low", 11.0, "outside low..high"),
        ("volume", -5.0, "negative or infinite"),
        ("volume", np.inf, "negative or infinite"),
    ],
)
def test_an_impossible_bar_is_refused_by_name(field: str, value: float, message: str) -> None:
    panel = daily([[10.0, 10.0]] * 3)
    spoilt = getattr(panel, field).copy()
    spoilt[1, 1] = value
    fields = {name: getattr(panel, name) for name in ("open", "high", "low", "close", "volume")}
    fields[field] = spoilt
    with pytest.raises(DataError, match=f"B on 2024-01-03.*{message}"):
        BarFeed.from_panel(
            Panel(panel.sessions, panel.symbols, **fields, adjusted_close=panel.close), actions=()
        )


@pytest.mark.parametrize(
    ("kind", "value"),
    [(SPLIT, 0.0), (SPLIT, -2.0), (DIVIDEND, 0.0), (DIVIDEND, np.nan), (SPLIT, None)],
)
def test_an_impossible_action_is_refused(kind: CorporateActionType, value: float | None) -> None:
    action = CorporateAction("A", date(2024, 1, 3), kind, value)
    with pytest.raises(DataError, match="A"):
        BarFeed.from_panel(daily([[10.0]] * 3), actions=[action])


def test_market_data_cannot_be_written_to() -> None:
    data = MarketData.from_panel(daily([[10.0]] * 3))
    for view in (data, data.upto(1), data.tail(2)):
        with pytest.raises(ValueError, match="read-only"):
            view.close[0, 0] = 1.0


def test_later_bars_keep_actions_and_numbers_of_their_own() -> None:
    panel = daily([[10.0]] * 4)
    action = CorporateAction("A", date(2024, 1, 4), DIVIDEND, 0.5)
    feed = BarFeed.from_panel(panel, actions=[action]).since(1)
    assert feed.data.shape == (3, 1)
    assert feed.action_columns[0].tolist() == [1]
    assert feed.sessions.index.tolist() == [0, 1, 2]


def test_symbols_without_a_sector_form_one() -> None:
    feed = BarFeed(MarketData.from_panel(daily([[10.0] * 4])), sectors={"B": "Energy", "D": "Tech"})
    assert feed.sector_codes.tolist() == [0, 1, 0, 2]


def test_no_bars_at_all() -> None:
    feed = BarFeed.from_panel(daily([[10.0]]).rows(slice(0, 0)), actions=())
    assert feed.data.shape == (0, 1)
    assert not len(feed.sessions.first)
