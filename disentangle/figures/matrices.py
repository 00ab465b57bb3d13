"""Heat maps of the latent-by-factor matrices behind a run's scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.figures.canvas import COLUMN, EDGE, LINE, PAGE, SLANT, SMALL, Canvas, short, title
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.latents import Latents, measure_latents
from disentangle.figures.palette import GREY, INK
from disentangle.runs.records import describe, describe_view
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score
from disentangle.runs.scores import current_scores
from disentangle.score_tables.cells import whole

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

BOTH = ("latent", "factor")
CELL, ROW = 0.36, 0.24  # inches
LEFT, GAP = 0.7, 0.15  # inches
BAR_WIDTH = 1.2  # inches, at least


@dataclass(frozen=True)
class Matrix:
    """A matrix to draw.

    Attributes:
        name: name of the detail, with the settings of its score that are not the default.
        factors: names of the columns.
        values: [D, K]; NaN where undefined.
        about: what a value is; empty if the record does not say it.
    """

    name: str
    factors: tuple[str, ...]
    values: NDArray[np.float64]
    about: str = ""


def draw_matrices(
    run: Run,
    details: Sequence[str] | None = None,
    output: Path | None = None,
    *,
    caption: bool = True,
) -> Path:
    """Write `plot_matrices` to a PNG, PDF or SVG file; return its path.

    By default it is a PNG among the run's figures.
    """
    path = output or run.figures / "matrices.png"
    check_suffix(path)
    return plot_matrices(run, details, caption=caption).save(path)


def plot_matrices(
    run: Run, details: Sequence[str] | None = None, *, caption: bool = True
) -> "Picture":
    """Draw the latent-by-factor matrices behind a run's scores, such as those of `mig` and `dci`.

    Rows are latents, active ones first, sorted by KL. Shades run from white (0) to black (the
    largest magnitude of the matrix).

    Args:
        run: the run.
        details: names of matrices, such as `mig/information` [default: all].
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: a detail is not a latent-by-factor matrix.
        DisentangleError: the run's scores have no such detail.

    Example:
        `plot_matrices(run, ["mig/information"]).save("matrices.pdf")`
    """
    matrices = find_matrices(run, details)
    return make_canvas(run, matrices, measure_latents(run), caption=caption).figure


def find_matrices(run: Run, details: Sequence[str] | None = None) -> list[Matrix]:
    """Find matrices by name in a run's scores; see `draw_matrices`."""
    scores = [score for score in current_scores(run, detail=True) if score.detail]
    axes_of = {name: d.axes for score in scores for name, d in score.detail.items()}
    details = details or [name for name, axes in axes_of.items() if axes == BOTH]
    if not details:
        raise DisentangleError(
            f"{run.path} has no latent-by-factor matrix yet. "
            f"Run `disentangle score {run.path}` first."
        )
    return [find_matrix(run, name, scores) for name in details]


def find_matrix(run: Run, name: str, scores: Sequence[Score]) -> Matrix:
    """Find one matrix, preferring mean codes, default hyper-parameters and the lowest seed."""
    candidates = [score for score in scores if name in score.detail]
    if not candidates:
        metric = name.partition("/")[0]
        names = {n for s in scores for n, d in s.detail.items() if d.axes == BOTH}
        raise DisentangleError(
            f"{run.path}: no '{name}' in its scores{suggestion(name, names, option='--detail')}; "
            f"to compute it, run `disentangle score {run.path} --metric {metric}`."
        )
    score = min(candidates, key=lambda s: (s.representation != "mean", len(s.key.knobs), s.seed))
    detail = score.detail[name]
    if detail.axes != BOTH:
        raise UsageError(
            f"--detail {name}: expected a matrix by latent and factor, got values by "
            f"{' and '.join(detail.axes)}. Run `disentangle score {run.path} --metric "
            f"{score.metric} --detail` to print them."
        )
    parts = [
        describe(dict(score.key.knobs)),
        "" if score.representation == "mean" else f"{score.representation} representation",
        describe_view(score.view),
        f"seed {score.seed}" if score.seed else "",
    ]
    settings = "; ".join(filter(None, parts))
    values = np.array(detail.values, float).reshape(-1, len(score.factors))
    heading = f"{name}{f' ({settings})' if settings else ''}"
    return Matrix(heading, score.factors, values, detail.about)


def make_canvas(
    run: Run, matrices: Sequence[Matrix], latents: Latents, *, caption: bool = True
) -> Canvas:
    """Draw the matrices on one canvas: one column wide if they fit, else a page."""
    longest = max(len(factor) for matrix in matrices for factor in matrix.factors)
    reach = 0.55 * SMALL / 72 * longest  # inches: length of the longest factor name
    above = LINE + reach * math.sin(math.radians(SLANT)) + LINE
    high = above + len(latents.order) * ROW + LINE + 0.1
    beside = max(0.0, reach * math.cos(math.radians(SLANT)) - CELL / 2)
    widths = [
        LEFT + max(CELL * len(matrix.factors) + beside, BAR_WIDTH + EDGE) for matrix in matrices
    ]
    across = 1 if sum(widths) + GAP > PAGE else 2
    rows = [range(i, min(i + across, len(matrices))) for i in range(0, len(matrices), across)]
    width = max(COLUMN, *(sum(widths[i] for i in row) + GAP * (len(row) - 1) for row in rows))
    said = [f"{matrix.name}: {matrix.about}." for matrix in matrices if matrix.about]
    head = "\n".join([*said, *([] if all(latents.active) else ["Grey: inactive latents."])])
    shows = f"{', '.join(one.name for one in matrices)} by latent and factor, {short(run)}"
    drawn = Canvas(title(run), width, len(rows) * high, head, shows=shows, caption=caption)
    for number, row in enumerate(rows):
        x = 0.0
        for i in row:
            one = matrices[i]
            y = drawn.head + number * high
            heat_map(drawn, x + LEFT, y + above, one, latents)
            drawn.text(x + EDGE, y, one.name, va="top")
            x += widths[i] + GAP
    return drawn


def heat_map(drawn: Canvas, x: float, y: float, matrix: Matrix, latents: Latents) -> None:
    """Draw one matrix, its upper left corner at (x, y)."""
    values = matrix.values[latents.order]
    top = float(np.abs(np.nan_to_num(values)).max()) or 1.0
    names = (latents.labels, matrix.factors)
    say = whole_number if whole(matrix.values[~np.isnan(matrix.values)]) else number
    axes = drawn.heat_map((x, y), (CELL, ROW), values, top, say, names)
    for label, active in zip(axes.get_yticklabels(), latents.active, strict=True):
        label.set_color(INK if active else GREY)
    bar = max(BAR_WIDTH, CELL * len(matrix.factors))
    drawn.colour_bar(x, y + len(values) * ROW + 0.06, bar, ("0", say(top)))


def whole_number(value: float) -> str:
    """Format a number without decimals."""
    return f"{value:.0f}"


def number(value: float) -> str:
    """Format a number to fit a cell: at most five characters below 100,000."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 9.995 else f"{value:.1f}"
