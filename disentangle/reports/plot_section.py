"""The plot below a score table: each run by two of its scores and settings, with baselines."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle._utils.text import joined
from disentangle.figures.sweeps import is_geometric
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.cells import Cell
from disentangle.score_tables.table import Table


def runs_of(table: Table, runs: Sequence[Run]) -> list[Run]:
    """The runs behind a table, without duplicates."""
    data = (*table.trained, table.fingerprint)
    return [run for run in deduplicated(runs)[0] if run.record.data == data]


def plot(table: Table, runs: Sequence[Run], links: Mapping[Path, str]) -> dict[str, Any]:
    """The plot's data: scores and settings of each run, and lines of baselines and externals."""
    points: list[dict[str, Any]] = []
    for run in runs:
        scores = {
            table.columns[score.key]: score.value
            for score in current_scores(run)
            if score.key in table.columns and score.value is not None and math.isfinite(score.value)
        }
        if scores:
            points.append(
                {
                    "model": run.record.model,
                    "label": f"{run.record.model} {run.record.summary}, seed {run.record.seed}",
                    "href": links[run.path],
                    "knobs": knobs_of(run.record),
                    "scores": scores,
                }
            )
    baselines = {
        row.name: {
            heading: centre
            for column, heading in table.columns.items()
            if (centre := row.cells.get(column, Cell()).centre) is not None
        }
        for row in table.rows
        if not row.trained
    }
    shown = [heading for point in points for heading in point["scores"]]
    most = max(dict.fromkeys(table.columns.values()), key=shown.count, default="")
    settings = [point["knobs"] for point in points]
    names = varied(settings)
    return {
        "points": points,
        "baselines": baselines,
        "levels": levels_of(table),
        "scores": [heading for heading in table.columns.values() if heading in shown],
        "most": most,
        "knobs": names,
        "logarithmic": [name for name in names if is_logarithmic(name, settings)],
    }


def is_logarithmic(name: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    """True if the axis of a setting is logarithmic, by the rule of the figures."""
    values = [one[name] for one in settings if name in one]
    return all(isinstance(value, int | float) for value in values) and is_geometric(values)


def levels_of(table: Table) -> str:
    """The kinds of rows that are lines in the plot, in words."""
    kinds = {"baselines": "baseline", "external encoders": "external"}
    return joined([k for k, kind in kinds.items() if any(getattr(r, kind) for r in table.rows)])


def knobs_of(record: RunRecord) -> dict[str, Any]:
    """The settings for the horizontal axis; booleans and non-finite numbers become text."""
    settings = {"model": record.model, **record.knobs, **record.recipe}
    return {
        name: str(value)
        if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))
        else value
        for name, value in settings.items()
    }


def varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the settings that have more than one value; only the model if none varies.

    The model comes first, then its hyper-parameters, then the trainer's options.
    """
    names = dict.fromkeys(name for one in settings for name in one)
    varying = [n for n in names if len({one[n] for one in settings if n in one}) > 1]
    return varying or ["model"]
