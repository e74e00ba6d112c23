"""The slot policy's network in torch: what it reads, and its weights out of and into numpy."""

from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from trading.agents.gates import Gates
from trading.agents.policy import CONTEXT_SCALE, HELD_SCALE, Float32Array, SlotPolicy
from trading.errors import ModelError
from trading.features.dataset import Dataset


class SlotNetwork(BaseFeaturesExtractor):
    """`SlotPolicy` up to its last, linear layer, which is Stable-Baselines3's head.

    An observation of `SlotVecEnv` refers to the dataset; features and context are looked up in
    place: no copy, and no part of the model's state. What comes out is `(n, width + K)`: the last
    rectified layer, and the K gated units `(x @ loadings) * tanh(c @ directions + offsets)`.

    Every input has a relevance that multiplies it in the layers and in the gates. Under weight
    decay the product is a group penalty, which lets go of inputs that explain little (sparse
    Bayesian learning, Tipping, 2001; as a factorisation, Hoff, 2017). It is folded into the weights
    when these are exported.

    Parameters
    ----------
    observation_space : of `SlotVecEnv`
    dataset : what observations refer to
    hidden : widths of the rectified layers
    gates : K
    """

    def __init__(
        self,
        observation_space: gymnasium.Space[Float32Array],
        dataset: Dataset,
        hidden: tuple[int, ...],
        gates: int,
    ) -> None:
        decisions, slots, features = dataset.features.shape
        context = dataset.context.shape[1]
        widths = (features + 1 + context, *hidden)
        super().__init__(observation_space, widths[-1] + gates)
        self._slots, self._feature_count = slots, features
        self._features = torch.from_numpy(dataset.features.reshape(decisions * slots, features))
        self._context = torch.from_numpy(dataset.context)
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(widths))
        self.loadings = nn.Linear(features, gates, bias=False)
        self.directions = nn.Linear(context, gates)
        self.feature_relevance = nn.Parameter(torch.ones(features))
        self.context_relevance = nn.Parameter(torch.ones(context))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the last hidden units of `(n, 3)` references."""
        decision, slot = observations[:, 0].long(), observations[:, 1].long()
        seen = self._features[decision * self._slots + slot] * self.feature_relevance
        context = self._context * self.context_relevance
        held = observations[:, 2:] * HELD_SCALE
        hidden = torch.cat([seen, held, context[decision] * CONTEXT_SCALE], dim=1)
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        gated = self.loadings(seen) * torch.tanh(self.directions(context))[decision]
        return torch.cat([hidden, gated], dim=1)

    @property
    def width(self) -> int:
        """Width of the last rectified layer."""
        return int(self._features_dim - self.loadings.out_features)

    def folded(self) -> tuple[list[Float32Array], Float32Array, Float32Array]:
        """Return the layers' matrices, loadings and directions with the relevances folded in."""
        features, context = self.feature_relevance, self.context_relevance
        inputs = torch.cat([features, torch.ones(1), context])
        matrices = [layer.weight.T for layer in self.layers if isinstance(layer, nn.Linear)]
        matrices[0] = inputs[:, None] * matrices[0]
        loadings = features[:, None] * self.loadings.weight.T
        directions = context[:, None] * self.directions.weight.T
        return [_numpy(matrix) for matrix in matrices], _numpy(loadings), _numpy(directions)


def export_policy(model: BaseAlgorithm, context_size: int) -> SlotPolicy:
    """Return the policy network of a Stable-Baselines3 model, weights alone.

    The score is the mean of the action before it is clipped (PPO, A2C) or squashed (SAC), so it
    orders slots as the trained policy does.
    """
    network, head = policy_network(model), _head(model)
    matrices, loadings, directions = network.folded()
    final = _numpy(head.weight[0])
    return SlotPolicy(
        (*matrices, np.ascontiguousarray(final[: network.width, None])),
        (*(_numpy(_linear(layer).bias) for layer in network.layers), _numpy(head.bias)),
        context_size,
        Gates(loadings, directions, _numpy(network.directions.bias), final[network.width :].copy()),
    )


def load_weights(model: BaseAlgorithm, policy: SlotPolicy) -> None:
    """Start a model's policy network from a policy's weights.

    Raises `ModelError` when the layers or gates differ.
    """
    network, head = policy_network(model), _head(model)
    own = export_policy(model, policy.context_size)
    wanted, found = shape_of(own), shape_of(policy)
    if wanted != found or policy.gates is None:
        raise ModelError(
            f"the network has layers and gates {wanted}, the weights to start from {found}; "
            "train without a warm start, or with the settings of the champion"
        )
    gates = policy.gates
    with torch.no_grad():
        network.feature_relevance.fill_(1.0)
        network.context_relevance.fill_(1.0)
        for layer, weight, bias in zip(network.layers, policy.weights, policy.biases, strict=False):
            _linear(layer).weight.copy_(torch.from_numpy(weight.T.copy()))
            _linear(layer).bias.copy_(torch.from_numpy(bias.copy()))
        network.loadings.weight.copy_(torch.from_numpy(gates.loadings.T.copy()))
        network.directions.weight.copy_(torch.from_numpy(gates.directions.T.copy()))
        network.directions.bias.copy_(torch.from_numpy(gates.offsets.copy()))
        final = np.concatenate([policy.weights[-1][:, 0], gates.output])
        head.weight.copy_(torch.from_numpy(final[None]))
        head.bias.copy_(torch.from_numpy(policy.biases[-1].copy()))


def shape_of(policy: SlotPolicy) -> tuple[tuple[int, ...], int]:
    """Return the widths of a policy's hidden layers and how many gates it has."""
    return policy.hidden, len(policy.gates.output) if policy.gates else 0


def policy_network(model: BaseAlgorithm) -> SlotNetwork:
    """Return the network that the actor of a model looks at slots with."""
    policy: Any = model.policy
    owner = policy.actor.features_extractor if hasattr(policy, "actor") else None
    network: SlotNetwork = owner if owner is not None else policy.pi_features_extractor
    return network


def decay_weights(model: BaseAlgorithm, weight_decay: float) -> None:
    """Give the actor's network, and nothing else, decoupled weight decay (Loshchilov, 2019).

    The exploration's width and the critic are left alone: their sizes are no complexity.
    """
    policy: Any = model.policy
    owner = policy.actor if hasattr(policy, "actor") else policy
    decayed = [*policy_network(model).parameters(), _head(model).weight]
    chosen = {id(parameter) for parameter in decayed}
    rest = [parameter for parameter in owner.parameters() if id(parameter) not in chosen]
    _decay(owner, decayed, rest, weight_decay)
    if hasattr(policy, "critic"):
        _decay(policy.critic, list(policy.critic.parameters()), [], weight_decay)


def _decay(
    owner: Any, decayed: list[torch.Tensor], rest: list[torch.Tensor], weight_decay: float
) -> None:
    rate, epsilon = (owner.optimizer.defaults[name] for name in ("lr", "eps"))
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": rest},
    ]
    owner.optimizer = torch.optim.AdamW(groups, lr=rate, eps=epsilon, weight_decay=0.0)


def _head(model: BaseAlgorithm) -> nn.Linear:
    policy: Any = model.policy
    return _linear(policy.actor.mu if hasattr(policy, "actor") else policy.action_net)


def _linear(module: nn.Module) -> nn.Linear:
    if not isinstance(module, nn.Linear):
        raise ModelError(f"expected a linear layer in the policy, found {type(module).__name__}")
    return module


def _numpy(tensor: torch.Tensor) -> Float32Array:
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32)).copy()
