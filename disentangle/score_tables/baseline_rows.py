"""Baselines in score tables: their rows, warnings about scores, and correction for chance."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from disentangle.runs.records import describe
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.score_tables.cells import Cell, Row, cell_of
from disentangle.score_tables.groups import numbered, spread
from disentangle.scoring.metric_traits import counts, supervised

CORRECTED = ", corrected"
MARGIN = 0.01
"""Smallest margin above the oracle (or below noise) that is reported: sampling explains less."""


def control_row(
    name: str,
    scores: Mapping[ColumnKey, list[Score]],
    columns: Collection[ColumnKey],
    baselines: Mapping[str, Mapping[ColumnKey, list[Score]]],
) -> Row:
    """The row of a baseline, with the scores that belong to a column.

    A metric that no baseline has, such as one that decodes, is left out and not n/a.

    Args:
        name: the baseline.
        scores: its scores by column.
        columns: the table's columns.
        baselines: the scores of all baselines by column.
    """
    some = {column for own in baselines.values() for column in numbered(own)}
    cells = {
        column: cell_of(own[:1], 1, counts=counts(column.score))
        for column, own in spread(scores, some).items()
        if column in columns
    }
    return Row(model=name, cells=cells)


def baseline_warnings(
    columns: Mapping[ColumnKey, str], top: Row | None, bottom: Row | None, rows: Sequence[Row]
) -> tuple[str, ...]:
    """A warning for each score that does not rank the oracle first, or noise last."""
    warnings = []
    for column, heading in columns.items():
        best = top.cells.get(column, Cell()).centre if top else None
        if best is None or not supervised(column):
            continue
        above = [
            f"{name_among(rows, row)} ({mean:.3f})"
            for row in rows
            if (mean := row.cells.get(column, Cell()).centre) is not None and mean > best + MARGIN
        ]
        last = bottom.cells.get(column, Cell()).centre if bottom else None
        below = [
            f"{name_among(rows, row)} ({mean:.3f})"
            for row in rows
            if last is not None
            and not row.baseline
            and (mean := row.cells.get(column, Cell()).centre) is not None
            and mean < last - MARGIN
        ]
        if below:
            warnings.append(
                f"Caution: {heading} ranks noise ({last:.3f}) above {', '.join(below)}."
            )
        if above:
            warnings.append(
                f"Caution: {heading} ranks the oracle ({best:.3f}) below {', '.join(above)}."
            )
    return tuple(warnings)


def name_among(rows: Sequence[Row], row: Row) -> str:
    """A row's model, with the settings in which the other rows of the model differ."""
    others = [other.settings for other in rows if other.model == row.model]
    own = {k: v for k, v in row.settings.items() if any(s.get(k) != v for s in others)}
    return f"{row.model} {describe(own)}" if own else row.model


def correct(
    columns: Mapping[ColumnKey, str], rows: Sequence[Row], top: Row | None, bottom: Row | None
) -> dict[ColumnKey, str]:
    """The columns, each followed by its chance-corrected column where that is defined."""
    after: dict[ColumnKey, str] = {}
    for column, heading in columns.items():
        after[column] = heading
        best, worst = (
            row.cells.get(column, Cell()).centre if row else None for row in (top, bottom)
        )
        if best is None or worst is None or abs(best - worst) < MARGIN or not supervised(column):
            continue
        corrected = column._replace(corrected=True)
        after[corrected] = heading + CORRECTED
        for row in rows:
            if column in row.cells:
                cell = row.cells[column]
                values = tuple((value - worst) / (best - worst) for value in cell.values)
                row.cells[corrected] = replace(cell, values=values, reasons=(), counts=False)
            if column in row.best:  # of the same ranks, so of the same test
                row.best.add(corrected)
    return after
