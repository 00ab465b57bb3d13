"""Comparison of two runs: settings side by side, and scores with a paired test over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from disentangle._utils.versions import made_by
from disentangle.runs.collection import load_all
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.runs.scores import current_scores
from disentangle.score_tables.headings import headings
from disentangle.score_tables.statistics import holm, paired


@dataclass(frozen=True)
class Difference:
    """A score of two runs, also over the common seeds of both configurations.

    Attributes:
        name: the score's heading.
        a: the first run's value; None if it has none. `b`: the second run's.
        seeds: number of seeds for which both configurations have this score.
        mean: the mean of b - a over these seeds.
        p: p-value of the difference, corrected for the number of scores; None with fewer than two
            common seeds.
    """

    name: str
    a: float | None
    b: float | None
    seeds: int = 0
    mean: float | None = None
    p: float | None = None


def settings(record: RunRecord) -> dict[str, str]:
    """All settings of a run as text."""
    return {
        "model": f"{record.model} (version {record.model_version})",
        "preset": record.preset or "none",
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint[:10],
        "view": str(record.dataset.view or "all images"),
        **{k: str(v) for k, v in {**record.knobs, **record.recipe}.items()},
        **{k: f"{v:.4g}" for k, v in record.normalised.items()},
        "imported": record.imported or "no",
        "device": f"{record.device}, {record.threads} threads",
        "commit": record.commit or "unknown",
        **record.packages,
    }


def side_by_side(a: Run, b: Run) -> list[tuple[str, str, str, bool]]:
    """Each setting of two runs (`-` if a run lacks it), and whether they differ."""
    left, right = settings(a.record), settings(b.record)
    names = dict.fromkeys([*left, *right])
    pairs = [(name, left.get(name, "-"), right.get(name, "-")) for name in names]
    return [(name, x, y, x != y) for name, x, y in pairs]


def by_column(run: Run) -> dict[ColumnKey, float]:
    """A run's scores by column key."""
    return {s.key: s.value for s in current_scores(run) if s.value is not None}


def siblings(run: Run) -> dict[int, Run]:
    """This run and the finished runs in the same folder that differ only in the seed, by seed."""
    runs, _ = load_all(run.path.resolve().parent)
    by_seed = {run.record.seed: run}
    for other in runs:
        same = (other.record.group, other.record.data) == (run.record.group, run.record.data)
        if same and other.finished:
            by_seed.setdefault(other.record.seed, other)
    return by_seed


def score_differences(a: Run, b: Run) -> list[Difference]:
    """Compare the scores of two runs, with a test over the common seeds of both configurations.

    The test is a paired permutation test, Holm-corrected for the number of scores.
    """
    scores_a, scores_b = by_column(a), by_column(b)
    names = headings([*scores_a, *scores_b], tuple(a.record.dataset.factors))
    pairs: dict[ColumnKey, tuple[list[float], list[float]]] = {}
    if a.record.group != b.record.group:
        left, right = siblings(a), siblings(b)
        for seed in sorted(left.keys() & right.keys()):
            x, y = by_column(left[seed]), by_column(right[seed])
            for column in x.keys() & y.keys():
                one, other = pairs.setdefault(column, ([], []))
                one.append(x[column])
                other.append(y[column])
    tested = [column for column in names if len(pairs.get(column, ([],))[0]) > 1]
    chance = dict(zip(tested, holm([paired(*pairs[c]) for c in tested]), strict=True))
    return [
        Difference(
            name,
            scores_a.get(column),
            scores_b.get(column),
            seeds=len(pairs[column][0]) if column in pairs else 0,
            mean=_mean(pairs.get(column)),
            p=chance.get(column),
        )
        for column, name in names.items()
    ]


def _mean(pair: tuple[list[float], list[float]] | None) -> float | None:
    return None if pair is None else float(np.mean(np.subtract(pair[1], pair[0])))


def as_json(a: Run, b: Run) -> Mapping[str, Any]:
    """The comparison as plain values."""
    return {
        "made_by": made_by(),
        "runs": [str(a.path), str(b.path)],
        "settings": {
            name: {"a": x, "b": y, "differs": differs} for name, x, y, differs in side_by_side(a, b)
        },
        "scores": [vars(difference) for difference in score_differences(a, b)],
    }
