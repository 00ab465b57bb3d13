"""Which row of a column is told apart from every other, and what may be ranked at all."""

from collections.abc import Iterable, Sequence

from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.cells import Row
from disentangle.score_tables.statistics import LEVEL, Statistic, best_of
from disentangle.scoring.metric_traits import direction

TEST = f"Mann-Whitney tests, Holm-corrected for the rows compared, p below {LEVEL:g}"


def mark_best(
    rows: Sequence[Row], columns: Iterable[ColumnKey], statistic: Statistic = "mean"
) -> str:
    """Mark the rows that are told apart from every other of their class; return what that means.

    A class is what training took from labels. Baselines are never ranked, nor are rows chosen by
    what is shown. A row of which a run is missing, unfinished or without the score, is not compared
    either, and where its score is the best of its class nothing is marked. The words are empty
    where no class has two rows to compare.
    """
    compared = marked = False
    classes = {row.supervision for row in rows if not row.baseline}
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
            if best is None:
                continue
            centres = [row.cells[column].centre for row in shown if not row.baseline]
            known = [centre for centre in centres if centre is not None]
            if rivals[best].cells[column].centre == (min if less else max)(known):
                marked = True
                rivals[best].best.add(column)
    if not compared:
        return ""
    apart = "Bold: told apart" if marked else "No row can be told apart"
    return f"{apart} from every other complete row of its kind, by {statistic} ({TEST})."


def ranked(row: Row) -> bool:
    """Say whether a row may be compared with others."""
    return not row.baseline and not row.grey and row.complete
