"""The network of both encoders, and the steps of their training."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

WIDTH = 32


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """A perceptron with two hidden layers of leaky ReLUs."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.LeakyReLU(0.1),
        nn.Linear(WIDTH, WIDTH),
        nn.LeakyReLU(0.1),
        nn.Linear(WIDTH, outputs),
    )


def standardised(x: Tensor) -> nn.Module:
    """A layer that gives the vectors x [N, D] mean 0 and variance 1; its weights are fixed."""
    layer = nn.Linear(x.shape[1], x.shape[1])
    layer.weight.data, layer.bias.data = torch.diag(1 / x.std(0)), -x.mean(0) / x.std(0)
    return layer.requires_grad_(False)


def minimise(
    loss: Callable[[], Tensor], parameters: Iterable[nn.Parameter], steps: int, lr: float = 3e-3
) -> None:
    """Take steps of Adam, whose learning rate falls to 0 as a cosine."""
    optimiser = torch.optim.Adam(parameters, lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
