"""Hold-outs: which images are left out of training, by factors' values or at random.

A specification is a share of all images (`0.2`, `20%`) or a combination of conditions, all of which
hold (`shape=heart,scale>=0.8`). Each condition is one of

- a value or several: `shape=heart`, `shape=heart|ellipse`, and `!=` for all others;
- numbers: `scale>0.7`, `>=`, `<`, `<=`, `orientation in 0..90` (both ends included; `350..10` of a
  cyclic factor goes through its end);
- a random share of the factor's values: `identity=20%`.

`scale#` in place of `scale` means the factor's label, the position of a value from 0: `scale#>=3`.
A specification that begins with `drop` leaves its images out of training and test.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset, Index, Labelled
from disentangle.errors import UsageError

Mask = NDArray[np.bool_]

DROP = "drop "
"""The beginning of a specification whose images are in neither part."""
CONDITION = re.compile(r"\s*(#?)(?:\s*(!=|<=|>=|=|<|>)|\s+(in)\s)\s*(.*?)\s*")
"""What follows the factor's name: `#`, the relation and the value."""
ORDER = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
"""The relations that compare numbers."""
DIGITS = 4
"""Significant digits of values that were rounded for their names."""
SHOWN = 12
"""Values of a factor that a message lists at most."""


def is_share(spec: str) -> bool:
    """True if a specification draws at random, so that it depends on the seed."""
    parts = spec.removeprefix(DROP).split(",")
    return not has_condition(spec) or any(
        "=" in part and part.rstrip().endswith("%") for part in parts
    )


def has_condition(spec: str) -> bool:
    """True if a specification is a combination of conditions, False for a share of all images."""
    return re.search(r"[=<>]|\sin\s", spec) is not None


def held_out(dataset: Dataset, specs: Sequence[str], seed: int) -> Mapping[str, Index]:
    """Return the splits `all`, `train` and `test` made by these hold-out specifications.

    If the dataset has its own splits, `train` is the part of its training split that is not held
    out, and `test` the held-out part of its test split.

    Raises:
        UsageError: a specification is invalid, or `train` or `test` is empty.
    """
    option = f"--hold-out {' '.join(specs)}"
    if dataset.train_split != "all" and not all(map(has_condition, specs)):
        names = ", ".join(name for name in dataset.splits if name != "all")
        raise UsageError(
            f"{option}: {dataset.name} has its own splits ({names}): choose one with --split"
        )
    held, dropped = np.zeros((2, len(dataset)), bool)
    for spec in specs:
        if spec.startswith(DROP):
            dropped |= matches(dataset, spec.removeprefix(DROP).strip(), seed)
        else:
            held |= matches(dataset, spec, seed)
    train, test = (dataset.splits[name] for name in (dataset.train_split, dataset.test_split))
    splits = {
        "all": np.arange(len(dataset)),
        "train": train[~(held | dropped)[train]],
        "test": test[(held & ~dropped)[test]],
    }
    for name, what, split, remedy in (
        ("train", "all images", dataset.train_split, "leave some to train on"),
        ("test", "no image", dataset.test_split, "hold out some to test on"),
    ):
        if not len(splits[name]):
            where = dataset.name if split == "all" else f"{dataset.name}'s split '{split}'"
            raise UsageError(f"{option}: holds out {what} of {where}; {remedy}")
    return splits


def parts_line(view: Dataset) -> str:
    """Describe the parts that the hold-out of a view makes of the whole dataset, in one line."""
    record: Mapping[str, Any] = view.view_record
    whole = view.whole
    splits = held_out(whole, record["hold_out"], record.get("hold_out_seed", 0))
    train, test = len(splits["train"]), len(splits["test"])
    name = record.get("hold_out_name")
    line = (
        f"{whole.name}, {f'split {name}' if name else 'hold-out'}: train {train:,} images, "
        f"test {test:,} ({100 * test / len(whole):.3g} % of all)"
    )
    rest = len(whole) - train - test
    return f"{line}, {rest:,} in neither part" if rest else line


def matches(dataset: Dataset, spec: str, seed: int) -> Mask:
    """Return the mask of the images that a specification holds out, [N]."""
    if not has_condition(spec):
        share = share_of(spec, spec)
        drawn = numpy_rng(seed, "hold out").permutation(len(dataset))
        mask = np.zeros(len(dataset), bool)
        mask[drawn[: round(share * len(dataset))]] = True
        return mask
    if not isinstance(dataset, Labelled):
        raise UsageError(
            f"--hold-out {spec}: {dataset.name} has no labels; hold out a share of its images, for "
            "example --hold-out 0.2"
        )
    labels = dataset.every_label(np.arange(len(dataset)))
    mask = np.ones(len(dataset), bool)
    for part in spec.split(","):
        condition = Condition.parse(dataset, part.strip(), spec)
        mask &= condition.chosen(dataset, seed, spec)[labels[:, dataset.column(condition.factor)]]
    return mask


def share_of(text: str, spec: str) -> float:
    """Parse a share between 0 and 1, written as 0.2 or 20%."""
    if re.fullmatch(r"\d*\.?\d+%?", text):
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if 0 < share < 1:
            return share
    raise UsageError(
        f"--hold-out {spec}: expected a share between 0 and 1 (0.2 or 20%), or a combination "
        "factor=value,factor>number"
    )


@dataclass(frozen=True)
class Condition:
    """A condition on one factor.

    Attributes:
        factor: the factor's name.
        by_label: True if values are labels, the positions of the factor's values from 0.
        relation: `=`, `!=`, `<`, `<=`, `>`, `>=` or `in`.
        value: the value, the values joined by `|`, the share, the number, or `low..high`.
    """

    factor: str
    by_label: bool
    relation: str
    value: str

    @classmethod
    def parse(cls, dataset: Labelled, text: str, spec: str) -> Self:
        """Parse a condition; of factors whose names begin alike, the longest that fits is meant."""
        for factor in sorted(dataset.every_factor, key=len, reverse=True):
            match = CONDITION.fullmatch(text, len(factor)) if text.startswith(factor) else None
            if match:
                label, relation, within, value = match.groups()
                return cls(factor, bool(label), relation or within, value)
        if not has_condition(text):
            raise UsageError(
                f"--hold-out {spec}: expected factor=value, factor>number or factor in LOW..HIGH "
                f"between commas, got '{text}'"
            )
        name = re.split(r"[#!]*[=<>]|\sin\s", text)[0].strip()
        dataset.column(name)  # raises: it is no factor's name
        raise UsageError(f"--hold-out {spec}: '{text}' is not a condition on {name}")

    def chosen(self, dataset: Labelled, seed: int, spec: str) -> Mask:
        """Return the mask of the factor's values that fulfil the condition, [number of values]."""
        factor = self.factor
        values = FactorValues.of(dataset, factor, self.by_label)
        if values.real and self.relation in ("=", "!="):
            raise UsageError(
                f"--hold-out {spec}: {factor} has real numbers, of which hardly two images have "
                f"the same; hold out a range, such as '{factor}>{values.middle}'"
            )
        if self.relation == "=" and self.value.endswith("%"):
            count = round(share_of(self.value, spec) * values.size)
            drawn = numpy_rng(seed, f"hold out {factor}").permutation(values.size)[:count]
            return np.isin(np.arange(values.size), drawn)
        if self.relation in ("=", "!="):
            names = [self.value] if self.value in values.names else self.value.split("|")
            named = [values.index_of(name.strip()) for name in names]
            return np.isin(np.arange(values.size), named, invert=self.relation == "!=")
        numbers = values.as_numbers(f"--hold-out {spec}")
        if self.relation == "in":
            low, dots, high = self.value.partition("..")
            if not dots:
                raise UsageError(
                    f"--hold-out {spec}: expected {factor} in LOW..HIGH, got '{self.value}'"
                )
            first, last = (values.number_of(text.strip(), spec) for text in (low, high))
            if first > last and dataset.kind(factor).name == "cyclic":
                return (numbers >= first) | (numbers <= last)
            return (numbers >= first) & (numbers <= last)
        compared: Mask = ORDER[self.relation](numbers, values.number_of(self.value, spec))
        return compared


@dataclass(frozen=True)
class FactorValues:
    """The values of a factor, in order of their labels.

    Attributes:
        where: the dataset and factor, for messages.
        names: the names of the values; the labels, if they have none.
        numbers: the numbers behind the values; None if the values are words.
        real: True for real numbers, which have no names.
    """

    where: str
    names: Sequence[str]
    numbers: Sequence[float] | None
    real: bool = False

    @classmethod
    def of(cls, dataset: Labelled, factor: str, by_label: bool = False) -> Self:
        """Return the values of a factor, or its labels in their place."""
        labels = range(dataset.every_factor[factor])
        if by_label:
            return cls(f"{dataset.name}: {factor}#", [str(label) for label in labels], labels)
        if dataset.is_real(factor):
            return cls(f"{dataset.name}: {factor}", (), dataset.every_number[factor], real=True)
        names = [str(name) for name in dataset.values.get(factor, labels)]
        known = dataset.numbers
        numbers = known[factor] if factor in known else numbers_of(names)
        return cls(f"{dataset.name}: {factor}", names, numbers)

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.names)

    @property
    def middle(self) -> str:
        """The middle of real numbers, as an example of one to compare with."""
        return f"{np.median(np.asarray(self.numbers)):.{DIGITS}g}"

    def index_of(self, text: str) -> int:
        """Return the position of a value, given by its name or as a number close to it."""
        index = self.find(text)
        if index is None:
            few = self.size <= SHOWN
            shown = self.names if few else [*self.names[:6], "...", *self.names[-2:]]
            raise UsageError(
                f"{self.where} has no value '{text}'; its values are {', '.join(shown)}"
            )
        return index

    def find(self, text: str) -> int | None:
        """Return the position of the value that a text means; None if there is none.

        A number in four significant digits, as values are listed, is close enough to one value, and
        so is one with more digits if the value's name has four.
        """
        if text in self.names:
            return self.names.index(text)
        values, number = numbers_of(self.names), numbers_of([text])
        if values is None or number is None:
            return None
        close = [i for i, value in enumerate(values) if isclose(value, number[0])]
        short = f"{number[0]:.{DIGITS}g}"
        rounded = [
            i
            for i, (name, value) in enumerate(zip(self.names, values, strict=True))
            if f"{value:.{DIGITS}g}" == text or (name == short and is_rounded(name))
        ]
        return close[0] if close else rounded[0] if len(rounded) == 1 else None

    def number_of(self, text: str, spec: str) -> float:
        """Return a number to compare with; the text of a value means exactly that value."""
        index = self.find(text)
        if index is not None and self.numbers is not None:
            return self.numbers[index]
        number = numbers_of([text])
        if number is None or not isfinite(number[0]):
            raise UsageError(f"--hold-out {spec}: expected a number, got '{text}'")
        return number[0]

    def as_numbers(self, option: str) -> NDArray[np.float64]:
        """Return the numbers behind the values.

        Raises:
            UsageError: the values are words.
        """
        if self.numbers is None or not all(map(isfinite, self.numbers)):
            _, _, factor = self.where.rpartition(": ")
            shown = [*self.names[:SHOWN], *(["..."] if self.size > SHOWN else [])]
            raise UsageError(
                f"{option}: the values of {factor} are words ({', '.join(shown)}); use = or !=, or "
                f"compare its labels, 0 to {self.size - 1}: {factor}#>0"
            )
        return np.asarray(self.numbers, np.float64)


def is_rounded(name: str) -> bool:
    """True if a number's name has a point and four significant digits, as rounded ones have."""
    digits = name.lstrip("-").replace(".", "").lstrip("0")
    return "." in name and digits.isdecimal() and len(digits) == DIGITS


def numbers_of(names: Sequence[str]) -> list[float] | None:
    """Return names of values as numbers; None if one is a word."""
    try:
        return [float(name) for name in names]
    except ValueError:
        return None
