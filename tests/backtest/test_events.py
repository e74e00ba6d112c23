"""The log of events of a run, read line by line."""

from datetime import date

import numpy as np

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.execution.settings import ExecutionSettings
from trading.market.bars import CorporateAction, CorporateActionType
from trading.market.panel import Panel
from trading.risk.settings import RiskSettings


def test_every_event_stands_in_its_place() -> None:
    days = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "datetime64[D]")
    price = np.full((4, 2), 10.0)
    panel = Panel(days, ("A", "B"), price, price, price, price, np.full((4, 2), 1e6), price)
    actions = [
        CorporateAction("A", date(2024, 1, 4), CorporateActionType.DIVIDEND, 0.5),
        CorporateAction("A", date(2024, 1, 5), CorporateActionType.DELISTING, -0.3),
    ]
    wishes = Instructions.merge(
        Instructions.targets([0], [0], [0.5]),
        Instructions.orders([0], [1], [1], [5_000_000], [1], [9.0], [np.nan], [0]),
    )
    execution = ExecutionSettings(initial_cash=1000, slippage={"model": "none"})
    result = replay(BarFeed.from_panel(panel, actions=actions), wishes, execution, RiskSettings())
    log = result.events
    told = [
        f"{line.timestamp:%d} {line.event} {line.symbol} {line.detail}".strip()
        for line in log.itertuples()
    ]
    assert told == [
        "02 market_open",
        "02 close",
        "02 order A",
        "02 order B",
        "03 market_open",
        "03 fill A",
        "03 order_ended B end_of_session",
        "03 close",
        "04 market_open",
        "04 corporate_action A dividend",
        "04 close",
        "05 market_open",
        "05 corporate_action A delisting",
        "05 closing A delisted",
        "05 close",
    ]
    fill = log[log.event == "fill"].iloc[0]
    assert (fill.order_number, fill.quantity, fill.price) == (0, 50.0, 10.0)
    assert log[log.event == "closing"].price.iloc[0] == 7.0
    assert log[log.event == "close"].price.iloc[-1] == result.equity[-1]
    assert log[log.event == "market_open"].order_number.isna().all()


def test_a_run_without_bars_has_no_events() -> None:
    days = np.array(["2024-01-02"], "datetime64[D]")
    price = np.full((1, 1), 10.0)
    panel = Panel(days, ("A",), price, price, price, price, price, price).rows(slice(0, 0))
    feed = BarFeed.from_panel(panel, actions=())
    result = replay(feed, Instructions.none(), ExecutionSettings(), RiskSettings())
    assert not len(result.events)
    assert not len(result.orders)
    assert not len(result.trades)
    assert not len(result.session_returns)
