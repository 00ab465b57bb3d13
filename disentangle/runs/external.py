"""External encoders on disk: codes from elsewhere, with what made them and their scores.

An external encoder is a sibling of a run: a folder with a record and scores, but no training.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from disentangle._utils.files import write_text
from disentangle.contracts.references import split_options
from disentangle.errors import DisentangleError
from disentangle.runs.collection import find_folders
from disentangle.runs.layout import ENCODER, EXTERNAL, folder_name
from disentangle.runs.records import DatasetRecord, Record, Value, describe, read_record
from disentangle.runs.scored_folder import ScoredFolder
from disentangle.runs.scores import read_scores

ARRAYS = "arrays"
"""The name of the dataset of codes that are of no known dataset."""
UNCHECKED = "codes given, images not checked"


class ExternalRecord(Record):
    """What an external encoder is: the content of `encoder.json`."""

    format: Literal[1] = 1
    kind: Literal["encoder", "codes"]
    """`codes` if arrays were given, so that nothing here saw the images."""
    name: str
    """The name of its row: encoders of one name and several seeds share it."""
    note: str = ""
    seed: int | None = None
    """The seed that it was trained with, as the user says."""
    origin: dict[str, str]
    """What it is, such as `reference`, `file`, `library`, `weights`, `preprocessing`."""
    takes: Literal["float", "uint8"] = "float"
    """The type of the pixels that an encoder takes."""
    latents: int
    codes: str = ""
    """The digest of arrays that were given."""
    signature: tuple[tuple[float, ...], ...] = Field(default=())
    """Projections of an encoder's codes of a few images, by which it is recognised."""
    dataset: DatasetRecord
    """The whole dataset; each score has the view that was scored. For arrays without a dataset,
    their factors."""
    created: str
    packages: dict[str, str]

    @property
    def id(self) -> str:
        """10 hex digits that identify the codes, whatever they are named."""
        parts = (self.kind, self.seed, self.origin, self.takes, self.codes, self.signature)
        text = json.dumps([*parts, self.dataset.fingerprint], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def reference(self) -> str:
        """What the codes come from, in one word: a reference without options, or a file's name."""
        return self._split[0]

    @property
    def options(self) -> dict[str, Value]:
        """The options of the reference, and the type of the pixels if it is unusual."""
        takes = {} if self.takes == "float" else {"takes": self.takes}
        return {**self._split[1], **takes}

    @property
    def source(self) -> str:
        """What the codes come from, in a few words: without digests and versions."""
        return ", ".join(filter(None, [self.reference, describe(self.options)]))

    @cached_property
    def _split(self) -> tuple[str, dict[str, str]]:
        file = self.origin.get("file", "").rpartition(" ")[0]
        return split_options(self.origin.get("reference") or file, "NAME")

    @property
    def row(self) -> tuple[str, str]:
        """What the encoders of one row share: the name and the dataset's fingerprint."""
        return self.name, self.dataset.fingerprint

    def excludes(self, other: "ExternalRecord") -> bool:
        """True if both cannot be in one row: of one seed, or one of them of none."""
        seeds = (self.seed, other.seed)
        return self.row == other.row and (self.seed == other.seed or None in seeds)


class External(ScoredFolder):
    """An external encoder and its folder.

    Attributes:
        record: the content of its `encoder.json`.
    """

    record_name = ENCODER
    activity = "scoring this encoder"

    def __init__(self, path: Path, record: ExternalRecord) -> None:
        super().__init__(path)
        self.record = record

    @property
    def scored_weights(self) -> str:
        """The id, which renaming does not change."""
        return self.record.id

    def save_record(self, **changes: str) -> None:
        """Write `encoder.json`, with these fields changed."""
        self.record = self.record.model_copy(update=changes)
        write_text(self.path / ENCODER, self.record.model_dump_json(indent=2) + "\n")


def external_folder(results: Path, study: str, record: ExternalRecord) -> Path:
    """The folder of an external encoder."""
    return results.joinpath(study, folder_name(record.dataset.name), EXTERNAL, record.id)


def load_external(path: Path) -> External:
    """Load the external encoder in a folder.

    Raises:
        DisentangleError: the folder holds none, or its record is damaged.
    """
    try:
        return External(path, read_record(ExternalRecord, path / ENCODER))
    except FileNotFoundError:
        raise DisentangleError(f"{path}: not an external encoder (it has no {ENCODER})") from None


def load_externals(results: str | Path) -> tuple[list[External], list[str]]:
    """Load all external encoders under a folder; return them and messages on unreadable ones."""
    externals, problems = [], []
    for path in find_folders(results)[1]:
        try:
            external = load_external(path)
            read_scores(external)
            externals.append(external)
        except DisentangleError as error:
            problems.append(str(error))
    return externals, problems


def find_external(given: str | Path, results: str | Path) -> list[External]:
    """The external encoders given by a folder, a name, or the start of an id; all seeds of a name.

    Args:
        given: a folder, which comes first; else a name, or an id's first characters.
        results: the folder that is searched for the name or id.
    """
    text, folder = str(given), Path(given).expanduser()
    if (folder / ENCODER).exists():
        return [load_external(folder)]
    if len(folder.parts) != 1 or folder.is_absolute():
        return []
    externals = without_copies(load_externals(results)[0])
    externals.sort(key=lambda one: one.record.seed or 0)
    matches = [one for one in externals if text in (one.record.name, one.record.id)]
    return matches or [one for one in externals if one.record.id.startswith(text)]


def without_copies(externals: Iterable[External]) -> list[External]:
    """External encoders without copies; of several copies, the one with the most scores is kept."""
    kept: dict[tuple[str, str], External] = {}
    for one in externals:
        key = one.record.id, one.record.name
        if key not in kept or len(read_scores(one)) > len(read_scores(kept[key])):
            kept[key] = one
    return list(kept.values())
