"""What a strategy answered, checked: only signals that keep the contract get past here."""

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from trading.errors import SignalError
from trading.market.market_data import MarketData
from trading.strategy.base import BaseStrategy
from trading.strategy.signals import CODES, Signal, Signals


def last_bar(strategy: BaseStrategy, answer: Any, data: MarketData) -> Signals:
    """Return the answer to `analyze` as signals of the last bar of `data`.

    Parameters
    ----------
    answer : what `analyze` returned
    data : whose bars the rows of the result count; `analyze` was given the last `lookback` of them

    Raises
    ------
    SignalError
        It is no collection of signals, or one of them is of another bar, symbol or strategy, or
        given twice. Whatever `validate_signal` of the strategy raises.
    """
    row = len(data.timestamps) - 1
    if isinstance(answer, Signals):
        seen = data.tail(strategy.lookback)
        _of_these_bars(strategy, answer, seen)
        if (answer.rows != len(seen.timestamps) - 1).any():
            raise SignalError(f"{strategy.strategy_id}: analyze answers for the last bar alone")
        _valid(strategy, answer)
        columns, actions, strengths = answer.columns, answer.actions, answer.strengths
    else:
        found = _gathered(strategy, answer, data)
        columns = np.array([one[0] for one in found], dtype=np.int64)
        actions = np.array([one[1] for one in found], dtype=np.int8)
        strengths = np.array([one[2] for one in found], dtype=np.float64)
    rows = np.full(len(columns), row, dtype=np.int64)
    return Signals(
        strategy.strategy_id, data.timestamps, data.symbols, rows, columns, actions, strengths
    )


def panel(strategy: BaseStrategy, answer: Any, data: MarketData) -> Signals:
    """Return the answer to `signal_panel`, checked as `last_bar` does."""
    if not isinstance(answer, Signals):
        raise SignalError(
            f"{strategy.strategy_id}: signal_panel answered {type(answer).__name__}, "
            "expected Signals"
        )
    _of_these_bars(strategy, answer, data)
    _valid(strategy, answer)
    # Built again, hence checked again: the arrays may have changed since they were.
    return Signals(
        strategy.strategy_id,
        data.timestamps,
        data.symbols,
        answer.rows,
        answer.columns,
        answer.actions,
        answer.strengths,
    )


def _gathered(
    strategy: BaseStrategy, answer: Any, data: MarketData
) -> list[tuple[int, int, float]]:
    if not isinstance(answer, Iterable):
        _discard(answer)
        raise SignalError(
            f"{strategy.strategy_id}: analyze answered {type(answer).__name__}, expected signals "
            "(an empty list for none)"
        )
    now, columns, mine = data.now, data.columns, strategy.strategy_id
    found: dict[int, tuple[int, int, float]] = {}
    for signal in answer:
        if not isinstance(signal, Signal):
            raise SignalError(f"{mine} answered {type(signal).__name__}, expected Signal")
        strategy.validate_signal(signal)
        if signal.timestamp != now:
            raise SignalError(
                f"{mine}: {signal.symbol} is stamped {signal.timestamp.isoformat()}, expected the "
                f"last bar's {now.isoformat()} (market_data.now)"
            )
        column = columns.get(signal.symbol)
        if column is None:
            raise SignalError(f"{mine}: {signal.symbol!r} is not among the symbols it was given")
        if column in found:
            raise SignalError(f"{mine} gave two signals of {signal.symbol} on one bar")
        found[column] = (column, CODES[signal.action], float(signal.strength))
    return [found[column] for column in sorted(found)]


def _of_these_bars(strategy: BaseStrategy, answer: Signals, data: MarketData) -> None:
    same_symbols = answer.symbols is data.symbols or answer.symbols == data.symbols
    same_bars = answer.timestamps is data.timestamps or np.array_equal(
        answer.timestamps, data.timestamps
    )
    if not (same_symbols and same_bars):
        raise SignalError(
            f"{strategy.strategy_id}: its signals count other bars or symbols than it was given"
        )


def _valid(strategy: BaseStrategy, answer: Signals) -> None:
    if type(strategy).validate_signal is not BaseStrategy.validate_signal:
        for signal in answer:
            strategy.validate_signal(signal)
        return
    if answer.strategy_id != strategy.strategy_id:
        raise SignalError(
            f"{strategy.strategy_id} gave signals in the name of {answer.strategy_id}"
        )
    empty = (answer.actions == 1) & (answer.strengths == 0.0)
    if empty.any():
        symbol = answer.symbols[answer.columns[empty][0]]
        raise SignalError(f"{strategy.strategy_id}: a BUY of {symbol} has no strength")


def _discard(answer: Any) -> None:
    if inspect.iscoroutine(answer):
        answer.close()
