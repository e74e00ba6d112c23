import numpy as np
import torch
from torch import nn

from trading.agents.optimizer import AnchoredAdam


def test_weights_return_to_where_they_started():
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = AnchoredAdam([{"params": [weight], "pull": 1.0}], lr=0.1, eps=1e-5)
    with torch.no_grad():
        weight.add_(4.0)
    weight.grad = torch.zeros(2)
    distances = []
    for _ in range(60):
        optimizer.step()
        distances.append(float((weight.detach() - torch.tensor([1.0, -2.0])).abs().max()))
    assert np.allclose(np.array(distances[1:]) / distances[:-1], 0.9, atol=0.01)


def test_without_a_pull_it_is_adam():
    ends = []
    for kind in ("anchored", "adam"):
        torch.manual_seed(0)
        layer = nn.Linear(3, 1)
        optimizer: torch.optim.Optimizer
        if kind == "anchored":
            groups = [{"params": list(layer.parameters()), "pull": 0.0}]
            optimizer = AnchoredAdam(groups, lr=0.01, eps=1e-5)
        else:
            optimizer = torch.optim.Adam(layer.parameters(), lr=0.01, eps=1e-5)
        inputs = torch.randn(20, 3)
        for _ in range(30):
            optimizer.zero_grad()
            layer(inputs).square().mean().backward()
            optimizer.step()
        ends.append(layer.weight.detach().numpy())
    np.testing.assert_array_equal(*ends)


def test_the_rate_of_the_pull_follows_the_schedule():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = AnchoredAdam([{"params": [weight], "pull": 2.0}], lr=0.1, eps=1e-5)
    with torch.no_grad():
        weight.fill_(1.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    weight.grad = torch.zeros(1)
    optimizer.step()
    assert float(weight.detach()) == 1.0
