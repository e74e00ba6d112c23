"""The curves of a result by session, beside its benchmark; every figure in them is of `metrics`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest import metrics
from trading.backtest.result import BacktestResult
from trading.errors import DataError
from trading.market.market_data import MarketData

FloatArray = npt.NDArray[np.float64]
DayArray = npt.NDArray[np.datetime64]

ROLLING_SESSIONS = 126
PROXY_SESSIONS = 21
EQUAL_WEIGHT = "all names in equal parts, rebalanced every session without costs"
PROXY = "the universe weighted by dollar volume, rebalanced every session without costs"


@dataclass(frozen=True, eq=False)
class BenchmarkReturns:
    """A benchmark over the sessions of a result.

    Attributes
    ----------
    name : in words
    returns : (S,) simple returns by session; NaN where it is not known
    """

    name: str
    returns: FloatArray

    @classmethod
    def from_prices(
        cls, name: str, days: DayArray, prices: FloatArray, sessions: DayArray
    ) -> "BenchmarkReturns":
        """Return the returns over `sessions` of a price series `(n,)` known on `days` `(n,)`.

        A session without a price keeps the last one (return 0); NaN before the first price. The
        first session's return needs a price from before it. Raises `DataError` when no two
        sessions have a price.
        """
        known = np.isfinite(prices) & (prices > 0)
        days, prices = days[known].astype("datetime64[D]"), prices[known]
        order = np.argsort(days, kind="stable")
        days, prices = days[order], prices[order]
        wanted = sessions.astype("datetime64[D]")
        spot = np.searchsorted(days, wanted, side="right") - 1
        before = int(np.searchsorted(days, wanted[0], side="left")) - 1 if len(wanted) else -1
        levels = np.full(len(wanted) + 1, np.nan)
        levels[1:][spot >= 0] = prices[spot[spot >= 0]]
        if before >= 0:
            levels[0] = prices[before]
        returns = levels[1:] / levels[:-1] - 1.0
        covered = np.count_nonzero(np.isin(wanted, days))
        if covered < min(2, len(wanted)):
            raise DataError(
                f"the benchmark {name} has a price on {covered} of the {len(wanted)} sessions; "
                "expected one that covers the period"
            )
        return cls(name, returns)

    @classmethod
    def of_universe(cls, data: MarketData, start: int) -> "BenchmarkReturns":
        """Return a stand-in for an index: the universe, weighted by what was traded of each name.

        Weights are the mean dollar volumes of the `PROXY_SESSIONS` sessions before each session,
        rebalanced every session without costs; a name without a return counts as unchanged. The
        returns are those of the sessions from row `start` on.
        """
        ends, moves = _session_moves(data)
        starts = np.r_[0, ends[:-1] + 1]
        traded = np.add.reduceat(np.nan_to_num(data.close * data.volume), starts, axis=0)
        summed = np.cumsum(np.vstack([np.zeros(traded.shape[1]), traded]), axis=0)
        rows = np.arange(len(ends))
        weights = summed[rows] - summed[np.maximum(rows - PROXY_SESSIONS, 0)]
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = (weights * np.nan_to_num(moves)).sum(axis=1) / weights.sum(axis=1)
        wanted = returns[np.searchsorted(ends, start) :]
        return cls(PROXY, np.asarray(np.where(np.isfinite(wanted), wanted, np.nan)))

    @classmethod
    def equal_weight(cls, data: MarketData, sessions: int) -> "BenchmarkReturns":
        """Return the mean return of the names that have one, over the last `sessions` sessions.

        Rebalanced every session without costs; NaN where no name has a return.
        """
        _, moves = _session_moves(data)
        known = np.isfinite(moves)
        count = known.sum(axis=1)
        total = np.where(known, moves, 0.0).sum(axis=1)
        returns = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return cls(EQUAL_WEIGHT, returns[len(returns) - sessions :])


def _session_moves(data: MarketData) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the last row of each session `(S,)`, and simple returns `(S, N)`, NaN where none."""
    ends = np.flatnonzero(np.r_[data.sessions[1:] != data.sessions[:-1], True])
    prices = data.adjusted_close[ends]
    moves = np.full(prices.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        moves[1:] = prices[1:] / prices[:-1] - 1.0
    moves[~np.isfinite(moves)] = np.nan
    return ends, moves


@dataclass(frozen=True, eq=False)
class Curves:
    """What the charts and the JSON draw from; all `(S,)`, by session.

    Attributes
    ----------
    days : the sessions
    equity : USD at the session's end
    benchmark : USD, the benchmark grown from the same start; None without one
    drawdown, benchmark_drawdown : 0..1, below the highest level so far (the start included)
    gross, net : exposure at the session's end, a fraction of equity; NaN where equity is not > 0
    turnover : one way, a fraction of equity
    rolling_sharpe : annualised, over `ROLLING_SESSIONS` sessions; NaN before that
    """

    days: DayArray
    equity: FloatArray
    benchmark: FloatArray | None
    drawdown: FloatArray
    benchmark_drawdown: FloatArray | None
    gross: FloatArray
    net: FloatArray
    turnover: FloatArray
    rolling_sharpe: FloatArray

    @classmethod
    def of(cls, result: BacktestResult, benchmark: BenchmarkReturns | None) -> "Curves":
        """Return the curves of a result."""
        last = result.session_rows
        equity = result.equity[last]
        start = result.initial_cash
        positive = np.where(equity > 0, equity, np.nan)
        own = survived_returns(result)
        index = None
        if benchmark is not None:
            growth = 1.0 + np.nan_to_num(benchmark.returns, nan=0.0)
            index = np.asarray(start * np.cumprod(growth), dtype=np.float64)
        return cls(
            days=np.asarray(result.session_dates, dtype="datetime64[D]"),
            equity=equity,
            benchmark=index,
            drawdown=_drawdown(own),
            benchmark_drawdown=None if benchmark is None else _drawdown(benchmark.returns),
            gross=result.gross_exposure[last] / positive,
            net=result.net_exposure[last] / positive,
            turnover=np.asarray(result.turnover, dtype=np.float64),
            rolling_sharpe=rolling_sharpe(own),
        )


def rolling_sharpe(returns: FloatArray, window: int = ROLLING_SESSIONS) -> FloatArray:
    """Return the Sharpe ratio of each `window` sessions `(S,)`; NaN before there are as many."""
    ratios = np.full(len(returns), np.nan)
    if len(returns) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(returns, window)
        ratios[window - 1 :] = metrics.sharpe(windows)
    return ratios


def survived_returns(result: BacktestResult) -> FloatArray:
    """Return the session returns `(S,)` as figures may be made of them.

    An account that is worth nothing or less has lost everything: that session's return is -1 and
    those after it are NaN, whatever became of the debt.
    """
    returns = np.array(result.session_returns, dtype=np.float64)
    ruined = np.flatnonzero(result.equity[result.session_rows] <= 0.0)
    if len(ruined):
        returns[ruined[0]] = -1.0
        returns[ruined[0] + 1 :] = np.nan
    return returns


def yearly_returns(months: DayArray, returns: FloatArray) -> dict[int, float]:
    """Return the compounded return of each calendar year from those of months."""
    years = months.astype("datetime64[Y]").astype(int) + 1970
    return {
        int(year): float(metrics.total_return(returns[years == year])) for year in np.unique(years)
    }


def _drawdown(returns: FloatArray) -> FloatArray:
    series = metrics.drawdown_series(np.nan_to_num(returns, nan=0.0))
    return np.asarray(series, dtype=np.float64)
