"""The figure of a score out of the training distribution against the same score in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError
from disentangle.figures.canvas import SMALL
from disentangle.figures.image_grids import check_suffix
from disentangle.figures.palette import FAINT, series
from disentangle.figures.sweeps import legend, panel
from disentangle.runs.records import describe_view
from disentangle.runs.score_records import ColumnKey
from disentangle.score_tables.observations import Observations, Runs, observed
from disentangle.scoring.metric_traits import direction

if TYPE_CHECKING:
    from disentangle.figures.picture import Picture

MARGIN = 0.06
"""The space between the outermost points and the frame, as a share of their range."""


def draw_shift(observations: Observations, score: str, path: Path, *, caption: bool = True) -> Path:
    """Write `plot_shift` to a PNG, PDF or SVG file; return its path."""
    check_suffix(path)
    return plot_shift(observations, score, caption=caption).save(path)


def plot_shift(runs: Runs, score: str, *, caption: bool = True) -> "Picture":
    """Draw a score of each run on the held-out images against that on the images trained on.

    Both are scores of one run, computed in the same way on the parts `test` and `train`. External
    encoders, which were not trained on one of them, are left out.

    Args:
        runs: finished runs on one part of a dataset, or a folder with such runs.
        score: the name of a score, or the heading of one of its columns.
        caption: True to draw the caption and the provenance.

    Returns:
        The figure: a notebook shows it, and its `save` writes a file.

    Raises:
        UsageError: no run has the score, or it was computed in several ways and none is chosen.
        DisentangleError: no run has the score on both parts.

    Example:
        `plot_shift("results", "r2").save("shift.pdf")`
    """
    observations = observed(runs)
    inside, outside = inside_and_outside(observations, score)
    before = {o.run: o for o in observations.of(inside)}
    pairs = [(before[o.run], o) for o in observations.of(outside) if o.run in before]
    models = sorted({o.model for _, o in pairs})
    head = (
        f"{inside.score} of {count(len(pairs), 'run')} on held-out images against that on images "
        f"trained on ({hold_out_of(outside)}). Grey line: both are equal."
    )
    if direction(inside) == "less":
        head += " Less is better."
    if inside.factors != outside.factors:
        alone = [name for name in inside.factors if name not in outside.factors]
        head += f" Factors scored on the images trained on alone: {', '.join(alone)}."
    shows = f"{inside.score} on held-out images over that on others, {observations.name}"
    canvas, axes = panel(observations.about, head, models, shows=shows, caption=caption)
    for number, model in enumerate(models):
        points = [(x.value, y.value) for x, y in pairs if y.model == model]
        style = series(number)
        axes.plot(
            *zip(*points, strict=True), ls="", ms=4, mfc="none", mew=0.9, label=model, **style
        )
    values = [o.value for pair in pairs for o in pair]
    space = MARGIN * (max(values) - min(values) or 1.0)
    ends = min(values) - space, max(values) + space
    axes.plot(ends, ends, color=FAINT, lw=0.6, zorder=0)
    axes.set_xlim(ends)
    axes.set_ylim(ends)
    axes.set_box_aspect(1)
    axes.locator_params(nbins=5)
    axes.tick_params(labelsize=SMALL)
    axes.set_xlabel(f"{inside.score}, images trained on", fontsize=SMALL, labelpad=1)
    axes.set_ylabel(f"{inside.score}, held-out images", fontsize=SMALL)
    canvas.inside(axes)
    legend(axes, models)
    return canvas.figure


def inside_and_outside(observations: Observations, score: str) -> tuple[ColumnKey, ColumnKey]:
    """Return the columns of a score on the images trained on and on the held-out images.

    Raises:
        UsageError: no run has the score, or it was computed in several ways on both.
        DisentangleError: it was not computed on both.
    """
    columns = observations.columns([score])
    pairs = [pair for pair in every_pair(observations) if set(pair) & set(columns)]
    if not pairs:
        raise DisentangleError(
            f"no run has '{columns[0].score}' of both the images trained on and the held-out "
            f"ones. Run `disentangle score --metric {columns[0].metric} --split train,test` "
            "on runs that were trained with --hold-out or on a split."
        )
    if len(pairs) > 1:
        several = "".join(f"\n  '{observations.headings[outside]}'" for _, outside in pairs)
        raise UsageError(f"'{score}' was computed in several ways; use one of{several}")
    return pairs[0]


def every_pair(observations: Observations) -> list[tuple[ColumnKey, ColumnKey]]:
    """The pairs of columns of one score on the parts `train` and `test`, in any run.

    Among the held-out images a factor may not vary. Then their score is that of fewer factors,
    unless there is one of the same factors on both parts.
    """
    outsides = {c: c._replace(view=part_of(c, "train")) for c in columns_of(observations, "test")}
    pairs = []
    for inside in columns_of(observations, "train"):
        same = [c for c, moved in outsides.items() if moved == inside]
        fewer = [
            c
            for c, moved in outsides.items()
            if moved._replace(factors=inside.factors) == inside
            and set(c.factors) < set(inside.factors)
        ]
        pairs += [(inside, outside) for outside in same or fewer]
    return pairs


def columns_of(observations: Observations, part: str) -> list[ColumnKey]:
    """The columns of scores on the part `train` or `test`."""
    return [c for c in observations.headings if dict(c.view).get("split") == part]


def part_of(column: ColumnKey, part: str) -> tuple[tuple[str, str | int | tuple[str, ...]], ...]:
    """The view of a column with another part."""
    return tuple(sorted({**dict(column.view), "split": part}.items()))


def hold_out_of(column: ColumnKey) -> str:
    """What is held out, in words."""
    view = {name: value for name, value in column.view if name not in ("split", "factors")}
    return describe_view(view) or "the splits of the dataset"


def scores_of_both(observations: Observations) -> list[str]:
    """The names of the scores that were computed on both parts."""
    return sorted({inside.score for inside, _ in every_pair(observations)})
