import numpy as np
import pandas as pd
import pytest

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.backtest.trade_statistics import summarize_trades
from trading.errors import DataError
from trading.execution.settings import ExecutionSettings
from trading.market.panel import Panel
from trading.risk.settings import RiskSettings


def trades(pnl: list[float], **columns: list[object]) -> pd.DataFrame:
    n = len(pnl)
    frame = {
        "symbol": ["Ä"] * n,
        "side": ["LONG"] * n,
        "exit_time": pd.date_range("2020-01-01", periods=n, tz="UTC"),
        "pnl": np.array(pnl, dtype=np.float64),
        "return": np.array(pnl, dtype=np.float64) / 1000,
        "costs": np.ones(n),
        "bars": np.arange(1, n + 1),
    }
    return pd.DataFrame(frame | columns)


def test_known_trades():
    found = summarize_trades(
        trades([100.0, -50.0, 0.0, 20.0, 30.0], side=["LONG", "LONG", "SHORT", "SHORT", "LONG"])
    )
    assert (found.trades, found.long_trades, found.short_trades) == (5, 3, 2)
    assert (found.won, found.lost) == (3, 1)
    assert found.win_rate == pytest.approx(0.75)
    assert found.profit_factor == pytest.approx(3.0)
    assert found.payoff_ratio == pytest.approx(1.0)
    assert found.expectancy == pytest.approx(20.0)
    assert found.expectancy_return == pytest.approx(0.02)
    assert (found.average_win, found.average_loss) == (50.0, 50.0)
    assert (found.largest_win, found.largest_loss) == (100.0, 50.0)
    assert (found.total_pnl, found.total_costs, found.average_bars) == (100.0, 5.0, 3.0)
    assert (found.longest_winning_streak, found.longest_losing_streak) == (2, 1)


def test_streaks_follow_the_time_of_exit_not_the_order_of_the_table():
    table = trades([1.0, -1.0, 1.0, -1.0])
    table["exit_time"] = table["exit_time"].to_numpy()[[0, 2, 1, 3]]
    found = summarize_trades(table)
    assert (found.longest_winning_streak, found.longest_losing_streak) == (2, 2)


def test_no_trades_are_no_data():
    found = summarize_trades(trades([])).to_dict()
    assert found["trades"] == found["longest_winning_streak"] == 0
    assert found["win_rate"] is found["expectancy"] is found["largest_win"] is None
    assert found["total_pnl"] == 0.0


def test_only_winners_have_no_profit_factor():
    found = summarize_trades(trades([1.0, 2.0]))
    assert (found.win_rate, found.profit_factor, found.largest_loss) == (1.0, None, None)


def test_tables_that_are_not_trades_are_refused():
    with pytest.raises(DataError, match="lack pnl, bars"):
        summarize_trades(trades([1.0]).drop(columns=["pnl", "bars"]))
    with pytest.raises(DataError, match="finite"):
        summarize_trades(trades([1.0, np.nan]))


def test_the_trades_of_a_run_are_summed_up():
    prices = np.array([[100.0], [110.0], [110.0], [100.0], [100.0], [90.0]])
    sessions = np.array("2020-01-06", dtype="M8[D]") + np.arange(6)
    feed = BarFeed.from_panel(
        Panel(sessions, ("Ä",), prices, prices, prices, prices, prices * 1e4, prices)
    )
    execution = ExecutionSettings.model_validate(
        {
            "account": "margin",
            "fill": "same_close",
            "slippage": {"model": "none"},
            "commission": {"model": "none"},
        }
    )
    wishes = Instructions.targets([0, 1, 4, 5], [0] * 4, [0.5, 0.0, -0.5, 0.0])
    found = summarize_trades(replay(feed, wishes, execution, RiskSettings()).trades)
    assert (found.long_trades, found.short_trades, found.won) == (1, 1, 2)
    # 5,000 shares earn 10 USD each; of 1,050,000 USD half is sold short at 100, and earns 10.
    assert found.total_pnl == pytest.approx(50_000.0 + 5_250 * 10.0)
    assert found.expectancy_return == pytest.approx(0.1)
