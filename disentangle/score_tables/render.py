"""A table as text, ready to print: in Markdown, LaTeX or HTML."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

from disentangle._utils.versions import made_by


@dataclass(frozen=True)
class Text:
    """What a cell says, and how."""

    text: str
    strong: bool = False
    grey: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes:
        title: what it is about.
        head: the headings.
        body: the rows.
        caption: what a reader must know.
        numbers: how many of the last columns are numbers, and aligned to the right.
    """

    title: str
    head: list[str]
    body: list[list[Text]]
    caption: str
    numbers: int = 0

    def align(self, left: str, right: str) -> list[str]:
        """Return for each column what stands for its alignment."""
        words = len(self.head) - self.numbers
        return [left] * words + [right] * self.numbers


def markdown(sheet: Sheet) -> str:
    """Return a table in Markdown, columns aligned; rows chosen by what is shown are in italics."""
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
    """Return text that breaks no table in Markdown, nor is taken for more than text."""
    return re.sub(r"([\\|*`])", r"\\\1", printable(text)).replace("<", "&lt;")


def printable(text: str) -> str:
    """Return text in one line, without control characters."""
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
"""Characters -> what LaTeX takes for them."""


def latex_text(text: str) -> str:
    """Return text as LaTeX takes it; what its T1 fonts lack becomes a question mark."""
    return "".join(LATEX.get(c) or (c if in_fonts(c) else "?") for c in printable(text))


def in_fonts(character: str) -> bool:
    """Say whether T1 fonts have a character: ASCII, and the letters of Latin alphabets."""
    return character.isascii() or (character.isalpha() and ord(character) < 0x180)


def latex(sheet: Sheet) -> str:
    """Return a table in LaTeX, for the packages that its second line names."""

    def cell(text: Text) -> str:
        said = in_lines(text.text)
        if text.strong:
            said = rf"\textbf{{{said}}}"
        return rf"\textcolor{{gray}}{{{said}}}" if text.grey and said else said

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
    """Return a cell's text as LaTeX takes it, what is in brackets in a second line of its own."""
    first, *rest = re.split(r" (?=[\[(])", text, maxsplit=1)
    if not rest:
        return latex_text(text)
    return rf"\shortstack[r]{{{latex_text(first)}\\{{}}{latex_text(rest[0])}}}"


STYLE = """
:root { color-scheme: light dark; --line: #8886; --grey: #777 }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: left; vertical-align: top }
th { border-bottom: 2px solid var(--line) }
td { border-bottom: 1px solid var(--line) }
td:first-child { white-space: nowrap }
.number { text-align: right; white-space: nowrap }
.grey, footer { color: var(--grey) }
figcaption, footer { font-size: .9em; max-width: 60rem }
figure { margin: 0 0 2rem }
"""


def html_table(sheet: Sheet) -> str:
    """Return a table in HTML, as a figure with its caption."""
    sides = sheet.align("", ' class="number"')
    head = "".join(
        f"<th{side} scope=col>{html.escape(heading)}</th>"
        for heading, side in zip(sheet.head, sides, strict=True)
    )
    rows = []
    for row in sheet.body:
        grey = ' class="grey"' if any(cell.grey for cell in row) else ""
        cells = (
            f"<td{side}>{_marked_html(cell)}</td>" for cell, side in zip(row, sides, strict=True)
        )
        rows.append(f"<tr{grey}>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    return (
        f"<h2>{html.escape(sheet.title)}</h2>\n<figure>\n<div class=wide><table>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n"
        f"<figcaption>{html.escape(sheet.caption)}</figcaption>\n</figure>\n"
    )


def _marked_html(cell: Text) -> str:
    said = html.escape(cell.text)
    return f"<strong>{said}</strong>" if cell.strong else said


def html_page(sheets: list[Sheet]) -> str:
    """Return a page of tables, whole in itself."""
    body = "\n".join(map(html_table, sheets))
    return (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width">\n'
        f"<title>Scores</title>\n<style>{STYLE}</style>\n{body}"
        f"<footer>{html.escape(made_by())}</footer>\n</html>\n"
    )
