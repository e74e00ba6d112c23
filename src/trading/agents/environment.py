"""The portfolio environment: 3,600 slots, one decision a month, the days simulated inside."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from trading.agents.episodes import Episode
from trading.agents.market_steps import ActionKind, MarketSteps
from trading.agents.policy import Float32Array
from trading.config import Settings
from trading.features.dataset import Dataset

OBSERVATION_LIMIT = 1e6
"""Bound of the observation space; features and context are of order one."""


class PortfolioEnv(gymnasium.Env[Float32Array, Float32Array]):
    """A portfolio over all slots of a dataset, decided once a month.

    The observation is flat, as FinRL's is: the features of every slot `(S * 17)`, the weights held
    `(S,)` and the market context `(C,)`; `unpack` takes it apart. An action has one number a slot:
    convictions in -1..1 (`projection.conviction_weights`) or weights in 0..1, -1..1 where short
    selling is allowed (`constraints.feasible_weights`); slots that are not eligible get nothing.
    `settings.exposure` limits leverage, short selling and turnover; the default is long only.

    A step decides, fills at the next close, follows the position day by day to the fill of the next
    decision and pays the hybrid reward of the net returns. An episode walks one phase of the
    dataset from its first usable decision to its last, starting in cash; its end is a truncation:
    the market goes on. Names that leave the universe within it are sold at the next decision,
    names that leave the market earn `exposure.delisting_return` first, and names that join can be
    bought. `info` has `month_return` (net), `turnover`, `cost`, `sharpe`, `drawdown`, `decision`
    (index) and `net_returns` (daily).

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

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own attribute)

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        decisions: npt.ArrayLike | None = None,
        action: ActionKind = "convictions",
    ) -> None:
        self._market = MarketSteps(dataset, settings, decisions, action)
        slots = len(dataset.symbols)
        size = slots * (dataset.features.shape[2] + 1) + dataset.context.shape[1]
        self.observation_space = spaces.Box(
            -OBSERVATION_LIMIT, OBSERVATION_LIMIT, (size,), dtype=np.float32
        )
        self.action_space = spaces.Box(self._market.lowest, 1.0, (slots,), dtype=np.float32)
        self._chain: Episode = ()
        self._position = 0
        self._capital = np.empty(1)
        self._held = np.zeros((1, slots))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode in cash: a random chain, or number `options["chain"]`."""
        super().reset(seed=seed)
        chosen = (options or {}).get("chain")
        chains = self._market.chains
        number = int(self.np_random.integers(len(chains))) if chosen is None else int(chosen)
        self._chain = chains[number]
        self._position = 0
        self._capital[:] = self._market.costs.capital_usd
        self._held[:] = 0.0
        first = self._chain[0].decision
        return self._market.observe(first, self._held[0]), {"chain": number, "decision": first}

    def step(
        self, action: Float32Array
    ) -> tuple[Float32Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Decide, fill and hold for a month; `DataError` for an action that is not finite."""
        if self._position >= len(self._chain):
            raise ResetNeeded("the episode is over or was not begun; call reset first")
        outcome = self._chain[self._position]
        wanted = np.asarray(action, dtype=np.float32)[None]
        step = self._market.advance(outcome, wanted, self._held, self._capital)
        self._position += 1
        last = self._position == len(self._chain)
        following = self._chain[self._position - last].decision
        info = {
            "decision": outcome.decision,
            "month_return": float(step.reward.monthly_return[0]),
            "sharpe": float(step.reward.sharpe[0]),
            "drawdown": float(step.reward.drawdown[0]),
            "turnover": float(step.turnover[0]),
            "cost": float(step.costs[0]),
            "net_returns": step.net_returns[0],
        }
        observation = self._market.observe(following, self._held[0])
        return observation, float(step.reward.value[0]), False, last, info

    def unpack(self, observation: Float32Array) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return an observation's features `(S, 17)`, held weights `(S,)` and context `(C,)`."""
        slots, features = self._market.dataset.features.shape[1:]
        block, held, context = np.split(observation, [slots * features, slots * (features + 1)])
        return block.reshape(slots, features), held, context
