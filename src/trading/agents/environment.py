"""The portfolio environment: 3,600 slots, one decision a month, the days simulated inside."""

from typing import Any, Literal, SupportsFloat

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from trading.agents.episodes import Episode, episodes, month_market
from trading.agents.policy import Float32Array
from trading.agents.projection import conviction_weights, requested_weights
from trading.agents.reward import hybrid_reward
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset

OBSERVATION_LIMIT = 1e6
"""Bound of the observation space; features and context are of order one."""

ActionKind = Literal["convictions", "weights"]


class PortfolioEnv(gymnasium.Env[Float32Array, Float32Array]):
    """A long-only portfolio over all slots of a dataset, decided once a month.

    The observation is flat, as FinRL's is: the features of every slot `(S * 17)`, the weights held
    `(S,)` and the market context `(C,)`; `unpack` takes it apart. An action has one number a slot:
    convictions in -1..1 (`projection.conviction_weights`) or weights in 0..1
    (`projection.requested_weights`); slots that are not eligible get nothing.

    A step decides, fills at the next close, follows the position day by day to the fill of the next
    decision and pays the hybrid reward of the net returns. An episode walks one phase of the
    dataset from its first usable decision to its last, starting in cash; its end is a truncation:
    the market goes on. `info` has `month_return` (net), `turnover`, `cost`, `sharpe`, `drawdown`,
    `decision` (index) and `net_returns` (daily).

    Parameters
    ----------
    dataset : what is observed and earned
    settings : reward and costs
    decisions : indices of the dataset's decisions that may be used; None for all with an outcome
    action : what an action's numbers mean

    Raises
    ------
    DataError
        No decision has a complete outcome.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own attribute)

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        decisions: npt.ArrayLike | None = None,
        action: ActionKind = "convictions",
    ) -> None:
        self._dataset = dataset
        self._rewards = settings.reward
        self._costs = CostModel.from_settings(settings.costs)
        self._chains = episodes(dataset, decisions)
        self._kind = action
        slots = len(dataset.symbols)
        size = slots * (dataset.features.shape[2] + 1) + dataset.context.shape[1]
        self.observation_space = spaces.Box(
            -OBSERVATION_LIMIT, OBSERVATION_LIMIT, (size,), dtype=np.float32
        )
        low = -1.0 if action == "convictions" else 0.0
        self.action_space = spaces.Box(low, 1.0, (slots,), dtype=np.float32)
        self._chain: Episode = self._chains[0]
        self._position = 0
        self._capital = self._costs.capital_usd
        self._held = np.zeros(slots)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode in cash: a random chain, or number `options["chain"]`."""
        super().reset(seed=seed)
        chosen = (options or {}).get("chain")
        number = int(self.np_random.integers(len(self._chains))) if chosen is None else chosen
        self._chain = self._chains[number]
        self._position = 0
        self._capital = self._costs.capital_usd
        self._held = np.zeros(len(self._dataset.symbols))
        return self._observe(), {"chain": number, "decision": self._chain[0].decision}

    def step(
        self, action: Float32Array
    ) -> tuple[Float32Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Decide, fill and hold for a month; `DataError` for an action that is not finite."""
        outcome = self._chain[self._position]
        eligible = self._dataset.eligible[outcome.decision]
        project = conviction_weights if self._kind == "convictions" else requested_weights
        market = month_market(self._dataset, outcome)
        target = project(action, eligible)
        holding = market.hold(target, self._held, self._costs, self._capital)
        self._held = holding.end_weights
        self._capital *= float(np.prod(1.0 + holding.net_returns))
        reward = hybrid_reward(holding.net_returns, self._rewards)
        last = self._position == len(self._chain) - 1
        self._position = min(self._position + 1, len(self._chain) - 1)
        info = {
            "decision": outcome.decision,
            "month_return": float(reward.monthly_return),
            "sharpe": float(reward.sharpe),
            "drawdown": float(reward.drawdown),
            "turnover": float(holding.turnover),
            "cost": float(holding.costs),
            "net_returns": holding.net_returns,
        }
        return self._observe(), float(reward.value), False, last, info

    def unpack(self, observation: Float32Array) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return an observation's features `(S, 17)`, held weights `(S,)` and context `(C,)`."""
        slots, features = self._dataset.features.shape[1:]
        block, held, context = np.split(observation, [slots * features, slots * (features + 1)])
        return block.reshape(slots, features), held, context

    def _observe(self) -> Float32Array:
        decision = self._chain[self._position].decision
        return np.concatenate(
            [
                self._dataset.features[decision].ravel(),
                self._held.astype(np.float32),
                self._dataset.context[decision],
            ]
        )
