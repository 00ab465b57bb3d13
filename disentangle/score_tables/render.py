"""A table as text, and as Markdown."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from disentangle._utils.html import LEFT, RIGHT, cell, heading, paragraph, table
from disentangle.score_tables.heads import Head, HeadCell, head_rows

CENTRE = ' style="text-align:center"'


@dataclass(frozen=True)
class Text:
    """The text of a cell and its style."""

    text: str
    strong: bool = False
    grey: bool = False
    aside: bool = False
    """True in the words of a row that is not of runs: a baseline or an external encoder."""


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes:
        title: the title.
        head: the headings, each in one row.
        body: the rows.
        caption: the caption.
        numbers: how many of the last columns are numbers, aligned to the right.
        names: how many of the first columns name a row.
        brief: a short caption, for papers.
        heads: the headings of the columns of numbers in two rows; empty if they have only one.
    """

    title: str
    head: list[str]
    body: list[list[Text]]
    caption: str
    numbers: int = 0
    names: int = 1
    brief: str = ""
    heads: tuple[Head, ...] = ()

    def align(self, left: str, right: str) -> list[str]:
        """The alignment mark of each column."""
        return [left] * self.words + [right] * self.numbers

    @property
    def words(self) -> int:
        """How many of the first columns are words."""
        return len(self.head) - self.numbers

    @property
    def head_rows(self) -> list[list[HeadCell]]:
        """The headings, in one row or two."""
        if not self.heads:
            return [[HeadCell(text, i) for i, text in enumerate(self.head)]]
        return head_rows(self.head[: self.words], self.heads)

    def without_constants(self) -> tuple["Sheet", str]:
        """The table without words that are the same for all trained models, and a sentence of them.

        The first column stays, and so does a column with words of other rows.
        """
        trained = [
            row
            for row in self.body
            if not row[0].aside and any(cell.text for cell in row[1 : self.words])
        ]
        others = [row for row in self.body if row[0].aside]
        constant = {
            i: trained[0][i].text
            for i in range(1, self.words)
            if trained and len({row[i].text for row in trained}) == 1
            if all(row[i].text in ("", trained[0][i].text) for row in others)
        }
        kept = [i for i in range(len(self.head)) if i not in constant]
        fewer = replace(
            self,
            head=[self.head[i] for i in kept],
            body=[[row[i] for i in kept] for row in self.body],
            names=sum(i < self.names for i in kept),
        )
        values = [said(self.head[i], text) for i, text in constant.items() if text not in ("", "-")]
        return fewer, f"All trained models: {'; '.join(values)}." if values else ""

    def without_blank(self, columns: Collection[int], hidden: Collection[int] = ()) -> "Sheet":
        """The table without rows that have numbers, but none in these columns.

        A row stays if it has numbers in `hidden` columns only, as no other part shows it.
        """

        def kept(row: list[Text]) -> bool:
            filled = {i for i in range(self.words, len(row)) if row[i].text}
            return not filled.isdisjoint(columns) or filled.issubset(hidden)

        return replace(self, body=[row for row in self.body if kept(row)])


def said(heading: str, text: str) -> str:
    """A value of a column of words, as a part of a sentence."""
    if heading in ("steps", "seeds") and text[0].isdigit():
        number, _, others = text.partition(" ")
        noun = heading.removesuffix("s") if number == "1" else heading
        return f"{number} {noun} {others}".rstrip()
    if heading == "chosen":
        return {"by hand": "settings chosen by hand", "default": "default settings"}.get(text, text)
    return text if heading == "steps" else f"{heading} {text}"


def markdown(sheet: Sheet) -> str:
    """A table in Markdown with aligned columns; grey rows are in italics."""
    lines = [[plain(h) for h in sheet.head]]
    lines += [[_marked(cell, "**", "*", plain) for cell in row] for row in sheet.body]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(sheet.head))]
    rule = [
        "-" * w if side == "l" else "-" * (w - 1) + ":"
        for w, side in zip(widths, sheet.align("l", "r"), strict=True)
    ]
    rows = [lines[0], rule, *lines[1:]]
    text = "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    )
    return f"{text}\n\n{plain(sheet.caption)}\n"


def as_html(sheet: Sheet) -> str:
    """A table as HTML for a notebook."""
    rows = [[as_markup(cell) for cell in row] for row in sheet.body]
    shown = table(rows, numbers=sheet.numbers, top=head_markup(sheet))
    return heading(sheet.title) + shown + paragraph(sheet.caption)


def head_markup(sheet: Sheet) -> str:
    """The rows of headings as HTML for a notebook."""
    lines = []
    for row in sheet.head_rows:
        cells = []
        for each in row:
            words = each.column < sheet.words
            style = CENTRE if each.group else LEFT if words else RIGHT
            span = f' colspan="{each.columns}" rowspan="{each.rows}"'
            text = f"{each.text} [{each.terms}]" if each.text and each.terms else each.text
            cells.append(cell(text or each.terms, style + span, "th"))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "".join(lines)


def as_markup(cell: Text) -> Markup:
    """A cell as HTML, with its style."""
    if cell.strong:
        return Markup("<strong>{}</strong>").format(cell.text)
    return Markup("<em>{}</em>").format(cell.text) if cell.grey else escape(cell.text)


def plain(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    return re.sub(r"([\\|*`])", r"\\\1", printable(text)).replace("<", "&lt;")


def printable(text: str) -> str:
    """Text on one line, with `?` for characters that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _marked(cell: Text, strong: str, grey: str, escape: Callable[[str], str]) -> str:
    mark = strong if cell.strong else grey if cell.grey else ""
    return mark + escape(cell.text) + mark if cell.text else ""
