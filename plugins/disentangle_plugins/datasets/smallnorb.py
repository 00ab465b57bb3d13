"""smallNORB: LeCun et al. (2004), https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.

Toys of five categories, photographed in grey at 96 x 96, resized to 64 x 64 (LANCZOS). Images of
the first camera from both halves of the set: every combination of five factors once. Azimuth, 18
values in steps of 20 degrees, is cyclic; elevation is ordinal; category, instance and lighting are
categorical.
"""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
    resized,
)

HOME = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
HALVES = {
    "smallnorb-5x46789x9x18x6x2x96x96-training": {
        "dat": "66054832f9accfe74a0f4c36a75bc0a2",
        "cat": "23c8b86101fbf0904a000b43d3ed2fd9",
        "info": "51dee1210a742582ff607dfd94e332e3",
    },
    "smallnorb-5x01235x9x18x6x2x96x96-testing": {
        "dat": "e4ad715691ed5a3a5f138751a4ceb071",
        "cat": "5aa791cd7e6016cf957ce9bdb93b8603",
        "info": "a9454f3864d7fd4bb3ea7fc3eb84924e",
    },
}
ABOUT = About(
    about="Toys photographed in grey, by category, view and light",
    display="smallNORB",
    images=48_600,
    licence="for research",
    home=HOME,
    files=tuple(
        Remote(
            name=f"{half}-{part}.mat.gz",
            urls=(f"{HOME}{half}-{part}.mat.gz",),
            checksum=f"md5:{md5}",
        )
        for half, parts in HALVES.items()
        for part, md5 in parts.items()
    ),
)
BYTES, INTEGERS = 0x1E3D4C55, 0x1E3D4C54  # magic numbers
PAIR = (2, 96, 96)  # cameras, pixels
LIMIT = 10_000_000  # labels
BLOCK = 256  # images
FACTORS = ("category", "instance", "elevation", "azimuth", "lighting")
CATEGORIES = ("animal", "human", "airplane", "truck", "car")
SIDE = 64  # pixels
KINDS = {"elevation": "ordinal", "azimuth": "cyclic=18"}


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open both halves as one grid. The instance within a category is a nuisance factor.

    Raises:
        DisentangleError: the files are missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location)

    return as_dataset(preparation.get(make), nuisance=["instance"], kinds=KINDS)


def _read(location: Location) -> Content:
    folder = location.find(ABOUT)
    files = {remote.name: _file(folder, remote.name) for remote in ABOUT.files}
    halves = [_labels(files[f"{half}-cat.mat.gz"], files[f"{half}-info.mat.gz"]) for half in HALVES]
    values = np.concatenate(halves)  # [N, 5]
    if not np.isin(values[:, 0], np.arange(len(CATEGORIES))).all():
        expected = f"0 to {len(CATEGORIES) - 1}"
        raise DisentangleError(f"{folder}: expected the categories {expected}, got different ones")

    provenance, sums = location.provenance(ABOUT, *files.values())
    location.say(f"{location.name}: reading {len(values):,} images")
    dats = [files[f"{half}-dat.mat.gz"] for half in HALVES]
    read = (b for dat, half in zip(dats, halves, strict=True) for b in _images(dat, len(half)))
    images = np.concatenate(list(counted(read, len(values), location.progress)))

    named, columns = zip(*(np.unique(c, return_inverse=True) for c in values.T), strict=True)
    labels = np.stack(columns, 1)
    order = grid_order(labels, [len(names) for names in named])
    if order is None:
        location.say(
            f"{location.name}: labelled images, not a grid: not every combination of factors "
            "occurs once"
        )
    factors = dict(zip(FACTORS, (names.tolist() for names in named), strict=True))
    return Content(
        blocks=[images if order is None else images[order]],
        shape=images.shape,
        source=provenance,
        files=sums,
        factors={**factors, "category": [CATEGORIES[i] for i in factors["category"]]},
        labels=labels if order is None else None,
    )


def _file(folder: Path, name: str) -> Path:
    """Return the file of this name in the folder, or its unpacked version."""
    for candidate in (folder / name, folder / name.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    raise DisentangleError(f"{folder}: {name} is missing; smallNORB is six files in one folder")


def _labels(cat: Path, info: Path) -> NDArray[np.int32]:
    """Read category, instance, elevation, azimuth and lighting of a half, [N, 5]."""
    categories, others = _integers(cat, ()), _integers(info, (4,))
    if len(categories) != len(others):
        raise DisentangleError(
            f"{cat} has {len(categories):,} labels, but {info} has {len(others):,}"
        )
    return np.column_stack([categories, others])


def _integers(path: Path, row: tuple[int, ...]) -> NDArray[np.int32]:
    """Read a matrix of integers, [N, *row]."""
    with _opened(path, INTEGERS) as (file, shape):
        if shape[1:] != row or not 0 < shape[0] <= LIMIT:
            expected = ", ".join(["N", *map(str, row)])
            raise ValueError(f"expected shape [{expected}], got {shape}")
        return np.frombuffer(_exactly(file, 4 * prod(shape)), "<i4").reshape(shape)


def _images(dat: Path, count: int) -> Iterator[Rows]:
    """Yield the first camera's images of a half, resized, [n, 64, 64, 1]."""
    with _opened(dat, BYTES) as (file, shape):
        if shape != (count, *PAIR):
            raise ValueError(f"expected shape {(count, *PAIR)}, got {shape}")
        for start in range(0, count, BLOCK):
            n = min(BLOCK, count - start)
            block = np.frombuffer(_exactly(file, n * prod(PAIR)), np.uint8).reshape(n, *PAIR)
            images = (resized(Image.fromarray(image), SIDE) for image in block[:, 0])
            yield np.stack([np.asarray(image)[:, :, None] for image in images])


@contextmanager
def _opened(path: Path, magic: int) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Open a matrix file, compressed or not; yield it after its header, and the header's shape."""
    try:
        packed = path.suffix == ".gz"
        with cast(IO[bytes], gzip.open(path) if packed else path.open("rb")) as file:
            magic_number, dimensions = np.frombuffer(_exactly(file, 8), "<u4").tolist()
            if magic_number != magic or not 1 <= dimensions <= 4:
                element = "bytes" if magic == BYTES else "integers"
                raise ValueError(f"it is not a matrix of {element}")
            # The header has at least three sizes, even with fewer dimensions.
            sizes = np.frombuffer(_exactly(file, 4 * max(3, dimensions)), "<i4").tolist()
            yield file, tuple(sizes[:dimensions])
            # Reading to the end also makes gzip check the checksum.
            if file.read(1):
                raise ValueError("it is longer than its header says")
    except DisentangleError:
        raise
    except Exception as error:  # gzip and zlib raise many types for a wrong file
        raise DisentangleError(f"cannot use {path} as smallNORB: {reason(error)}") from error


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise ValueError("it ends too early")
    return content
