"""The likelihood of an image given its latents, p(x|z), in nats per image."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli as Continuous
from torch.distributions.utils import clamp_probs

from disentangle.errors import UsageError, suggestion
from disentangle.nn.layers import cross_entropy

NEAR_HALF = (0.499, 0.501)
"""Probabilities between which a Taylor series replaces a ratio of small numbers, as in torch."""


class Likelihood(ABC):
    """A distribution over images [N, C, H, W] whose parameters are a decoder's outputs."""

    learns_variance: ClassVar[bool] = False
    """True if one log variance for all pixels is learnt with the model."""

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Create the likelihood with its fixed or learnt variance, if it has one."""
        return cls()

    @abstractmethod
    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x|z), [N], summed over pixels and channels, without its constant."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """Return the expected images, in [0, 1]."""

    @abstractmethod
    def constant(self, dimensions: int) -> float:
        """Return the constant that `nll` omits for an image with this number of values, in nats."""


class Bernoulli(Likelihood):
    """A Bernoulli per pixel with the decoder's output as logit; grey values are probabilities."""

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return the cross entropy of the pixels, [N]."""
        return cross_entropy(parameters, x).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the probabilities."""
        return parameters.sigmoid()

    def constant(self, dimensions: int) -> float:
        """Return 0: `nll` omits nothing."""
        return 0.0


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """N(sigmoid(parameters), variance I); variance 0.5 makes `nll` the summed squared error."""

    variance: float = 0.5

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Create the likelihood with this fixed variance."""
        return cls(variance)

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
    """N(sigmoid(parameters), variance I) with one learnt variance for all pixels.

    Its `nll` omits nothing, because the variance is not constant. Rybkin et al. (2021),
    https://arxiv.org/abs/2006.13202.
    """

    log_variance: Tensor
    learns_variance: ClassVar[bool] = True

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Create the likelihood with this learnt variance.

        Raises:
            ValueError: `log_variance` is None; see `Model.make_observation`.
        """
        if log_variance is None:
            raise ValueError("'gaussian-learned' needs the parameter log_variance")
        return cls(log_variance)

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return sum_pixels (error^2 / variance + ln(2 pi variance)) / 2, [N]."""
        error = (parameters.sigmoid() - x).square().flatten(1)
        scaled = error * (-self.log_variance).exp()
        return 0.5 * (scaled + self.log_variance + math.log(2 * math.pi)).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the mean, in [0, 1]."""
        return parameters.sigmoid()

    def constant(self, dimensions: int) -> float:
        """Return 0: `nll` omits nothing."""
        return 0.0


class ContinuousBernoulli(Likelihood):
    """A density over [0, 1] for each pixel: Loaiza-Ganem & Cunningham (2019).

    https://arxiv.org/abs/1907.06845: the Bernoulli's expression, normalised.
    """

    def nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x), [N]; it may be negative, because p is a density."""
        density: Any = Continuous(logits=parameters, validate_args=False)
        log_p: Tensor = density.log_prob(x)
        return -log_p.flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> Tensor:
        """Return the expected values, which differ from the sigmoid.

        With p = sigmoid(parameters) they are p / (2p - 1) + 1 / (ln(1 - p) - ln p), and near
        p = 1/2 the start of its Taylor series. `Continuous.mean` is the same, but no ONNX file can
        hold its maximum of two masks.
        """
        p = clamp_probs(parameters.sigmoid())
        far = (p <= NEAR_HALF[0]) | (p > NEAR_HALF[1])
        q = torch.where(far, p, NEAR_HALF[0])
        exact = q / (2 * q - 1) + 1 / (torch.log1p(-q) - torch.log(q))
        x = p - 0.5
        return torch.where(far, exact, 0.5 + (1 / 3 + 16 / 45 * x.square()) * x)

    def constant(self, dimensions: int) -> float:
        """Return 0: `nll` omits nothing."""
        return 0.0


LIKELIHOODS: Mapping[str, type[Likelihood]] = MappingProxyType(
    {
        "bernoulli": Bernoulli,
        "gaussian": Gaussian,
        "gaussian-learned": LearnedGaussian,
        "continuous-bernoulli": ContinuousBernoulli,
    }
)
"""Likelihood classes by name: the choices of the knob `likelihood`, in this order."""


def make(name: str, variance: float, log_variance: Tensor | None = None) -> Likelihood:
    """Create a likelihood by name.

    Args:
        name: a key of `LIKELIHOODS`.
        variance: fixed variance of the likelihood `gaussian`; others ignore it.
        log_variance: the learnt parameter of a likelihood that learns its variance.

    Raises:
        UsageError: no likelihood has this name.
    """
    if name not in LIKELIHOODS:
        raise UsageError(f"no likelihood '{name}'{suggestion(name, LIKELIHOODS)}")
    return LIKELIHOODS[name].make(variance, log_variance)
