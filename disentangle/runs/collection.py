"""Find and load all runs under a folder."""

import contextlib
import os
import time
from pathlib import Path

from disentangle._utils.memory import uncollected
from disentangle.errors import DisentangleError
from disentangle.runs.collapse import log_end
from disentangle.runs.index import LACKING, MANY, is_stable, read_index, write_index
from disentangle.runs.layout import ENCODER, EXTERNAL, IMPORTING, RECORD
from disentangle.runs.run import Run, read_run
from disentangle.runs.scores import read_scores


def find_runs(results: str | Path) -> list[Path]:
    """The folders under `results` that hold a run, sorted; runs are not searched for more runs."""
    return find_folders(results)[0]


def find_folders(results: str | Path) -> tuple[list[Path], list[Path]]:
    """The folders under `results` that hold a run, and those of external encoders, sorted."""
    folders, runs, external = [str(Path(results))], [], []
    while folders:
        folder = folders.pop()
        if os.path.exists(os.path.join(folder, RECORD)):
            runs.append(Path(folder))
            continue
        inside = os.path.basename(os.path.dirname(os.path.abspath(folder))) == EXTERNAL
        if inside and os.path.exists(os.path.join(folder, ENCODER)):
            external.append(Path(folder))
            continue
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            folders += [
                entry.path
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and entry.name != IMPORTING
            ]
    return sorted(runs), sorted(external)


def load_all(results: str | Path) -> tuple[list[Run], list[str]]:
    """Load all runs under a folder. Return them and, for each unreadable run, an error message.

    If there are many, runs whose files have not changed come from an index in the user's cache.
    """
    runs, lacking, problems = [], 0, []
    with uncollected():
        now, paths = time.time_ns(), find_runs(results)
        index = read_index(results) if len(paths) >= MANY else None
        for path in paths:
            try:
                run = index.recall(path, str(path.relative_to(results))) if index else None
                indexed = run is not None
                if run is None:
                    run = read_run(path)
                    read_scores(run)
                if index and run.finished:
                    before = run.log_end
                    indexed &= log_end(run) is before
                lacking += not indexed and is_stable(run, now)
                runs.append(run)
            except DisentangleError as error:
                problems.append(str(error))
        if index and lacking > LACKING * len(paths):
            write_index(results, [run for run in runs if is_stable(run, now)])
    return runs, problems
