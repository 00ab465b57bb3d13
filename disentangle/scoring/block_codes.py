"""Given codes in blocks [N, B, M]: checked, and reduced to [N, D] without a copy of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from disentangle._utils.callbacks import Say, silent
from disentangle.errors import UsageError
from disentangle.scoring.arrays import FARTHEST, SHAPES, ArraySource, array_source, detached
from disentangle.scoring.block_reduction import fit_blocks
from disentangle.scoring.reduction import (
    Blocks,
    Real,
    Reduction,
    fit_reduction,
    fitted_images,
    in_parts,
)


@dataclass(frozen=True)
class BlockCodes:
    """Codes in blocks [N, B, M], with those of a test set if there is one.

    They are kept as they are given, which may be a file that is memory-mapped.
    """

    codes: Real
    test: Real | None = None

    @property
    def blocks(self) -> Blocks:
        """The number of blocks and the numbers in each."""
        _, count, width = self.codes.shape
        return count, width

    def source(
        self,
        factors: ArrayLike,
        test_factors: ArrayLike | None,
        names: Sequence[str] | None,
        kinds: Mapping[str, str] = MappingProxyType({}),
    ) -> ArraySource:
        """A source with these codes given but not reduced yet, so that its codes are zeros."""
        test = None if self.test is None else np.zeros((len(self.test), 1))
        codes = np.zeros((len(self.codes), 1))
        source = array_source(codes, factors, test, test_factors, names, kinds)
        source.given = self.codes
        if source.test and self.test is not None:
            source.test.given = self.test
        return source


def block_codes(codes: ArrayLike, test_codes: ArrayLike | None) -> BlockCodes | None:
    """Check codes in blocks; None if both arrays are of fewer axes.

    Raises:
        UsageError: blocks of unequal length or of no numbers, arrays with more axes, other blocks
            in the test set, or codes that are not finite.
    """
    arrays = {"codes": codes, "test_codes": test_codes}
    axes = {name: axes_of(array, name) for name, array in arrays.items() if array is not None}
    if max(axes.values()) < 3:
        return None
    z = checked(codes, "codes")
    test = None if test_codes is None else checked(test_codes, "test_codes")
    if test is not None and test.shape[1:] != z.shape[1:]:
        raise UsageError(
            f"test_codes must have the blocks of the codes, expected {list(z.shape[1:])}, got "
            f"{list(test.shape[1:])}"
        )
    return BlockCodes(z, test)


def axes_of(array: ArrayLike, name: str) -> int:
    """The number of an array's axes; 2 for what is no array, which `array_source` refuses.

    Raises:
        UsageError: its rows or blocks are of unequal length.
    """
    array = detached(array)
    try:
        axes = np.ndim(array)
        first = array.ravel()[:1] if isinstance(array, np.ndarray) and array.dtype == object else ()
        ragged = any(np.ndim(row) for row in first)
    except ValueError:  # lists of unequal length
        ragged = True
    except (TypeError, RuntimeError):  # such as a list of tensors on a GPU
        return 2
    if ragged:
        raise UsageError(
            f"{name} must have shape {SHAPES}, got rows or blocks of unequal length; pad them, or "
            "give one number a block"
        )
    return axes


def checked(array: ArrayLike, name: str) -> Real:
    """Codes [N, B, M], finite, without a copy if they are an array of numbers.

    Raises:
        UsageError: another shape, or numbers that cannot be scored.
    """
    try:
        z = np.asarray(detached(array))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be numbers {SHAPES}: {error}") from error
    if z.ndim != 3 or 0 in z.shape:
        raise UsageError(f"{name} must have shape {SHAPES}, got {list(z.shape)}")
    if z.dtype.kind not in "fiub":
        raise UsageError(f"{name} must be numbers, got {z.dtype}")
    finite = np.concatenate([np.isfinite(part).all(axis=2) for part in in_parts(z)])  # [N, B]
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        block = np.flatnonzero(~finite[rows[0]])[0]
        raise UsageError(
            f"{name} are not finite in {len(rows)} rows, starting with row {rows[0]}, block {block}"
        )
    largest = max(max(abs(float(part.max())), abs(float(part.min()))) for part in in_parts(z))
    if largest and not 1 / FARTHEST < largest < FARTHEST:
        raise UsageError(
            f"the largest magnitude of {name} is {largest:.3g}: rescale them to avoid overflow"
        )
    return z


def reduced_arrays(
    source: ArraySource, reduction: str, seed: int, say: Say = silent
) -> ArraySource:
    """Reduce given codes, and say what the latents hold of them.

    Components are fitted to the rows to fit on alone, without a test set.
    """
    codes, test = source.given, source.test.given if source.test else None
    fitted = fit_rows(reduction, codes, test, seed)
    if fitted.about:
        say(f"{reduction}: {fitted.about}")
    second = source.test and ArraySource(fitted(source.test.given), source.test.dataset)
    reduced = ArraySource(fitted(codes), source.dataset, second)
    reduced.disjoint, reduced.takes_values = source.disjoint, fitted.discrete
    reduced.reducible = codes.ndim == 2  # `pca:10` of blocks is ten components of each
    return reduced


def fit_rows(reduction: str, codes: Real, test: Real | None, seed: int) -> Reduction:
    """Fit a reduction to the rows to fit on; values are numbered in the rows of the test set too.

    `pca:K` of codes [N, D] is fitted to at most 10,000 rows, drawn by the seed.
    """
    if reduction.startswith("pca:"):
        return fit_reduction(reduction, codes[fitted_images(len(codes), seed)])
    rows = [codes] if test is None or reduction.startswith("pca") else [codes, test]
    blocks = codes.shape[1:] if codes.ndim == 3 else None
    images = sum(map(len, rows))
    return fit_blocks(reduction, blocks, images, lambda: chain.from_iterable(map(in_parts, rows)))
