"""Reductions of wide codes to a few latents, fitted without labels."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes, Source
from disentangle.errors import UsageError
from disentangle.scoring.arrays import ArraySource
from disentangle.scoring.codes import Encoded, Encoder

ROWS = 10_000
"""Images that a reduction is fitted on: all, if there are no more."""
WIDEST = 8192
"""Latents whose covariance is computed: 512 MiB."""
BLOCK = 2**22
"""Codes held at once while the covariance is computed: 32 MiB."""


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

    def __call__(self, codes: Codes) -> Codes:
        """Project codes [N, D]."""
        return (codes - self.middle) @ self.axes


def fit_reduction(reduction: str, source: Source[Any], seed: int) -> tuple[Projection, Index]:
    """Fit a reduction to the codes of a source; return it and the images that it is fitted to.

    Args:
        reduction: `pca:K`.
        source: the codes.
        seed: seed of the choice of images, if there are more than `ROWS`.

    Raises:
        UsageError: there are fewer latents or images than K, or too many latents.
    """
    kept = int(reduction.partition(":")[2])
    index = np.arange(len(source))
    if len(index) > ROWS:
        index = np.sort(numpy_rng(seed, "images of a reduction").permutation(len(index))[:ROWS])
    if kept > min(source.latents, len(index)):
        raise UsageError(
            f"{reduction} needs at least {kept} latents and images, got codes of "
            f"{source.latents} latents and {len(index)} images"
        )
    if source.latents > WIDEST:
        raise UsageError(
            f"{reduction} is computed for at most {WIDEST:,} latents, got {source.latents:,}"
        )
    return fit_components(source.codes, index, source.latents, kept), index


def fit_components(
    codes: Callable[[Index], Codes], index: Index, latents: int, kept: int
) -> Projection:
    """Fit the `kept` principal components of the codes of some images, exactly, in blocks."""
    from scipy.linalg import eigh

    step = max(1, BLOCK // latents)
    blocks = [index[start : start + step] for start in range(0, len(index), step)]
    middle = sum(codes(block).sum(axis=0) for block in blocks) / len(index)
    covariance = np.zeros((latents, latents))
    for block in blocks:
        gap = codes(block) - middle
        covariance += gap.T @ gap
    total = float(np.trace(covariance))
    variances, axes = eigh(
        covariance, subset_by_index=(latents - kept, latents - 1), overwrite_a=True
    )
    axes = axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(kept)])
    return Projection(middle, axes, float(variances.sum()) / total if total else 1.0)


class ReducedEncoder(Encoder):
    """The reduced codes of another encoder, which alone are kept."""

    def __init__(self, base: Encoder, reduction: str, seed: int) -> None:
        self.base, self.chunk = base, base.chunk
        self.projection, index = fit_reduction(reduction, base, seed)
        latents = self.projection.axes.shape[1]
        super().__init__(base.dataset, latents, base.progress, disjoint=base.disjoint)
        origin = base.dataset.origin(index)
        self._mean[origin] = self.projection(base.codes(index))
        self._known[origin] = True
        self.encoded = base.encoded

    def encode(self, index: Index) -> Encoded:
        """Encode images, given by their indices in the whole dataset."""
        mean, _ = self.base.encode(index)
        return self.projection(mean.astype(np.float64)).astype(np.float32), None


def reduced_arrays(source: ArraySource, reduction: str, seed: int) -> ArraySource:
    """Reduce codes given as arrays; the components are fitted to the rows to fit on alone."""
    projection, _ = fit_reduction(reduction, source, seed)
    test = source.test and ArraySource(projection(source.test.every_code), source.test.dataset)
    reduced = ArraySource(projection(source.every_code), source.dataset, test)
    reduced.disjoint = source.disjoint
    return reduced
