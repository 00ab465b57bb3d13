"""The rules of the dataset contract."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import SkipTest

import numpy as np
import torch

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.common_options import Common
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.contracts.kinds import Kind
from disentangle.contracts.plugin import knobs
from disentangle.contracts.vectors import Vectors, check_vectors, encoder_inputs
from disentangle.data import loading, status
from disentangle.data.label_columns import check_names
from disentangle.data.location import about_of
from disentangle.errors import Unavailable, UsageError
from disentangle.testing.check import (
    Rules,
    fits_a_line,
    lacks_about,
    require,
    says_source,
    undisturbed,
)

MOST = 32
"""Number of images to check."""
ROWS = 20_000
"""Number of labels to check."""
OF_LABELS, OF_NUMBERS = 1 / 8, 1 / 50
"""The least part of a period that the values of a cyclic factor cover: less is of another unit, as
radians are less than a fiftieth of 360."""


@dataclass(frozen=True)
class Subject:
    """An opened dataset, a function to open it again, and its plugin if it was given by name."""

    dataset: Dataset
    again: Callable[[], Dataset]
    opener: Any = None

    def some(self, most: int = MOST) -> Index:
        """Return the indices of some images, including the first and the last."""
        last = len(self.dataset) - 1
        drawn = numpy_rng(0, "images").integers(0, last + 1, most - 2)
        return np.concatenate([[last], drawn, [0]])


def subject(dataset: str | Dataset, data_dir: str | Path | None = None) -> Subject:
    """Return the subject of a dataset that is given by name or opened.

    Raises:
        SkipTest: its published files are missing; the message has the command to get them.
    """
    if isinstance(dataset, Dataset):
        return Subject(dataset, lambda: dataset)
    opener = loading.opener(dataset)
    known = about_of(opener)
    state = status.state(dataset, known, data_dir)
    if state.startswith("not available"):
        raise SkipTest(f"the images of '{dataset}' are {state}")

    def again() -> Dataset:
        return loading.load_dataset(dataset, data_dir=data_dir)

    return Subject(again(), again, opener)


def lacks_labels(s: Subject) -> str:
    """Return why rules about labels do not apply to a dataset; empty if they do."""
    return "" if isinstance(s.dataset, Labelled) else "has no labels"


def lacks_grid(s: Subject) -> str:
    """Return why rules about grids do not apply to a dataset; empty if they do."""
    return "" if isinstance(s.dataset, Grid) else "is not a grid"


rules = Rules[Subject]()


@rules.unless(lambda s: "" if s.opener else "was given as an opened dataset, without its function")
def function_names_its_source(s: Subject) -> None:
    """The function that opens it has a docstring, and it or its module cites a source."""
    says_source(s.opener, f"'{s.opener.__name__}'")


@rules.unless(lambda s: lacks_about(about_of(s.opener).about))
def about_is_a_line(s: Subject) -> None:
    """`about` describes the plugin in one short line."""
    fits_a_line(about_of(s.opener).about)


@rules
def record_of_it_is_complete(s: Subject) -> None:
    """Its shape, length, source and likelihood are valid in a run's record."""
    dataset = s.dataset
    shape = dataset.image_shape
    require(
        isinstance(shape, tuple)
        and len(shape) == 3
        and all(type(n) is int and n > 0 for n in shape),
        f"expected image_shape (channels, height, width), whole numbers, got {shape!r}",
    )
    require(len(dataset) > 0, "the dataset is empty: len(dataset) is 0")
    require(
        isinstance(dataset.source, str) and bool(dataset.source),
        "source is empty: set it to where the images came from",
    )
    likelihoods = knobs(Common)["likelihood"].choices
    require(
        dataset.likelihood in likelihoods,
        f"expected likelihood to be one of {', '.join(likelihoods)}, got '{dataset.likelihood}'",
    )


@rules
def images_are_bytes_of_their_shape(s: Subject) -> None:
    """images(index) is a uint8 tensor [N, C, H, W], 0 to 255.

    In a dataset of vectors, vectors(index) is a float32 tensor [N, D] of finite numbers instead,
    with D in image_shape.
    """
    index = s.some()
    if isinstance(s.dataset, Vectors):
        try:
            check_vectors(s.dataset, index)
        except (TypeError, ValueError) as error:
            require(False, f"vectors(): {error}")
        return
    images = s.dataset.images(index)
    require(
        isinstance(images, torch.Tensor),
        f"expected images() to return a tensor, got {type(images).__name__}: use "
        "torch.from_numpy(array)",
    )
    require(
        images.dtype == torch.uint8,
        f"images() returns {images.dtype}: return torch.uint8, 0 to 255; the core converts it to "
        "floats in [0, 1] on the device",
    )
    shape = (len(index), *s.dataset.image_shape)
    require(
        tuple(images.shape) == shape,
        f"expected images() of {len(index)} indices to be {list(shape)}, got {list(images.shape)}: "
        "[N, channels, height, width], as in image_shape",
    )
    largest = int(images.max())
    require(
        largest > 1,
        f"no pixel of {len(index)} images is above {largest}: multiply pixels of 0 and 1 by 255",
    )


@rules
def images_together_are_those_one_by_one(s: Subject) -> None:
    """Images, or vectors, of several indices equal those of each index, in the same order."""
    index = np.concatenate([s.some(8), s.some(8)[::-1]])  # each twice, unordered
    read = partial(encoder_inputs, s.dataset)
    together = read(index)
    for position, (i, image) in enumerate(zip(index, together, strict=True)):
        require(
            torch.equal(read(np.array([i]))[0], image),
            f"images([{i}]) differs from image {position} of images({index.tolist()}): return one "
            "image for each entry of the index, in its order",
        )


@rules
def index_outside_is_refused(s: Subject) -> None:
    """An index below 0 or beyond the last image is an error."""
    for i in (-1, len(s.dataset)):
        try:
            encoder_inputs(s.dataset, np.array([i]))
        except Exception:
            continue
        require(
            False,
            f"images([{i}]) returns an image, but the dataset has images 0 to "
            f"{len(s.dataset) - 1}: begin with index = self._index(index), which checks it",
        )


@rules
def fingerprint_is_stable(s: Subject) -> None:
    """The fingerprint has 64 hex digits and is the same when the dataset is opened again."""
    first, second = s.dataset.fingerprint, s.again().fingerprint
    require(
        isinstance(first, str) and re.fullmatch("[0-9a-f]{64}", first) is not None,
        f"fingerprint is {first!r}: use hashlib.sha256(...).hexdigest() of the images",
    )
    require(
        first == second,
        f"fingerprint is {first[:10]} and, opened again, {second[:10]}: compute it from the "
        "images, not from paths, times or hash()",
    )


@rules
def opening_and_reading_disturb_nobody(s: Subject) -> None:
    """The dataset prints nothing and does not use global generators."""
    remedy = "draw from your own np.random.default_rng(...)"
    with undisturbed("images()", remedy):  # first, as opening may read images too
        encoder_inputs(s.dataset, s.some(4))
    with undisturbed("opening it", remedy):
        s.again()


@rules
def splits_are_parts_of_it(s: Subject) -> None:
    """Splits are indices of images: `all` has each image once, the others do not overlap."""
    splits, taken = s.dataset.splits, np.zeros(len(s.dataset), bool)
    for name in ("all", s.dataset.train_split, s.dataset.test_split):
        require(name in splits, f"there is no split '{name}', only {', '.join(splits)}")
    whole = np.array_equal(np.sort(splits["all"]), np.arange(len(taken)))
    require(whole, "split 'all' must have every image once: np.arange(len(self))")
    for name, index in splits.items():
        inside = index.size > 0 and index.min() >= 0 and index.max() < len(taken)
        require(inside, f"split '{name}' is empty or exceeds the {len(taken)} images")
        if name == "all":
            continue
        once = len(np.unique(index)) == len(index) and not taken[index].any()
        require(once, f"split '{name}' has repeated images, or images of another split")
        taken[index] = True


@rules.unless(lacks_labels)
def factors_have_names_and_sizes(s: Subject) -> None:
    """Factors have valid names, and as many value names as values."""
    dataset = cast(Labelled, s.dataset)
    try:
        check_names(list(dataset.every_factor))
    except ValueError as error:
        require(False, f"a factor has an invalid name: {error}")
    for name, size in dataset.every_factor.items():
        require(size >= 1, f"factor '{name}' has {size} values")
        value_names = dataset.values.get(name)
        require(
            value_names is None or len(value_names) == size,
            f"factor '{name}' has {size} values, but `values` names {len(value_names or ())}",
        )
        numbers = dataset.numbers.get(name)
        require(
            numbers is None or (len(set(numbers)) == size and bool(np.isfinite(numbers).all())),
            f"factor '{name}' has {size} values, so `numbers` must hold as many finite and "
            f"different ones, got {numbers}",
        )
    require(bool(dataset.factors), "no factor is scored: each is constant or a nuisance")
    unknown = set(dataset.nuisance) - set(dataset.every_factor)
    require(not unknown, f"nuisance names {sorted(unknown)}, which are not factors")


@rules.unless(lacks_labels)
def kinds_say_what_values_mean(s: Subject) -> None:
    """Kinds are of factors, real numbers are given in order, and a period fits the numbers."""
    dataset = cast(Labelled, s.dataset)
    for attribute in ("kinds", "real"):
        unknown = sorted(set(getattr(dataset, attribute)) - set(dataset.every_factor))
        require(not unknown, f"{attribute} names {unknown}, which are not factors")
    for name, text in dataset.kinds.items():
        try:
            Kind.parse(text)
        except UsageError as error:
            require(False, f"kinds: '{name}': {error}")
    for name in dataset.real:
        kind = dataset.kind(name).name
        require(
            kind in ("continuous", "cyclic"),
            f"factor '{name}' is in `real`, but {kind}: expected it to be continuous or cyclic",
        )
    for name in filter(dataset.is_real, dataset.every_factor):
        require(
            not isinstance(dataset, Grid),
            f"factor '{name}' of a grid has real numbers: use Labelled, as hardly two images share "
            "such a number",
        )
        numbers = np.asarray(dataset.numbers.get(name, ()), np.float64)
        require(
            len(numbers) == dataset.every_factor[name] and bool((np.diff(numbers) > 0).all()),
            f"factor '{name}' has {dataset.every_factor[name]:,} real numbers, so `numbers` must "
            f"hold them in ascending order, got {len(numbers):,}",
        )
    for name in dataset.kinds:
        check_period(dataset, name)


def check_period(dataset: Labelled, name: str) -> None:
    """Raise if the numbers of a cyclic factor exceed its period, or are of another unit."""
    period = dataset.kind(name).period
    if not period:
        return
    numbers = np.asarray(dataset.every_number[name], np.float64)
    low, high = numbers.min(), numbers.max()
    named = name in dataset.numbers
    least = OF_NUMBERS if named else OF_LABELS
    require(
        least * period <= high - low <= (1 + 1e-6) * period,
        f"factor '{name}' has the period {period:g}, but its {'numbers' if named else 'labels'} "
        f"are {low:g} to {high:g}: expected them to cover one period, or {least:g} of it or more; "
        "the period is in the unit of `numbers`, which are the labels if there are none",
    )


@rules.unless(lacks_labels)
def labels_are_in_range(s: Subject) -> None:
    """Labels are whole numbers from 0 to the number of values minus 1."""
    dataset = cast(Labelled, s.dataset)
    index = s.some(ROWS)
    labels = dataset.every_label(index)
    shape = (len(index), len(dataset.every_factor))
    require(
        labels.shape == shape and labels.dtype == np.int64,
        f"expected every_label() to be int64 {list(shape)}, got {labels.dtype} "
        f"{list(labels.shape)}",
    )
    for (name, size), column in zip(dataset.every_factor.items(), labels.T, strict=True):
        low, high = column.min(), column.max()
        require(
            low >= 0 and high < size,
            f"labels of '{name}' are {low} to {high}, but it has {size} values: number them from 0 "
            f"to {size - 1}",
        )
    same = np.array_equal(dataset.every_label(index[::-1]), labels[::-1])
    require(same, "labels are not in the order of the index: return a row for each of its entries")


@rules.unless(lacks_grid)
def index_is_the_inverse_of_labels(s: Subject) -> None:
    """There is one image for every combination, and index() returns it."""
    dataset, index = cast(Grid, s.dataset), s.some(ROWS)
    count = int(np.prod(list(dataset.every_factor.values())))
    require(
        len(dataset) == count,
        f"a grid has one image for every combination, {count}, but this has {len(dataset)}: if "
        "some are missing, use Labelled",
    )
    back = dataset.index(dataset.every_label(index))
    wrong = np.flatnonzero(back != index)
    if len(wrong):
        i = index[wrong[0]]
        require(
            False,
            f"image {i} has labels {dataset.every_label([i])[0].tolist()}, but index() of these is "
            f"{back[wrong[0]]}: images must be in row-major order of the factors",
        )


@rules.unless(lacks_labels)
def sharing_shares(s: Subject) -> None:
    """sharing() returns images with the same value of a factor, drawn from the given generator."""
    dataset, index = cast(Labelled, s.dataset), s.some(500)
    for factor in dataset.factors:
        column = dataset.column(factor)
        try:
            with undisturbed("sharing()", "draw from the given rng"):
                first = dataset.sharing(factor, index, numpy_rng(0, factor))
        except Unavailable:  # an image may be the only one with its value
            continue
        again, other = (dataset.sharing(factor, index, numpy_rng(i, factor)) for i in (0, 1))
        shared = dataset.every_label(first)[:, column] == dataset.every_label(index)[:, column]
        require(
            bool(shared.all()),
            f"sharing('{factor}') returns another value of '{factor}' for {(~shared).sum()} of "
            f"{len(index)} images: draw among the images with the same value",
        )
        require(
            np.array_equal(first, again),
            f"sharing('{factor}') returns other images for the same rng: draw only from it",
        )
        require(
            not np.array_equal(first, other),
            f"sharing('{factor}') returns the same images for every rng: draw from the given one",
        )
