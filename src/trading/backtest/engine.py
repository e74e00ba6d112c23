"""The backtest engine: strategies and sizers in front, the compiled event loop behind."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    sleeves: Sequence[Sleeve], feed: BarFeed, settings: BacktestSettings, *, start: int = 0
) -> BacktestResult:
    """Run strategies over a feed; see `run`."""
    return asyncio.run(run(sleeves, feed, settings, start=start))


async def run(
    sleeves: Sequence[Sleeve],
    feed: BarFeed,
    settings: BacktestSettings,
    *,
    start: int = 0,
    resets: Sequence[int] = (),
    runner: StrategyRunner | None = None,
) -> BacktestResult:
    """Run strategies side by side over a feed.

    Parameters
    ----------
    sleeves : their ids differ, their fractions sum to at most 1
    start : the first bar on which anything is decided; those before it are history for
        strategies, sizers and limits, and the result begins with it
    resets : bars of the feed on which the drawdown breaker is reset by hand

    Raises
    ------
    ConfigurationError
        The fractions or ids are not as described, or an argument is of another type.
    DataError
        The feed has no bar `start`.
    StrategyFailure, SignalError
        The only strategy failed. With several, a failing one keeps its last wishes, the others go
        on, and the failure stands in the result.
    """
    _require_kinds((feed, BarFeed), (settings, BacktestSettings))
    _require_sleeves(sleeves)
    runner = runner or StrategyRunner()
    targets, failures = [], []
    for sleeve in sleeves:
        strategy = sleeve.strategy
        trace = await runner.trace(strategy, feed.data)
        if trace.failures and len(sleeves) == 1:
            raise trace.failures[0].error
        failures += [(strategy.strategy_id, failure.sentence()) for failure in trace.failures]
        signals = trace.signals[int(np.searchsorted(trace.signals.rows, start)) :]
        sized = sleeve.sizer.targets(signals, feed.data, long_only=strategy.long_only)
        targets.append(SleeveTargets(strategy.strategy_id, sized, sleeve.fraction))
    merged = combine(targets)
    return replay(
        feed,
        Instructions.targets(merged.rows, merged.columns, merged.weights),
        settings.execution,
        settings.risk,
        start=start,
        resets=resets,
        settings=settings,
        strategies=tuple(StrategyRecord.of(one.strategy, one.fraction) for one in sleeves),
        failures=tuple(failures),
    )


def _require_kinds(*pairs: tuple[object, type]) -> None:
    for found, wanted in pairs:
        if not isinstance(found, wanted):
            raise ConfigurationError(
                f"expected a {wanted.__name__} that was built, got {type(found).__name__}"
            )


def _require_sleeves(sleeves: Sequence[Sleeve]) -> None:
    for sleeve in sleeves:
        _require_kinds((sleeve, Sleeve))
        _require_kinds((sleeve.strategy, BaseStrategy), (sleeve.sizer, PositionSizer))
    ids = [sleeve.strategy.strategy_id for sleeve in sleeves]
    if len(set(ids)) != len(ids):
        raise ConfigurationError(f"the strategies' ids must differ, got {', '.join(ids)}")
    total = sum(sleeve.fraction for sleeve in sleeves)
    if not 0.0 < total <= 1.0 + 1e-9:
        raise ConfigurationError(
            f"the strategies' fractions must sum to more than 0 and at most 1, not {total}"
        )
