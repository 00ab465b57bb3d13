"""CausalCircuit: Brehmer et al. (2022), https://arxiv.org/abs/2203.16437.

A robot arm among buttons and lights, published by Qualcomm at
https://www.qualcomm.com/developer/software/causal-circuit-dataset: rendered at 512 x 512, resized
to 64 x 64 or 128 x 128 (LANCZOS). Four continuous factors:

    red, green, blue  intensities of the lights
    arm               position of the arm along an arc, which is not closed

The arm presses buttons in a circuit that connects them to the lights, so the factors are not
independent. The files hold pairs of images, before and after an intervention; those before it are
taken, the observational distribution: 100,000 in `train`, 10,000 in `val` and 10,000 in `test`.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    LabelledPixels,
    Location,
    Preparation,
    Remote,
    Rows,
    about,
    counted,
    flat,
    open_npz,
    read_factors,
    reason,
    resized,
)

HOME = "https://www.qualcomm.com/developer/software/causal-circuit-dataset"
ABOUT = About(
    images=120_000,
    home=HOME,
    files=tuple(Remote(name=f"{part}.npz", urls=()) for part in ("train", "val", "test")),
)
FACTORS = ("red", "green", "blue", "arm")  # in the order of the columns of `original_latents`
SPLITS = ("train", "val", "test")
SIDE = 512  # pixels, of the published images
SHARDS = 10  # files of the training split, if it is divided
BEFORE = 0  # the first of each pair
BLOCK = 64  # images
READ = 2**28  # maximum bytes of a block of the file


class CausalCircuit(LabelledPixels):
    """Observational images of the circuit, with the states of its variables."""

    train_split, test_split = "train", "test"
    dependence = "the arm and the lights are causally connected"


@about(ABOUT, about="A robot arm in a circuit of buttons and lights", display="CausalCircuit")
def open(location: Location) -> Dataset:
    """Open CausalCircuit at 64 x 64; see `_open`."""
    return _open(location, 64)


@about(ABOUT, about="CausalCircuit at 128 x 128", display="CausalCircuit (128 x 128)")
def open_128(location: Location) -> Dataset:
    """Open CausalCircuit at 128 x 128; see `_open`."""
    return _open(location, 128)


def _open(location: Location, side: int) -> Dataset:
    """Open all splits from the folder of the npz files.

    The training split is `train.npz`, or `train-0.npz` to `train-9.npz`.

    Raises:
        DisentangleError: the files are missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location, side)

    return CausalCircuit(preparation.get(make))


def _read(location: Location, side: int) -> Content:
    folder = location.find(ABOUT)
    files = [(split, path) for split in SPLITS for path in _files(folder, split)]
    states = [_states(path) for _, path in files]
    counts = [len(state) for state in states]
    total = sum(counts)
    factors = read_factors(
        np.concatenate(states), list(FACTORS), kinds=dict.fromkeys(FACTORS, "continuous")
    )
    provenance, sums = location.provenance(ABOUT, *(path for _, path in files))
    location.say(f"{location.name}: preparing {total:,} images")
    blocks = (block for _, path in files for block in _images(path, side))
    return Content(
        blocks=counted(blocks, total, location.progress),
        shape=(total, side, side, 3),
        source=provenance,
        files=sums,
        factors=factors.values,
        numbers=factors.numbers,
        kinds=factors.kinds,
        real=factors.real,
        labels=factors.labels,
        splits=SPLITS,
        part=np.repeat([SPLITS.index(split) for split, _ in files], counts),
    )


def _files(folder: Path, split: str) -> list[Path]:
    """Return the file of a split, or the files into which it is divided."""
    whole = folder / f"{split}.npz"
    shards = [folder / f"{split}-{i}.npz" for i in range(SHARDS)]
    if whole.is_file():
        return [whole]
    missing = [path.name for path in shards if not path.is_file()]
    if split == "train" and not missing:
        return shards
    divided = f", or {shards[0].name} to {shards[-1].name}" if split == "train" else ""
    raise DisentangleError(
        f"{folder}: {whole.name}{divided} is missing; CausalCircuit is the npz files train, val "
        f"and test in one folder, from {HOME}"
    )


def _states(path: Path) -> NDArray[np.float64]:
    """Read the states of the variables before the intervention, [N, 4]."""
    with open_npz(path, "CausalCircuit") as arrays:
        for key in ("original_latents", "imgs"):
            if key not in arrays.keys:
                raise ValueError(f"it has no array '{key}'")
        latents = arrays.array("original_latents")
        if latents.dtype.kind != "f" or latents.ndim != 3 or latents.shape[1:] != (2, len(FACTORS)):
            raise ValueError(
                f"expected 'original_latents' as real numbers [N, 2, {len(FACTORS)}], got "
                f"{latents.dtype} {list(latents.shape)}"
            )
        if not len(latents) or not np.isfinite(latents).all():
            raise ValueError("'original_latents' is empty, or holds NaN or infinity")
        shape, dtype = arrays.header("imgs")
        if dtype.kind != "S" or shape != latents.shape[:2]:
            raise ValueError(
                f"expected 'imgs' as JPEG files, bytes {list(latents.shape[:2])}, got {dtype} "
                f"{list(shape)}"
            )
        if BLOCK * 2 * dtype.itemsize > READ:
            raise ValueError(f"'imgs' has files of {dtype.itemsize:,} bytes, too large for JPEGs")
    states: NDArray[np.float64] = latents[:, BEFORE].astype(np.float64)
    return states


def _images(path: Path, side: int) -> Iterator[Rows]:
    """Yield the images before the intervention, resized, [n, side, side, 3]."""
    row = 0
    with open_npz(path, "CausalCircuit") as arrays:
        for block in arrays.blocks("imgs", BLOCK):
            images = []
            for jpeg in block[:, BEFORE]:
                images.append(_image(bytes(jpeg), row, side))
                row += 1
            yield np.stack(images)


def _image(jpeg: bytes, row: int, side: int) -> Rows:
    """Decode an image; its row is for messages."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.size != (SIDE, SIDE):
                width, height = image.size
                raise ValueError(f"expected {SIDE} x {SIDE} pixels, got {width} x {height}")
            return np.asarray(resized(flat(image, 3), side))
    except Exception as error:  # Pillow raises many types for a damaged file
        raise ValueError(
            f"the image before the intervention in row {row}: {reason(error)}"
        ) from None
