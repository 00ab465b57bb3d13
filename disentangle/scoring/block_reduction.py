"""Reductions of codes in blocks [N, B, M], such as tokens, concepts or slots, to latents [N, D].

Papers on diffusion and token encoders (VCT, DisDiff, EncDiff) score the first principal component
of each block, fitted on the codes of all images. Codes are read in parts, as those of 100,000
images are larger than memory.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.source import Codes
from disentangle.errors import UsageError
from disentangle.scoring.numbering import fit_numbering
from disentangle.scoring.reduction import OF_DISCRETE, Blocks, Real, Reduction, in_parts


@dataclass(frozen=True)
class BlockSummary(Reduction):
    """A summary of each block that needs no fit: its mean or norm, or every number of it."""

    name: str
    blocks: Blocks

    @property
    def latents(self) -> int:
        """B, or B M where every number is a latent."""
        count, width = self.blocks
        return count * width if self.name == "flatten" else count

    def __call__(self, codes: Real) -> Codes:
        """Reduce codes [n, B, M]."""
        reduced, start = np.empty((len(codes), self.latents)), 0
        for part in in_parts(codes):
            reduced[start : start + len(part)] = self._part(part)
            start += len(part)
        return reduced

    def _part(self, codes: Real) -> Codes:
        z = codes.astype(np.float64)
        if self.name == "flatten":
            return z.reshape(len(z), -1)
        summary: Codes = z.mean(axis=2) if self.name == "mean" else np.linalg.norm(z, axis=2)
        return summary


@dataclass(frozen=True)
class BlockProjection(Reduction):
    """The first K principal components of each block: z_b = (x_b - middle_b) axes_b.

    Attributes:
        middle: the mean of the codes, [B, M].
        axes: each block's axes of largest variance, orthonormal columns, [B, M, K]; the largest
            entry of each is positive.
        share: the components' share of the variance of the codes, 0 to 1.
    """

    middle: Codes
    axes: NDArray[np.float64]
    share: float

    @property
    def latents(self) -> int:
        """B K."""
        return int(self.axes.shape[0] * self.axes.shape[2])

    @property
    def about(self) -> str:
        """The share of the variance."""
        count, width, kept = self.axes.shape
        return (
            f"{kept} of {width} components of each of {count} blocks hold {100 * self.share:.0f} % "
            "of the variance of the codes"
        )

    def __call__(self, codes: Real) -> Codes:
        """Project codes [n, B, M]; the components of a block are side by side."""
        count, _, kept = self.axes.shape
        projected = np.empty((len(codes), count, kept))
        start = 0
        for part in in_parts(codes):
            rows = slice(start, start + len(part))
            for b in range(count):
                projected[rows, b] = (part[:, b] - self.middle[b]) @ self.axes[b]
            start += len(part)
        return projected.reshape(len(codes), count * kept)


class Moments:
    """Mean and covariance of each block, summed over parts of the codes about a fixed point."""

    def __init__(self, blocks: Blocks) -> None:
        count, width = blocks
        self.rows = 0
        self.largest = np.zeros(count)
        self._point: Codes | None = None
        self._sum = np.zeros((count, width))
        self._products = np.zeros((count, width, width))

    def add(self, codes: Real) -> None:
        """Add codes [n, B, M]."""
        if self._point is None:  # near the mean, so that no digits are lost
            self._point = codes.mean(axis=0, dtype=np.float64)
        for b in range(len(self._sum)):
            gap = codes[:, b] - self._point[b]
            self._sum[b] += gap.sum(axis=0)
            self._products[b] += gap.T @ gap
            self.largest[b] = max(self.largest[b], np.abs(codes[:, b]).max())
        self.rows += len(codes)

    def mean(self) -> Codes:
        """The mean of each block, [B, M]."""
        assert self._point is not None
        mean: Codes = self._point + self._sum / self.rows
        return mean

    def covariance(self, block: int) -> NDArray[np.float64]:
        """The covariance of a block, [M, M]."""
        gap = self._sum[block] / self.rows
        covariance: NDArray[np.float64] = self._products[block] / self.rows - np.outer(gap, gap)
        return covariance


def fit_blocks(
    reduction: str,
    blocks: Blocks | None,
    images: int,
    parts: Callable[[], Iterable[Real]],
) -> Reduction:
    """Fit a reduction other than `pca:K`.

    Args:
        reduction: as `reduction_for` returns it.
        blocks: the blocks of the codes; None for codes [N, D], of which there are views of discrete
            codes only.
        images: the number of images, N.
        parts: returns the codes of all images in parts, [n, B, M] or [n, D]; it is called at most
            once.

    Raises:
        UsageError: the codes do not allow it: too few numbers, a constant block, or real values
            where a few were expected.
    """
    if reduction in OF_DISCRETE:
        return fit_numbering(reduction, parts(), images)
    assert blocks is not None
    if not reduction.startswith("pca"):
        return BlockSummary(reduction, blocks)
    kept = int(reduction.removeprefix("pca"))
    if kept > min(blocks[1], images):
        raise UsageError(
            f"{reduction} needs at least {kept} numbers in each block and {kept} images, got "
            f"blocks of {blocks[1]} and {images} images"
        )
    moments = Moments(blocks)
    for part in parts():
        moments.add(part)
        exact = part.dtype.kind != "f" or part.dtype.itemsize > 4
    return components(reduction, kept, moments, float(np.finfo("f8" if exact else "f4").eps))


def components(reduction: str, kept: int, moments: Moments, precision: float) -> BlockProjection:
    """The first principal components of each block.

    Args:
        reduction: its name, for messages.
        kept: the number of components of each block.
        moments: the moments of the codes.
        precision: the relative rounding error of the codes, below which a block is constant.

    Raises:
        UsageError: a block is constant.
    """
    from scipy.linalg import eigh

    middle, axes, held, total = moments.mean(), [], 0.0, 0.0
    width = middle.shape[1]
    for b in range(len(middle)):
        covariance = moments.covariance(b)
        variance = float(np.trace(covariance))
        if variance <= width * (64 * precision * moments.largest[b]) ** 2:
            raise UsageError(
                f"{reduction}: block {b} of the codes is constant, so it has no principal "
                "component; leave it out, or use `mean` or `norm`"
            )
        largest = (width - kept, width - 1)
        variances, vectors = eigh(covariance, subset_by_index=largest, overwrite_a=True)
        vectors = vectors[:, ::-1]
        axes.append(vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)]))
        held, total = held + float(variances.sum()), total + variance
    return BlockProjection(middle, np.stack(axes), held / total)
