"""The figures of a run: which there are, and those that it shows of itself once it is finished."""

from pathlib import Path

from disentangle.bases import Base, default_bases, find_bases
from disentangle.curves import draw_kl, logged_kl
from disentangle.grids import draw_reconstructions, draw_samples
from disentangle.latents import Latents, has_prior, measure_latents, measure_ranges, probe
from disentangle.matrices import draw_matrices
from disentangle.plate import title
from disentangle.run import Run
from disentangle.traversals import draw_traversals, traverse

__all__ = [
    "FILES",
    "Base",
    "Latents",
    "default_bases",
    "draw_all",
    "draw_kl",
    "draw_matrices",
    "draw_reconstructions",
    "draw_samples",
    "draw_traversals",
    "files_of",
    "find_bases",
    "has_prior",
    "measure_latents",
    "measure_ranges",
    "probe",
    "title",
    "traverse",
]

FILES = ("traversals.png", "traversals.gif", "reconstructions.png")
"""Those of every run."""
WITH_KL = ("samples.png", "kl.png")
"""Those of a run that logged a KL, and so has a prior."""


def files_of(run: Run) -> tuple[str, ...]:
    """Return the names of the files that `draw_all` draws."""
    return FILES + WITH_KL if logged_kl(run) else FILES


def draw_all(run: Run) -> list[Path]:
    """Draw what a finished run shows of itself; return the files written."""
    drawn = [*draw_traversals(run), draw_reconstructions(run)]
    return [*drawn, draw_samples(run), draw_kl(run)] if logged_kl(run) else drawn
