"""Figures of round trips: how often trades win, how much, how long they last."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading.backtest.distribution import average_gain, average_loss, best, payoff_ratio, worst
from trading.backtest.metrics import profit_factor, win_rate
from trading.backtest.reductions import FloatArray, mean, plain
from trading.errors import DataError

COLUMNS = ("side", "exit_time", "pnl", "return", "costs", "bars")


@dataclass(frozen=True, slots=True)
class TradeStatistics:
    """The figures of closed round trips; None is "no data".

    A trade that earns exactly nothing is neither won nor lost.

    Attributes
    ----------
    trades, long_trades, short_trades, won, lost : numbers of round trips
    win_rate : won over won and lost
    profit_factor : sum of profits over sum of losses
    payoff_ratio : average profit over average loss
    expectancy, average_win, average_loss, largest_win, largest_loss : USD a trade; losses > 0
    expectancy_return : mean return of a trade, a fraction
    total_pnl, total_costs : USD
    longest_winning_streak, longest_losing_streak : trades in a row, by the time of their exit
    average_bars : mean number of bars a trade was open
    """

    trades: int
    long_trades: int
    short_trades: int
    won: int
    lost: int
    win_rate: float | None
    profit_factor: float | None
    payoff_ratio: float | None
    expectancy: float | None
    expectancy_return: float | None
    average_win: float | None
    average_loss: float | None
    largest_win: float | None
    largest_loss: float | None
    total_pnl: float
    total_costs: float
    longest_winning_streak: int
    longest_losing_streak: int
    average_bars: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def summarize_trades(trades: pd.DataFrame) -> TradeStatistics:
    """Return the figures of the round trips of a backtest (`BacktestResult.trades`).

    Needs the columns side (LONG or SHORT), exit_time, pnl, return, costs and bars. Raises
    `DataError` if one is missing or a profit is not a finite number.
    """
    missing = [name for name in COLUMNS if name not in trades.columns]
    if missing:
        raise DataError(
            f"the trades lack {', '.join(missing)}; give the trades of a backtest's result"
        )
    pnl = _numbers(trades, "pnl")
    if not np.isfinite(pnl).all():
        raise DataError("the profit of a trade is not a finite number; check the trades")
    in_order = np.argsort(trades["exit_time"].to_numpy(), kind="stable")
    is_long = trades["side"].astype(str).to_numpy() == "LONG"
    return TradeStatistics(
        trades=len(pnl),
        long_trades=int(is_long.sum()),
        short_trades=int((~is_long).sum()),
        won=int((pnl > 0.0).sum()),
        lost=int((pnl < 0.0).sum()),
        win_rate=plain(win_rate(pnl)),
        profit_factor=plain(profit_factor(pnl)),
        payoff_ratio=plain(payoff_ratio(pnl)),
        expectancy=plain(mean(pnl)),
        expectancy_return=plain(mean(_numbers(trades, "return"))),
        average_win=plain(average_gain(pnl)),
        average_loss=plain(average_loss(pnl)),
        largest_win=plain(best(pnl[pnl > 0.0])),
        largest_loss=plain(-worst(pnl[pnl < 0.0])),
        total_pnl=float(pnl.sum()),
        total_costs=float(_numbers(trades, "costs").sum()),
        longest_winning_streak=_longest_run(pnl[in_order] > 0.0),
        longest_losing_streak=_longest_run(pnl[in_order] < 0.0),
        average_bars=plain(mean(_numbers(trades, "bars"))),
    )


def _numbers(trades: pd.DataFrame, name: str) -> FloatArray:
    return trades[name].to_numpy(dtype=np.float64)  # type: ignore[no-any-return]


def _longest_run(which: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))
