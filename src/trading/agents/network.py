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
from trading.agents.optimizer import AnchoredAdam
from trading.agents.policy import CONTEXT_SCALE, HELD_SCALE, Float32Array, SlotPolicy
from trading.agents.slot_env import ACTION_BOUND
from trading.errors import ModelError
from trading.features.dataset import Dataset

SMALL_HEAD = 0.1
"""What a new head of SAC is scaled by, wherever the start from the credit is on."""


class SlotNetwork(BaseFeaturesExtractor):
    """`SlotPolicy` up to its last, linear layer, which is Stable-Baselines3's head.

    An observation of `SlotVecEnv` refers to the dataset; features and context are looked up in
    place: no copy, and no part of the model's state. What comes out is `(n, width + K)`: the last
    rectified layer, and the K gated units `(x @ loadings) * tanh(c @ directions + offsets)`.

    Every input has a relevance that multiplies it in the layers and in the gates: what is known of
    one weight of an input is known of all of them. It is folded into the weights when these are
    exported.

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


def open_gates(model: BaseAlgorithm, gates: Gates) -> None:
    """Start a new model's first gates from `gates`, whose score is a conviction in -1..1.

    SAC's critic looks through the same gates. The rest of SAC's head is scaled down, as PPO's and
    A2C's is by Stable-Baselines3: what was drawn at random must not order slots.
    """
    network, head = policy_network(model), _head(model)
    networks, unit = [network], ACTION_BOUND
    policy: Any = model.policy
    with torch.no_grad():
        if hasattr(policy, "critic"):
            critics = (policy.critic, policy.critic_target)
            networks += [critic.features_extractor for critic in critics]
            unit = 1.0
            head.weight.mul_(SMALL_HEAD)
        count = min(len(gates.output), network.loadings.out_features)
        # The weight of a gate is shared out evenly between its loadings and the head.
        shared = np.sqrt(unit * gates.output[:count]).astype(np.float32)
        head.weight[0, network.width : network.width + count] = torch.from_numpy(shared)
        for opened in networks:
            loadings = gates.loadings[:, :count] * shared
            opened.loadings.weight[:count] = torch.from_numpy(loadings.T.copy())
            directions = gates.directions[:, :count]
            opened.directions.weight[:count] = torch.from_numpy(directions.T.copy())
            opened.directions.bias[:count] = torch.from_numpy(gates.offsets[:count].copy())


def shape_of(policy: SlotPolicy) -> tuple[tuple[int, ...], int]:
    """Return the widths of a policy's hidden layers and how many gates it has."""
    return policy.hidden, len(policy.gates.output) if policy.gates else 0


def policy_network(model: BaseAlgorithm) -> SlotNetwork:
    """Return the network that the actor of a model looks at slots with."""
    policy: Any = model.policy
    owner = policy.actor.features_extractor if hasattr(policy, "actor") else None
    network: SlotNetwork = owner if owner is not None else policy.pi_features_extractor
    return network


def anchor_weights(model: BaseAlgorithm, pull: float, critic_pull: float) -> None:
    """Pull the actor's network, and SAC's critic, to their present weights as they learn.

    The exploration's width and the value head are left alone: their sizes are no complexity.
    """
    policy: Any = model.policy
    owner = policy.actor if hasattr(policy, "actor") else policy
    anchored = [*policy_network(model).parameters(), _head(model).weight]
    chosen = {id(parameter) for parameter in anchored}
    rest = [parameter for parameter in owner.parameters() if id(parameter) not in chosen]
    _anchor(owner, anchored, rest, pull)
    if hasattr(policy, "critic"):
        _anchor(policy.critic, list(policy.critic.parameters()), [], critic_pull)


def _anchor(
    owner: Any, anchored: list[torch.Tensor], rest: list[torch.Tensor], pull: float
) -> None:
    rate, epsilon = (owner.optimizer.defaults[name] for name in ("lr", "eps"))
    groups: list[dict[str, Any]] = [
        {"params": anchored, "pull": pull},
        {"params": rest, "pull": 0.0},
    ]
    owner.optimizer = AnchoredAdam(groups, lr=rate, eps=epsilon)


def _head(model: BaseAlgorithm) -> nn.Linear:
    policy: Any = model.policy
    return _linear(policy.actor.mu if hasattr(policy, "actor") else policy.action_net)


def _linear(module: nn.Module) -> nn.Linear:
    if not isinstance(module, nn.Linear):
        raise ModelError(f"expected a linear layer in the policy, found {type(module).__name__}")
    return module


def _numpy(tensor: torch.Tensor) -> Float32Array:
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32)).copy()
