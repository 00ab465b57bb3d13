"""Draw the figures of a study file."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from disentangle._utils.callbacks import Say
from disentangle.errors import DisentangleError
from disentangle.figures.agreement import draw_agreement, draw_protocols, draw_variance
from disentangle.figures.figure_names import figure_name
from disentangle.figures.shift import draw_shift
from disentangle.figures.sweeps import draw_rate_distortion, draw_sweep
from disentangle.figures.trained_on import draw_trained_on
from disentangle.runs.external import External
from disentangle.runs.filters import where
from disentangle.runs.run import Run
from disentangle.score_tables.observations import Observations, by_dataset, grouped
from disentangle.studies.study_file import FigureAsked


def draw_figures(
    requests: Sequence[FigureAsked],
    runs: Sequence[Run],
    externals: Sequence[External],
    folder: Path,
    say: Say,
) -> list[Path]:
    """Draw the figures of a study, one for each dataset; return the files.

    The conditions of a figure select runs; external encoders are drawn beside them.
    """
    paths: list[Path] = []
    for figure in requests:
        drawings = drawings_of(figure, where(runs, figure.where), externals)
        for dataset, draw in drawings:
            distinct = dataset if len(drawings) > 1 else ""
            name = figure_name(figure.kind, scores_of(figure), figure.knob, distinct)
            path = folder / f"{name}.png"
            if path in paths:
                path = folder / f"{name}-{len(paths) + 1}.png"
            folder.mkdir(parents=True, exist_ok=True)
            try:
                paths.append(draw(path))
            except DisentangleError as error:  # usual for an unfinished study
                say(f"not drawn: {name}: {error}")
    return paths


def drawings_of(
    figure: FigureAsked, runs: Sequence[Run], externals: Sequence[External]
) -> list[tuple[str, Callable[[Path], Path]]]:
    """The figures that one request stands for: the dataset of each, and what draws it to a path."""
    if figure.kind == "shift":  # of a study, some runs may hold nothing out
        runs = [run for run in runs if "split" in run.record.dataset.view] or runs
    if figure.kind != "trained-on":
        return [(o.name, partial(draw_on, figure, o)) for o in by_dataset(runs, externals)]
    datasets: dict[tuple[str, str], list[Run]] = {}
    for (name, _, fingerprint), group in sorted(grouped(runs).items()):
        datasets.setdefault((name, fingerprint), []).extend(group)
    (score,) = scores_of(figure)
    return [(name, partial(draw_trained_on, group, score)) for (name, _), group in datasets.items()]


def draw_on(figure: FigureAsked, observations: Observations, path: Path) -> Path:
    """Draw a figure of a study that shows one dataset and one part of it."""
    scores = scores_of(figure)
    if figure.kind == "rate-distortion":
        return draw_rate_distortion(observations, path, score=scores[0] if scores else None)
    if figure.kind == "variance":
        return draw_variance(observations, scores, path)
    if figure.kind == "agreement":
        return draw_agreement(observations, scores, path)
    if figure.kind == "protocols":
        return draw_protocols(observations, scores[0], path)
    if figure.kind == "shift":
        return draw_shift(observations, scores[0], path)
    return draw_sweep(observations, scores[0], figure.knob or "", path)


def scores_of(figure: FigureAsked) -> tuple[str, ...]:
    """The scores named by a figure."""
    return (figure.score,) if isinstance(figure.score, str) else figure.score or ()
