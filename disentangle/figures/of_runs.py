"""Figures over several runs as functions of these runs, for Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from disentangle.errors import DisentangleError
from disentangle.figures.agreement import agreement_picture, protocols_picture, variance_picture
from disentangle.figures.bases import current_names
from disentangle.figures.run_rows import rows_picture
from disentangle.figures.sweeps import effect_picture, rate_distortion_picture
from disentangle.figures.traversals import COLUMNS, TraversalStyle
from disentangle.runs.collection import load_all
from disentangle.runs.external import load_externals
from disentangle.runs.run import Run
from disentangle.score_tables.observations import Observations, observations_of

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

Runs = Sequence[Run] | str | Path
"""Runs on one dataset, or a folder with such runs and external encoders."""


def plot_effect(runs: Runs, score: str, of: str, *, caption: bool = True) -> "Picture":
    """Draw the effect of a hyper-parameter on a score, with every seed.

    Args:
        runs: runs on one dataset, or a folder with such runs.
        score: the name of a score, or the heading of its column.
        of: a numeric hyper-parameter or training option, or `steps`.
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: the score or hyper-parameter does not exist, or is not numeric.
        DisentangleError: the hyper-parameter has one value in all runs.
    """
    return effect_picture(observed(runs), score, of, caption=caption)


def plot_rate_distortion(
    runs: Runs, *, score: str | None = None, caption: bool = True
) -> "Picture":
    """Draw the rate and the distortion of each run, which need scores of both, such as `elbo`.

    Args:
        runs: runs on one dataset, or a folder with such runs.
        score: the heading of the rate, if runs have several.
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: the runs' likelihoods differ, or several scores are a rate and none is chosen.
        DisentangleError: no run has a score with such a role.
    """
    return rate_distortion_picture(observed(runs), score=score, caption=caption)


def plot_protocols(runs: Runs, score: str, *, caption: bool = True) -> "Picture":
    """Draw the rank of each method under each protocol of a score.

    Args:
        runs: runs on one dataset, or a folder with such runs.
        score: the name of a score that was computed in several ways.
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: the score has no better direction, or too few or many configurations have it.
        DisentangleError: the score was computed in one way only.
    """
    return protocols_picture(observed(runs), score, caption=caption)


def plot_variance(
    runs: Runs, scores: Sequence[str] | None = None, *, caption: bool = True
) -> "Picture":
    """Draw the sources of variance in scores: method, hyper-parameters, protocol and seed.

    Args:
        runs: runs on one dataset, or a folder with such runs.
        scores: the names of scores [default: all].
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: a score is unknown.
        DisentangleError: no score varies over two or more runs.
    """
    return variance_picture(observed(runs), scores, caption=caption)


def plot_agreement(
    runs: Runs, scores: Sequence[str] | None = None, *, caption: bool = True
) -> "Picture":
    """Draw the rank correlations between scores.

    Args:
        runs: runs on one dataset, or a folder with such runs.
        scores: the names of scores [default: all].
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: a score is unknown, or fewer than two have a better direction.
        DisentangleError: no two scores vary over three or more runs.
    """
    return agreement_picture(observed(runs), scores, caption=caption)


def plot_rows(
    runs: Sequence[Run],
    rows: Sequence[str],
    *,
    base: str = "random",
    span: str = "prior",
    columns: int = COLUMNS,
    caption: bool = True,
) -> "Picture":
    """Draw traversals of the same factors or latents by several runs, one row per run.

    Args:
        runs: runs on the same images.
        rows: factors, each shown by the latent of a run that is most informative of it; or latents
            of the first run, shown by those that correlate most with them.
        base: the image to start from, `random`, `first` or its number.
        span: the range of each latent: `prior`, `posterior`, or a number.
        columns: the number of images in a row.
        caption: True to draw the caption and the provenance.

    Raises:
        UsageError: there is no such factor or latent, or the base is not one image.
        DisentangleError: the runs were trained on different images.
    """
    style = TraversalStyle(span, columns=columns, caption=caption)
    (name,) = current_names([base])
    return rows_picture(runs, rows, name, style)


def observed(runs: Runs) -> Observations:
    """The scores of runs, given as such or by their folder.

    Raises:
        UsageError: the runs are on several datasets or views.
        DisentangleError: no run is finished, or one cannot be read.
    """
    if isinstance(runs, str | Path):
        loaded, problems = load_all(runs)
        externals, others = load_externals(runs)
        if problems or others:
            raise DisentangleError("; ".join([*problems, *others]))
        return observations_of(loaded, externals)
    return observations_of(list(runs))
