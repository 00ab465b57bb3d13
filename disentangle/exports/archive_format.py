"""The format of an archive of runs: a zip with the files that runs may hold, and a manifest.

The names of the files are their places in a results folder, such as
`default/dsprites/vae/41ba6204e8/run.json`. The manifest lists each with its size and its SHA-256.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from disentangle.runs.layout import CHECKPOINT, ENCODER, EXTERNAL, RECORD, SCORES
from disentangle.runs.records import Record

FORMAT = 1
"""The version of the format; it changes if an earlier disentangle could not read an archive."""
MANIFEST = "manifest.json"
SUFFIX = ".zip"
BASELINES = "baselines"
"""The folder of the scores of baselines in a results folder."""
STUDY = "study.toml"
"""The copy of a study file in the folder of its study."""
MIB, GIB = 2**20, 2**30
FILES = 200_000
"""Maximum number of files in an archive."""
LISTING = 64 * MIB
"""Maximum bytes of the manifest, and of the zip's own list of files."""
RUN_FILES = {
    re.escape(RECORD): MIB,
    r"label\.json": MIB,
    re.escape(SCORES): 64 * MIB,
    r"log\.jsonl": GIB,
    re.escape(CHECKPOINT): 16 * GIB,
    r"history/step-\d{9,12}\.safetensors": 16 * GIB,
    r"figures/[^/]+\.(png|gif|webp|pdf|svg)": 64 * MIB,
    r"trackers/[\w.-]+-[0-9a-f]{8}\.json": MIB,
    r"trackers/[\w.-]+-[0-9a-f]{8}\.log": GIB,
}
"""The files that a run may hold -> their maximum bytes."""
EXTERNAL_FILES = {re.escape(ENCODER): MIB, re.escape(SCORES): 64 * MIB}
"""The files that an external encoder may hold -> their maximum bytes."""
BASELINE_FILE, STUDY_FILE = 64 * MIB, MIB

Kind = Literal["run", "external", "baseline", "study"]


class FileRecord(Record):
    """The size of a file in bytes, and its SHA-256."""

    size: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(Record):
    """The content of `manifest.json`."""

    format: Literal[1] = 1
    version: str
    """The version of disentangle that wrote the archive."""
    files: dict[str, FileRecord]


class Place(NamedTuple):
    """A place in a results folder: the folder of a run or external encoder, or a single file."""

    name: str
    kind: Kind


def limit_of(name: str, kind: Kind) -> int | None:
    """The maximum bytes of a file of a run or external encoder; None if it may hold no such file.

    Args:
        name: the name of the file in its folder.
        kind: `run` or `external`.
    """
    files = EXTERNAL_FILES if kind == "external" else RUN_FILES
    return next((most for form, most in files.items() if re.fullmatch(form, name, re.ASCII)), None)


def by_place(names: Collection[str]) -> dict[Place, dict[str, int]]:
    """The files of an archive by their place, each with its maximum bytes.

    Raises:
        ValueError: a name is unsafe, or no file of a run has it.
    """
    files: dict[Place, dict[str, int]] = {}
    known = set(names)
    for name in names:
        check_safe(name)
        parts = name.split("/")
        limit: int | None
        if len(parts) == 2 and parts[1] == STUDY:
            place, limit = Place(name, "study"), MIB
        elif len(parts) == 3 and parts[0] == BASELINES and name.endswith(".json"):
            place, limit = Place(name, "baseline"), 64 * MIB
        else:
            folder = "/".join(parts[:4])
            outside = parts[2:3] == [EXTERNAL] and f"{folder}/{ENCODER}" in known
            place = Place(folder, "external" if outside else "run")
            limit = limit_of("/".join(parts[4:]), place.kind)
        if limit is None:
            raise ValueError(f"{name!r} is no file of a run")
        files.setdefault(place, {})[name] = limit
    return files


def check_safe(name: str) -> None:
    """Raise a ValueError if a file of an archive has a name that leads outside, or a hidden one."""
    parts = name.split("/")
    separators = {"\\", ":"} if os.name == "nt" else set()
    if not name.isprintable() or separators & set(name):
        raise ValueError(f"{name!r} has a character that names of files must not have")
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError(f"{name!r} is an unsafe path")
    if parts[0].startswith("."):
        raise ValueError(f"{name!r} is in a hidden folder")


def files_in(folder: Path) -> list[str]:
    """The names of the files in a folder and its subfolders, without hidden ones, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not f"/{name}".count("/."))
