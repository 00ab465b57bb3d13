"""The verb `load_run`: load a run by its folder, its name or its id."""

from pathlib import Path

from disentangle.contracts.dataset import Dataset
from disentangle.runs.labels import find_run
from disentangle.runs.run import Run, read_run

RESULTS = "results"
"""The folder whose runs are searched for a name or id."""


def load_run(
    path: str | Path,
    *,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
) -> Run:
    """Load the run in a folder, or the one of a name or id in `./results`, as commands do.

    Args:
        path: the folder; if it holds no run, the name of a run, or the start of its id.
        dataset: the dataset, if it is already open [default: opened when first used].
        data_dir: the folder of its prepared files, if they have moved.
        file: the dataset's original file, if it has moved.

    Raises:
        DisentangleError: there is no such run, or several, or its record is damaged or was written
            by another version.
    """
    folder = find_run(path, RESULTS)
    return read_run(folder, dataset=dataset, data_dir=data_dir, file=file)
