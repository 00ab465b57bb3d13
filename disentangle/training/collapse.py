"""Advice before training: whether the weight of the KL term is likely to collapse all latents."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle._utils.text import WARNING
from disentangle.contracts.dataset import Dataset
from disentangle.data.image_checks import all_the_same
from disentangle.errors import DisentangleError

QUICK = 400
"""Number of images used for the one-line advice before training."""
KNOWN = ("gaussian", "bernoulli")
"""The likelihoods for which the onset of collapse is known."""


SAMPLE = 2_000
"""Number of images in the sample."""
HALVES = 4
"""Number of random halves of the sample, from which the ranges are computed."""
RARE = 1e-3
"""A pixel varies rarely if its p(1 - p) is at most this."""
Floats = NDArray[np.float64]


def advise(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> list[str]:
    """Predict the effects of a KL weight before training; return sentences.

    Args:
        dataset: the training images.
        beta: weight of the KL term, in nats per image.
        latents: number of latents.
        likelihood: name of the likelihood; predictions exist only for those in `KNOWN`.
        variance: variance of a pixel in the Gaussian likelihood.

    Raises:
        DisentangleError: the images are all the same.
    """
    if same := all_the_same(dataset):
        raise DisentangleError(same)
    norm = beta * latents / prod(dataset.image_shape)
    lines = [
        f"beta = {beta:g} is the weight of the KL term in nats per image, summed over pixels and "
        f"latents; the normalised beta of Higgins et al. is {norm:.3g}, for {latents} latents and "
        f"{prod(dataset.image_shape):,} pixels."
    ]
    if likelihood == "gaussian":
        lines.append(
            f"The variance of the Gaussian is {variance:g}; in a loss that sums squared errors "
            f"without halving them, the same weight is {2 * variance * beta:g}."
        )
    if likelihood not in KNOWN:
        return [*lines, f"The onset of collapse is not known for the likelihood '{likelihood}'."]
    prediction = predict(dataset, likelihood, variance, beta, latents)
    onset = prediction.onset
    lines.append(
        f"From the spectrum of {min(SAMPLE, len(dataset)):,} images, collapse is predicted above "
        f"beta = {onset.value:.3g} (range over random halves of the images: {onset.low:.3g} to "
        f"{onset.high:.3g})."
    )
    if prediction.without_rare is not None:
        without = f"{prediction.without_rare:.3g}"
        lines.append(f"Without the pixels that rarely vary, it is predicted above {without}.")
    if prediction.kept is not None:
        kept = prediction.kept
        lines.append(
            f"A linear model would keep {kept.value:.0f} of {latents} latents "
            f"({kept.low:.0f} to {kept.high:.0f}); other networks may keep more or fewer."
        )
    return [*lines, verdict(beta, prediction)]


@dataclass(frozen=True)
class Range:
    """A number with its lowest and highest value over random halves of the sample."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """The prediction before training.

    Attributes:
        onset: the beta above which collapse is predicted.
        kept: the number of latents that a linear model would keep, at most all of them; None for a
            likelihood for which only the onset is known.
        without_rare: the onset without pixels that rarely vary; None if these do not matter.
    """

    onset: Range
    kept: Range | None
    without_rare: float | None


def verdict(beta: float, found: Prediction) -> str:
    """The predicted outcome as text."""
    if beta > found.onset.high:
        return (
            f"{WARNING}collapse is predicted at beta = {beta:g}: expect no active latent. "
            f"Choose a beta well below {found.onset.low:.3g}."
        )
    if beta > found.onset.low:
        return (
            f"{WARNING}this beta is at the onset of collapse: the outcome depends on the images "
            "and on chance."
        )
    return (
        "No collapse is predicted here, but it can still occur. Near the onset, training leaves "
        "the collapsed state slowly, and never if a high learning rate has killed the ReLUs. "
        "Watch the number of active latents; try a smaller --lr or, if the model has it, a KL "
        "weight that rises from 0 (--kl-warmup STEPS)."
    )


def one_line(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> str | None:
    """The advice in one line, from few images; None if nothing can be predicted."""
    if same := all_the_same(dataset):
        return f"{WARNING}{same}"
    if likelihood not in KNOWN or len(dataset) < 2:
        return None
    onset = predict(dataset, likelihood, variance, beta, latents, sample=QUICK).onset
    if beta > onset.high:
        outcome = f"{WARNING}beta = {beta:g}: posterior collapse expected"
    elif beta > onset.low:
        outcome = f"{WARNING}beta = {beta:g}: posterior collapse possible"
    else:
        outcome = f"beta = {beta:g}: no posterior collapse expected"
    rough = float(f"{onset.value:.2g}")  # of few images: two digits
    return f"{outcome} (predicted above about {rough:g})"


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
    """Predict collapse from the spectrum of a sample of images.

    Args:
        dataset: any images; they are drawn as in training if factors are correlated.
        likelihood: `gaussian` or `bernoulli`.
        variance: variance of a pixel in the Gaussian likelihood.
        beta: weight of the KL term, in nats per image.
        latents: number of latents.
        sample: number of images to sample.
        seed: seed for sampling the images.
    """
    rng = numpy_rng(seed, "spectrum")
    if dataset.correlation:
        index = np.sort(dataset.draw(min(sample, len(dataset)), rng))
    else:
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
    """The eigenvalues of the covariance of x [N, P], in descending order."""
    centred = x - x.mean(axis=0)
    n, p = x.shape
    gram = centred @ centred.T if n < p else centred.T @ centred
    values: Floats = np.maximum(np.linalg.eigvalsh(gram)[::-1] / n, 0.0)
    return values


def bernoulli_onset(x: Floats, least: float = 0.0) -> float:
    """The largest eigenvalue of P^-1/2 S P^-1/2, for x [N, P] in [0, 1].

    Pixels whose p(1 - p) is at most `least` are left out; 0 if none is left.
    """
    p = x.mean(axis=0)
    curvature = p * (1 - p)
    varies = curvature > least
    if not varies.any():
        return 0.0
    return float(eigenvalues(x[:, varies] / np.sqrt(curvature[varies]))[0])


def ranged(values: list[float]) -> Range:
    """The first value with the range of the others."""
    return Range(values[0], min(values[1:]), max(values[1:]))
