"""The likelihood of an image given its latents, p(x|z), in nats per image."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.distributions import ContinuousBernoulli as Continuous

from disentangle.nn.layers import cross_entropy


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
        return cross_entropy(parameters, x).flatten(1).sum(1)

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


@dataclass(frozen=True)
class LearnedGaussian(Likelihood):
    """N(sigmoid(parameters), variance I) whose variance, one for all pixels, is learnt.

    Its `nll` leaves nothing out, as the variance is no constant. Rybkin et al. (2021),
    https://arxiv.org/abs/2006.13202.
    """

    log_variance: Tensor

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return sum_pixels (error^2 / variance + ln(2 pi variance)) / 2, [N]."""
        error = (parameters.sigmoid() - x).square().flatten(1)
        scaled = error * (-self.log_variance).exp()
        return 0.5 * (scaled + self.log_variance + math.log(2 * math.pi)).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the mean, in [0, 1]."""
        return parameters.sigmoid()

    def constant(self, dimensions: int) -> float:
        """Return 0: nothing is left out."""
        return 0.0


class ContinuousBernoulli(Likelihood):
    """A density over [0, 1] for each pixel: Loaiza-Ganem & Cunningham (2019).

    https://arxiv.org/abs/1907.06845: the Bernoulli's expression, normalised.
    """

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x), [N], which may be negative, as a density's is."""
        density: Any = Continuous(logits=parameters, validate_args=False)
        log_p: Tensor = density.log_prob(x)
        return -log_p.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the expected values, which are not the sigmoid."""
        expected: Tensor = Continuous(logits=parameters, validate_args=False).mean
        return expected

    def constant(self, dimensions: int) -> float:
        """Return 0: nothing is left out."""
        return 0.0


def make(name: str, variance: float, log_variance: Tensor | None = None) -> Likelihood:
    """Return the likelihood of this name; the last argument is the learnt one's parameter."""
    if name == "gaussian":
        return Gaussian(variance)
    if name == "gaussian-learned" and log_variance is not None:
        return LearnedGaussian(log_variance)
    return ContinuousBernoulli() if name == "continuous-bernoulli" else Bernoulli()
