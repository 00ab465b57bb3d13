"""An audit in a terminal: the matrix of verdicts, the cases, and what does not hold in words."""

from rich.console import Console
from rich.markup import escape

from disentangle._utils.columns import Column, draw, head, packed, paragraph, widths
from disentangle._utils.console import output_width
from disentangle.auditing.cases import CASES
from disentangle.auditing.tables import (
    EXPLAINED,
    LETTERS,
    MARKS,
    RELIABILITY,
    Audit,
    about,
    claimed,
    failures_of,
    matrix_rows,
    reliability_texts,
    tally,
)
from disentangle.cli.output import WIDE

STYLES = {"holds": "green", "fails": "bold red", "not claimed": "dim", "n/a": "yellow"}
"""The style of each verdict, beside its mark."""
READ = 100
"""The most characters in a line of running text."""


def show_audit(audit: Audit) -> None:
    """Print an audit to standard output."""
    width = output_width() or WIDE
    prose = min(width, READ)
    lines = [escape(line) for line in paragraph(f"{about(audit)}.", prose)]
    lines += ["", *matrix(audit, width), "", legend(), "", *cases(audit, prose), ""]
    lines += failures(audit, prose)
    for metric, why in audit.skipped.items():
        lines += map(escape, paragraph(f"{metric}: not audited, as {why}", prose))
    Console(emoji=False).print("\n".join(lines), soft_wrap=True, highlight=False)


def matrix(audit: Audit, width: int) -> list[str]:
    """The lines of the matrix, as markup; what does not fit is below, with the scores again."""
    rows = matrix_rows(audit)
    names = Column(tuple((score,) for score, _ in rows))
    marks = [
        Column(tuple((text,) for text in texts))
        for texts in zip(*(groups for _, groups in rows), strict=True)
    ]
    groups = [[column] for column in (*marks, holds(audit))]
    reliability = reliability_columns(audit)
    fits = widths([names, *reliability], width) is not None
    groups += [reliability] if fits else [[column] for column in reliability]

    def line(block: list[Column]) -> list[str]:
        def styled(row: int, column: int, text: str) -> str:
            return in_colour(text) if row and columns[column] in marks else escape(text)

        columns = [names, *block]
        sizes = widths(columns, width) or [column.full for column in columns]
        return ["", *draw(columns, sizes, styled)]

    lines = [text for block in packed(groups, [names], width) for text in line(block)]
    return [*lines[1:], "", *map(escape, paragraph(EXPLAINED, min(width, READ)))]


def holds(audit: Audit) -> Column:
    """In how many cases each score's expectations hold, of those in which there are any."""
    counts = [tally(audit, score) for score in audit.claims]
    texts = [f"{judged - fails}/{judged}" for fails, judged in counts]
    return Column((("holds",), *((text,) for text in texts)), right=True)


def reliability_columns(audit: Audit) -> list[Column]:
    """The columns of reliability that have any text."""
    texts = [reliability_texts(audit.reliability[score]) for score in audit.claims]
    return [
        Column((head(name), *((row[i],) for row in texts)), right=True)
        for i, name in enumerate(RELIABILITY)
        if any(row[i] for row in texts)
    ]


def in_colour(marks: str) -> str:
    """Marks as markup, each in the colour of its verdict."""
    verdict_of = {mark: verdict for verdict, mark in MARKS.items()}
    return "".join(f"[{STYLES[verdict_of[mark]]}]{mark}[/]" for mark in marks)


def legend() -> str:
    """What the marks mean, as markup."""
    return "  ".join(f"[{STYLES[verdict]}]{mark}[/] {verdict}" for verdict, mark in MARKS.items())


def cases(audit: Audit, width: int) -> list[str]:
    """The names of the matrix's columns, in as many columns as fit, read downwards."""
    named = [f"{letter} {case}" for letter, case in zip(LETTERS, audit.cases, strict=False)]
    longest = max(map(len, named)) + 2
    height = -(-len(named) // max(1, (width + 2) // longest))
    return [
        escape("".join(f"{text:{longest}}" for text in named[row::height]).rstrip())
        for row in range(height)
    ]


def failures(audit: Audit, width: int) -> list[str]:
    """What does not hold, as markup: by score, each case with what its codes are."""
    if not audit.failures:
        return ["Every expectation holds."]
    lines = []
    for score, cells in failures_of(audit).items():
        lines.append(f"[bold]{escape(score)}[/], which claims {claimed(audit.claims[score])}")
        for cell in cells:
            case = CASES[cell.case]
            lines += indented(f"{cell.case}: {case.about} {case.expects}", 2, width)
            lines += indented(cell.why, 6, width)
        lines.append("")
    return lines


def indented(text: str, indent: int, width: int) -> list[str]:
    """The lines of a text below a heading, as markup."""
    return [" " * indent + escape(line) for line in paragraph(text, width - indent)]
