"""Which row of a column is told apart from every other, and what may be ranked at all."""

from collections.abc import Iterable, Sequence

from disentangle import registry
from disentangle.cells import Column, Row
from disentangle.errors import DisentangleError
from disentangle.metric import Direction, Role
from disentangle.summary import LEVEL, Statistic, best_of

TEST = f"Mann-Whitney tests, Holm-corrected for the rows compared, p below {LEVEL:g}"


def direction(column: Column) -> Direction | None:
    """Return whether more or less of a column's score is better; None if that is not known."""
    try:
        return registry.metrics.load(column[1]).better.get(column[0], "more")
    except DisentangleError:  # not installed here
        return None


def role(column: Column) -> Role | None:
    """Return what a figure of rate and distortion takes a column for, if for anything."""
    try:
        return registry.metrics.load(column[1]).roles.get(column[0])
    except DisentangleError:  # not installed here
        return None


def metrics_with(wanted: Role) -> str:
    """Return the options of `disentangle score` that give scores of a role."""
    names = registry.metrics.entries
    found = [name for name in names if wanted in registry.metrics.load(name).roles.values()]
    return " or ".join(f"--metric {name}" for name in found) or "--metric NAME"


def mark_best(rows: Sequence[Row], columns: Iterable[Column], statistic: Statistic = "mean") -> str:
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
