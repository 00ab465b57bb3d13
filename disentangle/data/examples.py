"""Images with labels as another library gives them, prepared once for all later uses.

They are read twice: for their sizes and labels, then, a few at a time, for their pixels.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from disentangle._utils.device import cores
from disentangle._utils.files import remove_empty
from disentangle.contracts.dataset import Dataset
from disentangle.data.array_datasets import as_dataset
from disentangle.data.factor_values import FactorValues
from disentangle.data.image_files import BLOCK, flat, problem_of, quiet, resized, square
from disentangle.data.label_columns import of_usable, together
from disentangle.data.location import Location
from disentangle.data.prepared import Content, Preparation, Rows, reordered
from disentangle.data.user_images import SIDES, fitting, kept_side, labels_or_place
from disentangle.data.user_images import upright as set_upright
from disentangle.errors import DisentangleError, UsageError

Example: TypeAlias = tuple[Image.Image, Sequence[Any]]
"""An image, opened but not necessarily decoded, and its label for each column."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Images with labels from another library.

    Attributes:
        parts: split -> a function that reads its examples in order; it is called twice.
        source: the library, its version and what was read, for a run's record.
        columns: column of labels -> the names of the classes, if its labels are their numbers; else
            an empty sequence.
        optional: if True, a column that is no factor is left out with a message; else it is an
            error.
    """

    parts: Mapping[str, Callable[[], Iterable[Example]]]
    source: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    optional: bool = False


def prepare_examples(
    location: Location, version: int, make: Callable[[ExitStack], Examples]
) -> Dataset:
    """Open the dataset of these examples, prepared once.

    Images are cropped to the central square and resized (LANCZOS) to `location.image_size`. By
    default, squares that all have a side accepted by the networks keep it; images of at most
    32 x 32 get 32 x 32, and others 64 x 64. They are grey if all are grey.

    The dataset has a split for each of several parts. It is trained on `train` and scored on `test`
    if it has these.

    Args:
        location: where the prepared images are kept, and the size that the user asks for.
        version: increase it when the same reference results in other images or labels.
        make: returns the examples, if they are not prepared yet; contexts entered into its stack
            are exited after reading.

    Raises:
        DisentangleError: an image or column of labels cannot be used.
    """
    preparation = Preparation(
        folder=location.folder, version=version, given=location.file, say=location.say
    )
    folder = location.folder
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        prepared = preparation.get(lambda stack: content_of(make(stack), location))
    except BaseException:
        remove_empty(missing)  # a misspelt reference leaves nothing
        raise
    dataset = as_dataset(prepared)
    if "train" in dataset.splits:
        dataset.train_split = "train"
    if "test" in dataset.splits:
        dataset.test_split = "test"
    return dataset


def shared_columns(
    columns: Mapping[str, Mapping[str, Sequence[str]]], name: str
) -> dict[str, Sequence[str]]:
    """The columns of labels of all splits, which have the same classes.

    Args:
        columns: split -> its columns, as in `Examples`.
        name: the name of the dataset, for messages.

    Raises:
        UsageError: they differ, so that a number stands for one class in one split and for another
            in the next.
    """
    (first, expected), *others = columns.items()
    for split, got in others:
        for column in dict.fromkeys([*expected, *got]):
            classes = [tuple(each[column]) if column in each else None for each in (expected, got)]
            if classes[0] != classes[1]:
                raise UsageError(
                    f"'{name}': column '{column}' has other classes in split '{split}' than in "
                    f"'{first}'; choose one split"
                )
    return dict(expected)


def content_of(examples: Examples, location: Location) -> Content:
    """The content of examples: their labels, and their images in blocks."""
    location.say(f"{location.name}: reading the sizes and labels of the images")
    survey = Survey(examples, location.name)
    count = sum(survey.counts.values())
    if not count:
        raise DisentangleError(f"'{location.name}' has no images")
    side = location.image_size or default_side(survey.sizes)
    channels = location.channels or (1 if survey.grey else 3)
    factors = factors_of(examples, survey.labels, count, location)
    several = len(examples.parts) > 1
    labels, place = (factors.labels, None) if several else labels_or_place(factors)
    done = fitting(survey.sizes, side)
    location.say(
        f"{location.name}: preparing {count:,} images, {side} x {side}, "
        f"{'grey' if channels == 1 else 'RGB'}{done}"
    )
    shape = (count, side, side, channels)
    blocks = pixels(examples, side, channels, count, location)
    part = np.repeat(np.arange(len(examples.parts)), list(survey.counts.values()))
    return Content(
        blocks=blocks if place is None else reordered(blocks, place, shape, location.folder),
        shape=shape,
        source=examples.source + done,
        factors=factors.values,
        numbers=factors.numbers,
        kinds=factors.kinds,
        real=factors.real,
        labels=labels if factors.values else None,
        splits=tuple(examples.parts) if several else (),
        part=part if several else None,
    )


class Survey:
    """The sizes, colours and labels of all images.

    Attributes:
        sizes: (width, height) -> number of images.
        grey: True if all images are grey.
        counts: split -> number of images.
        labels: column -> the labels of all images.
    """

    def __init__(self, examples: Examples, name: str) -> None:
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.grey = True
        self.counts = dict.fromkeys(examples.parts, 0)
        self.labels: dict[str, list[Any]] = {column: [] for column in examples.columns}
        for split, image, values in read(examples, name):
            self.sizes[image.size] += 1
            self.grey = self.grey and image.mode in ("1", "L", "LA")
            if len(values) != len(self.labels):
                raise DisentangleError(
                    f"image {self.counts[split]:,} of '{name}': expected a label for each column "
                    f"({', '.join(self.labels) or 'none'}), got {len(values)}"
                )
            self.counts[split] += 1
            for column, value in zip(self.labels.values(), values, strict=True):
                column.append(value)
            if getattr(image, "filename", ""):  # a file that was opened, and need not be decoded
                image.close()


def read(examples: Examples, name: str) -> Iterator[tuple[str, Image.Image, Sequence[Any]]]:
    """Yield the split, image and labels of each example.

    Raises:
        DisentangleError: an example cannot be read, or its image has a mode or size that is not
            supported.
    """
    for split, part in examples.parts.items():
        where = f"'{name}'" if len(examples.parts) == 1 else f"split '{split}' of '{name}'"
        number = 0
        try:
            with quiet():
                for image, values in part():
                    if problem := problem_of(image):
                        raise DisentangleError(f"image {number:,} of {where} {problem}")
                    yield split, image, values
                    number += 1
        except (DisentangleError, MemoryError):
            raise
        except Exception as error:  # the library's code, or a damaged file, can raise anything
            raise DisentangleError(
                f"image {number:,} of {where} cannot be read: {type(error).__name__}: "
                + " ".join(str(error).split())
            ) from error


def pixels(
    examples: Examples, side: int, channels: int, count: int, location: Location
) -> Iterator[Rows]:
    """Yield the pixels of all images in blocks, decoded and resized by threads."""

    def fit(numbered: tuple[int, Image.Image]) -> Rows:
        number, image = numbered
        try:
            fitted = resized(square(flat(set_upright(image), channels)), side)
        except Exception as error:  # a damaged file can raise anything
            image.close()
            raise DisentangleError(
                f"image {number:,} of '{location.name}' cannot be decoded: {error}"
            ) from error
        return np.asarray(fitted).reshape(side, side, channels)

    images = enumerate(image for _, image, _ in read(examples, location.name))
    done = 0
    with quiet(), ThreadPoolExecutor(cores(), "fit") as pool:
        while block := list(islice(images, BLOCK)):
            yield np.stack(list(pool.map(fit, block)))
            done += len(block)
            location.progress(done, count)


def default_side(sizes: Counter[tuple[int, int]]) -> int:
    """The side of images of these (width, height), unless the user asks for another one."""
    if all(max(size) <= SIDES[0] for size in sizes):
        return SIDES[0]
    return kept_side(sizes)


def factors_of(
    examples: Examples, labels: Mapping[str, Sequence[Any]], count: int, location: Location
) -> FactorValues:
    """Make factors of the columns of labels, by the same rules as for the user's own.

    Raises:
        DisentangleError: a column is no factor, and not optional.
    """
    named = {column: names for column, names in examples.columns.items() if names}
    try:
        if examples.optional:
            factors = of_usable(labels, count, named, where=location.name, say=location.say)
        else:
            factors = together(labels, count, named)
    except ValueError as error:
        raise DisentangleError(f"'{location.name}': {error}") from None
    if remark := factors.remark_with(""):
        location.say(f"{location.name}: {remark}")
    return replace(
        factors,
        values={
            name: class_names(values, named[name]) if name in named else values
            for name, values in factors.values.items()
        },
        numbers={k: v for k, v in factors.numbers.items() if k not in named},
    )


def class_names(numbers: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names of the classes with these numbers; classes of one name are told apart by number."""
    shown = []
    for number in numbers:
        name = names[int(number)] if 0 <= int(number) < len(names) else number
        shown.append(f"{name} ({number})" if list(names).count(name) > 1 else name)
    return tuple(shown)
