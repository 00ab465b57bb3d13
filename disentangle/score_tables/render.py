"""Render a table as Markdown or LaTeX."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from disentangle._utils.versions import made_by


@dataclass(frozen=True)
class Text:
    """The text of a cell and its style."""

    text: str
    strong: bool = False
    grey: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes:
        title: the title.
        head: the headings.
        body: the rows.
        caption: the caption.
        numbers: how many of the last columns are numbers, aligned to the right.
        names: how many of the first columns name a row.
    """

    title: str
    head: list[str]
    body: list[list[Text]]
    caption: str
    numbers: int = 0
    names: int = 1

    def align(self, left: str, right: str) -> list[str]:
        """The alignment mark of each column."""
        words = len(self.head) - self.numbers
        return [left] * words + [right] * self.numbers


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


def plain(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    return re.sub(r"([\\|*`])", r"\\\1", printable(text)).replace("<", "&lt;")


def printable(text: str) -> str:
    """Text on one line, with `?` for characters that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _marked(cell: Text, strong: str, grey: str, escape: Callable[[str], str]) -> str:
    mark = strong if cell.strong else grey if cell.grey else ""
    return mark + escape(cell.text) + mark if cell.text else ""


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{c: f"\\{c}" for c in "&%$#_"},
}
"""Character -> its LaTeX code."""


def latex_text(text: str) -> str:
    """Text escaped for LaTeX; characters that T1 fonts lack become a question mark."""
    return "".join(LATEX.get(c) or (c if in_fonts(c) else "?") for c in printable(text))


def in_fonts(character: str) -> bool:
    """True if T1 fonts have a character: ASCII and the letters of Latin alphabets."""
    return character.isascii() or (character.isalpha() and ord(character) < 0x180)


def latex(sheet: Sheet) -> str:
    """A table in LaTeX; its second line names the packages that it needs."""

    def cell(text: Text) -> str:
        code = in_lines(text.text)
        if text.strong:
            code = rf"\textbf{{{code}}}"
        return rf"\textcolor{{gray}}{{{code}}}" if text.grey and code else code

    rows = [" & ".join(map(cell, row)) + r" \\ \addlinespace" for row in sheet.body]
    return "\n".join(
        [
            rf"% {made_by()}",
            r"% \usepackage[T1]{fontenc} \usepackage{booktabs,graphicx,xcolor}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(sheet.title)}. {latex_text(sheet.caption)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{''.join(sheet.align('l', 'r'))}}}",
            r"\toprule",
            " & ".join(map(in_lines, sheet.head)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def in_lines(text: str) -> str:
    """A cell's text in LaTeX, with the part in brackets on a second line."""
    first, *rest = re.split(r" (?=[\[(])", text, maxsplit=1)
    if not rest:
        return latex_text(text)
    return rf"\shortstack[r]{{{latex_text(first)}\\{{}}{latex_text(rest[0])}}}"
