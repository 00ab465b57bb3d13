"""Which row of a column is told apart from every other, and what may be ranked at all."""

from collections.abc import Iterable, Sequence

from disentangle import registry
from disentangle.cells import Column, Row
from disentangle.errors import DisentangleError
from disentangle.metric import Direction
from disentangle.summary import LEVEL, best_of

TEST = f"Mann-Whitney tests, Holm-corrected for the rows compared, p below {LEVEL:g}"


def direction(column: Column) -> Direction | None:
    """Return whether more or less of a column's score is better; None if that is not known."""
    try:
        return registry.metrics.load(column[1]).better.get(column[0], "more")
    except DisentangleError:  # not installed here
        return None


def mark_best(rows: Sequence[Row], columns: Iterable[Column]) -> str:
    """Mark the rows that are told apart from every other of their class; return what that means.

    A class is what training took from labels. Baselines are never ranked, nor are rows chosen by
    what is shown, nor a score that some run of its row lacks. The words are empty where no class
    has two rows to compare.
    """
    compared = marked = False
    classes = {row.supervision for row in rows if ranked(row)}
    for column in columns:
        better = direction(column)
        for supervision in classes if better in ("more", "less") else ():
            rivals = [
                row
                for row in rows
                if ranked(row)
                and row.supervision == supervision
                and column in row.cells
                and row.cells[column].whole
            ]
            if len(rivals) < 2:
                continue
            compared = True
            values = [row.cells[column].values for row in rivals]
            best, _ = best_of(values, less=better == "less")
            if best is not None:
                marked = True
                rivals[best].best.add(column)
    if not compared:
        return ""
    apart = "Bold: told apart" if marked else "No row is told apart"
    return f"{apart} from every other of its kind ({TEST})."


def ranked(row: Row) -> bool:
    """Say whether a row may be compared with others."""
    return not row.baseline and not row.grey and row.complete
