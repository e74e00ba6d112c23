"""What a report shows of one result: its curves and figures, beside a benchmark."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from trading.backtest.deflation import Trials
from trading.backtest.figures import Figures, describe
from trading.backtest.metrics import SESSIONS_PER_YEAR, annual_turnover
from trading.backtest.reductions import plain
from trading.backtest.relative import Relative, compare
from trading.backtest.report.curves import BenchmarkReturns, Curves, survived_returns
from trading.backtest.report.significance import Significance
from trading.backtest.result import BacktestResult
from trading.backtest.trade_statistics import TradeStatistics, summarize_trades

Form = Literal["percent", "number", "count", "usd"]
Wanted = tuple[tuple[str, str, Form], ...]

PERFORMANCE: Wanted = (
    ("Total return", "total_return", "percent"),
    ("Growth a year (CAGR)", "cagr", "percent"),
    ("Volatility a year", "volatility", "percent"),
    ("Sharpe ratio", "sharpe", "number"),
    ("… its standard error", "sharpe_error", "number"),
    ("Sortino ratio", "sortino", "number"),
    ("Maximum drawdown", "max_drawdown", "percent"),
    ("Calmar ratio", "calmar", "number"),
    ("Sessions won", "win_rate", "percent"),
    ("Profit factor of sessions", "profit_factor", "number"),
    ("Months won", "positive_months", "percent"),
    ("Best session", "best_period", "percent"),
    ("Worst session", "worst_period", "percent"),
    ("Best month", "best_month", "percent"),
    ("Worst month", "worst_month", "percent"),
    ("Average drawdown", "average_drawdown", "percent"),
    ("Longest drawdown, sessions", "longest_drawdown", "count"),
    ("Ulcer index", "ulcer_index", "percent"),
    ("Skewness", "skewness", "number"),
    ("Excess kurtosis", "excess_kurtosis", "number"),
    ("Tail ratio", "tail_ratio", "number"),
)
RELATIVE: Wanted = (
    ("Excess return, whole period", "excess_return", "percent"),
    ("Alpha a year", "alpha", "percent"),
    ("Beta", "beta", "number"),
    ("Correlation", "correlation", "number"),
    ("Tracking error a year", "tracking_error", "percent"),
    ("Information ratio", "information_ratio", "number"),
    ("Up capture", "up_capture", "number"),
    ("Down capture", "down_capture", "number"),
)
SIGNIFICANCE: Wanted = (
    ("p-value of no lead over the benchmark", "benchmark_p_value", "percent"),
    ("Lead over equal weight, a year", "equal_weight_excess", "percent"),
    ("p-value of no lead over equal weight", "equal_weight_p_value", "percent"),
    ("Trials that it was chosen from", "trials", "count"),
    ("Sharpe ratio of the best of so many without skill", "best_of_trials", "number"),
    ("Deflated Sharpe ratio (probability)", "deflated_sharpe", "percent"),
)
TRADING: Wanted = (
    ("Round trips", "trades", "count"),
    ("Trades won", "win_rate", "percent"),
    ("Profit factor of trades", "profit_factor", "number"),
    ("Payoff ratio", "payoff_ratio", "number"),
    ("Mean profit of a trade, USD", "expectancy", "usd"),
    ("Mean return of a trade", "expectancy_return", "percent"),
    ("Mean length, bars", "average_bars", "number"),
    ("Longest losing streak, trades", "longest_losing_streak", "count"),
)


@dataclass(frozen=True)
class FigureRow:
    """One line of a table of figures; None is "no data"."""

    label: str
    own: float | None
    benchmark: float | None
    form: Form


@dataclass(frozen=True, eq=False)
class Evidence:
    """The curves and figures of one result.

    Attributes
    ----------
    curves : by session
    figures, benchmark_figures : of the session returns; the benchmark over the same sessions
    relative : the strategy against the benchmark
    significance : what speaks against luck; None without a benchmark
    trades : of the closed round trips
    annual_turnover : one way, a multiple of equity a year
    benchmark : its name, empty without one
    lost_on : the session in which the account was worth nothing or less, if there is one
    """

    curves: Curves
    figures: Figures
    benchmark_figures: Figures | None
    relative: Relative | None
    significance: Significance | None
    trades: TradeStatistics
    annual_turnover: float | None
    benchmark: str
    lost_on: np.datetime64 | None

    @classmethod
    def of(
        cls,
        result: BacktestResult,
        benchmark: BenchmarkReturns | None = None,
        trials: Trials | None = None,
    ) -> "Evidence":
        """Return the evidence of a result; raises `DataError` for returns that cannot be.

        `trials` are the backtests that it was chosen from, itself included; default it alone.
        """
        curves = Curves.of(result, benchmark)
        own = survived_returns(result)
        other = None if benchmark is None else benchmark.returns
        lost = np.flatnonzero(curves.equity <= 0.0)
        return cls(
            curves=curves,
            figures=describe(own, curves.days, exposure=curves.gross),
            benchmark_figures=None if other is None else describe(other, curves.days),
            relative=None if other is None else compare(own, other),
            significance=None
            if benchmark is None
            else Significance.of(result, benchmark, trials or Trials()),
            trades=summarize_trades(result.trades),
            annual_turnover=plain(annual_turnover(_known(curves.turnover), SESSIONS_PER_YEAR)),
            benchmark="" if benchmark is None else benchmark.name,
            lost_on=curves.days[lost[0]] if len(lost) else None,
        )

    def performance_rows(self) -> tuple[FigureRow, ...]:
        """Return the figures that both the strategy and the benchmark have."""
        own = self.figures.to_dict()
        other = {} if self.benchmark_figures is None else self.benchmark_figures.to_dict()
        return _rows(PERFORMANCE, own, other)

    def relative_rows(self) -> tuple[FigureRow, ...]:
        """Return the strategy against the benchmark; nothing without one."""
        return () if self.relative is None else _rows(RELATIVE, self.relative.to_dict(), {})

    def significance_rows(self) -> tuple[FigureRow, ...]:
        """Return what speaks against luck; nothing without a benchmark."""
        found = self.significance
        return () if found is None else _rows(SIGNIFICANCE, found.to_dict(), {})

    def trading_rows(self, result: BacktestResult) -> tuple[FigureRow, ...]:
        """Return the round trips, turnover, exposure and what trading cost."""
        return (
            *_rows(TRADING, self.trades.to_dict(), {}),
            FigureRow("Turnover a year, one way", self.annual_turnover, None, "percent"),
            FigureRow("Mean gross exposure", self.figures.average_exposure, None, "percent"),
            FigureRow("Sessions with a position", self.figures.time_in_market, None, "percent"),
            FigureRow("Commissions, USD", result.commissions, None, "usd"),
            FigureRow("Slippage paid in cash, USD", result.slippage_charges, None, "usd"),
            FigureRow("Borrow cost, USD", result.borrow_cost, None, "usd"),
            FigureRow("Dividends, USD", result.dividends, None, "usd"),
        )


def _rows(
    wanted: Wanted, own: dict[str, float | int | None], other: dict[str, float | int | None]
) -> tuple[FigureRow, ...]:
    return tuple(FigureRow(label, own[name], other.get(name), form) for label, name, form in wanted)


def _known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[np.isfinite(values)]
