"""How sure a result is: what chance alone would show, paired and after all that was tried."""

from dataclasses import asdict, dataclass

import numpy as np

from trading.backtest.bootstrap import paired_p_value
from trading.backtest.deflation import Trials, deflated_sharpe
from trading.backtest.metrics import cagr
from trading.backtest.reductions import plain
from trading.backtest.report.curves import BenchmarkReturns, FloatArray, survived_returns
from trading.backtest.result import BacktestResult

SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Significance:
    """What speaks against luck; None is "no data".

    Attributes
    ----------
    benchmark_p_value : one-sided, of no lead over the benchmark (`bootstrap.paired_p_value`)
    equal_weight_return : annual growth of all names in equal parts, every session, without costs
    equal_weight_excess : the strategy's annual growth less that
    equal_weight_p_value : one-sided, of no lead over it
    trials : backtests that the strategy was chosen from, itself included
    best_of_trials : Sharpe ratio, annualised, that the best of so many without skill would show
    deflated_sharpe : probability that the strategy's exceeds it (`deflation.deflated_sharpe`)
    """

    benchmark_p_value: float | None
    equal_weight_return: float | None
    equal_weight_excess: float | None
    equal_weight_p_value: float | None
    trials: int
    best_of_trials: float | None
    deflated_sharpe: float | None

    @classmethod
    def of(
        cls, result: BacktestResult, benchmark: BenchmarkReturns, trials: Trials
    ) -> "Significance":
        """Return the significance of a result beside a benchmark over its sessions."""
        own = survived_returns(result)
        equal = BenchmarkReturns.equal_weight(result.feed.data, len(own)).returns
        deflated = deflated_sharpe(own, trials)
        both = np.isfinite(own) & np.isfinite(equal)
        growth = plain(cagr(equal[both]))
        mine = plain(cagr(own[both]))
        return cls(
            benchmark_p_value=_p_value(own, benchmark.returns),
            equal_weight_return=growth,
            equal_weight_excess=None if growth is None or mine is None else mine - growth,
            equal_weight_p_value=_p_value(own, equal),
            trials=trials.count,
            best_of_trials=deflated.threshold if deflated else None,
            deflated_sharpe=deflated.probability if deflated else None,
        )

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the figures as plain JSON values."""
        return asdict(self)


def _p_value(own: FloatArray, other: FloatArray) -> float | None:
    both = np.isfinite(own) & np.isfinite(other)
    return paired_p_value(own[both], other[both], SAMPLES)
