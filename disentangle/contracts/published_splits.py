"""Published splits: hold-outs of papers by name, in small TOML files, one for each dataset."""

import shlex
from collections.abc import Mapping
from functools import cache

from disentangle._utils.strict import Strict, packaged_toml
from disentangle._utils.text import joined
from disentangle.contracts.dataset import Dataset, ViewRecord
from disentangle.errors import UsageError, nearest, suggestion, true_name

PARTS = ("train", "test", "all")
"""The parts of a published split, written after its name: `montero-shape2tx:test`."""

HOLD_OUT = ("hold_out", "hold_out_seed", "hold_out_name")
"""The fields of a view's record that hold images out."""


class PublishedSplit(Strict):
    """A hold-out of a paper."""

    name: str
    datasets: tuple[str, ...]
    """The datasets that it is of."""
    source: str
    link: str
    named: str
    """The split as its authors name it."""
    about: str
    """What is held out."""
    sizes: str
    """Where the numbers of images come from."""
    hold_out: tuple[str, ...] = ()
    """What is held out, as for `--hold-out`; empty if the split is unavailable."""
    train: int = 0
    """The number of images to train on."""
    test: int = 0
    """The number of images to test on."""
    unavailable: str = ""
    """Why the split cannot be made here."""

    @property
    def options(self) -> str:
        """The same hold-out as options of a command."""
        return " ".join(f"--hold-out {shlex.quote(spec)}" for spec in self.hold_out)

    def line(self, total: int) -> str:
        """Describe the split in one line; `total` is the number of images of the dataset."""
        rest = total - self.train - self.test
        neither = f", {rest:,} in neither part" if rest else ""
        return (
            f"{self.about}: train {self.train:,} images, test {self.test:,} "
            f"({100 * self.test / total:.3g} %){neither}; {self.options}"
        )

    def check_sizes(self, dataset: str, train: int, test: int) -> None:
        """Raise a UsageError unless an opened dataset has the split's numbers of images."""
        if (train, test) != (self.train, self.test):
            raise UsageError(
                f"{dataset}: split '{self.name}' has {self.train:,} training and {self.test:,} "
                f"test images, but this copy of the dataset has {train:,} and {test:,}; for a part "
                f"of your own use {self.options}"
            )


@cache
def known_splits() -> tuple[PublishedSplit, ...]:
    """All published splits, in the order of their files."""
    files = packaged_toml("disentangle.contracts", "splits").values()
    return tuple(
        PublishedSplit(name=name, **split, **file)
        for file in files
        for name, split in file.pop("splits").items()
    )


def splits_of(dataset: str) -> Mapping[str, PublishedSplit]:
    """The published splits of a dataset by name."""
    return {split.name: split for split in known_splits() if dataset in split.datasets}


def find_split(dataset: str, text: str) -> tuple[PublishedSplit, str] | None:
    """The published split of a dataset that `NAME` or `NAME:PART` means, and its part.

    Returns:
        None if the name is none of the dataset's; an empty part if none was given.

    Raises:
        UsageError: the part is none of `PARTS`, or the split is unavailable.
    """
    name, colon, part = text.partition(":")
    splits = splits_of(dataset)
    name = true_name(name, splits)
    if name not in splits:
        return None
    if splits[name].unavailable:
        raise UsageError(f"split '{name}' is unavailable: {splits[name].unavailable}")
    if colon and part not in PARTS:
        parts = ", ".join(f"{name}:{part}" for part in PARTS)
        raise UsageError(f"expected one of {parts} for --split, got '{text}'")
    return splits[name], part


def scored_part(dataset: Dataset, split: str | None) -> str | None:
    """The part `NAME:PART` of a published split that is scored: `test` if none is given.

    Returns:
        None if `split` is no published split of the dataset.
    """
    if split is None or split in dataset.splits:
        return None
    published = find_split(dataset.name, split)
    return published and f"{published[0].name}:{published[1] or 'test'}"


def is_scored_part(view: ViewRecord, split: str) -> bool:
    """True if a score's view is of the split that was asked for, as `scored_part` reads it."""
    name, _, part = split.partition(":")
    published = str(view.get("hold_out_name", "")).casefold() == name.casefold()
    return view.get("split") == ((part or "test") if published else split)


def check_split(dataset: str, text: str) -> None:
    """Raise for a split that a dataset with published splits cannot have, before it is opened."""
    if splits_of(dataset) and find_split(dataset, text) is None:
        check_dataset(dataset, text)


def check_dataset(dataset: str, text: str) -> None:
    """Raise for a split that is published, but of other datasets than this one.

    Raises:
        UsageError: the message names these datasets, and the splits of this one.
    """
    name = text.partition(":")[0]
    owners = [owner for split in known_splits() if split.name == name for owner in split.datasets]
    if owners and dataset not in owners:
        names = ", ".join(names_for(dataset)) or "none"
        raise UsageError(
            f"'{name}' is a split of {joined(owners)}, not of {dataset}; published splits of "
            f"{dataset}: {names}"
        )


def unknown_split(dataset: str, text: str, own: Mapping[str, object]) -> UsageError:
    """The error for a name that is neither a split of a dataset nor a published one of it."""
    check_dataset(dataset, text)
    names = [*own, *names_for(dataset)]
    hint = suggestion(text, names)
    if nearest(text, names) is None:
        hint = f"; its splits are {', '.join(names)}"
    return UsageError(f"{dataset} has no split '{text}'{hint}")


def names_for(dataset: str) -> list[str]:
    """The names of the published splits of a dataset that can be made here."""
    return [name for name, split in splits_of(dataset).items() if not split.unavailable]
