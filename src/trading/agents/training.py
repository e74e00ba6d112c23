"""Training: PPO, A2C or SAC by FinRL's `DRLAgent` on the slots of a dataset."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy.typing as npt
import torch
from stable_baselines3.common.logger import Logger

from trading.agents.algorithms import (
    Hyperparameters,
    SACParameters,
    network_widths,
    parameters_of,
    pull_share,
)
from trading.agents.credit_start import credit_gates
from trading.agents.critic import SlotSACPolicy
from trading.agents.episodes import episodes, last_row
from trading.agents.finrl_bridge import load_drl_agent
from trading.agents.gates import Gates
from trading.agents.network import (
    SlotNetwork,
    anchor_weights,
    export_policy,
    load_weights,
    open_gates,
)
from trading.agents.policy import SlotPolicy
from trading.agents.slot_env import SlotVecEnv
from trading.config import Algorithm, Settings
from trading.errors import ModelError
from trading.features.dataset import Dataset

LOG_ROWS = 20
Progress = Callable[[float, float], None]
"""Called with the fraction done, 0..1, and the mean reward of a slot lately."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of a training's log.

    Attributes
    ----------
    slot_steps : slot decisions so far
    slot_reward : mean reward of a slot since the line before, in units of the credit
    hybrid_reward : mean hybrid reward of the sampled portfolios since the line before
    """

    slot_steps: int
    slot_reward: float
    hybrid_reward: float


@dataclass(frozen=True, slots=True)
class TrainedPolicy:
    """A policy and how its training went.

    Attributes
    ----------
    policy : the weights alone
    log : about `LOG_ROWS` lines
    trained_through : last session whose return the training has seen
    """

    policy: SlotPolicy
    log: tuple[LogRow, ...]
    trained_through: date


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Weights to start from, and what they have seen.

    Attributes
    ----------
    policy : the weights
    trained_through : last session whose return they have seen
    version : version of the model they are from; None within one training job
    """

    policy: SlotPolicy
    trained_through: date
    version: str | None = None

    def require_through(self, last: date) -> None:
        """Assert the lineage: the weights have seen nothing after `last`; else `ModelError`.

        `last` is the last session that the fit itself may learn from.
        """
        if self.trained_through > last:
            raise ModelError(
                f"weights trained through {self.trained_through} cannot start a fit that learns "
                f"through {last}: they have seen returns that it will be judged by"
            )


@dataclass(slots=True)
class _Log:
    """Collects the rewards of the environment's steps into lines."""

    progress: Progress | None
    slots: int = 1
    total: int = 1
    rows: list[LogRow] = field(default_factory=list)
    steps: int = 0
    slot_rewards: list[float] = field(default_factory=list)
    hybrid_rewards: list[float] = field(default_factory=list)

    def step(self, slot_reward: float, hybrid_reward: float) -> None:
        self.steps += self.slots
        self.slot_rewards.append(slot_reward)
        self.hybrid_rewards.append(hybrid_reward)
        if self.steps * LOG_ROWS >= self.total * (len(self.rows) + 1):
            self.write()

    def write(self) -> None:
        if not self.slot_rewards:
            return
        count = len(self.slot_rewards)
        reward = sum(self.slot_rewards) / count
        self.rows.append(LogRow(self.steps, reward, sum(self.hybrid_rewards) / count))
        self.slot_rewards.clear()
        self.hybrid_rewards.clear()
        if self.progress is not None:
            self.progress(min(self.steps / self.total, 1.0), reward)


def train_policy(
    dataset: Dataset,
    algorithm: Algorithm,
    seed: int,
    settings: Settings,
    decisions: npt.ArrayLike | None,
    start: WarmStart | None = None,
    progress: Progress | None = None,
) -> TrainedPolicy:
    """Train one policy; the same arguments give the same weights, bit for bit.

    Parameters
    ----------
    dataset : what is observed and earned
    algorithm : `ppo`, `a2c` or `sac`; its hyper-parameters are `algorithms.parameters_of`
    seed : of the network, the exploration and the sampling of slots
    settings : `training.hidden`, `training.slot_steps`, reward and costs
    decisions : indices of the dataset's decisions that may be used; None for all with an outcome
    start : weights to start from; the caller has asserted their lineage
    progress : told about `LOG_ROWS` times how far the training is

    Raises
    ------
    DataError
        No decision has a complete outcome.
    ModelError
        The weights to start from have another shape, or the training diverged.
    """
    chains = episodes(dataset, decisions)
    parameters = parameters_of(algorithm, settings.training)
    log = _Log(progress)
    environment = SlotVecEnv(
        dataset,
        chains,
        settings,
        seed,
        slots=parameters.slots,
        horizon=parameters.horizon,
        on_step=log.step,
    )
    total = parameters.total_steps(settings.training.slot_steps, environment.num_envs)
    log.slots, log.total = environment.num_envs, total
    with _one_thread():
        first: SlotPolicy | Gates | None = start.policy if start else None
        if start is None and parameters.credit_start:
            first = credit_gates(dataset, chains, settings)
        policy = _fit(environment, dataset, algorithm, parameters, total, seed, settings, first)
    log.write()
    through = dataset.sessions[last_row(chains)].astype("datetime64[D]").item()
    return TrainedPolicy(policy, tuple(log.rows), through)


def _fit(
    environment: SlotVecEnv,
    dataset: Dataset,
    algorithm: Algorithm,
    parameters: Hyperparameters,
    total: int,
    seed: int,
    settings: Settings,
    first: SlotPolicy | Gates | None,
) -> SlotPolicy:
    agent = load_drl_agent()
    with contextlib.redirect_stdout(io.StringIO()):
        model = agent(environment).get_model(
            algorithm,
            policy=SlotSACPolicy if algorithm == "sac" else "MlpPolicy",
            policy_kwargs={
                "net_arch": network_widths(algorithm),
                "activation_fn": torch.nn.ReLU,
                "share_features_extractor": False,
                **({"n_critics": 1} if algorithm == "sac" else {}),
                "features_extractor_class": SlotNetwork,
                "features_extractor_kwargs": {
                    "dataset": dataset,
                    "hidden": settings.training.hidden,
                    "gates": parameters.gates,
                },
            },
            model_kwargs=parameters.model_kwargs(environment.num_envs),
            verbose=0,
            seed=seed,
        )
        if isinstance(first, SlotPolicy):
            load_weights(model, first)
        elif first is not None:
            open_gates(model, first)
        critic_pull = parameters.critic_pull if isinstance(parameters, SACParameters) else 0.0
        share = pull_share(environment.slot_decisions)
        anchor_weights(model, parameters.pull * share, critic_pull * share)
        # Without one, Stable-Baselines3 makes a folder for its log at each call of `learn`.
        model.set_logger(Logger(folder=None, output_formats=[]))
        agent.train_model(model, algorithm, total_timesteps=total)
    return export_policy(model, dataset.context.shape[1])


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread: jobs run side by side, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
