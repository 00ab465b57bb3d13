"""A table ordered as its reader wants it; and what `--strict` refuses."""

from collections.abc import Callable, Sequence
from typing import Any

from disentangle.errors import UsageError, suggestion
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.score_tables.build import ordered
from disentangle.score_tables.cells import Cell, Row
from disentangle.score_tables.table import Table
from disentangle.scoring.metric_traits import direction

BEFORE = ("model", "steps")
"""What rows are sorted by, beside knobs and scores."""


def check_strictly(tables: Sequence[Table]) -> None:
    """Refuse a score that means several things, and a dataset that is several.

    Raises:
        UsageError: there is one; the message names what they differ in.
    """
    marks: dict[tuple[str, str], list[str]] = {}
    for table in tables:
        marks.setdefault(table.trained, []).append(table.fingerprint[:10])
        found: dict[str, list[str]] = {}
        for column, heading in table.columns.items():
            if not heading.endswith(CORRECTED):
                found.setdefault(column.score, []).append(heading)
        for name, headings in found.items():
            if len(headings) > 1:
                raise UsageError(f"--strict: {name} means several things: {', '.join(headings)}")
    meanings: dict[str, set[tuple[Any, ...]]] = {}
    for table in tables:
        for column in table.columns:
            if not column.corrected:
                meanings.setdefault(column.score, set()).add(column.meaning)
    for name, different in meanings.items():
        if len(different) > 1:
            said = "; ".join(sorted(map(str, different)))
            raise UsageError(f"--strict: {name} means several things over datasets: {said}")
    for trained, several in marks.items():
        if len(several) > 1:
            raise UsageError(
                f"--strict: '{trained[0]}' has several fingerprints: {', '.join(several)}"
            )


def sort_rows(tables: Sequence[Table], names: Sequence[str]) -> None:
    """Sort rows by scores, the best first, by knobs, `model` or `steps`; baselines stay.

    Raises:
        UsageError: a name that there is in no table, or that is several columns of one.
    """
    settings = {name for table in tables for row in table.rows for name in row.every}
    scores = {text for table in tables for c, h in table.columns.items() for text in (c.score, h)}
    known = {*settings, *scores, *BEFORE}
    for name in names:
        if name not in known:
            raise UsageError(f"--sort: no column '{name}'{suggestion(name, known)}")
    for table in tables:
        models = [row for row in table.rows if not row.baseline]
        for name in reversed(names):
            models.sort(key=sorted_by(table, name))
        again = iter(models)
        table.rows = [row if row.baseline else next(again) for row in table.rows]


def sorted_by(table: Table, name: str) -> Callable[[Row], Any]:
    """Return what rows of a table are sorted by; those that lack it come last."""
    found = [c for c, heading in table.columns.items() if name == heading]
    found = found or [c for c in table.columns if c.score == name and not c.corrected]
    if len(found) > 1:
        several = ", ".join(table.columns[column] for column in found)
        raise UsageError(f"--sort {name}: it is several columns: {several}; name one of them")
    if found:
        (column,) = found
        sign = 1 if direction(column) == "less" else -1

        def by_score(row: Row) -> Any:
            centre = row.cells.get(column, Cell()).centre
            return centre is None, sign * (centre or 0.0)

        return by_score
    if name in BEFORE:
        return lambda row: getattr(row, name)

    def by_setting(row: Row) -> Any:
        told = {name: row.every[name]} if name in row.every else {}
        return not told, ordered(told)

    return by_setting
