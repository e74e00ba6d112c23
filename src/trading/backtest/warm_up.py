"""A run that begins later than its bars: those before are history, nothing is traded on them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trading.backtest.engine import Sleeve
from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.backtest.result import BacktestResult, StrategyRecord
from trading.backtest.settings import BacktestSettings
from trading.errors import ConfigurationError, DataError
from trading.risk.allocation import SleeveTargets, combine
from trading.strategy.base import BaseStrategy
from trading.strategy.runner import StrategyRunner, Trace
from trading.strategy.signals import Signals


def backtest_from(
    start: int, sleeves: Sequence[Sleeve], feed: BarFeed, settings: BacktestSettings
) -> BacktestResult:
    """Run strategies over a feed; see `run_from`."""
    return asyncio.run(run_from(start, sleeves, feed, settings))


async def run_from(
    start: int,
    sleeves: Sequence[Sleeve],
    feed: BarFeed,
    settings: BacktestSettings,
    *,
    runner: StrategyRunner | None = None,
) -> BacktestResult:
    """Run strategies side by side over the bars of a feed from row `start` on.

    Strategies and sizers see the bars before `start` too; their signals of those bars are dropped.
    The result begins at `start`. With `start` 0 it is what `engine.run` gives.

    Parameters
    ----------
    sleeves : their ids differ, their fractions sum to at most 1

    Raises
    ------
    DataError
        The feed has no bar `start`.
    StrategyFailure
        The only strategy failed. Of several, a failing one keeps its last wishes and the failure
        stands in the result.
    """
    if not 0 <= start < len(feed.data.timestamps):
        raise DataError(
            f"the run is to begin at bar {start} of {len(feed.data.timestamps)}; give it later bars"
        )
    runner = runner or StrategyRunner()
    targets, failures = [], []
    for sleeve in sleeves:
        trace = await _trace(runner, sleeve.strategy, feed, alone=len(sleeves) == 1)
        failures += [(sleeve.strategy.strategy_id, one.sentence()) for one in trace.failures]
        signals = _since(trace.signals, start)
        sized = sleeve.sizer.targets(signals, feed.data, long_only=sleeve.strategy.long_only)
        targets.append(SleeveTargets(sleeve.strategy.strategy_id, sized, sleeve.fraction))
    _require_ids(sleeves)
    merged = combine(targets)
    result = replay(
        since(feed, start),
        Instructions.targets(merged.rows - start, merged.columns, merged.weights),
        settings.execution,
        settings.risk,
        settings=settings,
        strategies=tuple(StrategyRecord.of(one.strategy, one.fraction) for one in sleeves),
    )
    return replace(result, failures=tuple(failures))


def since(feed: BarFeed, start: int) -> BarFeed:
    """Return the bars from row `start` on, with their actions; nothing is copied."""
    if start == 0:
        return feed
    return BarFeed(feed.data.tail(len(feed.data.timestamps) - start), feed.actions, feed.sectors)


def _require_ids(sleeves: Sequence[Sleeve]) -> None:
    ids = [sleeve.strategy.strategy_id for sleeve in sleeves]
    if len(set(ids)) != len(ids):
        raise ConfigurationError(f"the strategies' ids must differ, got {', '.join(ids)}")


async def _trace(
    runner: StrategyRunner, strategy: BaseStrategy, feed: BarFeed, *, alone: bool
) -> Trace:
    if alone:
        return Trace(await runner.signals_over(strategy, feed.data))
    return await runner.trace(strategy, feed.data)


def _since(signals: Signals, start: int) -> Signals:
    return signals[int(np.searchsorted(signals.rows, start)) :]  # type: ignore[no-any-return]
