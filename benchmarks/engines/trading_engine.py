"""This system: strategy, sizer, risk limits and the event engine, as `trading backtest` runs them.

The timed call goes from bars in memory to the curve and the ledger: signals, targets, the risk
checks of every order, matching, accounting, the columns of orders, fills and risk events, and the
returns of the sessions. The tables of pandas over those columns are made when somebody reads them;
`tables_seconds` says what orders, fills and round trips cost then.
"""

import time
from decimal import Decimal

import numpy as np

from benchmarks.case import LONG, SHORT, YEAR, Case, FloatArray, Outcome, Run, momentum_choice
from benchmarks.market import Market
from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.execution.book import ledger
from trading.execution.settings import CommissionSettings, ExecutionSettings, SlippageSettings
from trading.market.bars import BarInterval
from trading.market.market_data import MarketData
from trading.risk.settings import LimitSettings, RiskSettings
from trading.risk.sizing import build_sizer
from trading.strategy.base import BaseStrategy, PanelStrategy
from trading.strategy.signals import Action, Signal, Signals
from trading.strategy.trend_following import TrendFollowing


class MomentumDecile(PanelStrategy):
    """Monthly 12-1 momentum: the top decile is bought, the rest sold."""

    name = "momentum_decile"

    @property
    def lookback(self) -> int:
        """A year of closes, and the row before, to see the month end."""
        return YEAR + 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        """Return BUY or SELL of every name on the last session of each month."""
        decided, held = momentum_choice(market_data.close, market_data.sessions)
        rows = np.repeat(decided, held.shape[1])
        columns = np.tile(np.arange(held.shape[1]), len(decided))
        actions = np.where(held.ravel(), 1, -1).astype(np.int8)
        return Signals(
            self.strategy_id,
            market_data.timestamps,
            market_data.symbols,
            rows,
            columns,
            actions,
            np.ones(len(rows)),
        )


class PlainTrend(BaseStrategy):
    """Trend following as one writes it first: symbol by symbol, a list of signals."""

    name = "plain_trend"

    @property
    def lookback(self) -> int:
        """The long window and the bar before it."""
        return LONG + 1

    async def analyze(self, market_data: MarketData) -> list[Signal]:
        """Return a signal for every symbol whose averages crossed on the last bar."""
        signals = []
        for symbol in market_data.symbols:
            closes = market_data.series(symbol)
            above = closes[-SHORT:].mean() > closes[-LONG:].mean()
            was = closes[-SHORT - 1 : -1].mean() > closes[-LONG - 1 : -1].mean()
            if above != was:
                action = Action.BUY if above else Action.SELL
                signals.append(Signal(market_data.now, symbol, action, 1.0, self.strategy_id))
        return signals


def prepare(market: Market, case: Case) -> Run:
    """Return the timed call: `backtest` over bars that are in memory and checked."""
    feed = feed_of(market)
    settings = settings_of(case)
    names = market.shape[1]
    wanted = max(names // 10, 1) if case.strategy == "momentum" else names
    sizer = build_sizer("fixed_fraction", {"fraction": case.gross / wanted})
    strategies: dict[str, BaseStrategy] = {
        "trend": TrendFollowing.build(short_ma=SHORT, long_ma=LONG),
        "momentum": MomentumDecile(),
        "plain": PlainTrend(),
    }
    strategy = strategies[case.strategy]

    def run() -> Outcome:
        result = backtest([Sleeve(strategy, sizer)], feed, settings)
        equity = result.equity
        returns = result.session_returns
        return Outcome(
            equity,
            count_fills(result),
            finish=lambda: read_tables(result),
            notes={"sessions": float(len(returns))},
        )

    return run


def feed_of(market: Market) -> BarFeed:
    """Return the bars as a feed; its checks of the bars belong to loading."""
    data = MarketData(
        market.timestamps,
        market.sessions,
        market.symbols,
        market.open,
        market.high,
        market.low,
        market.close,
        market.volume,
        market.close,
        BarInterval.MINUTE if market.minutes else BarInterval.DAY,
    )
    return BarFeed(data)


def settings_of(case: Case) -> BacktestSettings:
    """Return the case as settings; the peers know no limit of volume, so none is set."""
    execution = ExecutionSettings(
        initial_cash=Decimal(str(case.initial_cash)),
        fractional=case.fractional,
        sizing_base=case.base,
        fill=case.fill,
        max_volume_share=None,
        slippage=SlippageSettings(model="fixed", bps=case.slippage_bps),
        commission=CommissionSettings(model="bps", rate=case.commission_bps),
    )
    return BacktestSettings(
        execution=execution, risk=RiskSettings(max_leverage=LimitSettings(limit=1.0))
    )


def count_fills(result: BacktestResult) -> int:
    """Return the number of fills in the ledger, without making a table of them."""
    return len(ledger(result.book, "fills"))


def read_tables(result: BacktestResult) -> tuple[FloatArray, int, dict[str, float]]:
    """Return costs by row, orders that were cut or refused, and what the tables cost to make."""
    started = time.process_time()
    orders, fills, trades = result.orders, result.fills, result.trades
    seconds = time.process_time() - started
    stamps = fills["timestamp"].dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    rows = np.searchsorted(result.timestamps.astype("datetime64[s]"), stamps)
    columns = fills["symbol"].map(result.feed.data.columns).to_numpy(dtype=np.int64)
    reference = result.feed.data.close[rows, columns]
    paid = fills["commission"] + fills["slippage_charge"]
    paid += (fills["price"] - reference).abs() * fills["quantity"]
    costs = np.zeros(len(result.timestamps))
    np.add.at(costs, rows, paid.to_numpy())
    refused = int((orders["reason"] != "").sum())
    last = float((rows == len(result.timestamps) - 1).sum())
    notes = {"tables_seconds": seconds, "trades": float(len(trades)), "fills_of_last_row": last}
    return costs, refused, notes
