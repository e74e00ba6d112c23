"""Hyper-parameters: one frozen class an algorithm, what differs from Stable-Baselines3's defaults.

They suit one-dimensional agents that decide once a month on returns in which the signal explains
some thousandths of the variance: large batches, wide exploration, few passes over each sample.
Measured on planted signals in `docs/learning.md`.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any

from trading.config import Algorithm, TrainingSettings
from trading.errors import ConfigurationError

Values = dict[str, Any]

PULLED_DECISIONS = 84_000
LEAST_PULL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Hyperparameters(ABC):
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
    gates : gated units of the policy network (`gates.Gates`)
    pull : of the policy network back to the weights that it started from, times the learning rate
        a gradient step (`optimizer.AnchoredAdam`); less where there is more to learn from
        (`pull_share`)
    credit_start : start the gates of a cold training from the credit (`credit_start.credit_gates`)
    """

    learning_rate: float
    gamma: float
    slots: int
    horizon: int
    step_share: float
    gates: int
    pull: float
    credit_start: bool

    def total_steps(self, slot_steps: int, slots: int) -> int:
        """Return the slot decisions of a training with `slots` slots.

        `slot_steps` buys a number of monthly decisions of `self.slots` slots; a smaller universe
        takes as many decisions of fewer slots.
        """
        return max(round(slot_steps * self.step_share * slots / self.slots), 1)

    def model_kwargs(self, slots: int) -> Values:
        """Return the arguments of the algorithm's constructor for `slots` slots side by side."""
        values = asdict(self)
        for name in ("slots", "horizon", "step_share", "gates", "pull", "credit_start"):
            del values[name]
        rate = self.learning_rate
        values |= {"learning_rate": lambda remaining: rate * remaining, "device": "cpu"}
        return self._sized(values, slots)

    @abstractmethod
    def _sized(self, values: Values, slots: int) -> Values:
        """Turn what is counted in decisions into slot decisions."""


@dataclass(frozen=True, slots=True)
class PPOParameters(Hyperparameters):
    """Proximal policy optimisation (Schulman et al., 2017).

    Attributes
    ----------
    n_steps : decisions of every slot between updates
    minibatches : gradient steps of a pass; an even share of the decisions of an update each
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
    gates: int = 16
    pull: float = 1.0
    credit_start: bool = True
    n_steps: int = 16
    minibatches: int = 2
    n_epochs: int = 2
    gae_lambda: float = 0.9
    clip_range: float = 0.2
    ent_coef: float = 0.0

    def _sized(self, values: Values, slots: int) -> Values:
        batch = self.n_steps * slots // values.pop("minibatches")
        return values | {"batch_size": max(batch, 2)}


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
    gates: int = 16
    pull: float = 1.0
    credit_start: bool = True
    n_steps: int = 4
    gae_lambda: float = 0.9
    ent_coef: float = 0.0
    normalize_advantage: bool = True
    use_rms_prop: bool = False

    def _sized(self, values: Values, slots: int) -> Values:  # noqa: ARG002
        return values


@dataclass(frozen=True, slots=True)
class SACParameters(Hyperparameters):
    """Soft actor-critic (Haarnoja et al., 2018).

    Attributes
    ----------
    buffer_size : slot decisions that the replay buffer holds
    warm_up : decisions of every slot with random convictions before the first update
    batch_size : slot decisions of a gradient step
    train_freq : decisions of every slot between gradient steps
    gradient_steps : gradient steps at each of these
    tau : share of the critics that their targets take over at each gradient step
    ent_coef : temperature, the weight of the entropy bonus
    critic_pull : as `pull`, of the critic
    """

    learning_rate: float = 1.2e-2
    gamma: float = 0.2
    slots: int = 512
    horizon: int = 12
    step_share: float = 0.5
    gates: int = 16
    pull: float = 3.0
    credit_start: bool = True
    buffer_size: int = 524_288
    warm_up: int = 32
    batch_size: int = 2048
    train_freq: int = 2
    gradient_steps: int = 1
    tau: float = 0.02
    ent_coef: float = 0.02
    critic_pull: float = 3.0

    def _sized(self, values: Values, slots: int) -> Values:
        del values["critic_pull"]
        return values | {"learning_starts": values.pop("warm_up") * slots}


HYPERPARAMETERS: dict[Algorithm, Hyperparameters] = {
    "ppo": PPOParameters(),
    "a2c": A2CParameters(),
    "sac": SACParameters(),
}


def pull_share(slot_decisions: int) -> float:
    """Return the share of the pull that a training on so many slot decisions is under.

    What the weights start from is a prior. The same noise comes back as often as a decision is
    sampled again, so a prior counts for less where more decisions differ; down to a fifth, since
    the outcomes of a month are not independent.
    """
    return max(min(PULLED_DECISIONS / max(slot_decisions, 1), 1.0), LEAST_PULL_SHARE)


def parameters_of(algorithm: Algorithm, training: TrainingSettings) -> Hyperparameters:
    """Return an algorithm's hyper-parameters with the overrides of `training.hyperparameters`.

    Raises `ConfigurationError` for a name that the algorithm does not have, or a value of another
    type than its own.
    """
    default = HYPERPARAMETERS[algorithm]
    given = training.hyperparameters.get(algorithm, {})
    known = {field.name for field in fields(default)}
    if unknown := sorted(set(given) - known):
        raise ConfigurationError(
            f"training.hyperparameters.{algorithm} has {', '.join(unknown)}; "
            f"known are {', '.join(sorted(known))}"
        )
    chosen = {name: _like(getattr(default, name), name, value) for name, value in given.items()}
    return replace(default, **chosen)


def network_widths(algorithm: Algorithm) -> dict[str, list[int]]:
    """Return Stable-Baselines3's `net_arch` behind the slot network: linear heads for all."""
    return {"pi": [], "qf": []} if algorithm == "sac" else {"pi": [], "vf": []}


def _like(default: Any, name: str, value: float) -> Any:
    """Return `value` in the type of the default; raises `ConfigurationError` when it has none."""
    kind = type(default)
    suits = value in (0, 1) if kind is bool else kind is float or float(value).is_integer()
    if not suits or not isfinite(value) or value < 0:
        raise ConfigurationError(
            f"the hyper-parameter {name} is {value}; expected a {kind.__name__} that is not "
            f"negative, such as {default}"
        )
    return kind(value)
