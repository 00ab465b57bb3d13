"""Reductions of wide codes to a few latents, fitted without labels."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.errors import UsageError

Real = NDArray[np.floating[Any]]

ROWS = 10_000
"""Images that a reduction is fitted on: all, if there are no more."""
WIDEST = 8192
"""Latents whose covariance is computed: 512 MiB."""
BLOCK = 2**22
"""Numbers of codes processed at once: 32 MiB."""


def true_reduction(text: str) -> str:
    """A reduction as it is recorded, such as `pca:10`; empty for none.

    Raises:
        UsageError: there is no such reduction.
    """
    if text and not re.fullmatch(r"pca:[1-9]\d*", text.casefold()):
        raise UsageError(f"expected a reduction `pca:K`, with K principal components; got '{text}'")
    return text.casefold()


@dataclass(frozen=True)
class Projection:
    """A linear map of codes [N, D] to their principal components [N, K].

    Attributes:
        middle: the mean of the codes, [D].
        axes: the axes of largest variance, orthonormal columns, [D, K]; the largest entry of each
            is positive.
        share: the components' share of the variance of the codes, 0 to 1.
    """

    middle: Codes
    axes: Codes
    share: float

    def __call__(self, codes: Real) -> Codes:
        """Project codes [N, D]."""
        step = max(1, BLOCK // codes.shape[1])
        projected = np.empty((len(codes), self.axes.shape[1]))
        for i in range(0, len(codes), step):
            projected[i : i + step] = (codes[i : i + step] - self.middle) @ self.axes
        return projected


def fitted_images(images: int, seed: int) -> Index:
    """The images that a reduction is fitted to: all, or `ROWS` of them drawn by the seed."""
    if images <= ROWS:
        return np.arange(images)
    return np.sort(numpy_rng(seed, "images of a reduction").permutation(images)[:ROWS])


def check_reduction(reduction: str, latents: int, images: int) -> int:
    """The K of `pca:K`, if codes of this shape have as many components.

    Raises:
        UsageError: there are fewer latents or images than K, or too many latents.
    """
    kept = int(reduction.partition(":")[2])
    if kept > min(latents, images):
        raise UsageError(
            f"{reduction} needs at least {kept} latents and images, got codes of {latents} "
            f"latents and {images} images"
        )
    if latents > WIDEST:
        raise UsageError(f"{reduction} is computed for at most {WIDEST:,} latents, got {latents:,}")
    return kept


def fit_reduction(reduction: str, codes: Real) -> Projection:
    """Fit `pca:K` to codes [N, D]: their K principal components, exactly, in blocks.

    Raises:
        UsageError: there are fewer latents or images than K, or too many latents.
    """
    from scipy.linalg import eigh

    images, latents = codes.shape
    kept = check_reduction(reduction, latents, images)
    middle = codes.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((latents, latents))
    step = max(1, BLOCK // latents)
    for start in range(0, images, step):
        gap = codes[start : start + step] - middle
        covariance += gap.T @ gap
    total = float(np.trace(covariance))
    largest = (latents - kept, latents - 1)
    variances, axes = eigh(covariance, subset_by_index=largest, overwrite_a=True)
    axes = axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(kept)])
    return Projection(middle, axes, float(variances.sum()) / total if total else 1.0)
