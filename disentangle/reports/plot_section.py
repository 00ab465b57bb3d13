"""What a folder's page draws of one table: every run's score against a setting, and baselines."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.cells import Cell
from disentangle.score_tables.table import Table


def runs_of(table: Table, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that a table is made of, each once."""
    data = (*table.trained, table.fingerprint)
    return [run for run in deduplicated(runs)[0] if run.record.data == data]


def plot(table: Table, runs: Sequence[Run], links: Mapping[Path, str]) -> dict[str, Any]:
    """Return the runs' scores and knobs, and baselines, for a plot of one against another."""
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
                    "said": f"{run.record.model} {run.record.summary}, seed {run.record.seed}",
                    "href": links[run.path],
                    "knobs": knobs_of(run.record),
                    "scores": scores,
                }
            )
    baselines = {
        row.model: {
            heading: centre
            for column, heading in table.columns.items()
            if (centre := row.cells.get(column, Cell()).centre) is not None
        }
        for row in table.rows
        if row.baseline
    }
    shown = [heading for point in points for heading in point["scores"]]
    most = max(dict.fromkeys(table.columns.values()), key=shown.count, default="")
    return {
        "points": points,
        "baselines": baselines,
        "scores": [heading for heading in table.columns.values() if heading in shown],
        "most": most,
        "knobs": varied([point["knobs"] for point in points]),
    }


def knobs_of(record: RunRecord) -> dict[str, Any]:
    """Return what a score may be drawn against; a number that is not finite is a word."""
    found = {"model": record.model, **record.knobs, **record.recipe}
    return {
        name: str(value)
        if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value))
        else value
        for name, value in found.items()
    }


def varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names that have more than one value: the model first, and alone if there are none.

    The model's own knobs come before the trainer's options.
    """
    names = dict.fromkeys(name for one in settings for name in one)
    found = [n for n in names if len({one[n] for one in settings if n in one}) > 1]
    return found or ["model"]
