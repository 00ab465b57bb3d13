"""Advice before training: whether this weight of the KL term is about to waste the user's week."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset

QUICK = 400
"""Images that the one line before training is taken from."""
KNOWN = ("gaussian", "bernoulli")
"""The likelihoods whose onset of collapse is known."""


def advise(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> list[str]:
    """Return what is known before training, in sentences.

    Args:
        dataset: what is trained on.
        beta: weight of the KL term, in nats per image.
        latents: how many there are.
        likelihood: its name; only of `KNOWN` ones anything is known.
        variance: of the Gaussian likelihood, a pixel's.
    """
    norm = beta * latents / prod(dataset.image_shape)
    said = [
        f"beta = {beta:g} weighs the KL term in nats per image, summed over pixels and latents; "
        f"the normalised beta of Higgins et al. is {norm:.3g}, of {latents} latents and "
        f"{prod(dataset.image_shape):,} pixels."
    ]
    if likelihood == "gaussian":
        said.append(
            f"The Gaussian's variance is {variance:g}: with squared errors summed and not halved, "
            f"this is a weight of {2 * variance * beta:g}."
        )
    if likelihood not in KNOWN:
        return [*said, f"Of the likelihood '{likelihood}' the onset of collapse is not known."]
    found = predict(dataset, likelihood, variance, beta, latents)
    said.append(
        f"By the spectrum of {min(SAMPLE, len(dataset)):,} images, collapse is stable above beta = "
        f"{found.onset}, of halves of them the lowest and highest in brackets."
    )
    if found.without_rare is not None:
        said.append(f"Without pixels that hardly ever vary, above {found.without_rare:.3g}.")
    if found.kept is not None:
        said.append(
            f"A linear model would keep {found.kept.value:.0f} of {latents} latents "
            f"({found.kept.low:.0f} to {found.kept.high:.0f}); another network may keep other "
            "numbers."
        )
    return [*said, verdict(beta, found)]


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


def verdict(beta: float, found: Prediction) -> str:
    """Return whether collapse is stable, in words."""
    if beta > found.onset.high:
        return (
            f"Collapse is STABLE at beta = {beta:g}: expect every latent to die. "
            f"Choose a beta well below {found.onset.low:.3g}."
        )
    if beta > found.onset.low:
        return "This is at the onset: what happens depends on the images and on chance."
    return (
        "Collapse is unstable here, which is no promise. Close to the onset training leaves it "
        "slowly, and at a high learning rate, which kills ReLUs, never. Watch the number of active "
        "latents; try a smaller --lr, or, where the model has it, a weight that rises from 0 "
        "(--kl-warmup STEPS)."
    )


def one_line(
    dataset: Dataset, beta: float, latents: int, likelihood: str, variance: float
) -> str | None:
    """Return the short form of the advice, from few images; None where nothing is known."""
    if likelihood not in KNOWN or len(dataset) < 2:
        return None
    found = predict(dataset, likelihood, variance, beta, latents, sample=QUICK)
    state = "STABLE: expect every latent to die" if beta > found.onset.high else "unstable"
    return f"beta {beta:g}: collapse is {state} (stable above some {found.onset.value:.3g})"


SAMPLE = 2_000
"""Images that are read."""
HALVES = 4
"""Random halves of them, whose results give the ranges."""
RARE = 1e-3
"""A pixel whose p(1 - p) is below this is rare."""

Floats = NDArray[np.float64]


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
