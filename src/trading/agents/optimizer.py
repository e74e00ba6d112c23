"""Adam that pulls weights back to where they started."""

from collections.abc import Callable
from typing import Any

import torch


class AnchoredAdam(torch.optim.Adam):
    """Adam with a decoupled pull towards the first values of the parameters.

    Decoupled weight decay (I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization",
    2019) with the starting point in the place of zero (X. Li, Y. Grandvalet and F. Davoine,
    "Explicit Inductive Bias for Transfer Learning with Convolutional Networks", 2018): what the
    data say weakly stays as it was, be it a champion's weights or the start of a cold training.

    Parameters
    ----------
    groups : parameter groups, each with its `pull`: that much of the way back, times the learning
        rate, at every step
    lr, eps : of Adam
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, eps: float) -> None:
        super().__init__(groups, lr=lr, eps=eps)
        self._anchors = [
            [parameter.detach().clone() for parameter in group["params"]]
            for group in self.param_groups
        ]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Pull back, then step as Adam does."""
        for group, anchors in zip(self.param_groups, self._anchors, strict=True):
            share = min(group["lr"] * group["pull"], 1.0)
            for parameter, anchor in zip(group["params"], anchors, strict=True):
                parameter.lerp_(anchor, share)
        return super().step(closure)
