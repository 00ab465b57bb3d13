"""3DIdent: Zimmermann et al. (2021), https://arxiv.org/abs/2102.08850, https://zenodo.org/record/4502485.

A teapot under a spotlight, rendered at 224 x 224, resized to 64 x 64 or 128 x 128 (LANCZOS). Its
ten factors are drawn independently and uniformly, real numbers of which each image has its own:

    x, y, z             position of the object, -3 to 3
    alpha, beta, gamma  rotation of the object, -90 to 90 degrees
    spotlight           position of the light, -90 to 90 degrees
    hue_object, hue_spotlight, hue_background
                        -90 to 90 degrees on the circle of colours

The file stores all ten between -1 and 1. No angle covers a full circle, so all are continuous
factors, and none is cyclic. Train on `train`, 250,000 images, and score on `test`, 25,000.
"""

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    Location,
    Piece,
    Preparation,
    Remote,
    about,
    as_dataset,
    decoded,
    flat,
    pieces,
    read_factors,
    reason,
    resized,
    uncompressed,
)

ABOUT = About(
    images=275_000,
    home="https://zenodo.org/record/4502485",
    files=(Remote(name="3dident", urls=()),),
)
SCALES = {
    **dict.fromkeys(["x", "y", "z"], 3),
    **dict.fromkeys(["alpha", "beta", "gamma", "spotlight"], 90),
    **dict.fromkeys(["hue_object", "hue_spotlight", "hue_background"], 90),
}
"""Factor -> its largest value, in the order of the columns of the file."""
TABLE = "raw_latents.npy"
SIDE = 224  # pixels, of the published images
PARTS = ("train", "test")


@dataclass(frozen=True)
class Part:
    """A split: its name, the numbers of its factors [N, 10] and its images."""

    name: str
    values: NDArray[np.float64]
    images: Sequence[Piece]


@about(ABOUT, about="A teapot under a spotlight, ten continuous factors", display="3DIdent")
def open(location: Location) -> Dataset:
    """Open 3DIdent at 64 x 64; see `_open`."""
    return _open(location, 64)


@about(ABOUT, about="3DIdent at 128 x 128", display="3DIdent (128 x 128)")
def open_128(location: Location) -> Dataset:
    """Open 3DIdent at 128 x 128; see `_open`."""
    return _open(location, 128)


def _open(location: Location, side: int) -> Dataset:
    """Open both splits from a folder or archive that has a folder for each.

    Raises:
        DisentangleError: the files are missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location, side, stack)

    dataset = as_dataset(preparation.get(make))
    dataset.train_split, dataset.test_split = PARTS
    return dataset


def _read(location: Location, side: int, stack: ExitStack) -> Content:
    source = location.find(ABOUT)
    plain = stack.enter_context(uncompressed(source, location.folder))
    parts = _parts(plain, source)
    images = [image for part in parts for image in part.images]
    factors = read_factors(
        np.concatenate([part.values for part in parts]),
        list(SCALES),
        kinds=dict.fromkeys(SCALES, "continuous"),
    )
    provenance, sums = location.provenance(ABOUT, source)
    location.say(f"{location.name}: preparing {len(images):,} images")
    return Content(
        blocks=decoded(images, _fit(side), size=(SIDE, SIDE), progress=location.progress),
        shape=(len(images), side, side, 3),
        source=provenance,
        files=sums,
        factors=factors.values,
        numbers=factors.numbers,
        kinds=factors.kinds,
        real=factors.real,
        labels=factors.labels,
        splits=PARTS,
        part=np.repeat(np.arange(len(parts)), [len(part.images) for part in parts]),
    )


def _fit(side: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: resized(flat(image, 3), side)


def _parts(plain: Path, source: Path) -> list[Part]:
    """Find the splits: the folders with a table, of which one is named after each split."""
    files = pieces(plain, lambda name: name.endswith((".png", f"/{TABLE}")), source)
    tables = [piece for piece in files if PurePosixPath(piece.name).name == TABLE]
    parts = []
    for name in PARTS:
        own = [table for table in tables if name in PurePosixPath(table.name).parent.name.lower()]
        if len(own) != 1:
            got = ", ".join(piece.name for piece in tables) or "none"
            raise DisentangleError(
                f"{source}: expected a folder {name} with {TABLE} and the folder images, got the "
                f"tables: {got}. Unpack both published archives into one folder, and give it"
            )
        folder = PurePosixPath(own[0].name).parent / "images"
        images = [piece for piece in files if PurePosixPath(piece.name).parent == folder]
        values = _values(own[0])
        _check_numbers(images, len(values), own[0], source)
        parts.append(Part(name, values, images))
    return parts


def _values(table: Piece) -> NDArray[np.float64]:
    """Read the factors of a split, in their units, [N, 10]."""
    try:
        array = np.load(io.BytesIO(table.read()), allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise ValueError(f"expected real numbers, got {getattr(array, 'dtype', 'npz')}")
        if array.ndim != 2 or array.shape[1] != len(SCALES) or not len(array):
            raise ValueError(f"expected shape [N, {len(SCALES)}], got {list(array.shape)}")
        if not (np.abs(array) <= 1).all():
            raise ValueError("expected numbers from -1 to 1, got others, or NaN")
    except DisentangleError:
        raise
    except Exception as error:  # numpy raises many types for a damaged file
        raise DisentangleError(
            f"cannot use {table} as the factors of 3DIdent: {reason(error)}"
        ) from error
    return array.astype(np.float64) * list(SCALES.values())


def _check_numbers(images: Sequence[Piece], count: int, table: Piece, source: Path) -> None:
    """Raise unless there is an image for each row of the table, numbered from 0."""
    digits = int(np.ceil(np.log10(count)))
    expected = [f"{str(i).zfill(digits)}.png" for i in range(count)]
    names = [PurePosixPath(piece.name).name for piece in images]
    if names == expected:
        return
    odd = sorted(set(expected) ^ set(names))
    what = "is missing" if odd[0] in expected else "has no row"
    raise DisentangleError(
        f"{source}: expected images/{expected[0]} to images/{expected[-1]} beside {table.name}, "
        f"one image per row, got {len(names):,} images: {odd[0]} {what}"
    )
