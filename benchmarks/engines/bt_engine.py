"""bt: a tree of nodes that is walked every day; an algo orders what crossed.

bt fills at the close of the decision's row, in whole shares or fractions; slippage is charged as
commission, since bt fills at the price itself.
"""

import bt
import numpy as np
import pandas as pd

from benchmarks.case import LONG, SHORT, Case, Outcome, Run, momentum_choice
from benchmarks.market import Market


class Orders(bt.Algo):
    """Orders the rows of a table of weights, as bt's `Rebalance` does, where they are not NaN."""

    def __init__(self, weights: pd.DataFrame) -> None:
        super().__init__()
        names = np.array(weights.columns)
        table = weights.to_numpy()
        self.orders = {
            day: (names[~np.isnan(row)], row[~np.isnan(row)])
            for day, row in zip(weights.index, table, strict=True)
            if not np.isnan(row).all()
        }

    def __call__(self, target: bt.core.StrategyBase) -> bool:
        names, weights = self.orders.get(target.now, ((), ()))
        base = target.value
        for name, weight in zip(names, weights, strict=True):
            if weight == 0.0 and name in target.children:
                target.close(name, update=False)
        for name, weight in zip(names, weights, strict=True):
            if weight != 0.0:
                target.rebalance(weight, child=name, base=base, update=False)
        target.root.update(target.now)
        return True


def prepare(market: Market, case: Case) -> Run:
    """Return the timed call: averages, table of weights, `bt.run`, curve and transactions."""
    if case.fill != "same_close" or case.base != "equity":
        raise ValueError("bt fills at the same close, on fractions of equity")
    index = pd.DatetimeIndex(market.sessions.astype("datetime64[ns]"))
    close = pd.DataFrame(market.close, index=index, columns=list(market.symbols))
    rate = (case.commission_bps + case.slippage_bps) * 1e-4

    def run() -> Outcome:
        weights = (
            _trend(close, case) if case.strategy == "trend" else _momentum(market, close, case)
        )
        strategy = bt.Strategy("benchmark", [Orders(weights)], list(close.columns))
        test = bt.Backtest(
            strategy,
            close,
            initial_capital=case.initial_cash,
            commissions=lambda quantity, price: abs(quantity) * price * rate,
            integer_positions=not case.fractional,
            progress_bar=False,
        )
        test.run()
        # bt puts a row before the first bar.
        equity = test.strategy.values.to_numpy()[1:]
        return Outcome(equity, len(test.strategy.get_transactions()))

    return run


def _trend(close: pd.DataFrame, case: Case) -> pd.DataFrame:
    above = (close.rolling(SHORT).mean() > close.rolling(LONG).mean()).to_numpy()
    changed = above.copy()
    changed[1:] ^= above[:-1]
    weights = np.where(changed, np.where(above, case.gross / close.shape[1], 0.0), np.nan)
    return pd.DataFrame(weights, index=close.index, columns=close.columns)


def _momentum(market: Market, close: pd.DataFrame, case: Case) -> pd.DataFrame:
    rows, held = momentum_choice(market.close, market.sessions)
    weights = np.full(market.shape, np.nan)
    weights[rows] = held * (case.gross / np.maximum(held.sum(axis=1, keepdims=True), 1))
    return pd.DataFrame(weights, index=close.index, columns=close.columns)
