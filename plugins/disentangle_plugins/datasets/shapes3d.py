"""3D Shapes: Burgess & Kim (2018), https://github.com/google-deepmind/3d-shapes, Apache-2.0.

A shape in a room, 64 x 64 in colour: 480,000 images, every combination of six factors. The three
hues are cyclic: ten values evenly spaced around the circle of colours. Scale is ordinal, and so is
orientation, as -30 to 30 degrees is no circle. The shape is categorical.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    Location,
    Preparation,
    Remote,
    Rows,
    about,
    as_dataset,
    counted,
    grid_order,
    reason,
    reordered,
)

ABOUT = About(
    about="A coloured shape in a coloured room; six factors",
    display="3D Shapes",
    images=480_000,
    licence="Apache-2.0",
    home="https://github.com/google-deepmind/3d-shapes",
    files=(
        Remote(
            name="3dshapes.h5",
            urls=("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
            checksum="md5:099a2078d58cec4daad0702c55d06868",
            size=267_573_662,
        ),
    ),
)
FACTORS = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
KINDS = {
    **dict.fromkeys(["floor_hue", "wall_hue", "object_hue"], "cyclic=10"),
    "scale": "ordinal",
    "orientation": "ordinal",
}
LIMIT = 1_000_000  # images
BLOCK = 64 * 2**20  # bytes read at once
CHUNK = 2**28  # maximum bytes of a chunk of the file
SPAN = 2**30  # maximum bytes of the images that share a chunk
RATIO = 1000  # maximum compression ratio


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open 3D Shapes from its HDF5 file: a grid, in row-major order.

    Raises:
        DisentangleError: the file is missing or wrong, or h5py is not installed.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location)

    return as_dataset(preparation.get(make), kinds=KINDS)


def _read(location: Location) -> Content:
    path = location.find(ABOUT)
    with _opened(path, "images") as array:
        shape = array.shape
        if array.dtype != np.uint8 or shape[1:] != (64, 64, 3) or not 0 < shape[0] <= LIMIT:
            raise ValueError(
                f"expected 'images' as uint8 [N, 64, 64, 3] with N up to {LIMIT:,}, "
                f"got {array.dtype} {shape}"
            )
    with _opened(path, "labels") as array:
        if array.dtype.kind not in "fiu" or array.shape != (shape[0], len(FACTORS)):
            raise ValueError(
                f"expected 'labels' as numbers {(shape[0], len(FACTORS))}, "
                f"got {array.dtype} {array.shape}"
            )
        values = array[:]
        if not np.isfinite(values).all():
            raise ValueError("'labels' holds NaN or infinity")

    named, columns = zip(*(np.unique(c, return_inverse=True) for c in values.T), strict=True)
    labels = np.stack(columns, 1)  # [N, 6]
    order = grid_order(labels, [len(names) for names in named])
    in_order = order is not None and bool((order == np.arange(len(labels))).all())
    if order is None:
        location.say(
            f"{location.name}: not every combination of factors occurs exactly once, so these are "
            "labelled images instead of a grid"
        )
    provenance, sums = location.provenance(ABOUT, path)
    location.say(f"{location.name}: reading {shape[0]:,} images")
    blocks: Iterator[Rows] = counted(_blocks(path), shape[0], location.progress)
    if order is not None and not in_order:
        blocks = reordered(blocks, np.argsort(order), shape, location.folder)
    return Content(
        blocks=blocks,
        shape=shape,
        source=provenance,
        files=sums,
        factors={
            name: [f"{v:.4g}" for v in level] for name, level in zip(FACTORS, named, strict=True)
        },
        labels=labels if order is None else None,
    )


def _blocks(path: Path) -> Iterator[Rows]:
    with _opened(path, "images") as array:
        count = array.shape[0]
        step = array.chunks[0] if array.chunks else 1
        # Whole chunks of the file, so that none is decompressed twice.
        step *= max(1, BLOCK // (step * 64 * 64 * 3))
    for start in range(0, count, step):
        with _opened(path, "images") as array:
            block = array[start : start + step]
        yield block


@contextmanager
def _opened(path: Path, key: str) -> Iterator[Any]:
    """Yield an array of an HDF5 file; any error becomes a DisentangleError."""
    try:
        import h5py
    except ImportError as error:
        raise DisentangleError(
            "3D Shapes is an HDF5 file, and h5py is not installed. "
            "Run `pip install 'disentangle-bench[h5]'`."
        ) from error
    try:
        if path.is_dir():
            raise ValueError("it is a folder, not the file")
        with h5py.File(path, "r") as file:
            # A link to another file, or an array stored in one, could read any file here.
            if not isinstance(file.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"it has no array '{key}' stored in the file itself")
            array = file[key]
            if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
                raise ValueError(f"it has no array '{key}' stored in the file itself")
            _check_size(array)
            yield array
    except DisentangleError:
        raise
    except Exception as error:
        raise DisentangleError(f"cannot use {path} as 3D Shapes: {reason(error)}") from error


def _check_size(array: Any) -> None:
    """Raise if an array would fill the memory or the disk, judged by its header."""
    chunk = array.chunks or ()
    name, item = array.name.removeprefix("/"), array.dtype.itemsize
    span = prod(chunk[:1]) * prod(array.shape[1:]) if chunk else 0
    if prod(chunk) * item > CHUNK or span * item > SPAN:
        raise ValueError(f"'{name}' has chunks {chunk}, larger than those of 3D Shapes")
    if prod(array.shape) * item > RATIO * array.id.get_storage_size() + 2**20:
        shape = f"{array.dtype} {array.shape}"
        raise ValueError(f"'{name}' is {shape}, but the file stores only a small part of it")
