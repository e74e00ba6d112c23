"""Many portfolios side by side on one market: the portfolio environment for training at speed."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from trading.agents.market_steps import ActionKind, MarketSteps
from trading.agents.policy import Float32Array
from trading.config import Settings
from trading.errors import DataError
from trading.features.dataset import Dataset

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Observation = dict[str, npt.NDArray[Any]]


class BatchedPortfolioEnv(VectorEnv[Observation, Float32Array, npt.NDArray[Any]]):
    """B portfolios that each walk through an episode of `environment.PortfolioEnv`.

    Every portfolio goes the way that it would go alone, bit for bit. Observations refer to the
    dataset instead of copying 259 KB a portfolio: `decision` (B,) is the index of the decision and
    `held` (B, S) the weights; `flat` gives what `PortfolioEnv` observes. All portfolios begin in
    the same random chain of months, so that a month is read once for all of them, or each in its
    own (`together=False`, or `options["chain"]` with a number for each). Portfolios that are done
    wait: call `reset`, with `options["reset_mask"]` for some of them (Gymnasium's disabled
    autoreset).

    `infos` has `month_return`, `sharpe`, `drawdown`, `turnover`, `cost`, `decision` and `sessions`
    (rows simulated), each (B,).

    Parameters
    ----------
    dataset, settings, decisions, action : as of `PortfolioEnv`
    num_envs : B
    together : whether portfolios begin in the same chain

    Raises
    ------
    DataError
        No decision has a complete outcome, or there are no portfolios.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own attribute)
        "render_modes": [],
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        num_envs: int,
        decisions: npt.ArrayLike | None = None,
        action: ActionKind = "weights",
        *,
        together: bool = True,
    ) -> None:
        if num_envs < 1:
            raise DataError(f"a batched environment needs at least one portfolio, not {num_envs}")
        self._market = MarketSteps(dataset, settings, decisions, action)
        self._together = together
        self.num_envs = num_envs
        slots = len(dataset.symbols)
        self.single_action_space = spaces.Box(self._market.lowest, 1.0, (slots,), dtype=np.float32)
        most = max(settings.exposure.max_gross, 1.0)
        self.single_observation_space = spaces.Dict(
            {
                "decision": spaces.Discrete(len(dataset.decisions)),
                "held": spaces.Box(-np.inf, np.inf, (slots,), dtype=np.float32)
                if most > 1.0 or settings.exposure.max_short > 0.0
                else spaces.Box(0.0, 1.0, (slots,), dtype=np.float32),
            }
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._chain: IntArray = np.zeros(num_envs, dtype=np.int64)
        self._position: IntArray = np.zeros(num_envs, dtype=np.int64)
        self._lengths = np.array([len(chain) for chain in self._market.chains])
        self._begun = False
        self._capital = np.empty(num_envs)
        self._held = np.zeros((num_envs, slots))

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start episodes in cash, all of them or those of `options["reset_mask"]` (B,) bool."""
        if isinstance(seed, list):
            raise DataError("portfolios share one stream of chains; give one seed, not a list")
        super().reset(seed=seed)
        chosen = options or {}
        which: BoolArray = np.asarray(
            chosen.get("reset_mask", np.ones(self.num_envs, dtype=bool)), dtype=bool
        )
        chains = chosen.get("chain")
        if chains is None:
            drawn = self.np_random.integers(len(self._lengths), size=self.num_envs)
            chains = np.where(self._together, drawn[0], drawn)
        self._chain[which] = np.broadcast_to(chains, self.num_envs)[which]
        self._position[which] = 0
        self._capital[which] = self._market.costs.capital_usd
        self._held[which] = 0.0
        self._begun = True
        return self._observe(), {"chain": self._chain.copy()}

    def step(
        self, actions: Float32Array
    ) -> tuple[Observation, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], dict[str, Any]]:
        """Let every portfolio decide, fill and hold for a month.

        Raises
        ------
        DataError
            Actions are not finite, or have another shape than (B, S).
        ResetNeeded
            A portfolio is done.
        """
        if not self._begun or (self._position >= self._lengths[self._chain]).any():
            raise ResetNeeded("an episode is over or was not begun; call reset first")
        wanted = np.ascontiguousarray(actions, dtype=np.float32)
        if len(wanted) != self.num_envs:
            raise DataError(f"{len(wanted)} actions were given to {self.num_envs} portfolios")
        infos: dict[str, Any] = {}
        first = self._chain[0], self._position[0]
        if (self._chain == first[0]).all() and (self._position == first[1]).all():
            self._advance(slice(None), wanted, infos)
        else:
            places = np.stack([self._chain, self._position], axis=1)
            for place in np.unique(places, axis=0):
                self._advance(np.flatnonzero((places == place).all(axis=1)), wanted, infos)
        self._position += 1
        done = self._position >= self._lengths[self._chain]
        rewards = infos.pop("reward")
        return self._observe(), rewards, np.zeros(self.num_envs, dtype=bool), done, infos

    def flat(self) -> Float32Array:
        """Return the observations that `PortfolioEnv` gives, `(B, size)`."""
        decisions = self._decisions()
        return np.stack(
            [self._market.observe(int(d), h) for d, h in zip(decisions, self._held, strict=True)]
        )

    def _advance(
        self, members: IntArray | slice, actions: Float32Array, infos: dict[str, Any]
    ) -> None:
        """Advance portfolios that are at the same decision."""
        chain, position = self._chain[members][0], self._position[members][0]
        outcome = self._market.chains[chain][position]
        held, capital = self._held[members], self._capital[members]
        step = self._market.advance(outcome, actions[members], held, capital)
        if not isinstance(members, slice):
            self._held[members], self._capital[members] = held, capital
        figures = {
            "reward": step.reward.value,
            "month_return": step.reward.monthly_return,
            "sharpe": step.reward.sharpe,
            "drawdown": step.reward.drawdown,
            "turnover": step.turnover,
            "cost": step.costs,
            "decision": outcome.decision,
            "sessions": step.net_returns.shape[1],
        }
        for name, values in figures.items():
            kind = np.int64 if name in ("decision", "sessions") else np.float64
            infos.setdefault(name, np.zeros(self.num_envs, dtype=kind))[members] = values

    def _decisions(self) -> IntArray:
        """Return the decision that each portfolio is at; the last one of its episode when done."""
        at = np.minimum(self._position, self._lengths[self._chain] - 1)
        chains = self._market.chains
        found = [chains[c][p].decision for c, p in zip(self._chain, at, strict=True)]
        return np.array(found, dtype=np.int64)

    def _observe(self) -> Observation:
        return {"decision": self._decisions(), "held": self._held.astype(np.float32)}
