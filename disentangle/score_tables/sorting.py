"""Sort the rows of tables (`--sort`), and check for mixed meanings (`--strict`)."""

from collections.abc import Callable, Sequence
from typing import Any

from disentangle.errors import UsageError, suggestion, true_name
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.score_tables.build import ordered
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.table import Table
from disentangle.scoring.metric_traits import direction

BEFORE = ("model", "steps")
"""Names that rows can be sorted by, besides knobs and scores."""


def check_strictly(tables: Sequence[Table]) -> None:
    """Check that each score has one meaning, and each dataset one fingerprint.

    Raises:
        UsageError: a score or dataset differs between columns or tables; the message says how.
    """
    fingerprints: dict[tuple[str, str], list[str]] = {}
    for table in tables:
        fingerprints.setdefault(table.trained, []).append(table.fingerprint[:10])
        by_score: dict[str, list[str]] = {}
        for column, heading in table.columns.items():
            if not heading.endswith(CORRECTED):
                by_score.setdefault(column.score, []).append(heading)
        for name, headings in by_score.items():
            if len(headings) > 1:
                raise UsageError(
                    f"--strict: {name} was computed in several ways: {', '.join(headings)}"
                )
    meanings: dict[str, set[tuple[Any, ...]]] = {}
    for table in tables:
        for column in table.columns:
            if not column.corrected:
                meanings.setdefault(column.score, set()).add(column.meaning)
    for name, different in meanings.items():
        if len(different) > 1:
            text = "; ".join(sorted(map(str, different)))
            raise UsageError(f"--strict: {name} was computed in several ways over datasets: {text}")
    for trained, several in fingerprints.items():
        if len(several) > 1:
            raise UsageError(
                f"--strict: the images of '{trained[0]}' differ between runs, by their "
                f"fingerprints: {', '.join(several)}"
            )


def sort_rows(tables: Sequence[Table], names: Sequence[str]) -> None:
    """Sort rows by scores (best first), knobs, `model` or `steps`; other rows keep their place.

    By a score, rows that collapsed come after the others.

    Raises:
        UsageError: no table has the name, or it matches several columns of a table.
    """
    settings = {name for table in tables for row in table.rows for name in row.every}
    scores = {text for table in tables for c, h in table.columns.items() for text in (c.score, h)}
    sortable = {*settings, *scores, *BEFORE}
    names = [true_name(name, sortable) for name in names]
    for name in names:
        if name not in sortable:
            hint = suggestion(name, sortable, option="--sort")
            raise UsageError(f"--sort: no column '{name}'{hint}")
    for table in tables:
        models = [row for row in table.rows if row.trained]
        for name in reversed(names):
            models.sort(key=sorted_by(table, name))
        sorted_models = iter(models)
        table.rows = [next(sorted_models) if row.trained else row for row in table.rows]


def sorted_by(table: Table, name: str) -> Callable[[Row], Any]:
    """The sort key of a table's rows; rows without the value come last."""
    matches = [c for c, heading in table.columns.items() if name == heading]
    matches = matches or [c for c in table.columns if c.score == name and not c.corrected]
    if len(matches) > 1:
        several = ", ".join(table.columns[column] for column in matches)
        raise UsageError(f"--sort {name}: matches several columns; use one of: {several}")
    if matches:
        (column,) = matches
        sign = 1 if direction(column) == "less" else -1

        def by_score(row: Row) -> Any:
            centre = row.cells.get(column, Cell()).centre
            return centre is None, row.all_collapsed, sign * (centre or 0.0)

        return by_score
    if name in BEFORE:
        return lambda row: getattr(row, name)

    def by_setting(row: Row) -> Any:
        setting = {name: row.every[name]} if name in row.every else {}
        return not setting, ordered(setting)

    return by_setting
