"""The rules of the dataset contract."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import SkipTest

import numpy as np
import torch

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.common_options import Common
from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.contracts.plugin import knobs
from disentangle.data import loading, status
from disentangle.data.location import about_of
from disentangle.data.user_images import check_names
from disentangle.errors import Unavailable
from disentangle.testing.check import Rules, require, says_source, undisturbed

MOST = 32
"""Images that are looked at."""
ROWS = 20_000
"""Labels that are looked at."""


@dataclass(frozen=True)
class Subject:
    """An opened dataset, how to open it again, and its function, if it was given by name."""

    dataset: Dataset
    again: Callable[[], Dataset]
    opener: Any = None

    def some(self, most: int = MOST) -> Index:
        """Return the indices of some images, the first and the last among them."""
        last = len(self.dataset) - 1
        drawn = numpy_rng(0, "images").integers(0, last + 1, most - 2)
        return np.concatenate([[last], drawn, [0]])


def subject(dataset: str | Dataset, data_dir: str | Path | None = None) -> Subject:
    """Return a dataset, given by name or opened.

    Raises:
        SkipTest: its published files are not here; the message says how to get them.
    """
    if isinstance(dataset, Dataset):
        return Subject(dataset, lambda: dataset)
    opens = loading.opener(dataset)
    known = about_of(opens)
    state = status.state(dataset, known, data_dir)
    if state.startswith("not available"):
        raise SkipTest(f"the images of '{dataset}' are {state}")

    def again() -> Dataset:
        return loading.load_dataset(dataset, data_dir=data_dir)

    return Subject(again(), again, opens)


def lacks_labels(s: Subject) -> str:
    """Return why rules about labels do not concern a dataset."""
    return "" if isinstance(s.dataset, Labelled) else "has no labels"


def lacks_grid(s: Subject) -> str:
    """Return why rules about places in a grid do not concern a dataset."""
    return "" if isinstance(s.dataset, Grid) else "is no grid"


rules = Rules[Subject]()


@rules.unless(lambda s: "" if s.opener else "was given opened, without its function")
def function_names_its_source(s: Subject) -> None:
    """The function that opens it says what it is, its module where it is from."""
    says_source(s.opener, f"'{s.opener.__name__}'")


@rules
def record_of_it_is_complete(s: Subject) -> None:
    """Its shape, length, source and likelihood are what a run's record takes."""
    found = s.dataset
    shape = found.image_shape
    require(
        isinstance(shape, tuple)
        and len(shape) == 3
        and all(type(n) is int and n > 0 for n in shape),
        f"image_shape is {shape!r}: it is (channels, height, width), whole numbers",
    )
    require(len(found) > 0, "there is no image: len(dataset) is 0")
    require(
        isinstance(found.source, str) and bool(found.source),
        "source is empty: say where the images came from",
    )
    known = knobs(Common)["likelihood"].choices
    require(
        found.likelihood in known,
        f"likelihood is '{found.likelihood}': choose one of {', '.join(known)}",
    )


@rules
def images_are_bytes_of_their_shape(s: Subject) -> None:
    """images(index) is a uint8 tensor [N, C, H, W], 0 to 255."""
    index = s.some()
    images = s.dataset.images(index)
    require(
        isinstance(images, torch.Tensor),
        f"images() returns {type(images).__name__}, not a tensor: torch.from_numpy(array)",
    )
    require(
        images.dtype == torch.uint8,
        f"images() returns {images.dtype}: return torch.uint8, 0 to 255; the core makes floats in "
        "[0, 1] of it, on the device",
    )
    shape = (len(index), *s.dataset.image_shape)
    require(
        tuple(images.shape) == shape,
        f"images() of {len(index)} indices is {list(images.shape)}, not {list(shape)}: "
        "[N, channels, height, width], as image_shape says",
    )
    largest = int(images.max())
    require(
        largest > 1,
        f"no pixel of {len(index)} images is above {largest}: multiply what is 0 or 1 by 255",
    )


@rules
def images_together_are_those_one_by_one(s: Subject) -> None:
    """The images of several indices are those of each, in this order."""
    index = np.concatenate([s.some(8), s.some(8)[::-1]])  # each twice, in no order
    together = s.dataset.images(index)
    for place, (i, image) in enumerate(zip(index, together, strict=True)):
        require(
            torch.equal(s.dataset.images(np.array([i]))[0], image),
            f"image {i} comes out otherwise on its own than at place {place} of {index.tolist()}: "
            "return images in the order of the index, each as often as it is there",
        )


@rules
def index_outside_is_refused(s: Subject) -> None:
    """An index below 0 or beyond the last image is an error."""
    for i in (-1, len(s.dataset)):
        try:
            s.dataset.images(np.array([i]))
        except Exception:
            continue
        require(
            False,
            f"images([{i}]) returns an image, and there are images 0 to {len(s.dataset) - 1}: "
            "begin with index = self._index(index), which checks it",
        )


@rules
def fingerprint_is_stable(s: Subject) -> None:
    """The fingerprint is 64 hex digits, and the same when the dataset is opened again."""
    first, second = s.dataset.fingerprint, s.again().fingerprint
    require(
        isinstance(first, str) and re.fullmatch("[0-9a-f]{64}", first) is not None,
        f"fingerprint is {first!r}: make it hashlib.sha256(...).hexdigest() of the images",
    )
    require(
        first == second,
        f"fingerprint is {first[:10]} and, opened again, {second[:10]}: make it of the images, not "
        "of paths, times or hash()",
    )


@rules
def opening_and_reading_disturb_nobody(s: Subject) -> None:
    """The dataset prints nothing, and leaves global generators alone."""
    remedy = "draw from np.random.default_rng(...) of your own"
    with undisturbed("images()", remedy):  # first, for opening it looks at images too
        s.dataset.images(s.some(4))
    with undisturbed("opening it", remedy):
        s.again()


@rules
def splits_are_parts_of_it(s: Subject) -> None:
    """Splits hold indices of images, `all` every one, and the others none twice."""
    splits, taken = s.dataset.splits, np.zeros(len(s.dataset), bool)
    for name in ("all", s.dataset.train_split, s.dataset.test_split):
        require(name in splits, f"there is no split '{name}': splits are {', '.join(splits)}")
    whole = np.array_equal(np.sort(splits["all"]), np.arange(len(taken)))
    require(whole, "split 'all' is not every image once: np.arange(len(self))")
    for name, index in splits.items():
        inside = index.size > 0 and index.min() >= 0 and index.max() < len(taken)
        require(inside, f"split '{name}' is empty, or reaches outside the {len(taken)} images")
        if name == "all":
            continue
        once = len(np.unique(index)) == len(index) and not taken[index].any()
        require(once, f"split '{name}' holds images twice, or images of another split")
        taken[index] = True


@rules.unless(lacks_labels)
def factors_have_names_and_sizes(s: Subject) -> None:
    """Factors have names that can be typed, and as many values as are named."""
    found = cast(Labelled, s.dataset)
    try:
        check_names(list(found.every_factor))
    except ValueError as error:
        require(False, f"a factor cannot be called like this: {error}")
    for name, size in found.every_factor.items():
        require(size >= 1, f"factor '{name}' has {size} values")
        said = found.values.get(name)
        require(
            said is None or len(said) == size,
            f"factor '{name}' has {size} values, and `values` names {len(said or ())}",
        )
    require(bool(found.factors), "no factor is scored: each is constant or a nuisance")
    strange = set(found.nuisance) - set(found.every_factor)
    require(not strange, f"nuisance names {sorted(strange)}, which are no factors")


@rules.unless(lacks_labels)
def labels_are_in_range(s: Subject) -> None:
    """Labels are whole numbers from 0 to the number of values, less one."""
    found = cast(Labelled, s.dataset)
    index = s.some(ROWS)
    labels = found.every_label(index)
    shape = (len(index), len(found.every_factor))
    require(
        labels.shape == shape and labels.dtype == np.int64,
        f"every_label() is {labels.dtype} {list(labels.shape)}: it is int64 {list(shape)}",
    )
    for (name, size), column in zip(found.every_factor.items(), labels.T, strict=True):
        low, high = column.min(), column.max()
        require(
            low >= 0 and high < size,
            f"labels of '{name}' are {low} to {high}, and it has {size} values: number them from 0 "
            f"to {size - 1}",
        )
    same = np.array_equal(found.every_label(index[::-1]), labels[::-1])
    require(same, "labels come in another order than the index that they are asked for")


@rules.unless(lacks_grid)
def index_is_the_inverse_of_labels(s: Subject) -> None:
    """There is one image for every combination, and index() finds it."""
    found, index = cast(Grid, s.dataset), s.some(ROWS)
    count = int(np.prod(list(found.every_factor.values())))
    require(
        len(found) == count,
        f"a grid has one image for every combination, {count}, and this has {len(found)}: if some "
        "are missing it is a Labelled",
    )
    back = found.index(found.every_label(index))
    wrong = np.flatnonzero(back != index)
    if len(wrong):
        i = index[wrong[0]]
        require(
            False,
            f"image {i} has labels {found.every_label([i])[0].tolist()}, and index() of these is "
            f"{back[wrong[0]]}: images lie in row-major order of the factors",
        )


@rules.unless(lacks_labels)
def sharing_shares(s: Subject) -> None:
    """sharing() gives images with the same value of a factor, drawn from the given generator."""
    found, index = cast(Labelled, s.dataset), s.some(500)
    for factor in found.factors:
        column = found.column(factor)
        try:
            with undisturbed("sharing()", "draw from the rng that it is given"):
                first = found.sharing(factor, index, numpy_rng(0, factor))
        except Unavailable:  # an image may be the only one with its value
            continue
        again, other = (found.sharing(factor, index, numpy_rng(i, factor)) for i in (0, 1))
        shared = found.every_label(first)[:, column] == found.every_label(index)[:, column]
        require(
            bool(shared.all()),
            f"sharing('{factor}') gives {(~shared).sum()} of {len(index)} images another value of "
            f"'{factor}': draw among the images with the same one",
        )
        require(
            np.array_equal(first, again),
            f"sharing('{factor}') gives other images from the same rng: draw from that alone",
        )
        require(
            not np.array_equal(first, other),
            f"sharing('{factor}') gives the same images from every rng: draw from the one given",
        )
