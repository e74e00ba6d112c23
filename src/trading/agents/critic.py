"""SAC's critic for one-dimensional agents: the value of a conviction depends on what is seen."""

from typing import Any

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.sac.policies import SACPolicy


class SlotCritic(ContinuousCritic):
    """Q of what is seen, the conviction, and their products.

    A conviction earns its slot's share of the reward, which is close to linear in it with a slope
    that features and context set. Given the products this is a first-order term of the network;
    without them it is a fine difference between rectified units, lost in the returns' noise.
    """

    def forward(self, obs: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return Q `(n, 1)` of every critic."""
        seen = _with_products(self.extract_features(obs, self.features_extractor), actions)
        return tuple(network(seen) for network in self.q_networks)

    def q1_forward(self, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return Q `(n, 1)` of the first critic."""
        return self.forward(obs, actions)[0]


class SlotSACPolicy(SACPolicy):
    """SAC's actor and a `SlotCritic`, with networks of their own."""

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> SlotCritic:
        """Return a critic; Stable-Baselines3 asks for it and for its target."""
        values: dict[str, Any] = self._update_features_extractor(
            self.critic_kwargs, features_extractor
        )
        values["features_dim"] *= 2
        return SlotCritic(**values).to(self.device)


def _with_products(seen: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return torch.cat([seen, seen * actions, actions], dim=1)
