"""The figures that are drawn when a run is finished."""

from pathlib import Path

from disentangle.figures.kl_curves import draw_kl, logged_kl
from disentangle.figures.reconstructions import draw_reconstructions, draw_samples
from disentangle.figures.traversals import draw_traversals
from disentangle.runs.layout import FILES
from disentangle.runs.run import Run

WITH_KL = ("samples.png", "kl.png")
"""Further figures of a run that logged a KL, and so has a prior."""


def files_of(run: Run) -> tuple[str, ...]:
    """Return the names of the files that `draw_all` draws."""
    return FILES + WITH_KL if logged_kl(run) else FILES


def draw_all(run: Run) -> list[Path]:
    """Draw the figures of a finished run; return their paths."""
    drawn = [*draw_traversals(run), draw_reconstructions(run)]
    return [*drawn, draw_samples(run), draw_kl(run)] if logged_kl(run) else drawn
