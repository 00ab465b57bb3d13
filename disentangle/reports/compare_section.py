"""The rows of a score table as data, of which the page of a study compares two."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle.runs.run import Run
from disentangle.score_tables.cells import Cell
from disentangle.score_tables.render import Sheet
from disentangle.score_tables.table import Table


def compared_rows(table: Table, runs: Sequence[Run], links: Mapping[Path, str]) -> dict[str, Any]:
    """The columns of a table, and its rows with the values of their seeds and their runs' pages.

    Args:
        table: the table.
        runs: the runs behind it.
        links: run's folder -> the URL of its page; empty if it has none.
    """
    sheet = table.sheet
    pages: dict[str, list[tuple[str, str]]] = {}
    for run in sorted(runs, key=lambda run: run.record.seed):
        if links[run.path]:
            page = (f"seed {run.record.seed}", links[run.path])
            pages.setdefault(run.record.group, []).append(page)
    counts = {column for row in table.rows for column, cell in row.cells.items() if cell.counts}
    return {
        "statistic": table.statistic,
        "columns": [
            {"score": heading, "counts": column in counts}
            for column, heading in table.columns.items()
        ],
        "rows": [
            {
                "name": name_of(sheet, i),
                "scores": [score_of(row.cells.get(column, Cell())) for column in table.columns],
                "pages": pages.get(row.group, []),
            }
            for i, row in enumerate(table.rows)
        ],
    }


def name_of(sheet: Sheet, row: int) -> str:
    """The words that name a row."""
    texts = [cell.text for cell in sheet.body[row][: sheet.names]]
    return " ".join(text for text in texts if text not in ("", "-"))


def score_of(cell: Cell) -> dict[str, Any] | None:
    """A score of a row: its statistic over seeds, and their values; None if there are none."""
    if cell.centre is None:
        return None
    return {"centre": short(cell.centre), "values": [short(value) for value in cell.values]}


def short(value: float) -> float:
    """A number with as many digits as a page shows."""
    return float(f"{value:.6g}")
