"""Names of folders and files in a run."""

from pathlib import Path

from disentangle.errors import UsageError
from disentangle.runs.records import RunRecord

CHECKPOINT = "checkpoint.safetensors"
"""The weights of a run and, until it is finished, the state from which training resumes."""
RECORD = "run.json"
"""The record of a run; a folder that has one is a run."""
SCORES = "scores.json"
"""The scores of a run."""
ENCODER = "encoder.json"
"""The record of an external encoder, or of codes from elsewhere; a folder that has one is one."""
EXTERNAL = "external"
"""The folder of external encoders, beside those of a dataset's models."""
IMPORTING = ".import"
"""The folder in a results folder where an archive is unpacked; nothing in it is a run yet."""
FILES = ("traversals.png", "traversals.gif", "reconstructions.png")
"""The figures of every run."""


def folder_name(name: str) -> str:
    """A registered name, `module:name`, path or reference as the name of a single folder."""
    name = name.removeprefix("./").replace(":./", ":")
    return name.replace(":", ".").replace("/", "_")


def run_folder(results: Path, study: str, record: RunRecord) -> Path:
    """The folder of a run.

    Raises:
        UsageError: the study's name is not a valid folder name.
    """
    if not study or Path(study).name != study or study.startswith(".") or "\0" in study:
        raise UsageError(f"--study {study}: expected the name of one folder, such as beta-sweep")
    names = (folder_name(name) for name in (record.dataset.name, record.model))
    return results.joinpath(study, *names, record.id)
