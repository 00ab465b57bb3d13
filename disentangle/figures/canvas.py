"""The canvas of every figure: widths and fonts of a paper, and the figure's provenance."""

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.versions import made_by
from disentangle.figures.image_grids import as_float, mosaic, show
from disentangle.figures.palette import GREY, INK
from disentangle.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor


COLUMN, PAGE = 3.3, 6.9  # inches: the width of a paper's column, and of its full text
SMALL = 7  # points; the minimum for print
LINE = 0.125  # inches, of small type
EDGE = 0.04
BAR = 0.09  # inches, the height of a colour bar
DPI = 250  # of a PNG
SLANT = 40  # degrees, of the names above a heat map
DARK = 0.62
"""The shade of grey from which on white numbers have more contrast than black ones."""


def spread(
    places: Sequence[float], sizes: Sequence[float], high: float, low: float = 0.0
) -> list[float]:
    """Move labels as little as possible so that they do not overlap; return their positions.

    Args:
        places: the preferred positions of the labels' centres, ascending.
        sizes: the sizes of the labels.
        high: the upper limit, if there is room for all labels.
        low: the lower limit.
    """
    from scipy.optimize import isotonic_regression

    # After subtracting the space of preceding labels, no overlap means non-decreasing positions.
    before = low + np.cumsum(sizes) - np.asarray(sizes) / 2
    free = max(0.0, high - low - sum(sizes))
    moved = isotonic_regression(np.asarray(places) - before).x.clip(0, free) + before
    return [float(place) for place in moved]


def title(run: Run) -> str:
    """Return a one-line description of a figure's run."""
    record = run.record
    steps = f"{record.recipe['steps']} steps" + ("" if run.finished else ", UNFINISHED")
    details = f"{record.summary}, {steps}, seed {record.seed}"
    return f"{record.model} on {record.dataset.name} ({details}), run {record.id}"


def short(run: Run) -> str:
    """Return a short description of a run: its model, dataset and seed."""
    return f"{run.record.model} on {run.record.dataset.name}, seed {run.record.seed}"


def source(about: str) -> str:
    """Return a figure's provenance: the runs, the software and the date."""
    return f"{about}; {made_by()}"


class Canvas:
    """A figure, measured in inches from its upper left corner.

    Attributes:
        figure: the matplotlib figure.
        head: the height of the text at the top; the contents begin below it.
    """

    def __init__(
        self,
        about: str,
        width: float,
        height: float,
        head: str = "",
        *,
        shows: str,
        caption: bool = True,
    ) -> None:
        """Make a figure with text at the top, contents, and its provenance at the bottom.

        Args:
            about: a description of the runs, such as `title`.
            width: width in inches.
            height: height of the contents in inches.
            head: the text at the top.
            shows: what is seen, in a few words: the title in the file's metadata, and the
                alternative text on a page.
            caption: True to draw the texts at the top and at the bottom; they are always in the
                file's metadata.
        """
        from disentangle.figures.picture import Picture

        head_lines = lines(head, width) if caption else []
        foot_lines = lines(source(about), width) if caption else []
        self.head = EDGE + LINE * len(head_lines) + (EDGE if head_lines else 0)
        self.width = width
        self.height = self.head + height + 2 * EDGE + LINE * len(foot_lines)
        self.figure = Picture(figsize=(width, self.height), dpi=DPI)
        self.figure.about, self.figure.shows, self.figure.caption = about, shows, head
        if head_lines:
            self.text(EDGE, EDGE, "\n".join(head_lines), va="top")
        if foot_lines:
            self.text(EDGE, self.height - EDGE, "\n".join(foot_lines), va="bottom", color=GREY)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write small text at a position, without interpreting it as mathematics."""
        position = (x / self.width, 1 - y / self.height)
        style = {"fontsize": SMALL, "linespacing": 1.1, "parse_math": False, **style}
        self.figure.text(*position, text, **style)

    def axes(self, x: float, y: float, width: float, height: float, **options: Any) -> Any:
        """Add axes with their upper left corner at (x, y)."""
        corner = (x / self.width, 1 - (y + height) / self.height)
        rectangle = (*corner, width / self.width, height / self.height)
        axes = self.figure.add_axes(rectangle, **options)
        axes.tick_params(labelsize=SMALL)
        return axes

    def inside(self, axes: Any) -> None:
        """Move the left end of axes so that their numbers and label are inside the figure."""
        outside = EDGE - axes.get_tightbbox().x0 / self.figure.dpi
        if outside > 0:
            box = axes.get_position()
            left = box.x0 + outside / self.width
            axes.set_position((left, box.y0, box.x1 - left, box.height))

    def images(self, x: float, y: float, cell: float, images: "Tensor") -> Any:
        """Show images [rows, columns, C, H, W] as a grid of square cells; return its axes."""
        rows, columns = images.shape[:2]
        axes = self.axes(x, y, columns * cell, rows * cell)
        show(axes, mosaic(as_float(images)))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.tick_params(length=0, pad=2)
        return axes

    def heat_map(
        self,
        corner: tuple[float, float],
        cell: tuple[float, float],
        values: NDArray[np.float64],
        top: float,
        say: Callable[[float], str],
        names: tuple[Sequence[str], Sequence[str]],
    ) -> Any:
        """Draw a matrix as shades of grey with numbers; return its axes.

        Args:
            corner: the upper left one.
            cell: width and height of a cell.
            values: [R, C]; NaN where one is undefined.
            top: the magnitude that is black; 0 is white.
            say: writes a number in a cell.
            names: of the rows, on the left, and of the columns, slanted, above.
        """
        (rows, columns), sizes = values.shape, np.abs(np.nan_to_num(values))
        axes = self.axes(*corner, columns * cell[0], rows * cell[1])
        axes.pcolormesh(sizes, cmap="Greys", vmin=0, vmax=top, edgecolors="0.85", linewidth=0.4)
        axes.invert_yaxis()
        style = {"ha": "center", "va": "center", "fontsize": SMALL}
        for r, c in np.ndindex(rows, columns):
            text = "n/a" if np.isnan(values[r, c]) else say(float(values[r, c]))
            colour = "white" if sizes[r, c] > DARK * top else INK
            axes.text(c + 0.5, r + 0.5, text, color=colour, **style)
        axes.set_yticks(np.arange(rows) + 0.5, names[0], linespacing=1.0, parse_math=False)
        axes.xaxis.set_ticks_position("top")
        slanted = {"rotation": SLANT, "ha": "left", "rotation_mode": "anchor"}
        axes.set_xticks(np.arange(columns) + 0.5, names[1], parse_math=False, **slanted)
        axes.tick_params(length=0, pad=2)
        axes.spines[:].set_visible(False)
        return axes

    def colour_bar(self, x: float, y: float, width: float, ends: tuple[str, str]) -> None:
        """Draw the scale of a heat map, from white to black, with the numbers at its ends."""
        sides = [0.56 * SMALL / 72 * len(end) + 2 * EDGE for end in ends]
        axes = self.axes(x + sides[0], y, width - sum(sides), BAR)
        axes.pcolormesh(np.linspace(0, 1, 64)[None], cmap="Greys", vmin=0, vmax=1, rasterized=True)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_linewidth(0.4)
        self.text(x + sides[0] - EDGE, y + BAR / 2, ends[0], va="center", ha="right")
        self.text(x + width - sides[1] + EDGE, y + BAR / 2, ends[1], va="center")


def lines(text: str, width: float, size: float = SMALL) -> list[str]:
    """Wrap text into lines that fit a width in inches."""
    characters = int((width - 2 * EDGE) * 72 / (0.56 * size))
    return [line for part in text.splitlines() for line in textwrap.wrap(part, characters)]
