"""Tracks: what a way of choosing portfolios would have earned, month by month, net of costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from trading.backtest.metrics import total_return
from trading.backtest.simulator import FILL, Simulation, follow
from trading.config import Settings
from trading.errors import DataError
from trading.evaluation.walk_forward import outcome_ends
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MonthlyChooser = Callable[[int, FloatArray, float], FloatArray]


@dataclass(frozen=True)
class Track:
    """The record of one contender over consecutive months.

    Attributes
    ----------
    name, label : a key, and what it is in words
    months : M labels `YYYY-MM`, the month that each decision is for
    sessions : (n,) datetime64[D], the sessions whose returns were earned
    net_returns : (n,) float64, simple, daily, after costs
    offsets : (M + 1,) month m earned `net_returns[offsets[m]:offsets[m + 1]]`
    turnover, costs : (M,) one-way turnover and cost of each month's fill, of net asset value
    names : (M,) names held after each fill
    information : (M,) information coefficient of the scores; NaN where there are no scores
    delisted : names that left the market while they were held
    fill : the fill rule
    exposure : (M,) share invested after each fill; None where it was not kept
    """

    name: str
    label: str
    months: tuple[str, ...]
    sessions: npt.NDArray[np.datetime64]
    net_returns: FloatArray
    offsets: IntArray
    turnover: FloatArray
    costs: FloatArray
    names: IntArray
    information: FloatArray
    delisted: int = 0
    fill: str = FILL
    exposure: FloatArray | None = None

    def __post_init__(self) -> None:
        earned = int(self.offsets[-1]) if len(self.offsets) == len(self.months) + 1 else -1
        if not earned == len(self.net_returns) == len(self.sessions):
            raise DataError(
                f"the track {self.name}: {len(self.months)} months, {len(self.offsets)} offsets, "
                f"{len(self.net_returns)} returns and {len(self.sessions)} sessions, which do not "
                "fit together"
            )

    @property
    def monthly_returns(self) -> FloatArray:
        """Net returns `(M,)`, compounded over each month's holding."""
        spans = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        return np.array([float(total_return(self.net_returns[a:b])) for a, b in spans])

    def named(self, name: str, label: str) -> "Track":
        """Return the same record under another name."""
        return replace(self, name=name, label=label)

    def restricted(self, months: Sequence[str]) -> "Track":
        """Return the months that are also in `months`."""
        wanted = set(months)
        keep = [i for i, month in enumerate(self.months) if month in wanted]
        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in keep]
        rows = np.concatenate([np.empty(0, dtype=np.int64), *spans])
        return replace(
            self,
            months=tuple(self.months[i] for i in keep),
            sessions=self.sessions[rows],
            net_returns=self.net_returns[rows],
            offsets=np.concatenate([[0], np.cumsum([len(span) for span in spans])]).astype(
                np.int64
            ),
            turnover=self.turnover[keep],
            costs=self.costs[keep],
            names=self.names[keep],
            information=self.information[keep],
            exposure=None if self.exposure is None else self.exposure[keep],
        )


def follow_decisions(
    dataset: Dataset,
    indices: IntArray,
    choose: MonthlyChooser,
    settings: Settings,
) -> Simulation:
    """Simulate decisions `(M,)` of one phase to the end of the last one's outcome.

    `choose(index, held, nav)` answers the target weights `(S,)` of `dataset.decisions[index]`.
    Raises `DataError` when a decision has no outcome yet.
    """
    ends = outcome_ends(dataset)[indices]
    if not len(ends) or (ends < 0).any():
        raise DataError(
            "only decisions whose outcome is known can be evaluated; "
            f"{int((ends < 0).sum())} of {len(ends)} have none"
        )
    return follow(
        dataset.returns,
        dataset.decisions[indices],
        lambda i, held, nav: choose(int(indices[i]), held, nav),
        CostModel.from_settings(settings.costs),
        dataset.dollar_volume[indices],
        dataset.volatility[indices],
        end_row=int(ends[-1]),
        fillable=dataset.fillable,
    )


def track_of(
    dataset: Dataset,
    indices: IntArray,
    simulation: Simulation,
    *,
    name: str,
    label: str,
    information: FloatArray | None = None,
) -> Track:
    """Return the track of a simulation of decisions `(M,)`."""
    months = dataset.months
    return Track(
        name=name,
        label=label,
        months=tuple(months[index] for index in indices),
        sessions=dataset.sessions[simulation.session_rows],
        net_returns=simulation.net_returns,
        offsets=simulation.offsets,
        turnover=simulation.turnover,
        costs=simulation.costs,
        names=simulation.names,
        information=np.full(len(indices), np.nan) if information is None else information,
        delisted=simulation.delisted,
        fill=simulation.fill,
        exposure=simulation.invested,
    )
