"""Reductions of codes to the latents that are scored, fitted without labels.

The reductions of wide codes [N, D] are here; `block_reduction` has those of codes in blocks
[N, B, M], and `numbering` the views of discrete codes.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.errors import UsageError

if TYPE_CHECKING:
    from disentangle.contracts.model import Code

Real = NDArray[np.floating[Any]]
Blocks = tuple[int, int]
"""The number of blocks of a code and the numbers in each, (B, M)."""

ROWS = 10_000
"""Images that `pca:K` is fitted on: all, if there are no more."""
WIDEST = 8192
"""Latents whose covariance is computed: 512 MiB."""
BLOCK = 2**22
"""Numbers of codes processed at once: 32 MiB."""

OF_BLOCKS = MappingProxyType(
    {
        "pca1": "the first principal component of each block; pcaK the first K",
        "mean": "the mean of each block",
        "norm": "the Euclidean norm of each block",
        "flatten": "every number a latent",
    }
)
"""The reductions of codes in blocks [N, B, M], besides those of discrete codes."""
OF_DISCRETE = MappingProxyType(
    {
        "index": "the number of the value of each latent or block, for discrete codes",
        "one-hot": "a latent for each of these values, 1 where it is taken",
    }
)
"""The views of discrete codes, [N, D] or in blocks."""


def true_reduction(text: str) -> str:
    """A reduction as it is recorded, such as `pca:10`; empty for none.

    Raises:
        UsageError: there is no such reduction.
    """
    reduction = text.casefold()
    named = reduction in OF_BLOCKS or reduction in OF_DISCRETE
    if reduction and not named and not re.fullmatch(r"pca:?[1-9]\d*", reduction):
        raise UsageError(
            "expected a reduction `pca:K`, with K principal components, or of codes in blocks "
            f"[N, B, M] `pca1`, `mean`, `norm`, `flatten`, or of discrete codes `index`, "
            f"`one-hot`; got '{text}'"
        )
    return reduction


def reduction_for(reduction: str, blocks: Blocks | None) -> str:
    """The reduction of codes [N, D] or, if they have `blocks`, [N, B, M], as it is recorded.

    `pca:K` keeps K components of codes [N, D], but of codes in blocks K components of each block:
    `pcaK`.

    Raises:
        UsageError: codes in blocks without a reduction, or a reduction of blocks without any.
    """
    if blocks is None:
        if reduction in OF_BLOCKS or re.fullmatch(r"pca\d+", reduction):
            raise UsageError(
                f"{reduction} reduces codes in blocks, expected [N, B, M], got [N, D]; reshape "
                "the codes, or use `pca:K` for K components of all latents together"
            )
        return reduction
    if not reduction:
        raise without_reduction(blocks)
    return reduction.replace(":", "")


def without_reduction(blocks: Blocks) -> UsageError:
    """The error about codes in blocks that are to be scored as they are, with the reductions."""
    ways = "; ".join(f"`{name}`, {about}" for name, about in (OF_BLOCKS | OF_DISCRETE).items())
    return UsageError(
        f"codes in {blocks[0]} blocks of {blocks[1]} numbers need a reduction, `--reduce NAME`: "
        f"{ways}"
    )


def ordered_blocks(code: "Code") -> Blocks | None:
    """The blocks of a code, whose order has a meaning; None for codes [N, D].

    Raises:
        UsageError: its blocks are exchangeable.
    """
    if code.blocks and code.exchangeable:
        raise UsageError(
            "the blocks of these codes are exchangeable, so block 0 of one image is not that of "
            "another, and scores mean nothing; order the blocks of each image alike, such as by "
            "`scipy.optimize.linear_sum_assignment` to those of a reference image, and return "
            "`Code(z)`"
        )
    return code.blocks


def in_parts(codes: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Codes [N, ...] in parts of at most `BLOCK` numbers, or of one row."""
    step = max(1, BLOCK // max(1, codes[:1].size))
    for start in range(0, len(codes), step):
        yield codes[start : start + step]


class Reduction(ABC):
    """A map from codes, [n, D] or in blocks [n, B, M], to the latents that are scored.

    Attributes:
        discrete: True if each latent takes a few values that are labels.
    """

    discrete: bool = False

    @property
    @abstractmethod
    def latents(self) -> int:
        """The number of latents that are scored."""

    @property
    def about(self) -> str:
        """What the latents hold of the codes, in words; empty if there is nothing to say."""
        return ""

    @abstractmethod
    def __call__(self, codes: Real) -> Codes:
        """Reduce codes to [n, latents]."""


@dataclass(frozen=True)
class Projection(Reduction):
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

    @property
    def latents(self) -> int:
        """The number of components, K."""
        return int(self.axes.shape[1])

    @property
    def about(self) -> str:
        """The share of the variance."""
        return (
            f"{self.latents} of {len(self.axes)} components hold {100 * self.share:.0f} % of the "
            "variance of the codes"
        )

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
