"""What the spectrum of images says of posterior collapse, before anything is trained.

A VAE whose decoder gives the mean image and whose posterior is the prior has collapsed. Whether
training leaves that state is local: with the Gaussian likelihood it is unstable just where beta is
below the largest eigenvalue of the images' covariance over the likelihood's variance (a linear VAE
is probabilistic PCA: Tipping & Bishop 1999, Lucas et al. 2019, https://arxiv.org/abs/1911.02469),
with the Bernoulli where it is below that of P^-1/2 S P^-1/2, P = diag p(1 - p), from an expansion
of the loss about the mean image p. It is no promise that training gets away.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from disentangle.dataset import Dataset
from disentangle.seeds import numpy_rng

SAMPLE = 2_000
"""Images that are read."""
HALVES = 4
"""Random halves of them, whose results give the ranges."""
RARE = 1e-3
"""A pixel whose p(1 - p) is below this is rare."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """A number, and its lowest and highest value over random halves of the sample."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Prediction:
    """What is known before training.

    Attributes:
        onset: the beta beyond which collapse is stable.
        kept: how many latents a linear model would keep, at most those that there are; None for a
            likelihood of which only the onset is known.
        without_rare: the onset without pixels that hardly vary; None where that plays no part.
    """

    onset: Range
    kept: Range | None
    without_rare: float | None


def predict(
    dataset: Dataset,
    likelihood: str,
    variance: float,
    beta: float,
    latents: int,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Prediction:
    """Return what the spectrum of a sample of images says.

    Args:
        dataset: any images.
        likelihood: `gaussian` or `bernoulli`.
        variance: of the Gaussian, a pixel's.
        beta: weight of the KL term, in nats per image.
        latents: how many there are.
        sample: images to read.
        seed: of their draw.
    """
    rng = numpy_rng(seed, "spectrum")
    index = np.sort(rng.permutation(len(dataset))[:sample])
    images = dataset.images(index).contiguous().numpy()
    x = images.reshape(len(index), prod(dataset.image_shape)).astype(np.float64) / 255
    halves = [rng.permutation(len(x))[: max(2, len(x) // 2)] for _ in range(HALVES)]
    if likelihood == "gaussian":
        spectra = [eigenvalues(part) / variance for part in (x, *(x[half] for half in halves))]
        kept = [float(min(latents, (spectrum > beta).sum())) for spectrum in spectra]
        return Prediction(ranged([s[0] for s in spectra]), ranged(kept), None)
    onsets = [bernoulli_onset(part) for part in (x, *(x[half] for half in halves))]
    return Prediction(ranged(onsets), None, bernoulli_onset(x, RARE))


def eigenvalues(x: Floats) -> Floats:
    """Return the eigenvalues of the covariance of x [N, P], the largest first."""
    centred = x - x.mean(axis=0)
    n, p = x.shape
    gram = centred @ centred.T if n < p else centred.T @ centred
    found: Floats = np.maximum(np.linalg.eigvalsh(gram)[::-1] / n, 0.0)
    return found


def bernoulli_onset(x: Floats, least: float = 0.0) -> float:
    """Return the largest eigenvalue of P^-1/2 S P^-1/2 of x [N, P] in [0, 1].

    Pixels whose p(1 - p) is not above `least` are left out; 0 where none is left.
    """
    p = x.mean(axis=0)
    curvature = p * (1 - p)
    varies = curvature > least
    if not varies.any():
        return 0.0
    return float(eigenvalues(x[:, varies] / np.sqrt(curvature[varies]))[0])


def ranged(values: list[float]) -> Range:
    """Return the first value with the range of the others."""
    return Range(values[0], min(values[1:]), max(values[1:]))
