"""Isaac3D and Falcor3D: Nie et al. (2020), https://arxiv.org/abs/2003.03461, CC BY 4.0.

Rendered rooms in colour, every combination of their factors: a robot arm in a kitchen (Isaac3D)
and a living room under moving light (Falcor3D). Read from the authors' version of 128 x 128, and
resized to 64 x 64 by antialiased bicubic resampling, as in the papers that train on them: Hsu et
al. (2023, 2024), Baykal et al. (2024). Shapes and colours are categorical; all other factors are
ordinal, as neither the robot, the camera nor the light goes around a full circle.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    FactorValues,
    Location,
    Piece,
    Preparation,
    Remote,
    about,
    as_dataset,
    decoded,
    flat,
    grid_order,
    pieces,
    read_factors,
    reason,
    uncompressed,
)

DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
SIDE = 128  # pixels, of the published images


@dataclass(frozen=True)
class Scene:
    """A published dataset: an archive with a folder of numbered images, and their labels.

    Attributes:
        name: its name in messages.
        factors: factor -> number of values, in the order of the labels' columns.
        labels: the file of labels, an npy array [N, number of factors].
        drive: the archive's id at Google Drive; neither its size nor a checksum is published.
    """

    name: str
    factors: Mapping[str, int]
    labels: str
    drive: str

    @property
    def folder(self) -> str:
        """The folder in the archive."""
        return f"{self.name}_down{SIDE}"

    @property
    def kinds(self) -> dict[str, str]:
        """What the values of its factors mean."""
        unordered = ("shape", "color")
        return {name: "ordinal" for name in self.factors if not name.endswith(unordered)}

    @property
    def about(self) -> About:
        """The facts about it."""
        return About(
            images=prod(self.factors.values()),
            licence="CC BY 4.0",
            home="https://github.com/NVlabs/High-res-disentanglement-datasets",
            files=(Remote(name=f"{self.folder}.zip", urls=(DRIVE + self.drive,)),),
        )


# The order is that of the authors' `dataset_demo.py` and of the numbers of the images. Their README
# lists the same sizes with the names of Isaac3D's second to fifth factor in another order.
ISAAC = Scene(
    name="Isaac3D",
    factors={
        "object_shape": 3,
        "robot_x": 8,
        "robot_y": 5,
        "camera_height": 4,
        "object_scale": 4,
        "lighting_intensity": 4,
        "lighting_y": 6,
        "object_color": 4,
        "wall_color": 4,
    },
    labels="labels.npy",
    drive="1OmQ1G2wnm6eTsSFGTKFZZAh5D3nQTW1B",
)
FALCOR = Scene(
    name="Falcor3D",
    factors={
        "lighting_intensity": 5,
        "lighting_x": 6,
        "lighting_y": 6,
        "lighting_z": 6,
        "camera_x": 6,
        "camera_y": 6,
        "camera_z": 6,
    },
    labels="train-rec.labels",
    drive="1XAQfFK1x6cpN1eiovbP0hVfLTm5SsSoJ",
)


@about(ISAAC.about, about="A robot arm in a rendered kitchen; nine factors", display="Isaac3D")
def open_isaac(location: Location) -> Dataset:
    """Open Isaac3D at 64 x 64; see `_open`."""
    return _open(location, ISAAC, 64)


@about(ISAAC.about, about="Isaac3D at 128 x 128", display="Isaac3D (128 x 128)")
def open_isaac_128(location: Location) -> Dataset:
    """Open Isaac3D at 128 x 128, as published; see `_open`."""
    return _open(location, ISAAC, SIDE)


@about(FALCOR.about, about="A rendered living room, its light and camera", display="Falcor3D")
def open_falcor(location: Location) -> Dataset:
    """Open Falcor3D at 64 x 64; see `_open`."""
    return _open(location, FALCOR, 64)


@about(FALCOR.about, about="Falcor3D at 128 x 128", display="Falcor3D (128 x 128)")
def open_falcor_128(location: Location) -> Dataset:
    """Open Falcor3D at 128 x 128, as published; see `_open`."""
    return _open(location, FALCOR, SIDE)


def _open(location: Location, scene: Scene, side: int) -> Dataset:
    """Open a scene: a grid in row-major order, or labelled images if combinations are missing.

    Raises:
        DisentangleError: the files are missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location, scene, side, stack)

    return as_dataset(preparation.get(make), kinds=scene.kinds)


def _read(location: Location, scene: Scene, side: int, stack: ExitStack) -> Content:
    source = location.find(scene.about)
    plain = stack.enter_context(uncompressed(source, location.folder))
    table, images = _files(plain, source, scene)
    factors = _factors(table, scene)
    _check_numbers(images, len(factors.labels), table, source)
    order = grid_order(factors.labels, [len(values) for values in factors.values.values()])
    if order is None:
        location.say(
            f"{location.name}: not every combination of factors occurs exactly once, so these are "
            "labelled images instead of a grid"
        )
    else:
        images = [images[i] for i in order]

    def fit(image: Image.Image) -> Image.Image:
        if image.size != (SIDE, SIDE):
            width, height = image.size
            raise DisentangleError(
                f"expected {SIDE} x {SIDE} pixels, got {width} x {height}; get the authors' "
                f"version of this size, {scene.folder}, from {scene.about.files[0].urls[0]}"
            )
        return flat(image, 3).resize((side, side), Image.Resampling.BICUBIC)

    provenance, sums = location.provenance(scene.about, source)
    location.say(f"{location.name}: preparing {len(images):,} images")
    return Content(
        blocks=decoded(images, fit, progress=location.progress),
        shape=(len(images), side, side, 3),
        source=provenance,
        files=sums,
        factors=factors.values,
        numbers=factors.numbers,
        labels=factors.labels if order is None else None,
    )


def _files(plain: Path, source: Path, scene: Scene) -> tuple[Piece, list[Piece]]:
    """Return the file of labels, and the images in the folder `images` beside it, by name."""
    files = pieces(plain, lambda name: name.endswith((".png", scene.labels)), source)
    tables = [piece for piece in files if PurePosixPath(piece.name).name == scene.labels]
    if len(tables) != 1:
        got = ", ".join(piece.name for piece in tables) or "none"
        raise DisentangleError(
            f"{source}: expected one file {scene.folder}/{scene.labels}, got {got}; give the "
            f"folder {scene.folder}, or the archive that holds it"
        )
    folder = PurePosixPath(tables[0].name).parent / "images"
    images = [piece for piece in files if PurePosixPath(piece.name).parent == folder]
    return tables[0], images


def _factors(table: Piece, scene: Scene) -> FactorValues:
    """Read the labels as factors; the values of a factor are sorted."""
    names = list(scene.factors)
    try:
        array = np.load(io.BytesIO(table.read()), allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise ValueError(f"expected an array of numbers, got {getattr(array, 'dtype', 'npz')}")
        if array.ndim != 2 or array.shape[1] != len(names) or not len(array):
            raise ValueError(f"expected shape [N, {len(names)}], got {list(array.shape)}")
        factors = read_factors(array, names, classes=names)
        for name, size in scene.factors.items():
            count = len(factors.values[name])
            if count > size:
                raise ValueError(f"expected at most {size} values of {name}, got {count:,}")
    except DisentangleError:
        raise
    except Exception as error:  # numpy raises many types for a damaged file
        message = f"cannot use {table} as the labels of {scene.name}: {reason(error)}"
        raise DisentangleError(message) from error
    return factors


def _check_numbers(images: Sequence[Piece], count: int, table: Piece, source: Path) -> None:
    """Raise unless there is an image for each row of the labels, numbered from 000000."""
    expected = [f"{i:06}.png" for i in range(count)]
    names = [PurePosixPath(piece.name).name for piece in images]
    if names == expected:
        return
    problems = [
        f"{min(odd)} {problem}" + (f" (and {len(odd) - 1:,} more)" if len(odd) > 1 else "")
        for odd, problem in (
            (set(expected).difference(names), "is missing"),
            (set(names).difference(expected), "has no row"),
        )
        if odd
    ]
    folder = PurePosixPath(table.name).parent / "images"
    raise DisentangleError(
        f"{source}: expected {expected[0]} to {expected[-1]} in {folder}, one image per row of "
        f"{PurePosixPath(table.name).name}, got {len(names):,} images: {'; '.join(problems)}"
    )
