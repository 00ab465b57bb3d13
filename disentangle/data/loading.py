"""Open datasets by name or path, and locate their files."""

import hashlib
import os
import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import data_folder
from disentangle.contracts import entry_points, registry
from disentangle.contracts.dataset import Dataset, Grid, Labelled, check_labels
from disentangle.contracts.entry_points import by_reference
from disentangle.contracts.isolation import watched
from disentangle.data.image_checks import check_pixels, read_images
from disentangle.data.location import About, Location, about_of
from disentangle.data.user_images import open_own
from disentangle.errors import DisentangleError, UsageError

SOME = 8
"""Number of images checked when a dataset is opened."""


def load_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    say: Say = silent,
    progress: Progress = silent,
) -> Dataset:
    """Open a dataset by registered name, by `module:attribute`, or by a path to your own images.

    Args:
        name: a name listed by `disentangle list`, a `module:attribute`, or a path, which contains
            a `/` or ends with `.npz`.
        data_dir: folder of prepared datasets; see `data_folder`.
        file: the user's copy of the dataset's published file or folder.
        download: if True, missing files may be downloaded.
        image_size: the side of the images, in pixels; for a path only.
        channels: 1 (grey) or 3 (RGB); for a path only.
        say: called with a line of text before slow operations.
        progress: called with the number of images prepared so far and the total.

    Raises:
        UsageError: no dataset has this name, or it does not support an option.
        DisentangleError: its files are missing, damaged or those of another dataset, or all images
            are the same.
    """
    place = location(name, data_dir, file, download, say, progress)
    try:
        if is_path(name):
            if download:
                raise UsageError(
                    f"'{name}' is a path: --download is only for datasets given by name"
                )
            dataset: Any = open_own(place, image_size, channels)
        else:
            if image_size is not None or channels is not None:
                raise UsageError(
                    f"'{name}' has images of fixed size; use --image-size and --channels only for "
                    "your own images, given as a path"
                )
            opens = opener(name)
            check_takes(name, about_of(opens), place)
            dataset = opens(place)
        if not isinstance(dataset, Dataset):
            raise TypeError(f"expected a Dataset, got {type(dataset).__name__}")
        harm = "an index must always give the same image; draw from a generator of its own"
        with watched(entry_points.who("dataset", name), harm, restore=True):
            check_some(dataset)
            dataset.name = place.name
            check_pixels(dataset)
    except (DisentangleError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DisentangleError(
            f"{entry_points.who('dataset', name)} cannot be opened: {type(error).__name__}: {error}"
        ) from error
    return dataset


def opened(dataset: str | Dataset, say: Say = silent) -> Dataset:
    """Open a dataset by name, or check that the images of an opened one show something."""
    if isinstance(dataset, str):
        return load_dataset(dataset, say=say)
    check_pixels(dataset)
    return dataset


def check_some(dataset: Dataset) -> None:
    """Check a few images and labels of a dataset against its contract.

    Raises:
        TypeError: the images are not uint8.
        ValueError: the dataset is empty, its images have another shape, a label is outside its
            factor's range, or the fingerprint is invalid.
    """
    if not len(dataset):
        raise ValueError("the dataset has no images")
    if not re.fullmatch(r"[0-9a-f]{64}", dataset.fingerprint):
        raise ValueError(f"expected a fingerprint of 64 hex digits, got {dataset.fingerprint!r}")
    if isinstance(dataset, Grid) and len(dataset) != prod(dataset.every_factor.values()):
        raise ValueError(
            f"expected {prod(dataset.every_factor.values())} images, one for each combination of "
            f"factors, got {len(dataset)}"
        )
    index = np.unique(np.linspace(0, len(dataset) - 1, SOME, dtype=np.int64))
    read_images(dataset, index)
    if isinstance(dataset, Labelled):
        check_labels(dataset.every_label(index), dataset.every_factor)


def location(
    name: str,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    say: Say = silent,
    progress: Progress = silent,
) -> Location:
    """The location of a dataset's files; each path to the user's images has its own folder."""
    name = true_name(name)
    root = data_folder(data_dir)
    given = None if file is None else Path(file).expanduser().resolve()
    folder = root / name.replace(":", ".")
    if is_path(name):
        given = given or Path(name).expanduser().resolve()
        digest = hashlib.sha256(os.fsencode(given)).hexdigest()[:10]
        # Names go into figures and folders of results; bytes that are not UTF-8 become escapes.
        name = f"./{os.fsencode(given.name).decode(errors='backslashreplace')}"
        folder = root / "own" / f"{given.name}-{digest}"
    return Location(
        folder=folder,
        name=name,
        downloads=root / "downloads",
        file=given,
        download=download,
        say=say,
        progress=progress,
    )


def true_name(name: str) -> str:
    """The registered name that is this name, up to case; a path or reference is left as it is."""
    return name if is_path(name) or ":" in name else registry.datasets.true_name(name)


def is_path(name: str) -> bool:
    """True if the name is a path to images."""
    return "/" in name or os.sep in name or name.endswith(".npz") or name in (".", "..")


def check_takes(name: str, about: About, place: Location) -> None:
    """Raise a UsageError if a file or download is requested for a dataset that needs no files."""
    if about.files:
        return
    for option, requested in (
        ("file", place.file is not None),
        ("--download", place.download),
    ):
        if requested:
            raise UsageError(f"'{name}' does not accept {option}: it needs no published files")


def opener(name: str) -> Any:
    """The function that opens this dataset."""
    if true_name(name) not in registry.datasets.entries and Path(name).exists():
        raise UsageError(f"no dataset '{name}'; did you mean ./{name}, a path to images?")
    return by_reference(name) if ":" in name else registry.datasets.load(name)


def own_path(dataset: str | Dataset) -> Path | None:
    """The path of a dataset of the user's own images; None for any other dataset."""
    if isinstance(dataset, str) and is_path(dataset):
        return Path(dataset).expanduser().resolve()
    return None
