"""Datasets of Hugging Face: `hf:ylecun/mnist:test`, `hf:./cats.parquet`, and so on.

`hf:NAME[:OPTION=VALUE,...]` is a dataset of the hub (https://huggingface.co/datasets), or a local
file or folder: Parquet, Arrow, CSV or JSON, a folder of images, or one written by `save_to_disk`.
Options: `split` names a split, or several, as in `split=train+test`; `image` names the column of
the images, if there are several; `labels` names the columns that become factors, joined by `+`, or
is `none`; `config` and `revision` choose those of a dataset on the hub. It needs the extra `hf`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from disentangle import Dataset, DisentangleError, Reference, UsageError
from disentangle.data import (
    About,
    Example,
    Examples,
    Location,
    about,
    prepare_examples,
    shared_columns,
)
from disentangle.errors import suggestion

BUILDERS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
}
"""Ending of a local file -> how the library reads it."""
SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that was written by `save_to_disk`."""
LABELS = ("bool", "int", "uint", "float", "string", "large_string")
"""Beginnings of the types of columns that may be labels."""
ROWS = 256
"""Rows of a Parquet file that are read at once."""
COMMIT = re.compile(r"[\\/]([0-9a-f]{10})[0-9a-f]{30}[\\/]")
"""A folder that is named by a commit, of which a record has the beginning."""
OPTIONS = ("split", "image", "labels", "config", "revision")


@about(About(about="Image datasets of Hugging Face or of yours: hf:./cats.parquet"))
def open(location: Location, reference: Reference) -> Dataset:
    """Open a dataset of Hugging Face, prepared once.

    Raises:
        UsageError: there is no such option, split or column, or it is not clear which is meant.
        DisentangleError: the library or the dataset is missing, or the dataset cannot be used.
    """
    return prepare_examples(location, 1, lambda stack: examples_of(location, reference, stack))


def examples_of(location: Location, reference: Reference, stack: ExitStack) -> Examples:
    """The images and labels of a dataset that is local, in the library's cache, or downloaded."""
    reference.check_options(*OPTIONS)
    splits = loaded(location, reference, stack.enter_context(TemporaryDirectory()))
    chosen = chosen_splits(splits, reference)
    features = next(iter(chosen.values())).features
    image = image_column(features, reference)
    labels = shared_columns(
        {name: label_columns(part.features, image, reference) for name, part in chosen.items()},
        location.name,
    )
    path = location.file
    base = path if path is not None and path.is_dir() else (path or Path()).parent
    words = [f"datasets {version('datasets')}", path.name if path else reference.name]
    words += [f"config {config}"] if (config := reference.options.get("config")) else []
    words += commit_of(next(iter(chosen.values()))) if path is None else []
    return Examples(
        parts={name: Reading(part, image, list(labels), base) for name, part in chosen.items()},
        source=", ".join([*words, f"split {'+'.join(chosen)}", f"images in '{image}'"]),
        columns=labels,
        optional="labels" not in reference.options,
    )


def commit_of(part: Any) -> list[str]:
    """The commit of a dataset of the hub, in whose folder of the cache it is; at most one."""
    names = [file["filename"] for file in part.cache_files]
    return [f"commit {folder[1]}" for name in names if (folder := COMMIT.search(name))][:1]


class Reading:
    """A function that reads the examples of a split in order."""

    def __init__(self, part: Any, image: str, labels: Sequence[str], base: Path) -> None:
        self.part, self.image, self.labels, self.base = part, image, labels, base

    def __call__(self) -> Iterator[Example]:
        """Yield each image with its labels."""
        for row in self.part.select_columns([self.image, *self.labels]):
            yield opened(row[self.image], self.base), [row[label] for label in self.labels]


def opened(value: Any, base: Path) -> Image.Image:
    """Open an image from its bytes, or from its path, which starts at `base`."""
    if isinstance(value, dict):
        value = value["bytes"] or value["path"]
    if not isinstance(value, bytes | str):
        raise TypeError(f"expected the bytes of an image, or its path, got {type(value).__name__}")
    return Image.open(BytesIO(value) if isinstance(value, bytes) else base / value)


def loaded(location: Location, reference: Reference, scratch: str) -> Mapping[str, Any]:
    """The splits of a dataset, by name; local ones are read from their files, without a copy.

    Raises:
        UsageError: the dataset has several configurations, and none is named.
        DisentangleError: the library is missing, or the dataset is not there or cannot be read.
    """
    try:
        import datasets
    except ImportError:
        raise DisentangleError(
            "'hf' needs the package datasets. Run `pip install 'disentangle-bench[hf]'`."
        ) from None
    if not location.download:  # else a download shows its progress
        datasets.disable_progress_bars()
        datasets.logging.set_verbosity_error()
    path, options = location.file, {"name": reference.options.get("config")}
    if path is None:
        if Path(reference.name).exists():
            raise UsageError(f"'{reference.typed}': for local files, write hf:./{reference.name}")
        options["revision"] = reference.options.get("revision")
    elif not path.exists():
        raise DisentangleError(f"{path}: no such file or folder")
    try:
        with network(location.download):  # for local files too: the library counts their readers
            if path is None:
                splits = datasets.load_dataset(reference.name, **options)
            elif any((path / name).exists() for name in SAVED):
                splits = datasets.load_from_disk(str(path))
            else:
                splits = from_files(path, {**options, "cache_dir": scratch})
        if not isinstance(splits, dict):
            splits = {str(splits.split or "train"): splits}
        return {name: undecoded(part) for name, part in splits.items()}
    except DisentangleError:
        raise
    except Exception as error:  # the library raises many types
        why = " ".join(str(error).split()) or type(error).__name__
        if "onfig name is missing" in why:
            raise UsageError(f"'{reference.typed}': choose a `config=NAME`. {why}") from None
        if path is None and not location.download and isinstance(error, ConnectionError):
            why = (
                "it is neither prepared nor in Hugging Face's cache. Run "
                f"`disentangle data prepare {location.name} --download`"
            )
        raise DisentangleError(f"'{location.name}' cannot be opened: {why}") from error


def from_files(path: Path, options: Mapping[str, Any]) -> Any:
    """Read a local file, or a folder of files."""
    from datasets import load_dataset_builder

    if path.is_dir():
        what = {"path": str(path)}
    elif path.suffix.lower() in BUILDERS:
        what = {"path": BUILDERS[path.suffix.lower()], "data_files": str(path)}
        if path.suffix.lower() == ".tsv":
            what["sep"] = "\t"
    else:
        raise DisentangleError(f"{path}: expected a folder, or a file ({', '.join(BUILDERS)})")
    builder = load_dataset_builder(**what, **options)
    if hasattr(builder.config, "fragment_scan_options"):  # Parquet: else all of it fills memory
        from pyarrow.dataset import ParquetFragmentScanOptions

        builder.config.fragment_scan_options = ParquetFragmentScanOptions(pre_buffer=False)
        builder.config.batch_size = ROWS
    splits = builder.as_streaming_dataset()
    if all(part.features for part in splits.values()):
        return splits
    builder.download_and_prepare()  # the columns of text files are known once they are read
    return builder.as_dataset()


def undecoded(part: Any) -> Any:
    """The same split, with the bytes of images in place of decoded images."""
    from datasets import Image as ImageFeature

    for name, feature in part.features.items():
        if isinstance(feature, ImageFeature):
            part = part.cast_column(name, ImageFeature(decode=False))
    return part


@contextmanager
def network(allowed: bool) -> Iterator[None]:
    """Keep the library from using the network, unless that is allowed."""
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if not allowed:
        config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def chosen_splits(splits: Mapping[str, Any], reference: Reference) -> dict[str, Any]:
    """The splits that a reference asks for, in its order.

    Raises:
        UsageError: there is no such split, or there are several and none is named.
    """
    asked = reference.options.get("split")
    names = ", ".join(splits)
    if asked is None:
        if len(splits) > 1:
            first, second, *_ = splits
            one, both = (
                replace(reference, options={**reference.options, "split": chosen})
                for chosen in (first, f"{first}+{second}")
            )
            raise UsageError(
                f"'{reference.typed}': which split? Known: {names}. Choose one as in `{one}`, or "
                f"several as in `{both}`"
            )
        return dict(splits)
    for name in asked.split("+"):
        if name not in splits:
            raise UsageError(f"'{reference.typed}' has no split '{name}'; known: {names}")
    return {name: splits[name] for name in asked.split("+")}


def image_column(features: Mapping[str, Any], reference: Reference) -> str:
    """The column of the images: as named, else the only one that holds images.

    Raises:
        UsageError: there is no such column, or several.
    """
    from datasets import Image as ImageFeature

    if (named := reference.options.get("image")) is not None:
        check_column(named, features, reference)
        return named
    images = [name for name, feature in features.items() if isinstance(feature, ImageFeature)]
    if not images:  # as stored by other programs
        images = [
            name
            for name, feature in features.items()
            if getattr(feature, "dtype", "") in ("binary", "large_binary")
            or (isinstance(feature, dict) and {"bytes", "path"} <= feature.keys())
        ]
    if len(images) != 1:
        problem = f"images are in {', '.join(images)}" if images else "no column holds images"
        raise UsageError(
            f"'{reference.typed}': {problem}; name the column by `image=NAME`. Columns: "
            + ", ".join(features)
        )
    return images[0]


def label_columns(
    features: Mapping[str, Any], image: str, reference: Reference
) -> dict[str, Sequence[str]]:
    """The columns of labels, with the names of the classes: as named, else all that can be.

    Raises:
        UsageError: there is no such column.
    """
    named = reference.options.get("labels")
    if named is None:
        columns = [
            name
            for name, feature in features.items()
            if name != image and str(getattr(feature, "dtype", "")).startswith(LABELS)
        ]
    else:
        columns = [] if named == "none" else named.split("+")
        for name in columns:
            check_column(name, features, reference)
            if name == image:
                raise UsageError(
                    f"'{reference.typed}': column '{name}' holds the images, not labels"
                )
    return {name: tuple(getattr(features[name], "names", None) or ()) for name in columns}


def check_column(name: str, features: Mapping[str, Any], reference: Reference) -> None:
    """Raise a UsageError if there is no such column."""
    if name not in features:
        raise UsageError(f"'{reference.typed}' has no column '{name}'{suggestion(name, features)}")
