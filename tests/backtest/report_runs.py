"""Small real runs of the engine for the tests of the report."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.backtest.report.description import RunDescription
from trading.backtest.result import BacktestResult
from trading.execution.settings import ExecutionSettings
from trading.market.calendar import sessions_between
from trading.market.panel import Panel
from trading.risk.settings import RiskSettings

FloatArray = npt.NDArray[np.float64]

MADE_AT = datetime(2020, 1, 2, 9, 30, tzinfo=ZoneInfo("UTC"))
RUN = RunDescription("4 symbols", "made up by a test", simulated=True, benchmark="B")
NAMES = ("AAA", "BBB", "CCC", "DDD")


def walk_feed(sessions: int, symbols: tuple[str, ...] = NAMES, seed: int = 0) -> BarFeed:
    """Return random walks from 4 January 2016 on."""
    random = np.random.default_rng(seed)
    moves = 0.0005 + 0.015 * random.standard_normal((sessions, len(symbols)))
    return price_feed(50.0 * np.exp(np.cumsum(moves, axis=0)), symbols)


def price_feed(close: FloatArray, symbols: tuple[str, ...] = NAMES) -> BarFeed:
    """Return daily bars that open, trade and close at `close` (T, N)."""
    days = sessions_between(date(2016, 1, 4), date(2035, 1, 1))[: len(close)]
    volume = np.full(close.shape, 1e7)
    return BarFeed.from_panel(Panel(days, symbols, close, close, close, close, volume, close))


def run_weights(
    feed: BarFeed,
    weights: FloatArray,
    every: int = 5,
    risk: RiskSettings | None = None,
    execution: ExecutionSettings | None = None,
) -> BacktestResult:
    """Return the run that rebalances to the rows of `weights` (K, N), `every` so many bars."""
    bars, names = feed.data.shape
    rows = np.arange(0, bars, every)
    wanted = weights[np.arange(len(rows)) % len(weights)]
    instructions = Instructions.targets(
        np.repeat(rows, names), np.tile(np.arange(names), len(rows)), wanted.ravel()
    )
    return replay(feed, instructions, execution or ExecutionSettings(), risk or RiskSettings())


def ordinary_run(sessions: int = 300, symbols: tuple[str, ...] = NAMES) -> BacktestResult:
    """Return a run that switches between two halves of the names, with a limit that trips."""
    weights = np.zeros((2, len(symbols)))
    weights[0, ::2], weights[1, 1::2] = 0.4, 0.4
    risk = RiskSettings.model_validate({"max_position": {"limit": 0.3}})
    return run_weights(walk_feed(sessions, symbols), weights, risk=risk)


def ruined_run() -> BacktestResult:
    """Return a run that is short of a share that rises elevenfold."""
    close = np.full((30, 1), 10.0)
    close[10:] = 110.0
    execution = ExecutionSettings(account="margin", max_volume_share=None)
    risk = RiskSettings(max_leverage=None)
    return run_weights(price_feed(close, ("AAA",)), np.array([[-1.0]]), 30, risk, execution)
