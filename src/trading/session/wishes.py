"""From the bars so far to target weights: strategies, their sizers, and their sum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trading.backtest.engine import Sleeve
from trading.errors import RiskError, StrategyError
from trading.market.market_data import MarketData
from trading.risk.allocation import SleeveTargets, combine
from trading.risk.sizing import Targets
from trading.session.state import SessionState, SleeveState, gather, spread
from trading.strategy.runner import StrategyRunner
from trading.strategy.signals import Signals


@dataclass(frozen=True)
class Wishes:
    """What the strategies want on one bar.

    Attributes
    ----------
    targets : the account's, every row 0
    signals : by strategy id, over the bars that were given; only of strategies that answered
    failures : by strategy id, one sentence each
    state : with what every strategy wants now
    """

    targets: Targets
    signals: dict[str, Signals]
    failures: dict[str, str]
    state: SessionState


async def ask_strategies(
    sleeves: Sequence[Sleeve],
    runner: StrategyRunner,
    data: MarketData,
    state: SessionState,
    *,
    max_failures: int,
) -> Wishes:
    """Ask every strategy for the last bar of `data`.

    A strategy that fails keeps its last wishes; after `max_failures` bars on end it is suspended.
    The others do not notice.
    """
    signals: dict[str, Signals] = {}
    failures: dict[str, str] = {}
    wanted: list[SleeveTargets] = []
    for sleeve in sleeves:
        name = sleeve.strategy.strategy_id
        before = state.sleeves.get(name, SleeveState())
        targets, after = Targets.none(), before
        if not before.suspended:
            try:
                signals[name] = await runner.analyze(sleeve.strategy, data)
                targets, after = _size(sleeve, signals[name], data, before)
            except (StrategyError, RiskError) as error:
                failures[name] = f"{type(error).__name__}: {error}"
                count = before.failures + 1
                after = replace(before, failures=count, suspended=count >= max_failures)
        weights = spread(before.weights, data.columns)
        wanted.append(SleeveTargets(name, targets, sleeve.fraction, held=weights))
        state = state.with_sleeve(name, after)
    return Wishes(combine(wanted), signals, failures, state)


def _size(
    sleeve: Sleeve, signals: Signals, data: MarketData, before: SleeveState
) -> tuple[Targets, SleeveState]:
    """Return the targets of one bar, and what the strategy wants from it on."""
    window = data.tail(max(sleeve.sizer.lookback, 1))
    rows = np.full(len(signals), len(window.timestamps) - 1, dtype=np.int64)
    asked = Signals(
        signals.strategy_id,
        window.timestamps,
        window.symbols,
        rows,
        signals.columns,
        signals.actions,
        signals.strengths,
    )
    long_only = sleeve.strategy.long_only
    exposures = spread(before.exposures, data.columns)
    sized = sleeve.sizer.targets(asked, window, long_only=long_only, held=exposures)
    given = signals.actions != 0
    sells = 0.0 if long_only else -signals.strengths
    wanted = np.where(signals.actions > 0, signals.strengths, sells)
    exposures[signals.columns[given]] = wanted[given]
    weights = spread(before.weights, data.columns)
    weights[sized.columns] = sized.weights
    after = SleeveState(
        exposures=gather(exposures, data.symbols, exposures != 0.0),
        weights=gather(weights, data.symbols, weights != 0.0),
    )
    first = Targets(np.zeros(len(sized), dtype=np.int64), sized.columns, sized.weights)
    return first, after
