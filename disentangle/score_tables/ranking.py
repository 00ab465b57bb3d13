"""Ranking: which row of a column differs significantly from all others, and which are compared."""

from collections.abc import Iterable, Sequence

from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.cells import Row
from disentangle.score_tables.statistics import LEVEL, Statistic, best_of
from disentangle.scoring.metric_traits import direction

TEST = f"Mann-Whitney tests, Holm-corrected, p < {LEVEL:g}"


def mark_best(
    rows: Sequence[Row], columns: Iterable[ColumnKey], statistic: Statistic = "mean"
) -> str:
    """Mark the rows that differ significantly from all comparable rows; return a note for readers.

    Comparable rows used the same labels in training. Baselines, external encoders, rows chosen by
    the displayed score and rows whose runs all collapsed are never ranked. A row with a run that is
    unfinished or lacks the score is not compared. If such a row is the best of its class, or a row
    of which some runs collapsed, nothing is marked. The note is empty if no two rows could be
    compared.
    """
    compared = marked = False
    classes = {row.supervision for row in rows if row.trained}
    for column in columns:
        better = direction(column)
        for supervision in classes if better in ("more", "less") else ():
            shown = [row for row in rows if supervision == row.supervision and column in row.cells]
            rivals = [row for row in shown if ranked(row) and row.cells[column].whole]
            if len(rivals) < 2:
                continue
            compared = True
            less = better == "less"
            values = [row.cells[column].values for row in rivals]
            best = best_of(values, less=less, statistic=statistic)
            if best is None or rivals[best].collapsed:
                continue
            others = [row for row in shown if row.trained and not row.all_collapsed]
            centres = [row.cells[column].centre for row in others]
            shown_centres = [centre for centre in centres if centre is not None]
            if rivals[best].cells[column].centre == (min if less else max)(shown_centres):
                marked = True
                rivals[best].best.add(column)
    if not compared:
        return ""
    subject = "Bold: differs" if marked else "No row differs"
    return f"{subject} significantly from every comparable row (by {statistic}; {TEST})."


def ranked(row: Row) -> bool:
    """True if a row may be compared with others."""
    return row.trained and not row.grey and not row.all_collapsed and row.complete
