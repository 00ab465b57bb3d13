"""The likelihood of an image given its latents, p(x|z), in nats per image."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

from torch import Tensor
from torch.distributions import ContinuousBernoulli as Continuous

from disentangle.errors import UsageError, suggestion
from disentangle.nn.layers import cross_entropy


class Likelihood(ABC):
    """A distribution over images [N, C, H, W] whose parameters are a decoder's outputs."""

    learns_variance: ClassVar[bool] = False
    """Whether one log variance for all pixels is learnt with the model."""

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Make one with the fixed or the learnt variance, for a likelihood that has one."""
        return cls()

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

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Make one with this fixed variance."""
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
    """N(sigmoid(parameters), variance I) whose variance, one for all pixels, is learnt.

    Its `nll` leaves nothing out, as the variance is no constant. Rybkin et al. (2021),
    https://arxiv.org/abs/2006.13202.
    """

    log_variance: Tensor
    learns_variance: ClassVar[bool] = True

    @classmethod
    def make(cls, variance: float, log_variance: Tensor | None) -> Self:
        """Make one with this learnt variance.

        Raises:
            ValueError: the model has no such parameter: see `Model.make_observation`.
        """
        if log_variance is None:
            raise ValueError("'gaussian-learned' takes the parameter log_variance")
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


LIKELIHOODS: Mapping[str, type[Likelihood]] = MappingProxyType(
    {
        "bernoulli": Bernoulli,
        "gaussian": Gaussian,
        "gaussian-learned": LearnedGaussian,
        "continuous-bernoulli": ContinuousBernoulli,
    }
)
"""Name of a likelihood -> its class: the choices of the knob `likelihood`, in this order."""


def make(name: str, variance: float, log_variance: Tensor | None = None) -> Likelihood:
    """Make the likelihood of this name.

    Args:
        name: a key of `LIKELIHOODS`.
        variance: of a Gaussian whose variance is fixed; the others have none.
        log_variance: the parameter of a likelihood that learns its variance.

    Raises:
        UsageError: no likelihood has this name.
    """
    if name not in LIKELIHOODS:
        raise UsageError(f"no likelihood '{name}'{suggestion(name, LIKELIHOODS)}")
    return LIKELIHOODS[name].make(variance, log_variance)
