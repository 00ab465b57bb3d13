"""Opening datasets by name, and the folders where prepared data and codes are kept."""

import hashlib
import os
import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from disentangle._utils.callbacks import Progress, Say
from disentangle._utils.files import data_folder
from disentangle.contracts import entry_points, registry
from disentangle.contracts.dataset import Dataset, Grid, Labelled, check_labels
from disentangle.contracts.entry_points import by_reference
from disentangle.contracts.isolation import watched
from disentangle.data.location import About, Location, about_of
from disentangle.data.user_images import open_own
from disentangle.errors import DisentangleError, UsageError

SOME = 8
"""Images of a dataset that are looked at when it is opened."""


def load_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    say: Say = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Dataset:
    """Open a dataset by its registered name, by `module:attribute`, or a path to your own images.

    Args:
        name: as `disentangle list` shows it; or a path, which holds a `/` or ends with `.npz`.
        data_dir: where prepared files are kept; see `data_folder`.
        file: the dataset's own file or folder, where the user has it.
        download: whether the network may be used.
        image_size: the side of the images, in pixels; for a path only.
        channels: 1 (grey) or 3 (RGB); for a path only.
        say: called with a line of text before what takes long.
        progress: called with the number of images done, and of all, while they are prepared.

    Raises:
        UsageError: no dataset has this name, or it takes no such option.
        DisentangleError: its files are missing, broken or not its own.
    """
    place = location(name, data_dir, file, download, say, progress)
    try:
        if is_path(name):
            if download:
                raise UsageError(f"'{name}' is a path: nothing can be downloaded for it")
            dataset: Any = open_own(place, image_size, channels)
        else:
            if image_size is not None or channels is not None:
                raise UsageError(
                    f"'{name}' has images of one size; --image-size and --channels are for images "
                    "of your own, given as a path"
                )
            opens = opener(name)
            check_takes(name, about_of(opens), place)
            dataset = opens(place)
        if not isinstance(dataset, Dataset):
            raise TypeError(f"it opened as {type(dataset).__name__}, no Dataset")
        harm = "an index must give the same image each time; draw from a generator of its own"
        with watched(entry_points.who("dataset", name), harm, restore=True):
            check_some(dataset)
    except (DisentangleError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DisentangleError(
            f"{entry_points.who('dataset', name)} cannot be opened: {type(error).__name__}: {error}"
        ) from error
    dataset.name = place.name
    return dataset


def check_some(dataset: Dataset) -> None:
    """Refuse a dataset of which a few images, or their labels, are not what its contract says.

    Raises:
        TypeError: the images are none of bytes.
        ValueError: there is none, they have another shape, a label is outside its factor, or the
            fingerprint is none.
    """
    if not len(dataset):
        raise ValueError("it has no image")
    if not re.fullmatch(r"[0-9a-f]{64}", dataset.fingerprint):
        raise ValueError(f"its fingerprint is {dataset.fingerprint!r}, and not 64 hex digits")
    if isinstance(dataset, Grid) and len(dataset) != prod(dataset.every_factor.values()):
        raise ValueError(f"it has {len(dataset)} images, and its factors have other combinations")
    index = np.unique(np.linspace(0, len(dataset) - 1, SOME, dtype=np.int64))
    images = dataset.images(index)
    if images.dtype.itemsize != 1 or images.is_floating_point() or images.dtype.is_signed:
        raise TypeError(f"its images are {images.dtype}; they are to be uint8, 0 to 255")
    if tuple(images.shape) != (len(index), *dataset.image_shape):
        raise ValueError(
            f"{len(index)} images are {list(images.shape)}, and not "
            f"{[len(index), *dataset.image_shape]}"
        )
    if isinstance(dataset, Labelled):
        check_labels(dataset.every_label(index), dataset.every_factor)


def location(
    name: str,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    say: Say = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Location:
    """Return where a dataset's files may lie: for a path, in a folder that no other path has."""
    root = data_folder(data_dir)
    given = None if file is None else Path(file).expanduser().resolve()
    folder = root / name.replace(":", ".")
    if is_path(name):
        given = given or Path(name).expanduser().resolve()
        mark = hashlib.sha256(os.fsencode(given)).hexdigest()[:10]
        name = f"./{given.name}"
        folder = root / "own" / f"{given.name}-{mark}"
    return Location(
        folder=folder,
        name=name,
        downloads=root / "downloads",
        file=given,
        download=download,
        say=say,
        progress=progress,
    )


def is_path(name: str) -> bool:
    """Say whether a dataset is named by the path of its images."""
    return "/" in name or os.sep in name or name.endswith(".npz") or name in (".", "..")


def check_takes(name: str, about: About, place: Location) -> None:
    """Refuse a file or a download for a dataset that takes none."""
    if about.files:
        return
    for option, wanted in (
        ("file of yours", place.file is not None),
        ("--download", place.download),
    ):
        if wanted:
            raise UsageError(f"'{name}' takes no {option}: it needs no published file")


def opener(name: str) -> Any:
    """Return the function that opens this dataset."""
    if name not in registry.datasets.entries and Path(name).exists():
        raise UsageError(f"no dataset '{name}'; did you mean ./{name}, the images there?")
    return by_reference(name) if ":" in name else registry.datasets.load(name)


def own_path(dataset: str | Dataset) -> Path | None:
    """Return the path that names a dataset of the user's own."""
    if isinstance(dataset, str) and is_path(dataset):
        return Path(dataset).expanduser().resolve()
    return None
