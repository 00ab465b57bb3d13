"""Tables in LaTeX, ready to paste: symbols in maths, a label, and no line too wide for a page."""

import re
from collections.abc import Callable, Sequence

from disentangle._utils.columns import Column, Pieces, number, packed, paragraph
from disentangle._utils.versions import made_by
from disentangle.score_tables.heads import spans
from disentangle.score_tables.render import Sheet, Text, printable

PAGE = 90
"""The characters that fit side by side on a page."""
WORDS = 24
"""The characters of a cell of words on one line; longer ones have two."""
COMMENT = 100
"""The characters in a line of comment."""
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi "
        r"\pi \rho \sigma \tau \upsilon \phi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi "
        r"\Sigma \Phi \Psi \Omega".split(),
        strict=True,
    )
)
MATHS = {
    **GREEK,
    **{"↑": r"\uparrow", "↓": r"\downarrow", "±": r"\pm"},
    **{"²": "^2", "≤": r"\le", "≥": r"\ge", "°": r"^\circ"},
    **{c: c for c in "<>|"},
}
"""Character -> its code in maths."""
ESCAPES = {
    "\N{EN DASH}": "--",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{c: f"\\{c}" for c in "&%$#_"},
}
"""Character -> its code in text."""
NUMBER = r"(-?\d+(?:\.\d+)?)(?:e([-+]\d+))?"
SETTING = re.compile(rf"([{''.join(GREEK)}])(?:_(\w+))?={NUMBER}(?![\w.])")
"""A hyper-parameter with a symbol, and its value: `β=4`."""
IN_MATHS = re.compile(rf"(?<![\w-]){NUMBER}(?![\w.])")


def latex(sheet: Sheet, *, caption: bool = True) -> str:
    """A table in LaTeX: tabulars one below another, if its columns are too many for a page.

    Args:
        sheet: the table.
        caption: True to add the table's brief caption and its label.
    """
    parts = tabulars(sheet)
    many = [f"% {sheet.numbers} columns of numbers: choose some with `disentangle table --columns`"]
    return "\n".join(
        [
            f"% {made_by()}",
            r"% \usepackage[T1]{fontenc} \usepackage{booktabs,xcolor}",
            *(f"% {line}" for line in paragraph(printable(sheet.caption), COMMENT)),
            *(many if len(parts) > 2 else []),
            r"\begin{table}",
            r"\centering",
            *(heading(sheet) if caption else []),
            "\n\\par\\medskip\n".join(parts),
            r"\end{table}",
            "",
        ]
    )


def heading(sheet: Sheet) -> list[str]:
    """The caption and label of a table."""
    label = re.sub("[^a-z0-9]+", "-", sheet.title.lower()).strip("-")
    return [rf"\caption{{{latex_text(sheet.brief or sheet.title)}}}", rf"\label{{tab:{label}}}"]


def tabulars(sheet: Sheet) -> list[str]:
    """The tabulars of a table, each with the first columns and as many others as fit on a page."""
    first = sheet.words
    columns = [
        Column((head_pieces(sheet, i), *(pieces(row[i].text) for row in sheet.body)))
        for i in range(len(sheet.head))
        for pieces in [number if i >= first else halves]
    ]
    blocks = packed([[column] for column in columns[first:]], columns[:first], PAGE)
    made, start = [], first
    for block in blocks or [[]]:
        made.append(tabular(sheet, [*range(first), *range(start, start + len(block))]))
        start += len(block)
    return made


def tabular(sheet: Sheet, columns: list[int]) -> str:
    """Some columns of a table as a tabular, without rows that have no numbers in them."""
    sheet = sheet.without_blank(columns)
    sides = sheet.align("l", "r")
    first = sheet.words
    rows = [
        " & ".join(cell(row[i], latex_number if i >= first else latex_text) for i in columns)
        + r" \\"
        for row in sheet.body
    ]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{''.join(sides[i] for i in columns)}}}",
            r"\toprule",
            *head_lines(sheet, columns),
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def head_pieces(sheet: Sheet, column: int) -> Pieces:
    """The lines of a column's heading, by which its width is estimated."""
    if column < sheet.words or not sheet.heads:
        return number(sheet.head[column])
    head = sheet.heads[column - sheet.words]
    return (*number(head.score), *(f" {term} " for term in head.terms))


def head_lines(sheet: Sheet, columns: Sequence[int]) -> list[str]:
    """The headings of a tabular: one row, or two if there is something below a metric's name."""
    words = [latex_text(sheet.head[i]) for i in columns[: sheet.words]]
    if not sheet.heads:
        others = [in_lines(sheet.head[i], latex_text) for i in columns[sheet.words :]]
        return [" & ".join([*words, *others]) + r" \\"]
    upper, lower, rules = [""] * len(words), list(words), []
    for span in spans([sheet.heads[i - sheet.words] for i in columns[sheet.words :]]):
        if span.plain:
            upper.append("")
            lower.append(in_lines(span.name, latex_text))
            continue
        count = len(span.labels)
        side = "r" if count == 1 else "c"
        upper.append(rf"\multicolumn{{{count}}}{{{side}}}{{{latex_text(span.name)}}}")
        for part, terms in span.labels:
            lower.append(stacked([latex_text(line) for line in (part, *terms) if line]))
        if count > 1:
            place = f"{len(words) + span.start + 1}-{len(words) + span.end}"
            rules.append(rf"\cmidrule(lr){{{place}}}")
    rows = [" & ".join(row) + r" \\" for row in (upper, lower)]
    return [rows[0], *([" ".join(rules)] if rules else []), rows[1]] if any(upper) else rows[1:]


def halves(text: str) -> Pieces:
    """Words on two lines if they are long, broken after a comma or before a bracket."""
    breaks = [match.start() for match in re.finditer(r"(?<=,) | (?=\()", text)]
    if len(text) <= WORDS or not breaks:
        return (text,)
    middle = min(breaks, key=lambda place: abs(place - len(text) / 2))
    return text[:middle], text[middle + 1 :]


def stacked(codes: Sequence[str], side: str = "r") -> str:
    """Codes on lines of their own in one cell."""
    lines = r"\\{}".join(codes)
    return rf"\shortstack[{side}]{{{lines}}}" if len(codes) > 1 else lines


def cell(text: Text, code: Callable[[str], str]) -> str:
    """A cell with its style."""
    if code is latex_number:
        made = in_lines(text.text, code)
    else:
        made = stacked(list(map(code, halves(text.text))), "l")
    if text.strong:
        made = rf"\textbf{{{made}}}"
    return rf"\textcolor{{gray}}{{{made}}}" if text.grey and made else made


def in_lines(text: str, code: Callable[[str], str]) -> str:
    """A text with its part in brackets on a second line."""
    return stacked(list(map(code, re.split(r" (?=[\[(])", text, maxsplit=1))))


def latex_text(text: str) -> str:
    """Text in LaTeX; Greek letters and their values are maths, and what T1 fonts lack is `?`."""
    return _replaced(printable(text), SETTING, _setting, _escaped)


def latex_number(text: str) -> str:
    """Numbers in LaTeX, in maths where they have a sign or an exponent."""
    return _replaced(printable(text), IN_MATHS, _number, _escaped)


def _replaced(
    text: str,
    pattern: re.Pattern[str],
    inside: Callable[[re.Match[str]], str],
    outside: Callable[[str], str],
) -> str:
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [outside(text[end : match.start()]), inside(match)]
        end = match.end()
    return "".join([*parts, outside(text[end:])])


def _setting(match: re.Match[str]) -> str:
    letter, index, digits, power = match.groups()
    below = rf"_{{\mathrm{{{_escaped(index)}}}}}" if index else ""
    return f"${GREEK[letter]}{below}={digits}{_power(power)}$"


def _number(match: re.Match[str]) -> str:
    digits, power = match.groups()
    maths = power is not None or digits.startswith("-")
    return f"${digits}{_power(power)}$" if maths else digits


def _power(power: str | None) -> str:
    return rf"\times10^{{{int(power)}}}" if power is not None else ""


def _escaped(text: str) -> str:
    return "".join(_character(c) for c in text)


def _character(c: str) -> str:
    if c in MATHS:
        return f"${MATHS[c]}$"
    return ESCAPES.get(c) or (c if in_fonts(c) else "?")


def in_fonts(character: str) -> bool:
    """True if T1 fonts have a character: ASCII and the letters of Latin alphabets."""
    return character.isascii() or (character.isalpha() and ord(character) < 0x180)
