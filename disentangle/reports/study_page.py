"""Contents of a folder's page: score tables, scatter plots, runs, problems."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from disentangle._utils.text import duration
from disentangle.reports.compare_section import compared_rows
from disentangle.reports.plot_section import plot, runs_of
from disentangle.reports.scores_section import baselines_near
from disentangle.reports.sprites import figure_title, figure_uri
from disentangle.runs.collection import load_all
from disentangle.runs.external import External, load_externals, without_copies
from disentangle.runs.log_tail import LOG, last_entry
from disentangle.runs.run import Run
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.table import Table

LAST = "last"
"""The sort key of a cell that comes after all others."""


def about_study(
    folder: Path,
    beside: Path,
    name: str,
    problems: Sequence[str] = (),
    only: Sequence[Run] | None = None,
    tables: Sequence[Table] | None = None,
    pictures: Sequence[Path] = (),
) -> dict[str, Any]:
    """The template values of a folder's page.

    Args:
        folder: the folder, with runs below it.
        beside: the folder that will contain the page: links to the runs' pages are relative to it.
        name: file name of each run's page.
        problems: error messages to show.
        only: the runs to show; by default all below the folder. External encoders below the folder
            are shown in any case.
        tables: score tables of these runs; made from them by default.
        pictures: PNG files to show after the tables.
    """
    runs, unread = load_all(folder) if only is None else (list(only), [])
    externals, damaged = load_externals(folder)
    externals = without_copies(externals)
    links = {run.path: link(run.path / name, beside) for run in runs}
    if tables is None:
        tables = make_tables(runs, baselines_near(folder), externals=externals)
    return {
        "name": folder.resolve().name,
        "counts": counts(runs, externals),
        "tables": [
            {
                "sheet": table.sheet,
                "sort_keys": [sort_keys(table, row) for row in table.rows],
                "data": {
                    **plot(table, own, links),
                    "compared": compared_rows(table, own, links),
                },
            }
            for table in tables
            for own in [runs_of(table, runs)]
        ],
        "pictures": [
            {"name": figure_title(path), "uri": uri, "width": width}
            for path in pictures
            for uri, width in [figure_uri(path)]
        ],
        "runs": [
            *(run_row(run, links[run.path]) for run in runs),
            *map(external_row, externals),
        ],
        "problems": [*unread, *damaged, *problems, *failures(runs)],
    }


def link(page: Path, beside: Path) -> str:
    """The relative URL of a page from a folder; empty if the page does not exist."""
    if not page.exists():
        return ""
    return quote(Path(os.path.relpath(page.resolve(), beside.resolve())).as_posix())


def counts(runs: Sequence[Run], externals: Sequence[External] = ()) -> dict[str, str]:
    """Number of runs, models and datasets, and the training time, by name."""
    records = [run.record for run in runs]
    datasets = {one.record.dataset.name for one in runs}
    datasets |= {one.record.dataset.name for one in externals}
    unfinished, failed = (sum(run.state == s for run in runs) for s in ("unfinished", "failed"))
    seconds = sum(record.seconds or 0.0 for record in records)
    numbers = {
        "runs": len(runs),
        "unfinished": unfinished,
        "failed": failed,
        "models": len({record.model for record in records}),
        "external encoders": len(externals),
        "datasets": len(datasets),
        "training time": duration(seconds) if seconds else 0,
    }
    return {name: str(count) for name, count in numbers.items() if count}


def failures(runs: Sequence[Run]) -> list[str]:
    """A message for each run whose training failed."""
    return [
        f"{run.record.model}, seed {run.record.seed}, run {run.record.id} failed: "
        f"{run.record.failed}"
        for run in runs
        if run.state == "failed"
    ]


def sort_keys(table: Table, row: Row) -> list[str]:
    """Sort keys of a row's cells; an empty key means that the cell is sorted by its text.

    By a score, rows that collapsed come last in both directions: they are not ranked.
    """
    counts: dict[str, int | None] = {"steps": row.steps, "seeds": len(row.seeds)}
    centres = [row.cells.get(column, Cell()).centre for column in table.columns]
    scores = [LAST if row.all_collapsed else key(centre) for centre in centres]
    return [key(counts.get(name)) for name in table.left] + scores


def key(value: float | None) -> str:
    """A number in JavaScript syntax; empty if it is missing or not finite."""
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def run_row(run: Run, address: str) -> dict[str, Any]:
    """One row of the table of runs."""
    record, last = run.record, last_entry(run.path / LOG)
    active = last.get("active") if last else None
    return {
        "dataset": record.dataset.name,
        "model": record.model,
        "settings": record.summary,
        "steps": record.recipe["steps"],
        "seed": record.seed,
        "active": "" if active is None else active,
        "state": run.state,
        "id": record.id,
        "href": address,
    }


def external_row(external: External) -> dict[str, Any]:
    """One row of the table of runs, for an external encoder."""
    record = external.record
    return {
        "dataset": record.dataset.name,
        "model": record.name,
        "settings": record.source,
        "steps": None,
        "seed": "" if record.seed is None else record.seed,
        "active": "",
        "state": "external",
        "id": record.id,
        "href": "",
    }
