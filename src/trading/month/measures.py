"""What the model portfolio, the benchmark and equal weight were worth by the month's last session.

All three follow the same months from the same first fill, through the one simulator.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.backtest.holding import hold
from trading.backtest.metrics import summarize
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset
from trading.month.cross_section import CrossSection, FloatArray
from trading.month.portfolio import (
    IntArray,
    ModelPortfolio,
    follow_targets,
    model_portfolio,
    order_cost,
)
from trading.month.resources import Resources
from trading.month.validate import benchmark_of
from trading.risk.measures import value_at_risk
from trading.signals.model import MonthlySignal, MonthPerformance
from trading.signals.report import Risk
from trading.signals.store import StoredMonth

RISK_SESSIONS = 252
PROXY = "index proxy (eligible names by dollar volume)"


def month_performance(
    month: str,
    model_version: str,
    signals: Sequence[MonthlySignal],
    stored: tuple[StoredMonth, ...],
    section: CrossSection,
    dataset: Dataset,
    resources: Resources,
) -> MonthPerformance:
    """Return where the portfolio stands on the last session, and what the month's orders cost."""
    settings = resources.settings
    portfolio = model_portfolio(stored, dataset, settings)
    target = np.zeros(len(section.symbols))
    for signal in signals:
        target[signal.slot] = signal.weight
    turnover, costs = order_cost(
        target, section.held, section.dollar_volume, section.volatility, section.nav, settings
    )
    levels = _levels(portfolio, dataset, resources)
    before = stored[-1].performance if stored else None
    return MonthPerformance(
        month=month,
        session=dataset.sessions[-1].astype(object),
        model_version=model_version,
        nav=levels["nav"],
        benchmark=levels["benchmark"],
        equal_weight=levels["equal_weight"],
        net_return=_change(levels["nav"], before.nav if before else None),
        benchmark_return=_change(levels["benchmark"], before.benchmark if before else None),
        equal_weight_return=_change(
            levels["equal_weight"], before.equal_weight if before else None
        ),
        turnover=turnover,
        costs=costs,
        names=int((target > 0.0).sum()),
    )


def benchmark_name(dataset: Dataset, resources: Resources) -> str:
    """Return what the benchmark level follows: the benchmark given, else a labelled proxy."""
    benchmark = benchmark_of(dataset, resources)
    return PROXY if benchmark is None else benchmark.name


def portfolio_risk(signals: Sequence[MonthlySignal], dataset: Dataset, settings: Settings) -> Risk:
    """Return the risk of holding the month's weights over the last year of sessions."""
    column = {symbol: i for i, symbol in enumerate(dataset.symbols) if symbol}
    weights = np.zeros(len(dataset.symbols))
    for signal in signals:
        if signal.weight > 0.0:
            weights[column[signal.symbol]] = signal.weight
    returns = dataset.returns[-RISK_SESSIONS:]
    held = hold(
        returns,
        weights,
        weights,
        CostModel.from_settings(settings.costs),
        dataset.dollar_volume[-1],
        dataset.volatility[-1],
    )
    figures = summarize(held.net_returns)
    return Risk(
        basis=f"the month's weights, bought and held over the last {len(returns)} sessions",
        volatility=figures.volatility,
        max_drawdown=figures.max_drawdown,
        var_95=_finite(value_at_risk(held.net_returns)),
        sessions=len(returns),
    )


def _levels(
    portfolio: ModelPortfolio, dataset: Dataset, resources: Resources
) -> dict[str, float | None]:
    """Return levels on the last session, 1 at the first fill; None where there is no data."""
    rows, settings = portfolio.decisions, resources.settings
    if not len(rows):
        return {"nav": 1.0, "benchmark": 1.0, "equal_weight": 1.0}
    equal = _tradable_weights(dataset, rows, np.ones_like(dataset.dollar_volume))
    benchmark = benchmark_of(dataset, resources)
    if benchmark is None:
        by_volume = _tradable_weights(dataset, rows, dataset.dollar_volume)
        index = follow_targets(dataset, rows, by_volume, settings).net_returns
    else:
        index = benchmark.returns[portfolio.simulation.session_rows]
    return {
        "nav": portfolio.nav,
        "benchmark": _finite(np.prod(1.0 + index)),
        "equal_weight": _finite(
            np.prod(1.0 + follow_targets(dataset, rows, equal, settings).net_returns)
        ),
    }


def _tradable_weights(dataset: Dataset, rows: IntArray, parts: npt.NDArray[Any]) -> FloatArray:
    """Return weights `(M, S)` in proportion to `parts` (D, S) over the names eligible then."""
    known = np.maximum(np.searchsorted(dataset.decisions, rows, side="right") - 1, 0)
    wanted = np.where(dataset.eligible[known], np.nan_to_num(parts[known]), 0.0).astype(np.float64)
    total = wanted.sum(axis=1, keepdims=True)
    return np.asarray(wanted / np.where(total > 0.0, total, 1.0))


def _change(level: float | None, before: float | None) -> float | None:
    return None if level is None or before is None else level / before - 1.0


def _finite(value: Any) -> float | None:
    plain = float(value)
    return plain if np.isfinite(plain) else None
