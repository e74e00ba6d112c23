"""The backtest engine: strategies and sizers in front, the compiled event loop behind."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from trading.backtest.feed import BarFeed
from trading.backtest.instructions import Instructions
from trading.backtest.replay import replay
from trading.backtest.result import BacktestResult, StrategyRecord
from trading.backtest.settings import BacktestSettings
from trading.errors import ConfigurationError
from trading.risk.allocation import SleeveTargets, combine
from trading.risk.sizing import PositionSizer
from trading.strategy.base import BaseStrategy
from trading.strategy.runner import StrategyRunner


@dataclass(frozen=True)
class Sleeve:
    """A strategy with its sizer and the fraction of the capital that it may use."""

    strategy: BaseStrategy
    sizer: PositionSizer
    fraction: float = 1.0


def backtest(
    sleeves: Sequence[Sleeve], feed: BarFeed, settings: BacktestSettings
) -> BacktestResult:
    """Run strategies over a feed; see `run`."""
    return asyncio.run(run(sleeves, feed, settings))


async def run(
    sleeves: Sequence[Sleeve],
    feed: BarFeed,
    settings: BacktestSettings,
    *,
    runner: StrategyRunner | None = None,
    resets: Sequence[int] = (),
) -> BacktestResult:
    """Run strategies side by side over a feed.

    Parameters
    ----------
    sleeves : their fractions sum to at most 1
    resets : rows on which the drawdown breaker is reset by hand

    Raises
    ------
    StrategyFailure, SignalError
        The only strategy failed. With several, a failing one keeps its last wishes, the others go
        on, and the failure stands in the result.
    """
    total = sum(sleeve.fraction for sleeve in sleeves)
    if not sleeves or not 0.0 < total <= 1.0 + 1e-9:
        raise ConfigurationError(
            f"the strategies' fractions must sum to more than 0 and at most 1, not {total}"
        )
    runner = runner or StrategyRunner()
    targets, failures = [], []
    for sleeve in sleeves:
        strategy = sleeve.strategy
        trace = await runner.trace(strategy, feed.data)
        if trace.failures and len(sleeves) == 1:
            raise trace.failures[0].error
        failures += [(strategy.strategy_id, failure.sentence()) for failure in trace.failures]
        sized = sleeve.sizer.targets(trace.signals, feed.data, long_only=strategy.long_only)
        targets.append(SleeveTargets(strategy.strategy_id, sized, sleeve.fraction))
    merged = combine(targets)
    instructions = Instructions.targets(merged.rows, merged.columns, merged.weights)
    records = tuple(StrategyRecord.of(sleeve.strategy, sleeve.fraction) for sleeve in sleeves)
    return replay(
        feed,
        instructions,
        settings.execution,
        settings.risk,
        resets=resets,
        settings=settings,
        strategies=records,
        failures=tuple(failures),
    )
