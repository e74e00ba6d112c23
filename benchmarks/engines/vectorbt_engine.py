"""vectorbt: indicators on whole arrays, orders as a matrix of sizes, one compiled simulation.

Targets are `from_orders` sizes, NaN where nothing is ordered, in one group that shares its cash.
With `same_close` they are fractions of the group's value at the close; with `next_open` and
`next_close`, numbers of shares fixed at the decision, shifted by one row, since vectorbt would
size a fraction at the fill.
"""

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import SizeType

from benchmarks.case import LONG, SHORT, Case, FloatArray, Outcome, Run, momentum_choice
from benchmarks.market import Market


def prepare(market: Market, case: Case) -> Run:
    """Return the timed call: from frames of prices to the curve and the records of the orders."""
    if case.fill != "same_close" and case.base != "initial":
        raise ValueError("vectorbt sizes at the fill: a next fill is compared with base 'initial'")
    index = pd.DatetimeIndex(market.timestamps)
    close = pd.DataFrame(market.close, index=index, columns=list(market.symbols))
    opening = pd.DataFrame(market.open, index=index, columns=list(market.symbols))

    def run() -> Outcome:
        weights = _trend(close, case) if case.strategy == "trend" else _momentum(market, case)
        size, size_type = weights, SizeType.TargetPercent
        if case.base == "initial":
            size, size_type = weights * case.initial_cash / market.close, SizeType.TargetAmount
        price = close
        if case.fill != "same_close":
            size = np.concatenate([np.full((1, size.shape[1]), np.nan), size[:-1]])
            price = opening if case.fill == "next_open" else close
        portfolio = vbt.Portfolio.from_orders(
            close,
            size=size,
            size_type=size_type,
            price=price,
            fees=case.commission_bps * 1e-4,
            slippage=case.slippage_bps * 1e-4,
            init_cash=case.initial_cash,
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            freq="1D",
        )
        return Outcome(portfolio.value().to_numpy(), len(portfolio.orders.values))

    return run


def _trend(close: pd.DataFrame, case: Case) -> FloatArray:
    fast = vbt.MA.run(close, SHORT).ma.to_numpy()
    slow = vbt.MA.run(close, LONG).ma.to_numpy()
    above = fast > slow
    changed = above.copy()
    changed[1:] ^= above[:-1]
    return np.where(changed, np.where(above, case.gross / close.shape[1], 0.0), np.nan)


def _momentum(market: Market, case: Case) -> FloatArray:
    rows, held = momentum_choice(market.close, market.sessions)
    weights = np.full(market.shape, np.nan)
    weights[rows] = held * (case.gross / np.maximum(held.sum(axis=1, keepdims=True), 1))
    return weights
