"""Checks that the images of a dataset show something: of the right type, but empty all the same."""

import warnings

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.vectors import has_vectors
from disentangle.errors import DisentangleError, InputWarning

SOME = 32
"""Number of images examined in every dataset."""
MANY = 1024
"""Number of images examined before a dataset is refused because all of them are the same."""
CONTRAST = 32
"""Range of pixel values below which a warning is issued."""
WHITE = (
    " Transparent parts of image files become white, so give white shapes another background, for "
    "example by `magick mogrify -background black -alpha remove *.png`."
)


def check_pixels(dataset: Dataset) -> None:
    """Check on a sample of a dataset's images that they differ, and use the range 0 to 255.

    A dataset of vectors has none.

    Raises:
        DisentangleError: all images are the same, or their pixel values differ by at most 1, as if
            they were stored as 0 and 1.
    """
    if has_vectors(dataset):
        return
    if problem := all_the_same(dataset):
        raise DisentangleError(problem)
    images = _examined(dataset)
    low, high = int(images.min()), int(images.max())
    if high - low >= CONTRAST:
        return
    problem = f"expected pixels from 0 to 255 in {_name(dataset)}, got {low} to {high}"
    if high - low <= 1:
        raise DisentangleError(f"{problem}. {_scaled(high)}")
    message = f"{problem}, so images are almost uniform. {_scaled(high)}"
    warnings.warn(message, InputWarning, stacklevel=1)  # the same line, so said once


def all_the_same(dataset: Dataset) -> str:
    """A sentence that says that the images do not differ, and what to do; empty if they do.

    Only a sample is examined. A single image differs from no other, and is not meant.
    """
    images = _examined(dataset)
    if len(dataset) < 2 or not (images == images[:1]).all():
        return ""
    return _alike(_name(dataset), len(dataset), len(images), (int(images.min()), int(images.max())))


def _examined(dataset: Dataset) -> NDArray[np.uint8]:
    """A sample of the images [N, C, H, W]: few, or many if the few are all the same."""
    images = read_images(dataset, _sample(len(dataset), SOME))
    if len(dataset) > SOME and (images == images[:1]).all():
        return read_images(dataset, _sample(len(dataset), MANY))
    return images


def _name(dataset: Dataset) -> str:
    return f"'{dataset.name}'" if dataset.name else "the dataset"


def read_images(dataset: Dataset, index: Index) -> NDArray[np.uint8]:
    """Read images [N, C, H, W] and check them against the contract of a dataset.

    Raises:
        TypeError: they are not uint8.
        ValueError: they have another shape.
    """
    images = dataset.images(index)
    if images.dtype.itemsize != 1 or images.is_floating_point() or images.dtype.is_signed:
        raise TypeError(f"expected images of uint8 (0 to 255), got {images.dtype}")
    if tuple(images.shape) != (len(index), *dataset.image_shape):
        raise ValueError(
            f"expected {len(index)} images of shape {[len(index), *dataset.image_shape]}, "
            f"got {list(images.shape)}"
        )
    pixels: NDArray[np.uint8] = images.numpy()
    return pixels


def _sample(count: int, most: int) -> Index:
    """Choose images at random, always the same ones; evenly spaced ones may be alike in a grid."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _alike(name: str, count: int, examined: int, pixels: tuple[int, int]) -> str:
    low, high = pixels
    which = f"all {examined:,} {'examined ' if examined < count else ''}images"
    seen = f"every pixel is {low}" if low == high else f"pixels are {low} to {high}"
    hint = WHITE if low == high == 255 else " Check how the images were made."
    return f"{which} of {name} are the same ({seen}), so there is nothing to learn.{hint}"


def _scaled(high: int) -> str:
    factor = 255 // max(high, 1)
    if factor < 2:
        return "Increase the contrast of the images."
    return f"If {high} means white, multiply the pixels by {factor}."
