"""What the page of a folder shows: its score tables, scores against knobs, its runs, problems."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from disentangle._utils.text import duration
from disentangle.reports.plot_section import plot, runs_of
from disentangle.reports.scores_section import baselines_near
from disentangle.reports.sprites import figure_uri
from disentangle.runs.collection import load_all
from disentangle.runs.run import Run
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.table import Table


def about_study(
    folder: Path,
    beside: Path,
    name: str,
    problems: Sequence[str] = (),
    only: Sequence[Run] | None = None,
    tables: Sequence[Table] | None = None,
    pictures: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return all that the template of a folder's page names.

    Args:
        folder: the folder, with runs below it.
        beside: the folder that the page will lie in: links to runs' pages start there.
        name: what the page of a run is called.
        problems: what is known to have gone wrong.
        only: the runs to show; all below the folder unless given.
        tables: of these runs; the usual ones unless given.
        pictures: PNG files to show after them.
    """
    runs, unread = load_all(folder) if only is None else (list(only), [])
    links = {run.path: link(run.path / name, beside) for run in runs}
    if tables is None:
        tables = make_tables(runs, baselines_near(folder))
    return {
        "name": folder.resolve().name,
        "counts": counts(runs),
        "tables": [
            {
                "sheet": table.sheet,
                "sort_keys": [sort_keys(table, row) for row in table.rows],
                "plot": plot(table, runs_of(table, runs), links),
            }
            for table in tables
        ],
        "pictures": [
            {"name": path.stem.replace("-", " "), "uri": uri, "width": width}
            for path in pictures
            for uri, width in [figure_uri(path)]
        ],
        "runs": [run_said(run, links[run.path]) for run in runs],
        "problems": [*unread, *problems, *failures(runs)],
    }


def link(page: Path, beside: Path) -> str:
    """Return the address of a page as seen from a folder; empty where the page is not there."""
    if not page.exists():
        return ""
    return quote(Path(os.path.relpath(page.resolve(), beside.resolve())).as_posix())


def counts(runs: Sequence[Run]) -> dict[str, str]:
    """Return how much there is, by name."""
    records = [run.record for run in runs]
    unfinished, failed = (sum(run.state == s for run in runs) for s in ("unfinished", "failed"))
    seconds = sum(record.seconds or 0.0 for record in records)
    found = {
        "runs": len(runs),
        "unfinished": unfinished,
        "failed": failed,
        "models": len({record.model for record in records}),
        "datasets": len({record.dataset.name for record in records}),
        "training time": duration(seconds) if seconds else 0,
    }
    return {name: str(count) for name, count in found.items() if count}


def failures(runs: Sequence[Run]) -> list[str]:
    """Return why training came to no end, of each run that failed."""
    return [
        f"{run.record.model}, seed {run.record.seed}, run {run.record.id} failed: "
        f"{run.record.failed}"
        for run in runs
        if run.state == "failed"
    ]


def sort_keys(table: Table, row: Row) -> list[str]:
    """Return what each cell of a row is sorted by; an empty key means the cell's text."""
    known: dict[str, int | None] = {"steps": row.steps, "seeds": len(row.seeds)}
    centres = [row.cells.get(column, Cell()).centre for column in table.columns]
    return [key(known.get(name)) for name in table.left] + [key(centre) for centre in centres]


def key(value: float | None) -> str:
    """Return a number as a script reads it; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def run_said(run: Run, address: str) -> dict[str, Any]:
    """Return one run in a line."""
    record, log = run.record, run.log
    active = log[-1].get("active") if log else None
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
