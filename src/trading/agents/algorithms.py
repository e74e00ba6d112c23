"""Hyper-parameters: one frozen class an algorithm, what differs from Stable-Baselines3's defaults.

They suit one-dimensional agents that decide once a month on returns in which the signal explains
some thousandths of the variance: large batches, wide exploration, few passes over each sample.
Measured on planted signals in `docs/learning.md`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from trading.config import Algorithm

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What every algorithm has.

    Attributes
    ----------
    learning_rate : Adam's step size, falling linearly to zero over the training
    gamma : discount a month. A conviction earns in the month it is held for; what reaches the next
        decision is the held weight, which saves or costs one trade
    slots : slots that learn side by side
    horizon : decisions of an episode at most, one year
    step_share : multiple of `training.slot_steps` that it takes: with it the three cost about the
        same time, since their updates do not
    """

    learning_rate: float
    gamma: float
    slots: int
    horizon: int
    step_share: float

    def model_kwargs(self) -> Values:
        """Return the arguments of the algorithm's constructor."""
        values = asdict(self)
        del values["slots"], values["horizon"], values["step_share"]
        rate = self.learning_rate
        return values | {"learning_rate": lambda remaining: rate * remaining, "device": "cpu"}


@dataclass(frozen=True, slots=True)
class PPOParameters(Hyperparameters):
    """Proximal policy optimisation (Schulman et al., 2017).

    Attributes
    ----------
    n_steps : decisions of every slot between updates
    batch_size : slot decisions of a gradient step
    n_epochs : passes over the decisions of an update
    gae_lambda : of the generalised advantage estimate
    clip_range : largest change of an action's probability ratio in an update
    ent_coef : weight of the entropy bonus
    """

    learning_rate: float = 6e-3
    gamma: float = 0.2
    slots: int = 512
    horizon: int = 12
    step_share: float = 1.0
    n_steps: int = 16
    batch_size: int = 4096
    n_epochs: int = 2
    gae_lambda: float = 0.9
    clip_range: float = 0.2
    ent_coef: float = 0.0


@dataclass(frozen=True, slots=True)
class A2CParameters(Hyperparameters):
    """Advantage actor-critic, the synchronous form of A3C (Mnih et al., 2016).

    Attributes
    ----------
    n_steps : decisions of every slot between updates
    gae_lambda : of the generalised advantage estimate
    ent_coef : weight of the entropy bonus
    normalize_advantage : scale the advantages of an update to order one
    use_rms_prop : RMSprop instead of Adam
    """

    learning_rate: float = 4e-3
    gamma: float = 0.2
    slots: int = 1024
    horizon: int = 12
    step_share: float = 2.0
    n_steps: int = 4
    gae_lambda: float = 0.9
    ent_coef: float = 0.0
    normalize_advantage: bool = True
    use_rms_prop: bool = False


@dataclass(frozen=True, slots=True)
class SACParameters(Hyperparameters):
    """Soft actor-critic (Haarnoja et al., 2018).

    Attributes
    ----------
    buffer_size : slot decisions that the replay buffer holds
    learning_starts : slot decisions with random convictions before the first update
    batch_size : slot decisions of a gradient step
    train_freq : decisions of every slot between gradient steps
    gradient_steps : gradient steps at each of these
    tau : share of the critics that their targets take over at each gradient step
    ent_coef : temperature, the weight of the entropy bonus
    """

    learning_rate: float = 4e-3
    gamma: float = 0.2
    slots: int = 512
    horizon: int = 12
    step_share: float = 0.5
    buffer_size: int = 524_288
    learning_starts: int = 16_384
    batch_size: int = 2048
    train_freq: int = 2
    gradient_steps: int = 1
    tau: float = 0.02
    ent_coef: float = 0.02


HYPERPARAMETERS: dict[Algorithm, Hyperparameters] = {
    "ppo": PPOParameters(),
    "a2c": A2CParameters(),
    "sac": SACParameters(),
}
CRITIC_HIDDEN = (64, 64)
"""Widths of SAC's critics: they read the conviction too, and are thrown away after training."""


def network_widths(algorithm: Algorithm, hidden: tuple[int, ...]) -> dict[str, list[int]]:
    """Return Stable-Baselines3's `net_arch` of the policy network and of its critic."""
    if algorithm == "sac":
        return {"pi": list(hidden), "qf": list(CRITIC_HIDDEN)}
    return {"pi": list(hidden), "vf": list(hidden)}
