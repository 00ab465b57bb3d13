"""What every figure is drawn on: a paper's widths, its type, and where it came from."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.versions import made_by
from disentangle.errors import UsageError
from disentangle.figures.image_grids import as_float, mosaic, save_figure, show
from disentangle.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor


def spread(
    places: Sequence[float], sizes: Sequence[float], high: float, low: float = 0.0
) -> list[float]:
    """Return the nearest places at which things of these sizes do not overlap.

    Args:
        places: wanted, of the middles, ascending.
        sizes: of the things.
        high: where the last may end, if there is room for all.
        low: where the first may begin.
    """
    from scipy.optimize import isotonic_regression

    # Without the room that those before it take, what must not overlap must only not descend.
    before = low + np.cumsum(sizes) - np.asarray(sizes) / 2
    free = max(0.0, high - low - sum(sizes))
    moved = isotonic_regression(np.asarray(places) - before).x.clip(0, free) + before
    return [float(place) for place in moved]


COLUMN, PAGE = 3.3, 6.9  # inches: the width of a paper's column, and of its text
SMALL = 7  # points; print needs no less
LINE = 0.125  # inches, of small type
EDGE = 0.04
GREY = "0.4"
DPI = 250  # of a PNG
SLANT = 40  # degrees, of the names above a heat map
DARK = 0.62
"""The shade of grey from which on white numbers have more contrast than black ones."""
STILL = (".png", ".pdf", ".svg")


def title(run: Run) -> str:
    """Return one line that says which run a figure came from."""
    record = run.record
    steps = f"{record.recipe['steps']} steps" + ("" if run.finished else ", UNFINISHED")
    about = f"{record.summary}, {steps}, seed {record.seed}"
    return f"{record.model} on {record.dataset.name} ({about}), run {record.id}"


def source(about: str) -> str:
    """Return what a figure came from, and what drew it, and when."""
    return f"{about}; {made_by()}"


def check_suffix(path: Path, known: tuple[str, ...] = STILL) -> str:
    """Return the suffix of a figure's name, in small letters.

    Raises:
        UsageError: it is of no format that the figure comes in.
    """
    if path.suffix.lower() not in known:
        raise UsageError(f"{path}: name a file that ends with {', '.join(known)}")
    return path.suffix.lower()


class Canvas:
    """A figure, measured in inches from its upper left corner.

    Attributes:
        figure: matplotlib's.
        head: the height of what is said above, below which contents begin.
    """

    def __init__(self, about: str, width: float, height: float, head: str = "") -> None:
        """Make a figure whose contents take this height, between its head and its source.

        Args:
            about: what it came from, as `title` says it of a run.
            width: in inches; `height` likewise.
            height: of what lies between head and foot.
            head: what is said above.
        """
        from matplotlib.figure import Figure

        self.about = about
        heads, feet = lines(head, width), lines(source(about), width)
        self.head = EDGE + LINE * len(heads) + (EDGE if heads else 0)
        self.width = width
        self.height = self.head + height + 2 * EDGE + LINE * len(feet)
        self.figure = Figure(figsize=(width, self.height), dpi=DPI)
        if heads:
            self.text(EDGE, EDGE, "\n".join(heads), va="top")
        self.text(EDGE, self.height - EDGE, "\n".join(feet), va="bottom", color=GREY)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write small text at a place; no character of it is mathematics."""
        place = (x / self.width, 1 - y / self.height)
        style = {"fontsize": SMALL, "linespacing": 1.1, "parse_math": False, **style}
        self.figure.text(*place, text, **style)

    def axes(self, x: float, y: float, width: float, height: float, **options: Any) -> Any:
        """Return axes whose upper left corner is at (x, y)."""
        corner = (x / self.width, 1 - (y + height) / self.height)
        share = (*corner, width / self.width, height / self.height)
        axes = self.figure.add_axes(share, **options)
        axes.tick_params(labelsize=SMALL)
        return axes

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
            colour = "white" if sizes[r, c] > DARK * top else "black"
            axes.text(c + 0.5, r + 0.5, text, color=colour, **style)
        axes.set_yticks(np.arange(rows) + 0.5, names[0], linespacing=1.0, parse_math=False)
        axes.xaxis.set_ticks_position("top")
        slanted = {"rotation": SLANT, "ha": "left", "rotation_mode": "anchor"}
        axes.set_xticks(np.arange(columns) + 0.5, names[1], parse_math=False, **slanted)
        axes.tick_params(length=0, pad=2)
        axes.spines[:].set_visible(False)
        return axes

    def save(self, path: Path) -> Path:
        """Write the figure, in the format that its name says, with its source in the metadata."""
        save_figure(self.figure, path, software=made_by(), source=self.about)
        return path


def lines(text: str, width: float, size: float = SMALL) -> list[str]:
    """Return text in lines that fit a width in inches."""
    characters = int((width - 2 * EDGE) * 72 / (0.56 * size))
    return [line for part in text.splitlines() for line in textwrap.wrap(part, characters)]
