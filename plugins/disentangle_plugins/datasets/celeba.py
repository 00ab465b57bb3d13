"""CelebA: Liu et al. (2015), https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.

Aligned faces, 178 x 218, cropped to the central 148 x 148 and resized to 64 x 64 (LANCZOS), with 40
binary attributes and the official split: train on `train`, score on `test`. All attributes are
categorical.
"""

import re
from contextlib import ExitStack
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    About,
    Content,
    Crop,
    LabelledPixels,
    Location,
    Preparation,
    Remote,
    about,
    centre_crop,
    decoded,
    flat,
    pieces,
    resized,
)

DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
ARCHIVE, ATTRIBUTES, PARTITION = (
    Remote(
        name="img_align_celeba.zip",
        urls=(DRIVE + "0B7EVK8r0v71pZjFTYXZWM3FlRnM",),
        checksum="md5:00d2c5bc6d35e252742224ab0c1e8fcb",
        size=1_443_490_838,
    ),
    Remote(
        name="list_attr_celeba.txt",
        urls=(DRIVE + "0B7EVK8r0v71pblRyaVFSWGxPY0U",),
        checksum="md5:75e246fa4810816ffd6ee81facbd244c",
        size=26_721_026,
    ),
    Remote(
        name="list_eval_partition.txt",
        urls=(DRIVE + "0B7EVK8r0v71pY0NSMzRuSXJEVkk",),
        checksum="md5:d32c9cbf5e040fd4025c592c306e6668",
        size=2_836_386,
    ),
)
CROP = Crop(side=148, width=178, height=218)
ABOUT = About(
    about="Photographs of faces, with 40 binary attributes",
    display="CelebA",
    images=202_599,
    licence="for non-commercial research",
    home="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    files=(ARCHIVE, ATTRIBUTES, PARTITION),
    crop=CROP,
)
SIDE = 64  # pixels
SPLITS = ("train", "valid", "test")  # 0, 1 and 2 in the published list

Table = dict[str, list[int]]
"""File name -> the values in its row of a text file."""


class CelebA(LabelledPixels):
    """Faces with binary attributes labelled by people."""

    likelihood = "gaussian"  # as in Higgins et al. (2017)
    train_split, test_split = "train", "test"
    dependence = "the attributes of faces are correlated, imbalanced and noisy"


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open CelebA from its zip or folder of images, with both text files beside it.

    Raises:
        DisentangleError: a file is missing or is not a file of CelebA.
    """
    given = None if location.file is None else _files(location.find(ABOUT))
    preparation = Preparation(folder=location.folder, version=1, given=given, say=location.say)

    def make(stack: ExitStack) -> Content:
        return _read(location)

    return CelebA(preparation.get(make))


def _read(location: Location) -> Content:
    images, *texts = _files(location.find(ABOUT))
    header, attributes = _table(texts[0], 2, ("-1", "1"))
    _, partition = _table(texts[1], 0, ("0", "1", "2"))

    images_found = pieces(images, lambda name: name.endswith(".jpg"))
    names = [PurePosixPath(piece.name).name for piece in images_found]
    for text, table in zip(texts, (attributes, partition), strict=True):
        if set(names) != set(table) or len(names) != len(table):
            raise DisentangleError(
                f"{images} has {len(names):,} images, but {text} lists {len(table):,}: "
                f"{len(set(table) - set(names)):,} listed images are missing, "
                f"{len(set(names) - set(table)):,} images are not listed, "
                f"{len(names) - len(set(names)):,} occur twice"
            )

    def fit(image: Image.Image) -> Image.Image:
        return resized(centre_crop(flat(image, 3), CROP.side), SIDE)

    provenance, sums = location.provenance(ABOUT, images, *texts)
    location.say(f"{location.name}: preparing {len(images_found):,} images")
    return Content(
        blocks=decoded(
            images_found, fit, size=(CROP.width, CROP.height), progress=location.progress
        ),
        shape=(len(images_found), SIDE, SIDE, 3),
        source=provenance,
        files=sums,
        factors={name: ("no", "yes") for name in header},
        labels=(np.array([attributes[name] for name in names]) + 1) // 2,
        splits=SPLITS,
        part=np.array([partition[name][0] for name in names]),
    )


def _files(given: Path) -> tuple[Path, Path, Path]:
    """Return the zip or folder of images and both text files, from the path that the user gave."""
    images = given / ARCHIVE.name if (given / ARCHIVE.name).is_file() else given
    return images, _beside(given, ATTRIBUTES.name), _beside(given, PARTITION.name)


def _beside(given: Path, name: str) -> Path:
    """Return a text file: in the given folder, beside the given path, or one folder above."""
    folders = [given, given.parent, given.parent.parent]
    names = [name, name.replace(".txt", ".csv")]
    for folder in folders:
        for candidate in names:
            if (folder / candidate).is_file():
                return folder / candidate
    raise DisentangleError(
        f"{given}: {name}, which holds the labels or the split, is neither in it nor beside it. "
        f"Add this file. To train without labels, run `disentangle train MODEL {given}`."
    )


def _table(path: Path, skip: int, allowed: tuple[str, ...]) -> tuple[list[str], Table]:
    """Return the column names and the rows of a published text file, or of its CSV version.

    Args:
        path: the file.
        skip: header lines of the published file: the number of rows and the column names.
        allowed: the allowed values.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DisentangleError(f"{path}: cannot read it as text: {error}") from error
    cells = (re.split(r"[,\s]+", line.strip()) for line in lines if line.strip())
    csv = path.suffix == ".csv"  # its header is one line and names the first column too
    top = list(islice(cells, 1 if csv else skip))
    header = top[-1][csv:] if top else []
    width = len(header) or 1
    rows: Table = {}
    for name, *values in cells:
        if name in rows or len(values) != width or not set(values).issubset(allowed):
            raise DisentangleError(
                f"{path}: expected exactly one row for {name!r}, with {width} values, each one of "
                f"{', '.join(allowed)}"
            )
        rows[name] = [int(value) for value in values]
    if not rows or len(set(header)) < len(header):
        raise DisentangleError(f"{path}: it lists no images, or two columns have the same name")
    if len(top) == 2 and top[0] != [str(len(rows))]:
        count = " ".join(top[0])
        raise DisentangleError(f"{path}: its first line announces {count} rows, got {len(rows)}")
    return header, rows
