"""Headings of score columns in two rows: the metric above what sets each of its columns apart."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.baseline_rows import CORRECTED
from disentangle.scoring.metric_traits import supervised

ARROWS = {"more": "↑", "less": "↓"}
"""Better direction of a score -> mark in its heading."""
LABELLED, OTHER = "scores that need labels", "other scores"
"""The kinds of scores, which a wide table shows apart."""


@dataclass(frozen=True)
class Head:
    """The heading of a column of scores in parts, which are put together as the columns beside it
    demand; see `Span`.

    Attributes:
        score: the score.
        metric: the metric, which has one score or several.
        part: the score below the metric's name.
        terms: the settings and the protocol that set the column apart.
        kind: the kind of scores in the column, `LABELLED` or `OTHER`; empty in a narrow table.
    """

    score: str
    metric: str
    part: str = ""
    terms: tuple[str, ...] = ()
    kind: str = ""


class Label(NamedTuple):
    """What is below the name of a metric or a score: a part of it, and terms; both may be empty."""

    part: str
    terms: tuple[str, ...]

    def __str__(self) -> str:
        terms = "; ".join(self.terms)
        return f"{self.part} [{terms}]" if self.part and terms else self.part or terms


class Span(NamedTuple):
    """Columns of one metric side by side.

    Attributes:
        name: the upper row of headings: the score if the columns share it, else the metric.
        start: the position of the first column.
        labels: the lower row, one label per column.
    """

    name: str
    start: int
    labels: list[Label]

    @property
    def end(self) -> int:
        """The position after the last column."""
        return self.start + len(self.labels)

    @property
    def plain(self) -> bool:
        """True if the upper row is the whole heading of a single column."""
        return len(self.labels) == 1 and not any(self.labels[0])


class HeadCell(NamedTuple):
    """A heading in a table with one or two rows of them.

    Attributes:
        text: the text.
        terms: more of it, for a line of its own.
        columns: the number of columns below it.
        rows: the number of rows of headings that it fills.
        column: the position of its column, or of the first of its columns.
        group: True if headings of columns are below it.
    """

    text: str
    column: int
    terms: str = ""
    columns: int = 1
    rows: int = 1
    group: bool = False


def head_of(column: ColumnKey, heading: str, kind: str = "") -> Head:
    """Divide the heading of a column into two rows."""
    metric, _, part = column.score.partition("/")
    brackets = heading.removeprefix(column.score).removesuffix(CORRECTED).strip()
    terms = re.sub(r"^\[(.*)\]$", r"\1", brackets, flags=re.DOTALL).split("; ")
    corrected = CORRECTED.strip(", ") if column.corrected else ""
    return Head(column.score, metric, part, tuple(filter(None, [*terms, corrected])), kind)


def kind_of(column: ColumnKey) -> str:
    """The kind of scores in a column."""
    return LABELLED if supervised(column) else OTHER


def spans(heads: Sequence[Head]) -> list[Span]:
    """The columns of each metric, as far as they are side by side."""
    made, start = [], 0
    for metric, group in groupby(heads, key=lambda head: head.metric):
        own = list(group)
        scores = {head.score for head in own}
        if len(scores) == 1:
            name, labels = own[0].score, [Label("", head.terms) for head in own]
        else:
            name, labels = metric, [Label(head.part or metric, head.terms) for head in own]
        if len(own) > 1:
            labels = [label if any(label) else Label(name, ()) for label in labels]
        made.append(Span(name, start, labels))
        start += len(own)
    return made


def head_rows(words: Sequence[str], heads: Sequence[Head]) -> list[list[HeadCell]]:
    """The headings of a table: one row, or two if there is something below a metric's name."""
    groups, first = spans(heads), len(words)
    high = 1 if all(span.plain for span in groups) else 2
    upper = [HeadCell(text, i, rows=high) for i, text in enumerate(words)]
    lower: list[HeadCell] = []
    for span in groups:
        if span.plain:
            upper.append(HeadCell(span.name, first + span.start, rows=high))
            continue
        upper.append(HeadCell(span.name, first + span.start, columns=len(span.labels), group=True))
        for i, label in enumerate(span.labels, first + span.start):
            lower.append(HeadCell(label.part, i, "; ".join(label.terms)))
    return [upper, lower] if lower else [upper]
