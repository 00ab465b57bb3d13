"""MPI3D: Gondal et al. (2019), https://github.com/rr-learning/disentanglement_dataset, CC BY 4.0.

A robot arm holds an object: images of 64 x 64 in colour, every combination of seven factors. Three
versions show the same 1,036,800 combinations: a simple rendering (toy), a realistic one, and
photographs (real). The fourth (complex) are 460,800 photographs of everyday objects. Colours and
shapes are categorical; size, height of the camera and both axes of the arm are ordinal, as neither
axis turns full circle.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod

import numpy as np

from disentangle import Dataset
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
    open_npz,
)

DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
HOME = "https://github.com/rr-learning/disentanglement_dataset"
FACTORS = {
    "object_color": 6,
    "object_shape": 6,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 3,
    "horizontal_axis": 40,
    "vertical_axis": 40,
}
KINDS = dict.fromkeys(
    ["object_size", "camera_height", "horizontal_axis", "vertical_axis"], "ordinal"
)
Values = Mapping[str, Sequence[str | int]]
"""Factor -> its values, in order."""
COMPLEX: Values = {
    "object_color": ("yellow", "green", "olive", "red"),
    "object_shape": ("coffee-cup", "tennis-ball", "croissant", "beer-cup"),
    "object_size": ("small", "large"),
    "camera_height": ("top", "center", "bottom"),
    "background_color": ("purple", "sea-green", "salmon"),
    "horizontal_axis": range(40),
    "vertical_axis": range(40),
}
"""The values of the fourth version, in the order of the authors' page."""
COMPLEX_ABOUT = About(
    images=prod(map(len, COMPLEX.values())),
    licence="CC BY 4.0",
    home=HOME,
    files=(
        Remote(  # neither its size nor a checksum is published
            name="real3d_complicated_shapes_ordered.npz",
            urls=(DRIVE + "1Tp8eTdHxgUMtsZv5uAoYAbJR1BOa_OQm",),
        ),
    ),
)
IMAGE = (64, 64, 3)
BLOCK = 4096  # images
MD5 = {
    "toy": "55889cb7c7dfc655d6e0277beee88868",
    "realistic": "59a6225b88b635365f70c91b3e52f70f",
    "real": "0f33f609918fb5c97996692f91129802",
}


def _about(version: str) -> About:
    name = f"mpi3d_{version}.npz"
    return About(
        images=prod(FACTORS.values()),
        licence="CC BY 4.0",
        home=HOME,
        files=(
            Remote(
                name=name,
                urls=(
                    f"https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/{name}",
                    f"https://storage.googleapis.com/disentanglement_dataset/Final_Dataset/{name}",
                ),
                checksum=f"md5:{MD5[version]}",
            ),
        ),
    )


@about(_about("toy"), about="A robot arm holds an object; simple rendering", display="MPI3D-toy")
def open_toy(location: Location) -> Dataset:
    """Open the simple rendering; see `_open`."""
    return _open(location, _about("toy"))


@about(
    _about("realistic"),
    about="A robot arm holds an object; realistic rendering",
    display="MPI3D-realistic",
)
def open_realistic(location: Location) -> Dataset:
    """Open the realistic rendering; see `_open`."""
    return _open(location, _about("realistic"))


@about(_about("real"), about="A robot arm holds an object; photographs", display="MPI3D-real")
def open_real(location: Location) -> Dataset:
    """Open the photographs; see `_open`."""
    return _open(location, _about("real"))


@about(
    COMPLEX_ABOUT,
    about="A robot arm holds a cup, a ball or a croissant; photographs",
    display="MPI3D-complex",
)
def open_complex(location: Location) -> Dataset:
    """Open the photographs of everyday objects; see `_open`."""
    return _open(location, COMPLEX_ABOUT, COMPLEX)


def _open(location: Location, details: About, values: Values | None = None) -> Dataset:
    """Open a version of MPI3D: a grid, in the order of the file.

    The images are [N, 64, 64, 3] with all N combinations of the published values, or [6, 6, 2, 3,
    3, 40, 40, 64, 64, 3]; in the second form the factors have the sizes of the array's axes.

    Raises:
        DisentangleError: the file is missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )
    published = values or {name: range(size) for name, size in FACTORS.items()}

    def make(stack: ExitStack) -> Content:
        return _read(location, details, published)

    return as_dataset(preparation.get(make), kinds=KINDS)


def _read(location: Location, details: About, published: Values) -> Content:
    path = location.find(details)
    expected = (prod(map(len, published.values())), *IMAGE)
    with open_npz(path, "MPI3D") as arrays:
        if "images" not in arrays.keys:
            names = ", ".join(arrays.keys) or "no array"
            raise ValueError(f"expected an array 'images', got {names}")
        shape, dtype = arrays.header("images")
        flat = shape == expected
        if dtype != np.uint8 or not (flat or (len(shape) == 10 and shape[7:] == IMAGE)):
            raise ValueError(
                f"expected 'images' as uint8 {expected}, got {dtype} {shape}; to "
                "leave out values of a factor, store an array with one axis per factor, because "
                "the images are labelled only by their order"
            )
        if 0 in shape:
            raise ValueError(f"'images' has shape {shape}, so it has no image")
    factors = dict(published)
    if not flat:
        for (name, values), size in zip(published.items(), shape[:7], strict=True):
            # Which values a shorter or longer axis holds is unknown.
            factors[name] = values if len(values) == size else range(size)
    count = prod(map(len, factors.values()))
    provenance, sums = location.provenance(details, path)
    location.say(f"{location.name}: reading {count:,} images")

    def blocks() -> Iterator[Rows]:
        with open_npz(path, "MPI3D") as arrays:
            rows = BLOCK if flat else 1
            read = (b.reshape(-1, *IMAGE) for b in arrays.blocks("images", rows))
            yield from counted(read, count, location.progress)

    return Content(
        blocks=blocks(),
        shape=(count, *IMAGE),
        source=provenance,
        files=sums,
        factors=factors,
    )
