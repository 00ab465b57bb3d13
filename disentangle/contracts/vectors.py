"""Datasets of vectors: known factors observed as numbers, for encoders of vectors."""

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from disentangle._utils.text import count
from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.errors import Unavailable

if TYPE_CHECKING:
    from torch import Tensor


class Vectors(Labelled):
    """Vectors of numbers in place of images, with the factors behind them.

    Encoders of vectors and baselines are scored on them; models, which are of images, are not
    trained on them.

    Attributes:
        image_shape: (length of a vector, 1, 1).
    """

    noun = "vectors"

    @property
    def size_in_words(self) -> str:
        """The size of one vector: "5 numbers"."""
        return count(self.image_shape[0], "number")

    @abstractmethod
    def vectors(self, index: ArrayLike) -> "Tensor":
        """Return the vectors at `index` [N] as float32 [N, D]."""

    def images(self, index: ArrayLike) -> "Tensor":
        """Raise `Unavailable`: there are no images."""
        raise Unavailable(f"'{self.name or 'the dataset'}' has vectors, not images")


def has_vectors(dataset: Dataset) -> bool:
    """True if a dataset, or the dataset that it is a view of, is one of vectors."""
    return isinstance(dataset.whole, Vectors)


def encoder_inputs(dataset: Dataset, index: ArrayLike) -> "Tensor":
    """Return what encoders read: uint8 images [N, C, H, W], or float32 vectors [N, D]."""
    whole = dataset.whole
    if isinstance(whole, Vectors):
        return whole.vectors(dataset.origin(index))
    return dataset.images(index)


def check_vectors(dataset: Vectors, index: ArrayLike) -> None:
    """Check the vectors at `index` against the contract.

    Raises:
        TypeError: they are not float32.
        ValueError: they have another shape, are not finite, or are all the same.
    """
    import torch

    vectors = dataset.vectors(index)
    if vectors.dtype != torch.float32:
        raise TypeError(f"expected vectors of float32, got {vectors.dtype}")
    shape = (len(np.atleast_1d(np.asarray(index))), dataset.image_shape[0])
    if tuple(vectors.shape) != shape or dataset.image_shape[1:] != (1, 1):
        raise ValueError(
            f"expected vectors {list(shape)}, as in image_shape (length, 1, 1), got "
            f"{list(vectors.shape)}"
        )
    if not bool(torch.isfinite(vectors).all()):
        raise ValueError("expected finite vectors, got NaN or infinity")
    if len(vectors) > 1 and bool((vectors == vectors[:1]).all()):
        raise ValueError("all vectors are the same, so there is nothing to learn")
