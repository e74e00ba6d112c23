"""The learning environment of the slot policy: one agent per slot, one policy for all of them.

A portfolio of sampled slots walks along an episode. Every slot sees its own features, its held
weight and the market context, and answers with one conviction in -1..1; the convictions become a
portfolio by `projection.conviction_weights`, the month is simulated with costs, and every slot is
paid its own share of the hybrid reward (`reward.slot_credit`). Stable-Baselines3 sees a vectorised
environment of one-dimensional agents.

Within a decision the rewards keep the proportions that the hybrid reward gives them. Across
decisions they are scaled by the spread of its gradient, so that every month counts alike: a month
whose Sharpe ratio is clipped would else weigh about a thirtieth of its neighbour. A slot's gradient
beyond `GRADIENT_CLIP` spreads is clipped; single names jump.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from trading.agents.episodes import Episode, Outcome, month_market
from trading.agents.projection import conviction_weights
from trading.agents.reward import hybrid_reward, reward_gradient, slot_credit
from trading.config import Settings
from trading.execution.slippage import CostModel
from trading.features.dataset import Dataset

REFERENCE_SIZE = 3
"""An observation refers to the dataset: index of the decision, index of the slot, held weight."""
GRADIENT_CLIP = 5.0
ACTION_BOUND = 3.0

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Infos = list[dict[str, Any]]
Step = tuple[Float32Array, Float32Array, npt.NDArray[np.bool_], Infos]


class SlotVecEnv(VecEnv):
    """One agent per sampled slot, all with the same policy.

    Observations `(slots, 3)` float32 refer to the dataset instead of copying it: decision, slot,
    held weight. `training.DatasetExtractor` looks the features up, so rollouts and replay buffers
    stay small. Actions are `(slots, 1)` convictions in -1..1.

    Parameters
    ----------
    dataset : what is observed and earned
    chains : episodes to learn along (`episodes.episodes`)
    settings : reward and costs
    seed : of the sampling of episodes and slots
    slots : slots sampled from the eligible ones for each episode; fewer where fewer are eligible
    horizon : decisions of an episode at most
    on_step : called after every step with the mean reward of the slots and the hybrid reward

    Attributes
    ----------
    slot_decisions : different ones that there are to learn from

    Notes
    -----
    An episode starts in cash at a random decision. Slots that stop being eligible within it are
    sold, get no weight and no reward. The end of an episode is terminal: no value is bootstrapped
    beyond it.
    """

    render_mode: str | None = None

    def __init__(
        self,
        dataset: Dataset,
        chains: Sequence[Episode],
        settings: Settings,
        seed: int,
        *,
        slots: int = 512,
        horizon: int = 12,
        on_step: Callable[[float, float], None] | None = None,
    ) -> None:
        self._dataset = dataset
        self._starts = [(chain, k) for chain in chains for k in range(len(chain))]
        decisions = [outcome.decision for chain in chains for outcome in chain]
        eligible = dataset.eligible[decisions].sum(axis=1)
        self.slot_decisions = int(eligible.sum())
        most = int(eligible.max())
        self._rewards = settings.reward
        self._costs = CostModel.from_settings(settings.costs)
        self._horizon = horizon
        self._on_step = on_step
        self._random = np.random.default_rng(seed)
        self._path: tuple[Outcome, ...] = ()
        self._position = 0
        self._actions: Float32Array | None = None
        high = np.array([len(dataset.decisions), len(dataset.symbols), 1.0], dtype=np.float32)
        super().__init__(
            max(min(slots, most), 1),
            spaces.Box(np.zeros(REFERENCE_SIZE, dtype=np.float32), high),
            spaces.Box(-ACTION_BOUND, ACTION_BOUND, (1,), dtype=np.float32),
        )
        self._slots: IntArray = np.zeros(self.num_envs, dtype=np.int64)
        self._held = np.zeros(self.num_envs)

    def reset(self) -> Float32Array:
        """Start a new episode and return its first observations."""
        self._start()
        return self._observe()

    def step_async(self, actions: npt.NDArray[np.float32]) -> None:
        """Take the convictions `(slots, 1)` of the decision."""
        self._actions = actions

    def step_wait(self) -> Step:
        """Simulate the month; return observations, rewards, ends and infos, each one a slot."""
        if self._actions is None:
            raise RuntimeError("step_wait was called before step_async")
        rewards, value = self._month(self._actions[:, 0].astype(np.float64) / ACTION_BOUND)
        self._actions = None
        self._position += 1
        done = self._position == len(self._path)
        infos: Infos = [{} for _ in range(self.num_envs)]
        if done:
            self._position -= 1
            for info, last in zip(infos, self._observe(), strict=True):
                info["terminal_observation"] = last
            self._start()
        if self._on_step is not None:
            self._on_step(float(rewards.mean()), value)
        return self._observe(), rewards, np.full(self.num_envs, done), infos

    def _month(self, convictions: npt.NDArray[np.float64]) -> tuple[Float32Array, float]:
        outcome = self._path[self._position]
        eligible = self._dataset.eligible[outcome.decision, self._slots]
        target = conviction_weights(convictions, eligible)
        market = month_market(self._dataset, outcome, self._slots)
        holding = market.hold(target, self._held, self._costs)
        gradient = reward_gradient(market, target, self._held, holding, self._costs, self._rewards)
        self._held = holding.end_weights
        credit, neutral = slot_credit(gradient, target, eligible)
        count = max(int(eligible.sum()), 1)
        spread = float(np.sqrt(np.square(neutral).sum() / count))
        if spread > 0.0:
            size = np.abs(neutral) / spread
            credit *= np.minimum(size, GRADIENT_CLIP) / np.where(size > 0.0, size, 1.0)
            credit *= count / spread
        value = hybrid_reward(holding.net_returns, self._rewards).value
        return credit.astype(np.float32), float(value)

    def _start(self) -> None:
        chain, first = self._starts[self._random.integers(len(self._starts))]
        self._path = chain[first : first + self._horizon]
        self._position = 0
        eligible = self._dataset.eligible[self._path[0].decision]
        order = self._random.permutation(len(eligible))
        preferred = order[np.argsort(~eligible[order], kind="stable")]
        self._slots = np.sort(preferred[: self.num_envs])
        self._held = np.zeros(self.num_envs)

    def _observe(self) -> Float32Array:
        seen = np.empty((self.num_envs, REFERENCE_SIZE), dtype=np.float32)
        seen[:, 0] = self._path[self._position].decision
        seen[:, 1] = self._slots
        seen[:, 2] = self._held
        return seen

    def close(self) -> None:
        """Release nothing: the dataset belongs to the caller."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once for each of the slots asked for; they share all of them."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all slots; raises `ValueError` when asked for some of them."""
        if indices is not None:
            raise ValueError(f"slots share {attr_name}; it cannot be set for some of them")
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method once and return its answer for each of the slots asked for."""
        answer = getattr(self, method_name)(*method_args, **method_kwargs)
        return [answer for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Tell for each of the slots asked for whether `wrapper_class` is what it is made of."""
        return [isinstance(self, wrapper_class) for _ in self._get_indices(indices)]
