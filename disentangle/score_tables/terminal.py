"""A score table as lines of text for a terminal of any width; no number is ever broken.

What does not fit is shown in another way: columns with one value go to a line of their own, then
scores become rows, then metrics become blocks one below another, then columns are left out, and a
sentence counts them. More scores side by side than can be read do not fit at any width.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.cells import cell_len

from disentangle._utils.columns import (
    GAP,
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
from disentangle.score_tables.heads import Span, spans
from disentangle.score_tables.parts import MOST, units_by_kind
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
        few = len(sheet.body) <= MOST
        lines = body(sheet, width, style) or (transposed(sheet, width, style) if few else None)
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
    """The rows as they are; None if they do not fit, or if there are too many scores to read."""
    if sheet.numbers > MOST:
        return None
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


def groups_of(sheet: Sheet, shown: Sequence[int]) -> list[Span]:
    """The shown columns of each metric that has several side by side."""
    first = sum(i < sheet.words for i in shown)
    heads = [sheet.heads[i - sheet.words] for i in shown[first:]] if sheet.heads else []
    return [
        span._replace(start=first + span.start) for span in spans(heads) if len(span.labels) > 1
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
    groups = groups_of(sheet, shown)
    for span in groups:
        for i, label in enumerate(span.labels, span.start):
            chosen[i] = replace(chosen[i], cells=(head(str(label)), *chosen[i].cells[1:]))
    sizes = widths(chosen, width, lines)
    if sizes is None or not widened(sizes, groups, width):
        return None

    def styled(row: int, column: int, text: str) -> str:
        return style(replace(sheet.body[row - 1][shown[column]], text=text)) if row else text

    return [*above(sizes, groups), *ruled(draw(chosen, sizes, styled), chosen, sizes)]


def room(sizes: Sequence[int], span: Span) -> int:
    """The width of the columns of a metric together."""
    return sum(sizes[span.start : span.end]) + GAP * (len(span.labels) - 1)


def widened(sizes: list[int], groups: Sequence[Span], width: int) -> bool:
    """Widen columns for the names of their metrics; False if they do not fit then."""
    for span in groups:
        longest = max(cell_len(piece.rstrip()) for piece in head(span.name))
        sizes[span.end - 1] += max(0, longest - room(sizes, span))
    return sum(sizes) + GAP * (len(sizes) - 1) <= width


def above(sizes: Sequence[int], groups: Sequence[Span]) -> list[str]:
    """The lines with the name of each metric above its columns, the last one with a rule."""
    names = [fill(head(span.name), room(sizes, span)) for span in groups]
    high = max(map(len, names), default=0)
    lines = []
    for i in range(high):
        line = ""
        for span, name in zip(groups, names, strict=True):
            line += " " * (sum(sizes[: span.start]) + GAP * span.start - cell_len(line))
            text = name[i - high] if i - high >= -len(name) else ""
            line += centred(text, room(sizes, span), "─" if i == high - 1 else " ")
        lines.append(line.rstrip())
    return lines


def centred(text: str, width: int, mark: str) -> str:
    """A text in the middle of a line of marks, which spaces keep apart from it."""
    spare = width - cell_len(text)
    mark = mark if spare >= 4 else " "
    text = f" {text} " if mark != " " else text
    left = (width - cell_len(text)) // 2
    return mark * left + text + mark * (width - left - cell_len(text))


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
    names = columns[: sheet.words]
    shown: dict[str, list[list[int]]] = {}
    for kind, units in metrics_by_kind(sheet).items():
        for unit in units:
            fitting = by_importance(sheet, unit)
            while fitting and widths([*names, *(columns[i] for i in fitting)], width) is None:
                fitting.pop()
            if not fitting:
                return one_by_one(sheet, width, style), []
            shown.setdefault(kind, []).append(sorted(fitting))
    kept = {i for units in shown.values() for unit in units for i in unit}
    left_out = sorted({*range(sheet.words, len(columns))} - kept)
    lines: list[str] = []
    for kind, units in shown.items():
        if len(shown) > 1:
            lines += [""] * bool(lines) + title(f"{kind[0].upper()}{kind[1:]}", width, style)
        numbers = iter([i for unit in units for i in unit])
        groups = [[columns[i] for i in unit] for unit in units]
        for block in packed(groups, names, width, HEAD + 1, MOST):
            part = [*range(sheet.words), *(next(numbers) for _ in block)]
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


def metrics_by_kind(sheet: Sheet) -> dict[str, list[list[int]]]:
    """Kind of scores -> the columns of each metric; apart if there is only one metric."""
    if not sheet.heads:
        metrics: dict[str, list[int]] = {}
        for i in range(sheet.words, len(sheet.head)):
            metrics.setdefault(metric_of(sheet.head[i]), []).append(i)
        kinds = {"": list(metrics.values())}
    else:
        kinds = {
            kind: [[sheet.words + i for i in unit.columns] for unit in units]
            for kind, units in units_by_kind(sheet.heads).items()
        }
    if sum(map(len, kinds.values())) == 1:
        return {kind: [[i] for i in unit] for kind, (unit,) in kinds.items()}
    return kinds


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
