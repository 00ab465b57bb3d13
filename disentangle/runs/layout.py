"""Names of folders and files in a run."""

from pathlib import Path

from disentangle.errors import UsageError
from disentangle.runs.records import RunRecord

CHECKPOINT = "checkpoint.safetensors"
"""The weights of a run, and until it is finished what training goes on from."""
RECORD = "run.json"
"""The record of a run; a folder that has one is a run."""
FILES = ("traversals.png", "traversals.gif", "reconstructions.png")
"""Those of every run."""


def folder_name(name: str) -> str:
    """Return a registered name, `module:name` or path as the name of one folder."""
    return name.removeprefix("./").replace(":", ".").replace("/", "_")


def run_folder(results: Path, study: str, record: RunRecord) -> Path:
    """Return the folder of a run.

    Raises:
        UsageError: the study's name is none of a folder.
    """
    if not study or Path(study).name != study or study.startswith(".") or "\0" in study:
        raise UsageError(f"--study {study}: name one folder, as in --study beta-sweep")
    names = (folder_name(name) for name in (record.dataset.name, record.model))
    return results.joinpath(study, *names, record.id)
