"""The rules of the contract of collections: datasets by reference.

A dataset of a collection keeps the rules of any dataset, too. It is prepared in temporary folders.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from disentangle._utils.files import data_folder
from disentangle.contracts import registry
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.references import Reference
from disentangle.data.location import Location
from disentangle.testing import datasets
from disentangle.testing.check import Rule, Rules, require
from disentangle.testing.references import (
    offline,
    parsed,
    refuses_unknown_name,
    refuses_unknown_option,
)

Open = Callable[[Location, Reference], Dataset]
PATH = (".", "~", "/")
"""Beginnings of a name that is a path."""


class Collection:
    """Opens datasets of a collection without the network, each in a new temporary folder.

    Attributes:
        function: the plugin.
        downloads: the folder of published files.
        file: the user's file or folder; None if the plugin finds its files by itself.
    """

    def __init__(self, function: Open, downloads: Path, file: Path | None) -> None:
        self.function, self.downloads, self.file = function, downloads, file
        self.opened, self.folder = 0, Path(tempfile.mkdtemp(prefix="collection-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def open(self, reference: Reference) -> Dataset:
        """Open a dataset as if it had not been prepared before."""
        path = reference.name if reference.name.startswith(PATH) else self.file
        self.opened += 1
        location = Location(
            folder=self.folder / str(self.opened),
            name=str(reference),
            downloads=self.downloads,
            file=None if path is None else Path(path).expanduser().resolve(),
        )
        dataset = self.function(location, reference)
        require(
            isinstance(dataset, Dataset),
            f"expected open() to return a Dataset, got {type(dataset).__name__}",
        )
        return dataset


@dataclass(frozen=True, kw_only=True)
class Subject(datasets.Subject):
    """A dataset of a collection, and how it was opened."""

    collection: Collection
    reference: Reference


def subject(
    reference: str, open: Open | None, file: str | Path | None, data_dir: str | Path | None
) -> Subject:
    """Return the subject of a reference, opened by the registered plugin if none is given."""
    asked = parsed(reference, bare="split")
    function = registry.collections.load(asked.prefix) if open is None else open
    downloads = data_folder(data_dir) / "downloads"
    collection = Collection(function, downloads, None if file is None else Path(file))

    def again() -> Dataset:
        return collection.open(asked)

    return Subject(
        dataset=again(), again=again, opener=function, collection=collection, reference=asked
    )


rules = Rules[Subject]()
rules.all += [Rule(rule.function, rule.excuse) for rule in datasets.rules.all]


@rules
def network_is_used_only_by_permission(s: Subject) -> None:
    """Nothing is downloaded without `location.download`."""
    with offline("open()"):
        s.again()


@rules
def unknown_name_is_refused(s: Subject) -> None:
    """A name that does not exist is an error that users can fix."""
    refuses_unknown_name(s.collection.open, s.reference)


@rules
def unknown_option_is_refused(s: Subject) -> None:
    """A misspelt option is an error, not ignored."""
    refuses_unknown_option(s.collection.open, s.reference)
