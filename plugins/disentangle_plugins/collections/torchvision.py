"""Datasets of torchvision: `torchvision:MNIST`, `torchvision:CIFAR10:test`, and so on.

`torchvision:CLASS[:OPTION=VALUE,...]` is any class of `torchvision.datasets` that gives images,
with or without labels (https://docs.pytorch.org/vision/stable/datasets.html). The options are those
of the class, but for `split`, which all classes share: it names a split, or several of them, as in
`split=train+test`. Without it the class's own default is taken, for most of them `train`.
"""

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image

from disentangle import Dataset, DisentangleError, Grid, Labelled, Reference, UsageError
from disentangle.data import (
    COMPRESSED,
    About,
    Example,
    Examples,
    Location,
    about,
    given_folder,
    prepare_examples,
    shared_columns,
    temporary_folder,
    unpack_file,
)
from disentangle.errors import suggestion

PATH = "; its images alone can be opened by the path of their folder"
VIDEO, PAIRS = "it holds videos", "it holds pairs of images"
BOXES, MAPS, CAPTIONS = (
    f"its targets are {kind}{PATH}" for kind in ("boxes", "images", "captions")
)
REFUSED = {
    "FakeData": "its images are random noise",
    "DatasetFolder": "it needs a function that reads its files: use ImageFolder",
    "VisionDataset": "it is a base class",
    "LSUNClass": "it is a part of LSUN",
    **dict.fromkeys(["HMDB51", "Kinetics", "MovingMNIST", "UCF101"], VIDEO),
    **dict.fromkeys(["CocoDetection", "Kitti", "VOCDetection", "WIDERFace"], BOXES),
    **dict.fromkeys(["Cityscapes", "SBDataset", "VOCSegmentation"], MAPS),
    **dict.fromkeys(["CocoCaptions", "Flickr30k", "Flickr8k", "SBU"], CAPTIONS),
    **dict.fromkeys(["LFWPairs", "PhotoTour"], PAIRS),
}
"""Class -> why it is no dataset of images with labels."""
OF_PAIRS = {"FlowDataset", "StereoMatchingDataset"}
"""Base classes of datasets of pairs of images."""
OURS = ("root", "download", "loader", "transform", "target_transform", "transforms")
CODE = ("is_valid_file", "extensions", "allow_empty")
"""Parameters that are not the user's options: set here, or of use in Python alone."""
BOOLEAN = {"train": ("train", "test"), "background": ("background", "evaluation")}
"""Parameter that chooses one of two splits -> the names of the splits for true and false."""
NAMES = ("classes", "categories", "_characters")
"""Attributes that hold the names of the classes."""
AS_LISTED = ("INaturalist", "Omniglot", "SUN397")
"""Classes that number their images, or classes, in the order in which the system lists files."""
LISTING = "https://docs.pytorch.org/vision/stable/datasets.html"
"""The page that lists the classes."""
PAGE = "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.{}.html"
ROOT = re.compile(r"\broot\b[^:\n]*: (.*?)(?=\n\s+\w+ \(|\n\s*\n|\Z)", re.DOTALL)
"""What a class's documentation says of its root."""
DOWNLOAD_HINT = re.compile(r"You can (use|set) download=True[^.]*\.?")
"""Part of torchvision's messages."""
UNNAMED = "label"
"""The factor of a class that has no target types."""
UNLABELLED = (None, -1)
"""Targets of images without a label."""


@about(About(about="Image datasets of torchvision, such as torchvision:MNIST"))
def open(location: Location, reference: Reference) -> Dataset:
    """Open a dataset of torchvision, prepared once.

    Raises:
        UsageError: there is no such class, option or split.
        DisentangleError: its files are missing or damaged, or it is no dataset of images.
    """
    version = 2 if reference.name in AS_LISTED else 1  # 1 was in the order of the system
    dataset = prepare_examples(
        location, version, lambda stack: examples_of(location, reference, stack)
    )
    if isinstance(dataset, Labelled) and not isinstance(dataset, Grid) and len(dataset.factors) > 1:
        dataset.dependence = "the labels of photographs depend on one another"
    return dataset


def examples_of(location: Location, reference: Reference, stack: ExitStack) -> Examples:
    """The images and labels of a dataset whose files are there, or may be downloaded."""
    cls = class_of(reference)
    every = arguments_of(cls, reference)
    root = root_of(cls, location, stack)
    parts = {split: instance(cls, one, location, root) for split, one in every.items()}
    columns = labels_of(parts, location)
    others = [f"{k}={v}" for k, v in reference.options.items() if k != "split"]
    parameter = split_parameter(cls)
    split = f"split {'+'.join(parts)}" if parameter else ""
    if split and "split" not in reference.options:
        names = "+".join(BOOLEAN.get(parameter, ("NAME",)))
        other = replace(reference, options={**reference.options, "split": names})
        location.say(f"{location.name}: {split}; choose others as in `{other}`")
    words = [f"torchvision {version('torchvision')}", cls.__name__, split, *others]
    return Examples(
        parts={name: Reading(data, bool(columns)) for name, data in parts.items()},
        source=", ".join(filter(None, words)),
        columns=columns,
    )


def labels_of(parts: Mapping[str, Any], location: Location) -> dict[str, Sequence[str]]:
    """The columns of labels that all parts have, with the names of the classes."""
    targets = {name: first_target(data) for name, data in parts.items() if len(data)}
    bare = [n for n, one in targets.items() if not hasattr(one, "shape") and one in UNLABELLED]
    if bare and len(bare) < len(targets):
        location.say(f"{location.name}: labels are left out, as split {'+'.join(bare)} has none")
    if bare or not targets:
        return {}
    columns = {name: columns_of(parts[name], target) for name, target in targets.items()}
    return shared_columns(columns, location.name)


def first_target(data: Any) -> Any:
    """The target of the first image.

    Raises:
        DisentangleError: there is no image.
    """
    image, target = data[0]
    if not isinstance(image, Image.Image):
        kind = f"torchvision's {type(data).__name__}"
        raise DisentangleError(f"{kind} has no images: expected PIL's, got {type(image).__name__}")
    image.close()
    return target


class Reading:
    """A function that reads the examples of a dataset in order."""

    def __init__(self, data: Any, labelled: bool) -> None:
        self.data, self.labelled = data, labelled

    def __call__(self) -> Iterator[Example]:
        """Yield each image with its labels."""
        for index in range(len(self.data)):
            image, target = self.data[index]
            yield image, values_of(target) if self.labelled else ()


def class_of(reference: Reference) -> Any:
    """The class that a reference names.

    Raises:
        UsageError: there is no such class.
        DisentangleError: it is no dataset of images with labels.
    """
    from torchvision import datasets

    name = reference.name
    classes = {n for n in datasets.__all__ if inspect.isclass(getattr(datasets, n))}
    if name not in classes:
        hint = suggestion(name, classes - REFUSED.keys(), page=LISTING)
        if Path(name).expanduser().is_dir():
            lead, hint = (" For", hint) if "did you mean" in hint else ("; for", "")
            instead = f"`torchvision:ImageFolder --file {name}`"
            hint += f"{lead} a folder with a subfolder per class, use {instead}"
        raise UsageError(f"torchvision has no dataset '{name}'{hint}")
    cls = getattr(datasets, name)
    pairs = PAIRS if OF_PAIRS & {base.__name__ for base in cls.__mro__} else ""
    if why := REFUSED.get(name, pairs):
        raise DisentangleError(f"'{reference.typed}' is no dataset of images with labels: {why}")
    return cls


def parameters(cls: Any) -> dict[str, inspect.Parameter]:
    """The parameters of a class, with those that it passes on to its base classes."""
    named: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            own = inspect.signature(base.__init__).parameters
            named = {**own, **named}
            if all(p.kind is not p.VAR_KEYWORD for p in own.values()):
                break
    usual = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return {name: p for name, p in named.items() if p.kind is usual and name != "self"}


def split_parameter(cls: Any) -> str:
    """The parameter that chooses a split; empty if a class has none."""
    return next((name for name in ("split", *BOOLEAN) if name in parameters(cls)), "")


def arguments_of(cls: Any, reference: Reference) -> Mapping[str, Mapping[str, Any]]:
    """The arguments of a class for each split that a reference asks for.

    Raises:
        UsageError: an option, split or value does not exist, or a necessary option is missing.
    """
    offered = {k: p for k, p in parameters(cls).items() if k not in (*OURS, *CODE) and k[0] != "_"}
    if "root" in reference.options:
        raise UsageError(f"'{reference.typed}': give the folder of the files by `--file PATH`")
    reference.check_options("split", *offered)
    options = dict(reference.options)
    split, parameter = options.pop("split", ""), split_parameter(cls)
    if split and not parameter:
        raise UsageError(f"'{reference.typed}': torchvision's {cls.__name__} has no splits")
    arguments = {name: value_of(offered[name], text) for name, text in options.items()}
    default = offered[parameter].default if parameter else ""
    if default is inspect.Parameter.empty and not split:
        known = ", ".join(getattr(cls, "splits", ()))
        raise UsageError(f"'{reference.typed}': which split? Known: {known}")
    if names := BOOLEAN.get(parameter):
        given = arguments.pop(parameter, default)
        parts = split.split("+") if split else [names[0] if given else names[1]]
        for name in parts:
            if name not in names:
                raise UsageError(
                    f"'{reference.typed}' has no split '{name}'{suggestion(name, names)}"
                )
        return {name: {**arguments, parameter: name == names[0]} for name in parts}
    if not parameter:
        return {"all": arguments}
    return {name: {**arguments, parameter: name} for name in (split or default).split("+")}


def value_of(parameter: inspect.Parameter, text: str) -> Any:
    """The value of a parameter, given as text; several are joined by `+`.

    Raises:
        UsageError: the text is no such value.
    """
    kind = f"{parameter.annotation} {type(parameter.default).__name__}"
    try:
        if "bool" in kind:
            return {"true": True, "false": False}[text.lower()]
        if "int" in kind:
            return int(text)
    except (KeyError, ValueError):
        expected = "true or false" if "bool" in kind else "a whole number"
        raise UsageError(f"{parameter.name}: expected {expected}, got '{text}'") from None
    return text.split("+") if "+" in text else text


@contextmanager
def listed_by_name() -> Iterator[None]:
    """List files in the order of their names, so that numbers are the same on every machine."""
    listdir, rglob = os.listdir, Path.rglob
    with (
        patch.object(os, "listdir", lambda *args: sorted(listdir(*args))),
        patch.object(Path, "rglob", lambda self, *args: iter(sorted(rglob(self, *args)))),
    ):
        yield


def instance(cls: Any, arguments: Mapping[str, Any], location: Location, root: Path) -> Any:
    """Make the dataset from the files in a folder, or from a download if that is allowed.

    Raises:
        UsageError: a value of an option does not exist.
        DisentangleError: the files are missing or damaged, or cannot be downloaded.
    """
    taken, folders = parameters(cls), [root, *root.parents]
    existed = {*filter(Path.exists, folders), *(root.iterdir() if root.is_dir() else ())}
    download = location.download and location.file is None
    ours = {"download": download, "loader": Image.open}
    try:
        with listed_by_name():
            return cls(root, **arguments, **{k: v for k, v in ours.items() if k in taken})
    except Exception as error:  # each class raises others
        if not download:  # some classes make empty folders before they look for their files
            with suppress(OSError):
                for folder in [*root.iterdir(), *folders]:
                    if folder not in existed:
                        folder.rmdir()
        if isinstance(error, ValueError) and "Valid values are" in str(error):
            raise UsageError(f"'{location.name}': {error}") from None
        raise DisentangleError(missing(cls, location, error)) from error


def missing(cls: Any, location: Location, error: Exception) -> str:
    """A message on files that torchvision cannot open, with what it expects and what to do."""
    if isinstance(error, ModuleNotFoundError):
        return f"'{location.name}' needs the package {error.name}. Run `pip install {error.name}`."
    why = " ".join(DOWNLOAD_HINT.sub("", str(error)).split()).rstrip(".") or type(error).__name__
    layout = f"{layout_of(cls)} ({PAGE.format(cls.__name__)})"
    command = f"disentangle data prepare {location.name}"
    if location.file is not None or location.download:
        where = "downloaded" if location.file is None else f"opened in {location.file}"
        return f"'{location.name}' cannot be {where}: {why}. Expected {layout}"
    lines = [
        f"dataset '{location.name}' is not prepared, and no substitute is used. Prepare it with",
        f"  {command} --file PATH",
        f"where PATH is {layout}",
    ]
    if "download" in parameters(cls):
        lines += ["or with", f"  {command} --download"]
    return "\n".join(lines)


def layout_of(cls: Any) -> str:
    """The folder that a class expects, in the words of its documentation."""
    if cls.__name__ == "ImageFolder":
        return "a folder with a subfolder of images for each class"
    if inside := getattr(cls, "base_folder", ""):
        return f"a folder with {inside} in it"
    for base in cls.__mro__:
        if described := ROOT.search(base.__doc__ or ""):
            words = " ".join(described[1].split()).replace("``", "").rstrip(".")
            return f"the folder that torchvision calls root: {words}"
    return "the folder that torchvision calls root"


def root_of(cls: Any, location: Location, stack: ExitStack) -> Path:
    """The folder in which torchvision finds the files of a class.

    It is the user's folder, or a temporary one with the files of the user's archive, or with
    MNIST's files from wherever they lie; else the class's own folder of downloads.
    """
    if location.file is None:
        return location.downloads / "torchvision" / str(cls.__name__)
    given = given_folder(location.file, location, stack)
    if hasattr(cls, "raw_folder"):
        return mnist_root(cls.__name__, given, temporary_folder(location, "copied", stack)) or given
    return given.parent if given.name == getattr(cls, "base_folder", None) else given


def mnist_root(name: str, given: Path, folder: Path) -> Path | None:
    """Copy files of MNIST's format, unpacked, to where torchvision finds them; None if none are."""
    start = given / name if (given / name).is_dir() else given
    paths = [path for depth in ("", "*/", "*/*/") for path in start.glob(f"{depth}*idx*")]
    files = sorted(filter(Path.is_file, paths), key=lambda path: path.suffix in COMPRESSED)
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    for path in files:
        target = raw / path.name.replace(".idx", "-idx")  # some copies are so called
        target = target.with_suffix("") if path.suffix in COMPRESSED else target
        if not target.exists():
            unpack_file(path, target)
    return folder if files else None


def columns_of(data: Any, target: Any) -> dict[str, Sequence[str]]:
    """The columns of labels in a target, with the names of the classes.

    Raises:
        DisentangleError: the target is no label.
    """
    kinds = getattr(data, "target_type", getattr(data, "_target_types", None)) or [UNNAMED]
    targets = target if isinstance(target, tuple | list) and len(kinds) > 1 else [target]
    columns: dict[str, Sequence[str]] = {}
    for kind, one in zip(kinds, targets, strict=True):
        if not getattr(one, "ndim", 0):
            if not isinstance(one, str) and not hasattr(one, "__index__"):
                if isinstance(one, Image.Image):
                    one.close()
                raise DisentangleError(
                    f"torchvision's {type(data).__name__} has no labels: expected numbers or text, "
                    f"got {type(one).__name__} as '{kind}'"
                )
            columns[kind] = () if isinstance(one, str) else names_of(data, kind)
            continue
        attributes = [name for name in getattr(data, "attr_names", ()) if name]
        if kind == "attr" and len(attributes) == len(one):
            columns |= dict.fromkeys(attributes, ("no", "yes"))
        else:
            columns |= {f"{kind}_{i}": () for i in range(len(one))}
    return columns


def names_of(data: Any, kind: str) -> Sequence[str]:
    """The names of the classes that a target's numbers stand for; none if they are not known."""
    if kind == "binary-category":
        return tuple(data.bin_classes)
    if kind == "full":
        return tuple(data.all_categories)
    if kind in getattr(data, "categories_index", ()):
        return tuple(data.categories_index[kind])
    if kind not in (UNNAMED, "category"):
        return ()
    listed = next((getattr(data, name) for name in NAMES if hasattr(data, name)), ())
    numbered = getattr(data, "class_to_idx", {})
    listed = listed or sorted(numbered, key=numbered.__getitem__)
    # A class with several names, such as those of ImageNet, is a tuple of them.
    return [name if isinstance(name, str) else name[0] for name in listed]


def values_of(target: Any) -> list[Any]:
    """The labels in a target, one for each column."""
    if hasattr(target, "tolist"):  # of PyTorch or NumPy
        values = target.tolist()
        return values if isinstance(values, list) else [values]
    if isinstance(target, tuple | list):
        return [value for one in target for value in values_of(one)]
    return [target]
