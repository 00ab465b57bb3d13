"""The matrix of an audit: the verdict on each score in each case."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disentangle.auditing.tables import Audit, about, tally
from disentangle.auditing.verdicts import Verdict
from disentangle.figures.canvas import EDGE, LINE, SLANT, SMALL, Canvas
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import INK

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

WIDTH, CELL, ROW = 6.9, 0.13, 0.135  # inches
FILLS: Mapping[Verdict, str] = {
    "holds": "#BFE3D6",
    "fails": "#B34700",
    "not claimed": "#FFFFFF",
    "n/a": "#E2E2E2",
}
MARKS: Mapping[Verdict, str] = {"holds": "", "fails": "X", "not claimed": "", "n/a": "/"}
COUNTS = 0.75  # inches, of the counts beside the rows


def draw_audit(audit: Audit, output: Path, *, caption: bool = True) -> Path:
    """Write `plot_audit` to a PNG, PDF or SVG file; return its path."""
    check_suffix(output)
    return plot_audit(audit, caption=caption).save(output)


def plot_audit(audit: Audit, *, caption: bool = True) -> "Picture":
    """Draw the verdicts of an audit: a row per score, a column per case.

    Args:
        audit: the audit, from `disentangle.audit`.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Example:
        `plot_audit(disentangle.audit(["mig"])).save("matrix.pdf")`
    """
    scores, cases = list(audit.claims), audit.cases
    left = 2 * EDGE + text_width(scores)
    reach = text_width(cases)  # the length of the slanted names above
    above = LINE + reach * math.sin(math.radians(SLANT))
    beside = reach * math.cos(math.radians(SLANT))
    width = max(WIDTH, left + CELL * len(cases) + max(COUNTS, beside) + EDGE)
    cell = (width - left - max(COUNTS, beside) - EDGE) / len(cases)
    cell = min(cell, 2 * CELL)
    height = above + ROW * len(scores) + 2 * LINE + 2 * EDGE
    head = "Rows: scores. Columns: codes with a known answer. On the right: how many cases hold."
    drawn = Canvas(
        f"audit of metrics: {about(audit)}",
        width,
        height,
        head,
        shows=f"verdicts on {len(scores)} scores in {len(cases)} cases",
        caption=caption,
    )
    rows = drawn.axes(left, drawn.head + above, cell * len(cases), ROW * len(scores))
    verdicts = [[audit.cells[score, case].verdict for case in cases] for score in scores]
    paint(rows, verdicts)
    for r, score in enumerate(scores):
        fails, judged = tally(audit, score)
        beyond = {"ha": "left", "va": "center_baseline", "fontsize": SMALL, "color": INK}
        rows.text(len(cases) + 0.4, r + 0.5, f"{judged - fails} of {judged}", **beyond)
    rows.set_yticks([r + 0.5 for r in range(len(scores))], scores, parse_math=False)
    rows.xaxis.set_ticks_position("top")
    slanted = {"rotation": SLANT, "ha": "left", "rotation_mode": "anchor"}
    places = [c + 0.5 for c in range(len(cases))]
    rows.set_xticks(places, cases, parse_math=False, **slanted)
    rows.tick_params(length=0, pad=2)
    legend(drawn, left, drawn.head + above + ROW * len(scores) + LINE)
    return drawn.figure


def legend(drawn: Canvas, x: float, y: float) -> None:
    """Draw what the fills mean, in a row."""
    for verdict in FILLS:
        axes = drawn.axes(x, y, CELL, ROW)
        axes.set(xticks=[], yticks=[])
        paint(axes, [[verdict]])
        drawn.text(x + CELL + EDGE, y + ROW / 2, verdict, va="center_baseline")
        x += CELL + 3 * EDGE + text_width([verdict]) + 2 * EDGE


def paint(axes: Any, verdicts: Sequence[Sequence[Verdict]]) -> None:
    """Draw the cells of a matrix of verdicts, from top to bottom."""
    from matplotlib.colors import ListedColormap

    order = list(FILLS)
    numbers = [[order.index(verdict) for verdict in row] for row in verdicts]
    colours = {"cmap": ListedColormap(list(FILLS.values())), "vmin": 0, "vmax": len(order) - 1}
    axes.pcolormesh(numbers, edgecolors="0.8", linewidth=0.4, **colours)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    for r, row in enumerate(verdicts):
        for c, verdict in enumerate(row):
            colour = "white" if verdict == "fails" else INK
            style = {"ha": "center", "va": "center_baseline", "fontsize": SMALL, "color": colour}
            axes.text(c + 0.5, r + 0.5, MARKS[verdict], **style)


def text_width(texts: Sequence[str]) -> float:
    """The width in inches of the longest of some small texts."""
    return 0.55 * SMALL / 72 * max(map(len, texts))
