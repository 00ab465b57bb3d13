"""The scores of a run's page, next to baselines, and the latent-by-factor matrices behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from disentangle.figures.latents import Latents
from disentangle.reports.svg_charts import scale
from disentangle.runs.records import describe, describe_view
from disentangle.runs.score_records import Score
from disentangle.score_tables.cells import count, number, whole
from disentangle.scoring.baselines import read_baselines
from disentangle.scoring.metric_traits import counts, direction, supervised

Baselines: TypeAlias = Mapping[str, Sequence[Score]]
LEVELS = 5
"""Maximum number of parent folders of a run to search for the results folder."""
DARK = 0.682
"""The share of the heat colour above which numbers switch to the other text colour.

The threshold of the figures' greys, `canvas.DARK`, would lower some contrasts from 4.5 to 4.0.
"""


def baselines_near(folder: Path) -> dict[str, list[Score]]:
    """The baselines of the results folder that contains this folder, if there are any."""
    here = folder.resolve()
    for parent in [here, *here.parents][: LEVELS + 1]:
        if (parent / "baselines").is_dir():
            return read_baselines(parent)
    return {}


def terms_said(score: Score) -> str:
    """Describe a score's protocol, representation, view, seed and dataset, without the factors."""
    parts = [
        f"Protocol {score.protocol}",
        f"{score.representation} representation",
        describe_view(score.view) or "all images",
        f"metric seed {score.seed}",
        f"dataset {score.fingerprint[:10]}",
    ]
    return ", ".join(parts)


def score_blocks(scores: Sequence[Score], baselines: Baselines) -> list[dict[str, Any]]:
    """Group scores by the conditions under which they were computed, each next to its baselines."""
    blocks: dict[tuple[Any, ...], list[Score]] = {}
    for score in scores:
        blocks.setdefault(score.key.conditions, []).append(score)
    values = {
        name: {s.key: s.value for s in baseline if s.value is not None}
        for name, baseline in baselines.items()
    }
    return [block(blocks[key], values) for key in sorted(blocks, key=str)]


def block(scores: Sequence[Score], baselines: Mapping[str, Mapping[Any, float]]) -> dict[str, Any]:
    """One score table: scores that were computed under the same conditions."""
    rows = sorted(scores, key=lambda s: (s.metric, s.version, describe(dict(s.key.knobs))))
    shown = [name for name, of in baselines.items() if any(s.key in of for s in rows)]
    return {
        "conditions": terms_said(scores[0]),
        "factors": ", ".join(scores[0].factors),
        "baselines": shown,
        "rows": [row(score, {name: baselines[name] for name in shown}) for score in rows],
    }


def row(score: Score, baselines: Mapping[str, Mapping[Any, float]]) -> dict[str, Any]:
    """One table row: the score's value, or why it has none, its settings and its baselines."""
    beside = [(name, of.get(score.key)) for name, of in baselines.items()]
    marks = [(name, value) for name, value in beside if value is not None]
    settings = dict(sorted({**score.settings, **score.resolved}.items()))
    text = count if counts(score.name) else number
    return {
        "name": score.name,
        "how": f"version {score.version}, {describe(settings)}",
        "value": None if score.value is None else text(score.value),
        "reason": score.reason or "",
        "scale": scale(score.value, marks) if score.value is not None and graded(score) else "",
        "beside": ["" if value is None else text(value) for _, value in beside],
    }


def graded(score: Score) -> bool:
    """True if a score lies between 0 and 1: a supervised metric where more is better."""
    return supervised(score.key) and direction(score.key) == "more"


def matrices(scores: Sequence[Score], latents: Latents) -> list[dict[str, Any]]:
    """All latent-by-factor matrices behind the scores, active latents first.

    Shades run from 0 to the largest magnitude in each matrix.
    """
    blocks = []
    for score in sorted(scores, key=lambda s: str(s.key)):
        for name, detail in score.detail.items():
            if detail.axes != ("latent", "factor") or len(detail.values) != len(latents.order):
                continue
            lines: list[list[float | None]] = [
                line if isinstance(line, list) else [line] for line in detail.values
            ]
            most = max((abs(v) for line in lines for v in line if v is not None), default=0.0)
            digits = 0 if whole(v for line in lines for v in line) else 2
            about = f"{detail.about[0].upper()}{detail.about[1:]}. " if detail.about else ""
            knobs = f", {describe(dict(score.key.knobs))}" if score.key.knobs else ""
            blocks.append(
                {
                    "name": name,
                    "text": about
                    + f"{terms_said(score)}. {score.metric}, version {score.version}{knobs}",
                    "most": number(most),
                    "factors": names(score.factors, lines),
                    "rows": [
                        {"name": f"z{d}", "active": on, "cells": cells(lines[d], most, digits)}
                        for d, on in zip(latents.order, latents.active, strict=True)
                    ],
                }
            )
    return blocks


def names(factors: Sequence[str], lines: Sequence[Sequence[float | None]]) -> list[str]:
    """Column names of a matrix: the scored factors, or numbered columns if the counts differ."""
    count = len(lines[0]) if lines else 0
    return list(factors) if len(factors) == count else [f"factor {i}" for i in range(count)]


def cells(line: Sequence[float | None], most: float, digits: int = 2) -> list[dict[str, Any]]:
    """The cells of a matrix row: each value with its shade from 0 to 1 and whether it is dark."""
    shades = [0.0 if v is None or not most else abs(v) / most for v in line]
    return [
        {"text": "n/a" if v is None else f"{v:.{digits}f}", "shade": round(s, 3), "dark": s > DARK}
        for v, s in zip(line, shades, strict=True)
    ]
