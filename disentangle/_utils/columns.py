"""Text for a terminal of any width: wrapped words and aligned columns; no number is ever broken."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from rich.cells import cell_len

Pieces: TypeAlias = tuple[str, ...]
"""A text cut where a line may break; put together, the pieces are the text."""
Style: TypeAlias = Callable[[int, int, str], str]
"""Decorates the text of a cell, given its row and column."""
GAP = 2
"""Spaces between columns."""
NARROW = 25
"""A last column of words that is narrower goes below the other columns."""
INDENT = " " * 4
MINIMUM = 10
"""Smallest width of a last column whose words are too long for the line."""
TIED = re.compile(r"(?<=\d) (to|of|x) (?=-?\d)|(?<=\d)( )(?=%|±|\()|(?<=±)( )(?=\d)")
"""Spaces between numbers that are read together, such as 61.6 to 63.6."""


def words(text: str) -> Pieces:
    """Cut a text at spaces, but not within `61.6 to 63.6`."""
    tied = TIED.sub(lambda match: match[0].replace(" ", "\0"), text)
    return tuple(piece.replace("\0", " ") for piece in re.findall(r"\s*\S+\s*", tied))


def head(text: str) -> Pieces:
    """Cut a heading at spaces, and after a hyphen or slash between words."""
    return tuple(re.split(r"(?<=\s)(?=\S)|(?<=\w[-/])(?=[^\W\d])", text))


def number(text: str) -> Pieces:
    """Cut a number and its uncertainty before a bracket."""
    return tuple(re.split(r"(?<=\s)(?=[\[(])", text))


def fill(pieces: Sequence[str], width: int) -> list[str]:
    """Put pieces on lines of at most `width`; a longer piece has a line of its own."""
    lines: list[str] = []
    line = ""
    for piece in pieces:
        if line and cell_len((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def paragraph(text: str, width: int) -> list[str]:
    """Wrap a text at words."""
    return fill(words(text), width)


@dataclass(frozen=True)
class Column:
    """The cells of a column, from top to bottom."""

    cells: tuple[Pieces, ...]
    right: bool = False
    """True if the cells are aligned to the right, as numbers are."""

    @cached_property
    def full(self) -> int:
        """The width at which every cell is one line."""
        return max((cell_len("".join(cell).rstrip()) for cell in self.cells), default=0)

    @cached_property
    def least(self) -> int:
        """The width of the longest piece."""
        return max((cell_len(p.rstrip()) for cell in self.cells for p in cell), default=0)

    def height(self, width: int) -> int:
        """The number of lines of the tallest cell at a width."""
        return max((len(fill(cell, width)) for cell in self.cells if len(cell) > 1), default=1)

    def narrowest(self, lines: int) -> int:
        """The smallest width at which no cell has more lines, or else the natural width."""
        low, high = self.least, self.full
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.height(middle) <= lines else (middle + 1, high)
        return high


def widths(columns: Sequence[Column], width: int, lines: int | None = None) -> list[int] | None:
    """The widths of columns that fit side by side, with as few lines in a cell as possible.

    Args:
        columns: the columns.
        width: the width of a line.
        lines: the most lines that a cell may have [default: any number].

    Returns:
        The width of each column; None if they do not fit.
    """
    room = width - GAP * (len(columns) - 1)
    most = max((column.height(column.least) for column in columns), default=1)
    for count in range(1, min(most, lines or most) + 1):
        found = [column.narrowest(count) for column in columns]
        spare = room - sum(found)
        if spare < 0:
            continue
        for i, column in enumerate(columns):
            wider = 0 if column.right else min(spare, column.full - found[i])
            found[i], spare = found[i] + wider, spare - wider
        return found
    return None


def draw(
    columns: Sequence[Column], sizes: Sequence[int], style: Style = lambda row, column, text: text
) -> list[str]:
    """The lines of aligned columns, without spaces at their ends."""
    return [line for row in rows_of(columns, sizes, style) for line in row]


def rows_of(
    columns: Sequence[Column], sizes: Sequence[int], style: Style = lambda row, column, text: text
) -> list[list[str]]:
    """The lines of each row of aligned columns."""
    rows = []
    for row in range(len(columns[0].cells)):
        cells = [fill(c.cells[row], size) for c, size in zip(columns, sizes, strict=True)]
        lines = []
        for i in range(max(map(len, cells))):
            parts = []
            for j, (cell, size) in enumerate(zip(cells, sizes, strict=True)):
                text = cell[i] if i < len(cell) else ""
                space = " " * (size - cell_len(text))
                text = style(row, j, text) if text else ""
                parts.append(space + text if columns[j].right else text + space)
            lines.append((" " * GAP).join(parts).rstrip())
        rows.append(lines)
    return rows


def aligned(rows: Sequence[Sequence[str]], width: int, numbers: int = 0) -> list[str]:
    """The lines of rows as aligned columns, the last `numbers` columns to the right.

    With three or more columns the first row holds their headings.

    Words are wrapped if the columns do not fit. Numbers that do not fit then go to further blocks
    of lines below, each with the first columns again.
    """
    if not rows:
        return []
    count = max(map(len, rows))
    first, *others = ((*row, *("",) * (count - len(row))) for row in rows)
    names = [
        Column((words(first[i]), *(words(row[i]) for row in others)))
        for i in range(count - numbers)
    ]
    figures = [
        [Column((head(first[i]), *(number(row[i]) for row in others)), right=True)]
        for i in range(count - numbers, count)
    ]
    if not figures:
        return _words_aligned(names, width)
    lines: list[str] = []
    for block in packed(figures, names, width):
        columns = [*names, *block]
        lines += [""] * bool(lines)
        lines += draw(columns, widths(columns, width) or overflowing(columns, width))
    return lines


def _words_aligned(columns: Sequence[Column], width: int) -> list[str]:
    """The lines of columns of words; the last go below the others where they are too narrow.

    There each cell follows its heading.
    """
    sizes = widths(columns, width)
    if sizes is not None and (len(columns) < 3 or sizes[-1] >= min(NARROW, columns[-1].full)):
        return draw(columns, sizes)
    if len(columns) < 3:
        return draw(columns, overflowing(columns, width))
    count = len(columns) - 1
    while count > 1 and widths(columns[:count], width) is None:
        count -= 1
    first, below = columns[:count], columns[count:]
    upper = rows_of(first, widths(first, width) or overflowing(first, width))
    lines = []
    for row, above in enumerate(upper):
        lines += above
        for heading, *cells in (column.cells for column in below):
            cell = cells[row - 1] if row else ()
            name = ("".join(heading).strip(), ": ") if any(heading) else ()
            lines += [
                INDENT + line for line in fill(("".join(name), *cell), width - len(INDENT)) if cell
            ]
    return lines


def overflowing(columns: Sequence[Column], width: int) -> list[int]:
    """The widths of columns that do not fit: only the last has words longer than itself."""
    sizes = [column.least for column in columns]
    sizes[-1] = min(sizes[-1], max(MINIMUM, width - sum(sizes[:-1]) - GAP * (len(sizes) - 1)))
    return sizes


def packed(
    groups: Sequence[Sequence[Column]],
    names: Sequence[Column],
    width: int,
    lines: int | None = None,
    most: int | None = None,
) -> list[list[Column]]:
    """Put groups of columns side by side into as few blocks as possible, in their order.

    Args:
        groups: the groups; one that does not fit is a block of its own.
        names: the columns that begin each block.
        width: the width of a line.
        lines: the most lines that a cell may have.
        most: the most columns in a block, besides the names.
    """
    blocks: list[list[Column]] = []
    for group in groups:
        few = bool(blocks) and (most is None or len(blocks[-1]) + len(group) <= most)
        if few and widths([*names, *blocks[-1], *group], width, lines) is not None:
            blocks[-1] += group
        else:
            blocks.append(list(group))
    return blocks
