"""Opening datasets by name, and the folders where prepared data and codes are kept."""

import hashlib
import os
import re
import shlex
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from disentangle import npz, registry
from disentangle.dataset import Dataset, Grid, Labelled, check_labels
from disentangle.errors import DisentangleError, UsageError
from disentangle.fetch import verify as check_file
from disentangle.isolation import watched
from disentangle.location import About, Location, Progress, Say, about_of
from disentangle.manifest import read_manifest
from disentangle.own import open_own, own_folder
from disentangle.prepare import read_images, read_prepared

WIDTH = 60
"""Letters of a source that are shown in a list."""
SOME = 8
"""Images of a dataset that are looked at when it is opened."""


def data_folder(given: str | Path | None = None) -> Path:
    """Return the data folder: as given, else DISENTANGLE_DATA, else one in the user's cache.

    Raises:
        DisentangleError: it is a file.
    """
    chosen = given or os.environ.get("DISENTANGLE_DATA") or cache_folder() / "data"
    folder = Path(chosen).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise DisentangleError(f"{folder} is no folder: choose another one with --data-dir")
    return folder


def cache_folder() -> Path:
    """Return the folder for what can be made again: DISENTANGLE_CACHE, else the user's cache."""
    chosen = os.environ.get("DISENTANGLE_CACHE") or platformdirs.user_cache_dir("disentangle")
    return Path(chosen).expanduser().resolve()


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
        with watched(registry.who("dataset", name), harm, restore=True):
            check_some(dataset)
    except (DisentangleError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DisentangleError(
            f"{registry.who('dataset', name)} cannot be opened: {type(error).__name__}: {error}"
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


def about(name: str) -> About:
    """Return what is known of a dataset before it is opened."""
    return about_of(opener(name))


def state(name: str, known: About, data_dir: str | Path | None = None) -> str:
    """Return whether a dataset is ready, in words."""
    place = location(name, data_dir)
    prepared = state_of(place.folder)
    if prepared:
        return prepared
    if place.present(known):
        return f"downloaded, not prepared: disentangle data prepare {name}"
    if known.drawn or not known.files:
        return "made when first used"
    return f"not here: disentangle data prepare {name} --from PATH, or --download"


def state_of(folder: Path) -> str:
    """Return what is prepared in a folder, in words, without reading it; empty if nothing is."""
    try:
        manifest = read_manifest(folder)
        read_images(folder, manifest)
    except FileNotFoundError:
        there = (folder / "prepared.json").exists()
        return "damaged: its images are gone; will be prepared again" if there else ""
    except (OSError, ValueError):
        return "damaged, or of another version: will be prepared again"
    source = manifest.source
    source = source if len(source) <= WIDTH else f"{source[: WIDTH - 3]}..."
    size = prod(manifest.shape) / 1e6
    return f"ready: {manifest.shape[0]:,} images, {size:,.0f} MB, {source}"


def own_states(data_dir: str | Path | None = None) -> list[tuple[str, Path, str]]:
    """Return the images of the user's own: each with its name, its folder and its state."""
    root = data_folder(data_dir)
    folders = sorted(path.parent for path in root.glob("own/*/*/prepared.json"))
    # The folder's name ends with a mark of the path; see `location`.
    names = [f"./{folder.parent.name.rpartition('-')[0]}" for folder in folders]
    return [
        (name, folder.relative_to(root), state_of(folder))
        for name, folder in zip(names, folders, strict=True)
    ]


def preparing(
    name: str,
    known: About,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> str:
    """Return the command that prepares a dataset, as it has to be typed."""
    words = ["disentangle", "data", "prepare", shlex.quote(name)]
    options = {"--data-dir": data_dir, "--image-size": image_size, "--channels": channels}
    words += [f"{option} {shlex.quote(str(v))}" for option, v in options.items() if v is not None]
    if known.files and not known.drawn and not location(name, data_dir).present(known):
        words.append("--from PATH, or with --download in its place")
    return " ".join(words)


def verify(
    name: str,
    *,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
) -> list[str]:
    """Read a prepared dataset through; return what was found right, in words.

    Raises:
        DisentangleError: it is not prepared, or not what was written; the message says what helps.
    """
    place = location(name, data_dir)
    known = About() if is_path(name) else about(name)
    folder = own_folder(place, image_size, channels) if is_path(name) else place.folder
    found = []
    for remote in known.files:
        path = place.downloads / remote.name
        problem = check_file(remote, path) if path.exists() else None
        if problem:
            raise DisentangleError(f"{problem}: delete it, and get it again")
        if path.exists():
            found.append(f"{path}: " + ("as published" if remote.checksum else "no published sum"))
    command = preparing(name, known, data_dir, image_size, channels)
    try:
        manifest = read_manifest(folder)
        read_prepared(folder, manifest, thorough=True)
    except FileNotFoundError:
        raise DisentangleError(f"'{name}' is not prepared in {folder}: {command}") from None
    except (OSError, ValueError) as error:
        raise DisentangleError(
            f"{folder}: {npz.reason(error)}; delete that folder, and: {command}"
        ) from error
    said = f"{manifest.shape[0]:,} images as they were written, fingerprint {manifest.fingerprint}"
    return [*found, f"{folder}: {said}"]


def opener(name: str) -> Any:
    """Return the function that opens this dataset."""
    if name not in registry.datasets.entries and Path(name).exists():
        raise UsageError(f"no dataset '{name}'; did you mean ./{name}, the images there?")
    return by_reference(name) if ":" in name else registry.datasets.load(name)


def by_reference(reference: str) -> Any:
    """Return the object that `module:attribute` names."""
    module, _, attribute = reference.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"'{reference}' cannot be imported: {error}") from error


def reference_of(thing: object) -> str:
    """Return `module:name` of a class, or of an object's class, for a record."""
    cls = thing if isinstance(thing, type) else type(thing)
    return f"{cls.__module__}:{cls.__qualname__}"
