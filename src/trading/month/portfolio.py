"""The model portfolio: what the stored months were worth, by the one simulator."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.backtest.simulator import Simulation, simulate
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset
from trading.signals.store import StoredMonth

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ModelPortfolio:
    """The model portfolio on the last session of a dataset.

    Attributes
    ----------
    months : the stored months whose orders it is made of, oldest first
    decisions : (M,) rows of the dataset's sessions, the last that each month saw
    simulation : the path of net asset values since the first fill
    weights : (S,) float64, held now, drifted
    lost : held names that the dataset has no column for; their value stands still as cash
    """

    months: tuple[str, ...]
    decisions: IntArray
    simulation: Simulation
    weights: FloatArray
    lost: tuple[str, ...]

    @property
    def nav(self) -> float:
        """Net asset value on the last session, 1 at inception."""
        return float(np.prod(1.0 + self.simulation.net_returns))

    def since(self, row: int) -> float:
        """Return the net simple return earned on the rows after `row`."""
        later = self.simulation.session_rows > row
        return float(np.prod(1.0 + self.simulation.net_returns[later]) - 1.0)


def model_portfolio(
    stored: tuple[StoredMonth, ...], dataset: Dataset, settings: Settings
) -> ModelPortfolio:
    """Follow the stored months' portfolios to the last session of the dataset.

    Orders of a month fill at the close of the session after the last one it saw. Without stored
    months everything is cash.
    """
    rows, targets, lost = _targets(stored, dataset)
    simulation = follow_targets(dataset, rows, targets, settings)
    return ModelPortfolio(
        months=tuple(month.month for month in stored),
        decisions=rows,
        simulation=simulation,
        weights=_weights_now(simulation, targets, rows, dataset),
        lost=lost,
    )


def follow_targets(
    dataset: Dataset, rows: IntArray, targets: FloatArray, settings: Settings
) -> Simulation:
    """Simulate target weights `(M, S)` decided on `rows` to the last session, costs included."""
    known = np.maximum(np.searchsorted(dataset.decisions, rows, side="right") - 1, 0)
    return simulate(
        dataset.returns,
        rows,
        targets,
        CostModel.from_settings(settings.costs),
        dataset.dollar_volume[known],
        dataset.volatility[known],
        fillable=dataset.fillable,
    )


def order_cost(
    target: FloatArray,
    held: FloatArray,
    dollar_volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    nav: float,
    settings: Settings,
) -> tuple[float, float]:
    """Return turnover (one way) and estimated cost of moving from `held` to `target` weights."""
    traded = target - held
    model = CostModel.from_settings(settings.costs)
    cost = model.cost(traded, dollar_volume, volatility, nav * model.capital_usd).sum()
    turnover = max(np.maximum(traded, 0.0).sum(), np.maximum(-traded, 0.0).sum())
    return float(turnover), float(cost)


def _targets(
    stored: tuple[StoredMonth, ...], dataset: Dataset
) -> tuple[IntArray, FloatArray, tuple[str, ...]]:
    column = {symbol: i for i, symbol in enumerate(dataset.symbols) if symbol}
    rows = np.array(
        [np.searchsorted(dataset.sessions, np.datetime64(m.performance.session)) for m in stored],
        dtype=np.int64,
    )
    targets = np.zeros((len(stored), len(dataset.symbols)))
    lost: set[str] = set()
    for i, month in enumerate(stored):
        for signal in month.signals:
            if signal.weight > 0.0 and signal.symbol in column:
                targets[i, column[signal.symbol]] = signal.weight
            elif signal.weight > 0.0:
                lost.add(signal.symbol)
    return rows, targets, tuple(sorted(lost))


def _weights_now(
    simulation: Simulation, targets: FloatArray, rows: IntArray, dataset: Dataset
) -> FloatArray:
    """Return the weights on the last session; orders that fill on it are held, not yet earned."""
    if len(rows) and rows[-1] + 1 == len(dataset.sessions) - 1:
        return np.asarray(targets[-1])
    return simulation.end_weights
