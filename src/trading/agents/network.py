"""The slot policy's network in torch: what it reads, and its weights out of and into numpy."""

from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from trading.agents.policy import CONTEXT_SCALE, HELD_SCALE, Float32Array, SlotPolicy
from trading.errors import ModelError
from trading.features.dataset import Dataset


class DatasetExtractor(BaseFeaturesExtractor):
    """Look up what an observation of `SlotVecEnv` refers to.

    Turns `(n, 3)` references into the `(n, features + 1 + C)` inputs of `SlotPolicy`. The dataset's
    features are used in place: no copy, and no part of the model's state.
    """

    def __init__(self, observation_space: gymnasium.Space[Float32Array], dataset: Dataset) -> None:
        decisions, slots, features = dataset.features.shape
        super().__init__(observation_space, features + 1 + dataset.context.shape[1])
        self._slots = slots
        self._features = torch.from_numpy(dataset.features.reshape(decisions * slots, features))
        self._context = torch.from_numpy(dataset.context) * CONTEXT_SCALE

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the inputs of the network."""
        decision, slot = observations[:, 0].long(), observations[:, 1].long()
        seen = self._features[decision * self._slots + slot]
        held = observations[:, 2:] * HELD_SCALE
        return torch.cat([seen, held, self._context[decision]], dim=1)


def export_policy(model: BaseAlgorithm, context_size: int) -> SlotPolicy:
    """Return the policy network of a Stable-Baselines3 model, weights alone.

    The score is the mean of the action before it is clipped (PPO, A2C) or squashed (SAC), so it
    orders slots as the trained policy does.
    """
    layers = _layers(model)
    return SlotPolicy(
        tuple(np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in layers),
        tuple(layer.bias.detach().numpy().copy() for layer in layers),
        context_size,
    )


def load_weights(model: BaseAlgorithm, policy: SlotPolicy) -> None:
    """Start a model's policy network from a policy's weights.

    Raises `ModelError` when the layers differ.
    """
    layers = _layers(model)
    wanted = [tuple(layer.weight.shape[::-1]) for layer in layers]
    found = [weight.shape for weight in policy.weights]
    if wanted != found:
        raise ModelError(
            f"the network has layers {wanted}, the weights to start from {found}; "
            "train without a warm start, or with the settings of the champion"
        )
    with torch.no_grad():
        for layer, weight, bias in zip(layers, policy.weights, policy.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))


def _layers(model: BaseAlgorithm) -> list[torch.nn.Linear]:
    """Return the linear layers from the inputs to the mean action."""
    policy: Any = model.policy
    if hasattr(policy, "actor"):
        modules = [*policy.actor.latent_pi, policy.actor.mu]
    else:
        modules = [*policy.mlp_extractor.policy_net, policy.action_net]
    return [module for module in modules if isinstance(module, torch.nn.Linear)]
