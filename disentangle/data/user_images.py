"""A user's own images: a folder or archive of image files, or an npz; both perhaps with labels."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from disentangle.contracts.dataset import Dataset, Index
from disentangle.data import npz
from disentangle.data.archive import Piece, pieces, uncompressed
from disentangle.data.array_datasets import as_dataset, grid_order
from disentangle.data.factor_values import (
    KIND_OF_IMAGES,
    FactorValues,
    kinds_by_name,
    read_factors,
)
from disentangle.data.image_files import PIXELS, decoded, flat, header, resized, square
from disentangle.data.image_labels import is_table, labels_beside
from disentangle.data.label_columns import check_names
from disentangle.data.location import Location, usable
from disentangle.data.prepared import Content, Preparation, Rows, reordered
from disentangle.errors import DisentangleError, InputWarning, UsageError

VERSION = 2
SIDES = (32, 64, 128)
"""Image sides that the networks accept; square images that all have one of these keep it."""
SIDE = 64
"""Default side of all other images."""
SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .pbm .pgm .png .ppm .tif .tiff .webp".split())
BLOCK = 64 * 2**20
"""Bytes of an npz read at once."""
NAMES = 2**20
"""Maximum bytes of the factors' names."""
AS_BYTES = {
    "f": "`(255 * images).round().astype(np.uint8)` of values from 0 to 1",
    "b": "`255 * images.astype(np.uint8)`",
    "i": "`images.astype(np.uint8)` of values from 0 to 255",
    "u": "`(images // 257).astype(np.uint8)` of values from 0 to 65535",
}
"""Kind of dtype -> how images of this dtype are made bytes."""
TURNS: dict[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the transposition that sets the image upright."""


def open_own(location: Location) -> Dataset:
    """Open the user's own images, prepared once.

    By default, square images that all have a side accepted by the networks keep it, and others get
    64 x 64; they are grey if all files are grey. Images are cropped to the central square, then
    resized (LANCZOS).

    Args:
        location: its `file` is the folder, archive or npz.

    Raises:
        UsageError: the size or number of channels is invalid.
        DisentangleError: nothing is there, or it cannot be used.
    """
    path = usable(location.file)
    image_size, channels = location.image_size, location.channels
    check_shape(image_size, channels)
    preparation = Preparation(
        folder=location.folder,
        version=VERSION,
        given=path,
        say=location.say,
    )

    def make(stack: ExitStack) -> Content:
        if path.suffix.lower() == ".npz":
            return from_npz(path, image_size, channels, location, preparation.folder)
        plain = stack.enter_context(uncompressed(path, preparation.folder))
        return from_files(path, plain, image_size, channels, location)

    return as_dataset(preparation.get(make))


def check_shape(image_size: int | None, channels: int | None) -> None:
    """Raise a UsageError unless the size and number of channels are ones that images can have."""
    if image_size is not None and not 8 <= image_size <= 1024:
        raise UsageError(f"expected --image-size from 8 to 1024 pixels, got {image_size}")
    if channels not in (None, 1, 3):
        raise UsageError(f"expected --channels 1 (grey) or 3 (RGB), got {channels}")


def from_files(
    path: Path, plain: Path, side: int | None, channels: int | None, location: Location
) -> Content:
    """Return the content of a folder, tar or zip of image files, with a table of labels if any.

    Images are sorted by name, or if they make a grid into its order.

    Args:
        path: the path that the user named.
        plain: the same folder or archive, uncompressed.
        side: side in pixels; see `open_own`.
        channels: number of channels; see `open_own`.
        location: for messages and progress.
    """
    every = pieces(plain, lambda name: is_image(name) or is_table(name), path, location.say)
    files = [piece for piece in every if is_image(piece.name)]
    if not files:
        raise DisentangleError(f"{path}: no images found; expected {', '.join(sorted(SUFFIXES))}")
    tables = [piece for piece in every if is_table(piece.name)]
    factors = labels_beside(files, tables, path, location)
    labels, place = labels_or_place(factors) if factors else (None, None)
    if place is not None:
        files = [files[k] for k in np.argsort(place)]
    done = ", cropped to the central square and resized where needed"
    if side is None or channels is None:
        location.say(f"{path}: reading the sizes of {len(files):,} images")
        sizes, grey = survey(files)
        side = side or kept_side(sizes)
        channels = channels or (1 if grey else 3)
        done = fitting(sizes, side)
    location.say(
        f"{path}: preparing {len(files):,} images, {side} x {side}, "
        f"{'grey' if channels == 1 else 'RGB'}{done}"
    )

    def fit(image: Image.Image) -> Image.Image:
        return resized(square(flat(upright(image), channels)), side)

    return Content(
        blocks=decoded(files, fit, progress=location.progress),
        shape=(len(files), side, side, channels),
        source=f"{len(files)} image files",
        factors=factors.values if factors else {},
        numbers=factors.numbers if factors else {},
        kinds=factors.kinds if factors else {},
        real=factors.real if factors else (),
        labels=labels,
    )


def is_image(name: str) -> bool:
    """True if a file of this name is an image."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def survey(found: list[Piece]) -> tuple[Counter[tuple[int, int]], bool]:
    """Count the images of each (width, height), and check whether all are grey."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for piece in found:
        image = header(piece)
        sizes[image.size] += 1
        grey = grey and image.mode in ("1", "L", "LA")
    return sizes, grey


def upright(image: Image.Image) -> Image.Image:
    """Rotate or flip an image by its EXIF orientation; ignore invalid values."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def kept_side(sizes: Counter[tuple[int, int]]) -> int:
    """Return the default side for images of these sizes."""
    if len(sizes) == 1:
        ((width, height),) = sizes
        if width == height and width in SIDES:
            return width
    return SIDE


def fitting(sizes: Counter[tuple[int, int]], side: int) -> str:
    """What is done to images of these (width, height), in words; empty if they stay as they are."""
    if set(sizes) == {(side, side)}:
        return ""
    cropped = any(width != height for width, height in sizes)
    ((width, height), _), *others = sizes.most_common()
    which = f"{len(others) + 1:,} sizes, most often " if others else ""
    done = "cropped to the central square and resized" if cropped else "resized"
    return f", {done} (from {which}{width} x {height})"


def from_npz(
    path: Path, side: int | None, channels: int | None, location: Location, folder: Path
) -> Content:
    """Return the content of an npz: `images` [N, H, W(, C)], and perhaps labels.

    The labels are `factors` [N, K], and their `names` and `kinds` [K].

    Args:
        path: the file.
        side: side in pixels; see `open_own`.
        channels: number of channels; see `open_own`.
        location: for progress.
        folder: for a temporary file, if images are reordered.
    """
    with npz.open_npz(path, "images") as arrays:
        if "images" not in arrays.keys:
            names = ", ".join(arrays.keys) or "no array"
            raise ValueError(f"expected an array 'images', got {names}")
        shape, dtype = arrays.header("images")
        check_images(shape, dtype)
        height, width, depth = (*shape[1:], 1)[:3]
        side = side or kept_side(Counter({(width, height): 1}))
        channels = channels or depth
        factors = factors_in(arrays, shape[0])
    labels, place = labels_or_place(factors)
    if remark := factors.remark_with(KIND_OF_IMAGES):
        location.say(f"{path}: {remark}")
    unchanged = (height, width, depth) == (side, side, channels)
    target = (shape[0], side, side, channels)
    if done := fitting(Counter({(width, height): 1}), side):
        location.say(f"{path}: {shape[0]:,} images, {side} x {side}{done}")

    def blocks() -> Iterator[Rows]:
        with npz.open_npz(path, "images") as arrays:
            read = arrays.blocks("images", max(1, BLOCK // (height * width * depth)))
            for block in npz.counted(read, shape[0], location.progress):
                images = block.reshape(len(block), height, width, depth)
                yield images if unchanged else np.stack([fitted(i) for i in images])

    def fitted(image: Rows) -> Rows:
        picture = Image.fromarray(image[:, :, 0] if depth == 1 else image)
        return np.asarray(resized(square(flat(picture, channels)), side)).reshape(target[1:])

    return Content(
        blocks=blocks() if place is None else reordered(blocks(), place, target, folder),
        shape=target,
        source=path.name,
        factors=factors.values,
        numbers=factors.numbers,
        kinds=factors.kinds,
        real=factors.real,
        labels=labels,
    )


def check_images(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    """Raise unless an array's shape and dtype are those of images."""
    if dtype != np.uint8:
        remedy = f", such as {AS_BYTES[dtype.kind]}" if dtype.kind in AS_BYTES else ""
        raise ValueError(f"'images' is {dtype}; store uint8, 0 to 255{remedy}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        remedy = ""
        if len(shape) == 4 and shape[1] in (1, 3):
            remedy = ", such as `images.transpose(0, 2, 3, 1)` of [N, C, H, W]"
        elif len(shape) == 4 and shape[3] == 4:
            remedy = ", such as `images[..., :3]` of RGBA"
        raise ValueError(
            f"'images' has shape {shape}; store [N, H, W], or [N, H, W, C] with 1 or 3 channels"
            + remedy
        )
    if len(shape) == 3 and shape[0] == shape[1] != shape[2]:
        warnings.warn(
            f"'images' has shape {shape}, taken as {shape[0]} images of {shape[1]} x {shape[2]} "
            "pixels; if its order is [H, W, N], store `images.transpose(2, 0, 1)`",
            InputWarning,
            stacklevel=2,
        )
    if min(shape) < 1:
        raise ValueError(f"'images' has shape {shape}, so it holds no images")
    if shape[1] * shape[2] > PIXELS:
        raise ValueError(f"'images' has shape {shape}; store at most {PIXELS:,} pixels per image")


def factors_in(arrays: npz.Npz, count: int) -> FactorValues:
    """Return the factors of an npz with `count` images; there may be none."""
    if "factors" not in arrays.keys:
        return read_factors(np.empty((count, 0)), [])
    factors = arrays.array("factors", npz.LABEL_BYTES)
    factors = factors[:, None] if factors.ndim == 1 else factors
    if factors.ndim != 2 or len(factors) != count or not factors.shape[1]:
        raise ValueError(f"expected 'factors' of shape [{count}, K], got {factors.shape}")
    names = [f"factor{k}" for k in range(factors.shape[1])]
    if "names" in arrays.keys:
        names = [str(name) for name in np.ravel(npz.words(arrays.array("names", NAMES)))]
        if len(names) != factors.shape[1] or len(set(names)) != len(names):
            expected = f"expected {factors.shape[1]} different 'names', one per factor"
            raise ValueError(f"{expected}, got {names}")
        check_names(names)
    try:
        kinds = kinds_in(arrays, names)
        return read_factors(factors, names, kinds=kinds, real=True)
    except ValueError as error:
        raise ValueError(f"'factors': {error}") from None


def kinds_in(arrays: npz.Npz, names: list[str]) -> dict[str, str]:
    """Return the kinds of factors that an npz says, by name."""
    if "kinds" not in arrays.keys:
        return {}
    return kinds_by_name(npz.words(arrays.array("kinds", NAMES)), names)


def labels_or_place(factors: FactorValues) -> tuple[Index | None, Index | None]:
    """Return the labels [N, K], or if the images make a grid each image's place in it.

    In a grid every combination occurs exactly once, so that its row-major order implies the labels.
    The place is None if the images already have this order, or are not a grid. Factors of real
    numbers make no grid.
    """
    if not factors.values:
        return None, None
    if factors.real:
        return factors.labels, None
    order = grid_order(factors.labels, [len(values) for values in factors.values.values()])
    if order is None:
        return factors.labels, None
    return None, None if (order == np.arange(len(order))).all() else np.argsort(order)
