"""Views of discrete codes: the number of each value, and its one-hot encoding.

A discrete code has three views: its values as they are (learnt scalars, as of QLAE), their numbers
(`index`), and a latent for each value (`one-hot`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Codes
from disentangle.errors import UsageError
from disentangle.scoring.reduction import Real, Reduction

MOST = 4096
"""Values that a latent of a discrete code may have."""


@dataclass(frozen=True)
class Numbering(Reduction):
    """The number of each latent's value among its values in order, or of each block's vector.

    Attributes:
        numbers: for each latent or block, its value as bytes -> the number of the value, from 0.
        one_hot: True for a latent for each value instead.
    """

    numbers: tuple[Mapping[bytes, int], ...]
    one_hot: bool = False
    discrete = True

    @property
    def latents(self) -> int:
        """The number of latents or blocks, or of all their values."""
        return sum(map(len, self.numbers)) if self.one_hot else len(self.numbers)

    @property
    def about(self) -> str:
        """The numbers of values."""
        counts = [len(numbers) for numbers in self.numbers]
        return f"{min(counts)} to {max(counts)} values of {len(counts)} latents or blocks"

    def __call__(self, codes: Real) -> Codes:
        """Number codes [n, D] or [n, B, M]."""
        columns = [self._column(codes, d) for d in range(len(self.numbers))]
        if not self.one_hot:
            return np.stack(columns, axis=1).astype(np.float64)
        sizes = map(len, self.numbers)
        hot = [c[:, None] == np.arange(size) for c, size in zip(columns, sizes, strict=True)]
        return np.hstack(hot).astype(np.float64)

    def _column(self, codes: Real, d: int) -> Index:
        values, place = np.unique(as_bytes(codes[:, d]), return_inverse=True)
        try:
            numbers = [self.numbers[d][value.tobytes()] for value in values]
        except KeyError:
            raise UsageError(
                f"latent or block {d} of the codes has a value that its other images do not "
                "have, as if the encoder did not always return the same codes"
            ) from None
        return np.array(numbers, np.int64)[place.ravel()]


def as_bytes(values: Real) -> NDArray[np.void]:
    """Values [n] or vectors [n, M] as bytes, [n]; equal ones have the same bytes."""
    rows = np.ascontiguousarray(values.reshape(len(values), -1).astype(np.float64) + 0.0)  # no -0
    return rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel()


def fit_numbering(reduction: str, parts: Iterable[Real], images: int) -> Numbering:
    """Number the values of discrete codes, which are given in parts, [n, D] or [n, B, M].

    Raises:
        UsageError: the codes are not discrete: more than half of the images, or more than `MOST`
            of them, have values of their own.
    """
    seen: list[set[bytes]] = []
    for part in parts:
        seen = seen or [set() for _ in range(part.shape[1])]
        for d, values in enumerate(seen):
            values.update(value.tobytes() for value in np.unique(as_bytes(part[:, d])))
            if len(values) > min(MOST, max(2, images // 2)):
                raise UsageError(
                    f"{reduction} numbers the values of discrete codes, expected a few in each "
                    f"latent or block, got {len(values):,} or more of {images:,} images in number "
                    f"{d}; real-valued codes are scored as they are or, in blocks, by `pca1`"
                )
    return Numbering(tuple(map(in_order, seen)), one_hot=reduction == "one-hot")


def in_order(values: Iterable[bytes]) -> Mapping[bytes, int]:
    """Number values: by size, vectors by their first numbers."""
    ordered = sorted(values, key=lambda value: tuple(np.frombuffer(value).tolist()))
    return {value: number for number, value in enumerate(ordered)}
