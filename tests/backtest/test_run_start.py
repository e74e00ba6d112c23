"""A run that begins later than its bars: those before are history, for limits too."""

import numpy as np
import pytest

from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.errors import ConfigurationError, DataError
from trading.execution.settings import ExecutionSettings
from trading.market.panel import Panel
from trading.risk.settings import RiskSettings
from trading.risk.sizing import build_sizer
from trading.strategy.momentum import Momentum

START = 40


@pytest.fixture(scope="module")
def feed() -> BarFeed:
    rng = np.random.default_rng(11)
    close = 50.0 * np.exp(rng.normal(0.0, 0.02, (90, 4)).cumsum(axis=0))
    days = np.arange("2024-01-02", "2025-01-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)][:90]
    volume = np.full(close.shape, 1e6)
    panel = Panel(days, ("A", "B", "C", "D"), close, close, close, close, volume, close)
    return BarFeed.from_panel(panel, actions=())


def wishes(rows: range, shift: int = 0) -> Instructions:
    picked = [(row, row % 4, 0.2 * (row % 3)) for row in rows]
    row, column, weight = map(list, zip(*picked, strict=True))
    return Instructions.targets(np.array(row) - shift, column, weight)


def tables(result: BacktestResult) -> list[object]:
    return [
        result.equity.tolist(),
        result.cash.tolist(),
        *(getattr(result, name).to_csv() for name in ("orders", "fills", "trades", "events")),
    ]


def test_without_limits_on_history_it_is_the_run_of_the_later_bars(feed: BarFeed) -> None:
    settings = (ExecutionSettings(initial_cash=10_000), RiskSettings())
    late = replay(feed, wishes(range(START, 88)), *settings, start=START)
    cut = replay(feed.since(START), wishes(range(START, 88), START), *settings)
    assert len(late.fills) > 20
    assert tables(late) == tables(cut)
    assert late.timestamps[0] == feed.data.timestamps[START]


def test_a_limit_on_risk_sees_the_bars_before_the_start(feed: BarFeed) -> None:
    tight = RiskSettings(max_var={"limit": 0.001, "action": "reject"}, window=30)
    bought = Instructions.targets([START], [0], [0.9])
    execution = ExecutionSettings(initial_cash=10_000)
    late = replay(feed, bought, execution, tight, start=START)
    assert late.orders.reason.tolist() == ["max_var"]
    assert late.risk_events.timestamp[0] == late.orders.timestamp[0]
    blind = replay(feed.since(START), Instructions.targets([0], [0], [0.9]), execution, tight)
    assert blind.orders.status.tolist() == ["FILLED"]


def test_a_strategy_knows_the_past_but_does_not_trade_on_it(feed: BarFeed) -> None:
    sleeve = Sleeve(Momentum.build(lookback_period=5), build_sizer("fixed_fraction", {}))
    late = backtest([sleeve], feed, BacktestSettings(), start=START)
    whole = backtest([sleeve], feed, BacktestSettings())
    assert len(late.session_returns) == 90 - START
    bought = late.orders[late.orders.side == "BUY"]
    assert len(bought)
    assert set(bought.timestamp) <= set(whole.orders[whole.orders.side == "BUY"].timestamp)


@pytest.mark.parametrize("start", [-1, 90])
def test_a_start_outside_the_bars_is_refused(feed: BarFeed, start: int) -> None:
    with pytest.raises(DataError, match="begin at bar"):
        replay(feed, Instructions.none(), ExecutionSettings(), RiskSettings(), start=start)


def test_what_comes_before_the_start_is_refused(feed: BarFeed) -> None:
    settings = (ExecutionSettings(), RiskSettings())
    with pytest.raises(DataError, match="before the start"):
        replay(feed, wishes(range(3, 9)), *settings, start=START)
    with pytest.raises(DataError, match="reset"):
        replay(feed, Instructions.none(), *settings, start=START, resets=[3])


def test_arguments_of_other_types_are_refused(feed: BarFeed) -> None:
    sizer = build_sizer("fixed_fraction", {})
    sound, settings = Sleeve(Momentum(), sizer), BacktestSettings()
    for sleeve, wanted in (
        (Sleeve(Momentum, sizer), "BaseStrategy"),  # type: ignore[arg-type]
        (Sleeve("momentum", sizer), "BaseStrategy"),  # type: ignore[arg-type]
        (Sleeve(Momentum(), "fixed_fraction"), "PositionSizer"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError, match=f"expected a {wanted} that was built"):
            backtest([sleeve], feed, settings)
    for run in (
        ([Momentum()], feed, settings),
        ([sound], feed.data, settings),
        ([sound], feed, {"risk": {}}),
    ):
        with pytest.raises(ConfigurationError, match="that was built, got"):
            backtest(*run)  # type: ignore[arg-type]
