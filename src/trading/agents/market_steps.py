"""What both portfolio environments do in a step: decide, fill, hold for a month, be paid."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from os import cpu_count
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trading.agents.constraints import Constraints, Float32Array, feasible_weights
from trading.agents.episodes import Episode, Outcome, episodes, month_market
from trading.agents.projection import conviction_weights
from trading.agents.reward import Reward, hybrid_reward
from trading.backtest.exposure import Exposure
from trading.backtest.holding_kernel import PreparedMonth, hold_prepared, prepare_month
from trading.compiled import compiled
from trading.config import Settings
from trading.errors import DataError
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset
from trading.features.returns import with_delistings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ActionKind = Literal["convictions", "weights"]

PARALLEL_FROM = 32
"""Portfolios from which on threads are worth their start."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a decision of each of B portfolios came to, each `(B,)`.

    Attributes
    ----------
    reward : the hybrid reward and its parts
    net_returns : (B, h) daily
    turnover, costs : one way, and a fraction of the value before the fill
    """

    reward: Reward
    net_returns: FloatArray
    turnover: FloatArray
    costs: FloatArray


class MarketSteps:
    """The market of a dataset, and what it does to portfolios that decide once a month.

    A month is prepared when it is met first and kept: `sessions x slots` float32 each, 36 MB for
    ten years of 3,600 slots.

    Parameters
    ----------
    dataset : what is observed and earned
    settings : reward, costs and exposure
    decisions : indices of the dataset's decisions that may be used; None for all with an outcome
    action : what an action's numbers mean

    Raises
    ------
    DataError
        No decision has a complete outcome.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        decisions: npt.ArrayLike | None = None,
        action: ActionKind = "convictions",
    ) -> None:
        self.dataset = dataset
        self.chains: tuple[Episode, ...] = episodes(dataset, decisions)
        self.costs = CostModel.from_settings(settings.costs)
        self._kind = action
        self._rewards = settings.reward
        self._exposure = Exposure.from_settings(settings.exposure)
        self._limits = Constraints.from_settings(settings.exposure)
        self._returns = with_delistings(
            dataset.returns, settings.exposure.delisting_return, ended=dataset.ended
        )
        self._months: dict[int, PreparedMonth] = {}
        self._workers = cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._workers)

    @property
    def lowest(self) -> float:
        """The least number that an action may hold."""
        if self._kind == "convictions":
            return -1.0
        return -1.0 if self._limits.short > 0.0 else 0.0

    def advance(
        self, outcome: Outcome, actions: Float32Array, held: FloatArray, capital: FloatArray
    ) -> Step:
        """Let B portfolios decide and hold for the month of one outcome.

        Parameters
        ----------
        actions : (B, S) float32
        held : (B, S) weights, which become those at the end of the month
        capital : (B,) USD, which becomes that at the end of the month

        Raises
        ------
        DataError
            Actions have another shape, or are not finite.
        """
        month = self._month(outcome)
        eligible = self.dataset.eligible[outcome.decision]
        if actions.shape != held.shape:
            raise DataError(
                f"an action needs one number for each of the {held.shape[1]} slots, "
                f"found shape {actions.shape[1:]}"
            )
        if not np.isfinite(actions).all():
            raise DataError("an action holds numbers that are not finite; the policy has diverged")
        if self._kind == "convictions":
            actions = conviction_weights(actions, eligible).astype(np.float32)
        net, figures = np.empty((len(held), len(month.gains))), np.empty((len(held), 2))
        self._run(month, eligible, actions, held, capital, net, figures)
        reward = hybrid_reward(net, self._rewards)
        capital *= 1.0 + reward.monthly_return
        return Step(reward, net, figures[:, 0], figures[:, 1])

    def _run(self, month: PreparedMonth, eligible: BoolArray, *arrays: Any) -> None:
        """Advance every portfolio; `arrays` are those of `_advance`, cut between the threads."""
        count = len(arrays[0])
        if count < PARALLEL_FROM:
            _advance(month, eligible, self._limits, *arrays)
            return
        bounds = np.linspace(0, count, self._workers + 1).astype(int)
        parts = [[a[i:j] for a in arrays] for i, j in pairwise(bounds.tolist())]
        started = [
            self._threads.submit(_advance, month, eligible, self._limits, *part) for part in parts
        ]
        for part in started:
            part.result()

    def observe(self, decision: int, held: FloatArray) -> Float32Array:
        """Return the flat observation: features (S * 17), held weights (S,), context (C,)."""
        features, context = self.dataset.features[decision], self.dataset.context[decision]
        seen = np.empty(features.size + len(held) + len(context), dtype=np.float32)
        seen[: features.size] = features.reshape(-1)
        seen[features.size : features.size + len(held)] = held
        seen[features.size + len(held) :] = context
        return seen

    def _month(self, outcome: Outcome) -> PreparedMonth:
        if outcome.decision not in self._months:
            market = month_market(self.dataset, outcome, returns=self._returns)
            self._months[outcome.decision] = prepare_month(
                market.returns,
                market.fillable,
                self.costs,
                market.dollar_volume,
                market.volatility,
                self._exposure,
            )
        return self._months[outcome.decision]


@compiled
def _advance(
    month: PreparedMonth,
    eligible: BoolArray,
    limits: Constraints,
    actions: Float32Array,
    held: FloatArray,
    capital: FloatArray,
    net_returns: FloatArray,
    figures: FloatArray,
) -> None:
    """Advance portfolios one after the other; `figures` (B, 2) are turnover and costs."""
    target = np.empty(held.shape[1])
    for b in range(len(held)):
        feasible_weights(actions[b], eligible, held[b], limits, target)
        turnover, costs = hold_prepared(month, target, held[b], capital[b], net_returns[b], held[b])
        figures[b, 0], figures[b, 1] = turnover, costs
