"""Opening datasets by name, and the folders where prepared data and codes are kept."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import platformdirs

from disentangle import registry
from disentangle.dataset import Dataset, Location
from disentangle.errors import DisentangleError, UsageError


def data_folder(given: str | Path | None = None) -> Path:
    """Return the data folder: as given, else DISENTANGLE_DATA, else one in the user's cache."""
    chosen = given or os.environ.get("DISENTANGLE_DATA") or cache_folder() / "data"
    return Path(chosen).expanduser().resolve()


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
    say: Any = lambda _: None,
) -> Dataset:
    """Open a dataset by its registered name, or by `module:attribute`.

    Args:
        name: as `disentangle list` shows it.
        data_dir: where prepared files are kept; see `data_folder`.
        file: the dataset's own file or folder, where the user has it.
        download: whether the network may be used.
        say: called with a line of text before what takes long.

    Raises:
        UsageError: no dataset has this name.
        DisentangleError: its files are missing, broken or not its own.
    """
    location = Location(
        folder=data_folder(data_dir),
        file=None if file is None else Path(file).expanduser(),
        download=download,
        say=say,
    )
    try:
        dataset = opener(name)(location)
    except (DisentangleError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DisentangleError(
            f"dataset '{name}' cannot be opened: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(dataset, Dataset):
        raise DisentangleError(f"dataset '{name}' opened as {type(dataset).__name__}, no Dataset")
    dataset.name = name
    return dataset


def opener(name: str) -> Any:
    """Return the function that opens this dataset."""
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
