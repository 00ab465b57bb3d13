"""A score table as lines of text for a terminal of any width; no number is ever broken.

What does not fit is shown in another way: columns with one value go to a line of their own, then
scores become rows, then metrics become blocks one below another, then columns are left out, and a
sentence counts them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from disentangle._utils.columns import (
    Column,
    Pieces,
    draw,
    fill,
    head,
    number,
    packed,
    paragraph,
    widths,
    words,
)
from disentangle.runs.score_records import DEFAULT_PROTOCOL
from disentangle.score_tables.headings import counted, metric_of
from disentangle.score_tables.render import Sheet, Text, printable

HEAD = 3
"""The most lines of a heading before a table is shown in another way."""
READ = 100
"""The most characters in a line of running text."""
USUAL = {"default", DEFAULT_PROTOCOL, "mean", "all factors"}
"""Conditions in headings that are the default ones."""


def lay_out(
    sheet: Sheet, width: int, style: Callable[[Text], str] = lambda text: text.text
) -> list[str]:
    """The lines of a table: its title, rows and caption.

    Args:
        sheet: the table.
        width: the width of the terminal; a line is longer only if a single word or number is.
        style: decorates the text of a cell.
    """
    sheet = one_line(sheet)
    lines = body(sheet, width, style)
    constants = ""
    if lines is None:
        sheet, constants = sheet.without_constants()
        lines = body(sheet, width, style) or transposed(sheet, width, style)
    left_out: list[str] = []
    if lines is None:
        lines, left_out = blocks(sheet, width, style)
    prose = min(width, READ)
    caption = " ".join(filter(None, [constants, sheet.caption]))
    for text in (caption, not_shown(left_out)):
        lines += ["", *paragraph(text, prose)] if text else []
    return [*title(sheet.title, width, style), "", *lines]


def one_line(sheet: Sheet) -> Sheet:
    """A table without line breaks and control characters."""
    return replace(
        sheet,
        title=printable(sheet.title),
        caption=printable(sheet.caption),
        head=[printable(text) for text in sheet.head],
        body=[[replace(cell, text=printable(cell.text)) for cell in row] for row in sheet.body],
    )


def title(text: str, width: int, style: Callable[[Text], str]) -> list[str]:
    """The lines of a title."""
    return [style(Text(line, strong=True)) for line in paragraph(text, width)]


def body(sheet: Sheet, width: int, style: Callable[[Text], str]) -> list[str] | None:
    """The rows as they are; None if they do not fit."""
    return drawn(sheet, range(len(sheet.head)), width, style, HEAD)


def columns_of(sheet: Sheet) -> list[Column]:
    """The columns of a table, each with its heading."""
    first = sheet.words
    return [
        Column(
            (head(heading), *((words if i < first else number)(row[i].text) for row in sheet.body)),
            right=i >= first,
        )
        for i, heading in enumerate(sheet.head)
    ]


def drawn(
    sheet: Sheet,
    shown: Sequence[int],
    width: int,
    style: Callable[[Text], str],
    lines: int | None = None,
) -> list[str] | None:
    """The lines of some columns of a table; None if they do not fit."""
    columns = columns_of(sheet)
    chosen = [columns[i] for i in shown]
    sizes = widths(chosen, width, lines)
    if sizes is None:
        return None

    def styled(row: int, column: int, text: str) -> str:
        return style(replace(sheet.body[row - 1][shown[column]], text=text)) if row else text

    return ruled(draw(chosen, sizes, styled), chosen, sizes)


def ruled(lines: list[str], columns: Sequence[Column], sizes: Sequence[int]) -> list[str]:
    """The lines of a table with a rule below its headings."""
    heads = len(draw([replace(c, cells=c.cells[:1]) for c in columns], sizes))
    rule = "  ".join("─" * size for size in sizes)
    return [*lines[:heads], rule, *lines[heads:]]


def transposed(
    sheet: Sheet, width: int, style: Callable[[Text], str], rows: Sequence[int] | None = None
) -> list[str] | None:
    """The table with a column for each row, or for some rows; None if it does not fit."""
    rows = range(len(sheet.body)) if rows is None else rows
    first = sheet.words
    shown = range(sheet.names, len(sheet.head))
    labels = Column((("",), *(head(sheet.head[i]) for i in shown)))
    columns = [labels] + [
        Column(
            (
                name_of(sheet, row),
                *((words if i < first else number)(sheet.body[row][i].text) for i in shown),
            ),
            right=True,
        )
        for row in rows
    ]
    sizes = widths(columns, width, HEAD + 1)
    if sizes is None:
        return None

    def styled(line: int, column: int, text: str) -> str:
        if not line or not column:
            return text
        return style(replace(sheet.body[rows[column - 1]][shown[line - 1]], text=text))

    return ruled(draw(columns, sizes, styled), columns, sizes)


def name_of(sheet: Sheet, row: int) -> Pieces:
    """The words that name a row."""
    texts = [cell.text for cell in sheet.body[row][: sheet.names]]
    return words(" ".join(text for text in texts if text != "-"))


def blocks(sheet: Sheet, width: int, style: Callable[[Text], str]) -> tuple[list[str], list[str]]:
    """The scores of one metric below those of another, and the headings that do not fit."""
    columns = columns_of(sheet)
    first = sheet.words
    names = columns[:first]
    shown: list[list[int]] = []
    for family in families(sheet):
        fitting = by_importance(sheet, family)
        while fitting and widths([*names, *(columns[i] for i in fitting)], width) is None:
            fitting.pop()
        if not fitting:
            return one_by_one(sheet, width, style), []
        shown.append(sorted(fitting))
    left_out = sorted({*range(first, len(columns))} - {i for family in shown for i in family})
    lines: list[str] = []
    numbers = iter([i for family in shown for i in family])
    groups = [[columns[i] for i in family] for family in shown]
    for block in packed(groups, names, width, HEAD + 1):
        part = [*range(first), *(next(numbers) for _ in block)]
        rows = sheet.without_blank(part, left_out if not lines else ())
        lines += [""] * bool(lines) + (drawn(rows, part, width, style) or [])
    return lines, [sheet.head[i] for i in left_out]


def by_importance(sheet: Sheet, family: Sequence[int]) -> list[int]:
    """Columns of a metric: of each score the one with most values first, then the others.

    Of those with as many values, the column with the fewest unusual conditions comes first.
    """
    filled = {i: sum(bool(row[i].text) for row in sheet.body) for i in family}
    ranks: dict[int, int] = {}
    seen: dict[str, int] = {}
    for i in sorted(family, key=lambda i: (-filled[i], unusual(sheet.head[i]))):
        score = sheet.head[i].partition(" ")[0]
        ranks[i] = seen[score] = seen.get(score, -1) + 1
    return sorted(family, key=lambda i: ranks[i])


def unusual(heading: str) -> int:
    """The number of conditions of a heading that are not the default ones."""
    return sum(
        condition not in USUAL
        for bracket in re.findall(r"\[(.*?)\]", heading)
        for condition in bracket.split("; ")
    )


def families(sheet: Sheet) -> list[list[int]]:
    """The columns of numbers, those of one metric together; apart if there is only one metric."""
    groups: dict[str, list[int]] = {}
    for i in range(sheet.words, len(sheet.head)):
        groups.setdefault(metric_of(sheet.head[i]), []).append(i)
    if len(groups) == 1:
        return [[i] for i in range(sheet.words, len(sheet.head))]
    return list(groups.values())


def one_by_one(sheet: Sheet, width: int, style: Callable[[Text], str]) -> list[str]:
    """Each row as a list of its scores, below one another."""
    lines: list[str] = []
    for row in range(len(sheet.body)):
        lines += [""] * bool(lines)
        lines += transposed(sheet, width, style, [row]) or stacked(sheet, width, style, row)
    return lines


def stacked(sheet: Sheet, width: int, style: Callable[[Text], str], row: int) -> list[str]:
    """A row as its name, then each heading above its value."""
    n = sheet.names
    lines = fill(name_of(sheet, row), width)
    for heading, cell in zip(sheet.head[n:], sheet.body[row][n:], strict=True):
        lines += fill(head(heading), width)
        lines += [
            f"  {style(replace(cell, text=line))}" for line in fill(words(cell.text), width - 2)
        ]
    return lines


def not_shown(headings: Sequence[str]) -> str:
    """How many columns of each metric are left out, and how to see them."""
    if not headings:
        return ""
    return (
        f"Columns not shown at this width: {counted(headings)}. Add "
        f"`--columns '{metric_of(headings[0])}*'` to "
        "`disentangle table` to show one metric, or `--output scores.md` to write all columns."
    )
