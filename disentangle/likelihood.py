"""The likelihood of an image given its latents, p(x|z), in nats per image."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


class Likelihood(ABC):
    """A distribution over images [N, C, H, W] whose parameters are a decoder's outputs."""

    @abstractmethod
    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x|z), [N], summed over pixels and channels, without its constant."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """Return the expected images, in [0, 1]."""

    @abstractmethod
    def constant(self, dimensions: int) -> float:
        """Return what `nll` leaves out for an image of so many dimensions, in nats."""


class Bernoulli(Likelihood):
    """Each pixel is a coin whose logit the decoder gives; grey values count as probabilities."""

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return the cross entropy of the pixels, [N]."""
        loss = F.binary_cross_entropy_with_logits(parameters, x, reduction="none")
        return loss.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the probabilities."""
        return parameters.sigmoid()

    def constant(self, dimensions: int) -> float:
        """Return 0: nothing is left out."""
        return 0.0


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """N(sigmoid(parameters), variance I); variance 0.5 makes `nll` the summed squared error."""

    variance: float = 0.5

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return the squared error over twice the variance, [N]."""
        error = (parameters.sigmoid() - x).square().flatten(1).sum(1)
        return error / (2 * self.variance)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the mean, in [0, 1]."""
        return parameters.sigmoid()

    def constant(self, dimensions: int) -> float:
        """Return D ln(2 pi variance) / 2."""
        return 0.5 * dimensions * math.log(2 * math.pi * self.variance)


def make(name: str, variance: float) -> Likelihood:
    """Return the likelihood of this name."""
    return Gaussian(variance) if name == "gaussian" else Bernoulli()
