"""Open datasets by name, path or reference, and locate their files."""

import hashlib
import os
import re
from math import prod
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import data_folder
from disentangle.contracts import entry_points, registry
from disentangle.contracts.dataset import Dataset, Grid, Labelled, check_labels
from disentangle.contracts.entry_points import by_reference
from disentangle.contracts.isolation import watched
from disentangle.contracts.vectors import Vectors, check_vectors
from disentangle.data.image_checks import check_pixels, read_images
from disentangle.data.location import About, Location, about_of
from disentangle.data.names import is_path, path_of, reference_of, shown_name, true_name
from disentangle.data.user_images import check_shape, open_own
from disentangle.errors import DisentangleError, UsageError, suggestion

ELSEWHERE = (
    ". For those of other libraries write PREFIX:NAME, such as `torchvision:MNIST`, with a prefix "
    "of `disentangle list collections`"
)
"""What is said of a name that is not nearly a registered one."""
SOME = 8
"""Number of images checked when a dataset is opened."""
LONGEST = 150
"""Maximum characters of a reference in the name of a folder."""


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
    """Open a dataset by registered name, reference, `module:attribute`, or path to your own images.

    Args:
        name: a name listed by `disentangle list`; a reference to a dataset of another library, such
            as `torchvision:MNIST`; a `module:attribute`; or a path, which contains a `/` or ends
            with `.npz`.
        data_dir: folder of prepared datasets; see `data_folder`.
        file: the user's copy of the dataset's published file or folder.
        download: if True, missing files may be downloaded.
        image_size: the side of the images, in pixels; for a path or reference only.
        channels: 1 (grey) or 3 (RGB); for a path or reference only.
        say: called with a line of text before slow operations.
        progress: called with the number of images prepared so far and the total.

    Raises:
        UsageError: no dataset has this name, or it does not support an option.
        DisentangleError: its files are missing, damaged or those of another dataset, or all images
            are the same.
    """
    place = location(name, data_dir, file, download, image_size, channels, say, progress)
    try:
        if is_path(name) and download:
            raise UsageError(f"'{name}' is a path: --download is only for datasets given by name")
        if reference_of(name) is not None:
            check_shape(image_size, channels)
            dataset: Any = opener(name)(place)
        elif is_path(name):
            dataset = open_own(place)
        else:
            if image_size is not None or channels is not None:
                raise UsageError(
                    f"'{name}' has images of fixed size; use --image-size and --channels only for "
                    "a path or reference"
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
        check_obeys(dataset, image_size, channels)
    except (DisentangleError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DisentangleError(
            f"{entry_points.who('dataset', name)} cannot be opened: {type(error).__name__}: {error}"
        ) from error
    return dataset


def opened(dataset: str | Dataset, say: Say = silent, progress: Progress = silent) -> Dataset:
    """Open a dataset by name, or check that the images of an opened one show something."""
    if isinstance(dataset, str):
        return load_dataset(dataset, say=say, progress=progress)
    check_pixels(dataset)
    return dataset


def check_some(dataset: Dataset) -> None:
    """Check a few images, or vectors, and labels of a dataset against its contract.

    Raises:
        TypeError: the images are not uint8, or the vectors not float32.
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
    if isinstance(dataset, Vectors):
        check_vectors(dataset, index)
    else:
        read_images(dataset, index)
    if isinstance(dataset, Labelled):
        check_labels(dataset.every_label(index), dataset.every_factor)


def check_obeys(dataset: Dataset, image_size: int | None, channels: int | None) -> None:
    """Raise a UsageError if the images do not have the size that the user asked for."""
    if isinstance(dataset, Vectors) and (image_size is not None or channels is not None):
        raise UsageError(
            f"'{dataset.name}' has vectors, not images: runs encode images alone, and --image-size "
            "and --channels are for images too"
        )
    depth, height, width = dataset.image_shape
    for option, asked, sizes in (
        ("--image-size", image_size, {height, width}),
        ("--channels", channels, {depth}),
    ):
        if asked is not None and sizes != {asked}:
            raise UsageError(
                f"'{dataset.name}' has images of fixed size, {depth} x {height} x {width}; omit "
                f"{option}"
            )


def location(
    name: str,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
    say: Say = silent,
    progress: Progress = silent,
) -> Location:
    """The location of a dataset's files; each path and each reference has its own folder."""
    root = data_folder(data_dir)
    given = path_of(name) if file is None else Path(file).expanduser().resolve()
    shown = shown_name(name, given)
    options = f"{image_size or 'auto'}x{channels or 'auto'}"
    if reference_of(name) is not None:
        # Only a path is a part of the identity: a file given beside a name stands for the published
        # one, as for registered datasets.
        identity = f"{shown} {given}" if is_path(name) else shown
        readable = quote(shown, safe="")[:LONGEST]
        folder = root / "references" / f"{readable}-{_digest(identity)}" / options
    elif is_path(name) and given is not None:
        folder = root / "own" / f"{given.name}-{_digest(given)}" / options
    else:
        folder = root / shown.replace(":", ".")
    return Location(
        folder=folder,
        name=shown,
        downloads=root / "downloads",
        file=given,
        download=download,
        image_size=image_size,
        channels=channels,
        say=say,
        progress=progress,
    )


def _digest(identity: str | Path) -> str:
    return hashlib.sha256(os.fsencode(identity)).hexdigest()[:10]


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
    """The function that opens this dataset, `open(location)`."""
    reference = reference_of(name)
    if reference is not None:
        open_reference = registry.collections.load(reference.prefix)
        return lambda place: open_reference(place, reference)
    if true_name(name) not in registry.datasets.entries and Path(name).exists():
        raise UsageError(f"no dataset '{name}'; did you mean ./{name}, a path to images?")
    if ":" in name:
        return by_reference(name, registry.collections.entries)
    if true_name(name) not in registry.datasets.entries:
        if name in registry.collections.entries:
            raise UsageError(
                f"'{name}' is a collection of datasets: write {name}:NAME; see "
                f"`disentangle show {name}`"
            )
        hint = suggestion(name, registry.datasets.entries)
        if "did you mean" not in hint:
            hint += ELSEWHERE
        raise UsageError(f"no dataset '{name}'{hint}")
    return registry.datasets.load(name)
