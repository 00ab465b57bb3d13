"""The verb `report`: the page of a run, of a study or of a folder of runs."""

from collections.abc import Sequence
from pathlib import Path

from disentangle._utils.callbacks import Say, silent
from disentangle.reports import pages
from disentangle.reports.network_data import LIMIT
from disentangle.runs.labels import find_run
from disentangle.runs.layout import RECORD
from disentangle.runs.named import RESULTS
from disentangle.runs.run import Run
from disentangle.studies.study_runs import load_study


def report(
    where: Run | str | Path,
    output: str | Path | None = None,
    *,
    runs: bool = False,
    gallery: bool = False,
    bases: Sequence[str] | None = None,
    network_limit: float = LIMIT,
    data_dir: str | Path | None = None,
    file: str | Path | None = None,
    say: Say = silent,
) -> Path:
    """Write the report of a run, or of a folder of runs; return the file written.

    Args:
        where: a run, its folder, or the name or id of one in `./results`; or a folder with runs
            below it, such as the one of a study or `results`.
        output: the file to write [default: `report.html` in that folder, and for a folder of
            several studies also `index.html`, their gallery].
        runs: for a folder: also write the report of each run, as `report.html` in its own folder.
        gallery: for a folder: write only the gallery, the runs as cards with pictures and scores
            [default of `output`: `index.html` in that folder].
        bases: for a run: the images or samples of the prior where the traversals start: `random`,
            `first`, `prior:COUNT` or the number of an image [default: `random`, `first` and
            `prior:2`].
        network_limit: for a run: the largest size of its networks inside the page, in MB; without
            them the page shows pictures alone.
        data_dir: folder of the prepared dataset, if it has moved since training.
        file: the dataset's own file, if it has moved since training.
        say: called with the path of each run's report, and of a second page, as it is written.

    Raises:
        DisentangleError: no run was found, the run has no checkpoint, or its dataset is not
            available.
    """
    given: Run | Path
    loaded = None
    if isinstance(where, Run):
        given = where
    else:
        folder = Path(where).expanduser()
        given = folder if folder.is_dir() else find_run(where, RESULTS)
        loaded = load_study(given) if given.is_dir() and not (given / RECORD).exists() else None
    return pages.report(
        given,
        output,
        runs=runs,
        gallery=gallery,
        bases=bases,
        network_limit=network_limit,
        loaded=loaded,
        data_dir=data_dir,
        file=file,
        say=say,
    )
