"""Latent-by-factor matrices: what stands behind a run's scores, as heat maps with numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.figures.canvas import (
    COLUMN,
    EDGE,
    GREY,
    LINE,
    PAGE,
    SLANT,
    SMALL,
    Canvas,
    check_suffix,
    title,
)
from disentangle.figures.latents import Latents, measure_latents
from disentangle.runs.records import describe, describe_view
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score
from disentangle.runs.scores import current_scores

BOTH = ("latent", "factor")
CELL, ROW = 0.36, 0.24  # inches
LEFT, GAP = 0.7, 0.15  # inches


@dataclass(frozen=True)
class Matrix:
    """A matrix as a figure shows it.

    Attributes:
        name: the detail's, and what tells its score from others.
        factors: of the columns.
        values: [D, K]; NaN where one is undefined.
    """

    name: str
    factors: tuple[str, ...]
    values: NDArray[np.float64]


def draw_matrices(
    run: Run, details: Sequence[str] | None = None, output: Path | None = None
) -> Path:
    """Draw latent-by-factor matrices that lie in a run's scores; return the file written.

    Rows are latents, the active ones first, by KL. A shade goes from 0, white, to the largest
    magnitude of its matrix.

    Args:
        run: the run.
        details: their names, as `mig/information`; all that there are unless given.
        output: a PNG, PDF or SVG; unless given, a PNG among the run's figures.

    Raises:
        UsageError: a detail that is not by latent and factor.
        DisentangleError: the run's scores have no such detail.
    """
    path = output or run.figures / "matrices.png"
    check_suffix(path)
    matrices = find_matrices(run, details)
    return make_canvas(run, matrices, measure_latents(run)).save(path)


def find_matrices(run: Run, details: Sequence[str] | None = None) -> list[Matrix]:
    """Return the matrices of these names; see `draw_matrices`."""
    scores = [score for score in current_scores(run, detail=True) if score.detail]
    known = {name: d.axes for score in scores for name, d in score.detail.items()}
    details = details or [name for name, axes in known.items() if axes == BOTH]
    if not details:
        raise DisentangleError(
            f"{run.path}: behind its scores is no matrix of latents and factors; "
            f"first: disentangle score {run.path}"
        )
    return [find_matrix(run, name, scores) for name in details]


def find_matrix(run: Run, name: str, scores: Sequence[Score]) -> Matrix:
    """Return one matrix: of means rather than samples, at default knobs, of the lowest seed."""
    having = [score for score in scores if name in score.detail]
    if not having:
        metric = name.partition("/")[0]
        known = {n for s in scores for n, d in s.detail.items() if d.axes == BOTH}
        raise DisentangleError(
            f"{run.path}: its scores have no '{name}'{suggestion(name, known)}; "
            f"else first: disentangle score {run.path} --metric {metric}"
        )
    score = min(having, key=lambda s: (s.representation != "mean", len(s.knobs), s.seed))
    detail = score.detail[name]
    if detail.axes != BOTH:
        raise UsageError(
            f"--detail {name}: it is by {' and '.join(detail.axes)}, and a matrix is by latent and "
            f"factor; print it: disentangle score {run.path} --metric {score.metric} --detail"
        )
    told = [
        describe(score.knobs),
        "" if score.representation == "mean" else "of samples",
        describe_view(score.view),
        f"seed {score.seed}" if score.seed else "",
    ]
    said = "; ".join(filter(None, told))
    values = np.array(detail.values, float).reshape(-1, len(score.factors))
    return Matrix(f"{name}{f' ({said})' if said else ''}", score.factors, values)


def make_canvas(run: Run, matrices: Sequence[Matrix], latents: Latents) -> Canvas:
    """Return the matrices as a figure: a column wide where they are few and narrow."""
    longest = max(len(factor) for matrix in matrices for factor in matrix.factors)
    reach = 0.55 * SMALL / 72 * longest  # of a factor's name, in inches
    above = LINE + reach * math.sin(math.radians(SLANT)) + LINE
    high = above + len(latents.order) * ROW + LINE + 0.1
    beside = max(0.0, reach * math.cos(math.radians(SLANT)) - CELL / 2)
    widths = [LEFT + CELL * len(matrix.factors) + beside for matrix in matrices]
    across = 1 if sum(widths) + GAP > PAGE else 2
    rows = [range(i, min(i + across, len(matrices))) for i in range(0, len(matrices), across)]
    width = max(COLUMN, *(sum(widths[i] for i in row) + GAP * (len(row) - 1) for row in rows))
    head = "" if all(latents.active) else "Grey: inactive latents."
    drawn = Canvas(title(run), width, len(rows) * high, head)
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
    axes = drawn.heat_map((x, y), (CELL, ROW), values, top, number, names)
    for label, active in zip(axes.get_yticklabels(), latents.active, strict=True):
        label.set_color("black" if active else GREY)
    bottom = f"white 0, black {number(top)}"
    drawn.text(x, y + len(values) * ROW + 0.05, bottom, va="top", color=GREY)


def number(value: float) -> str:
    """Return a number in at most five characters, so that it fits a cell."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 9.995 else f"{value:.1f}"
