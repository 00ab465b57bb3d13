"""Two runs side by side: settings, scores with their test, and latents matched by their codes."""

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
    """A score of two runs, and over the seeds that both configurations were trained with.

    Attributes:
        name: the score, and what tells it from others of its name.
        a: of the first run; None where it has none. `b` likewise, of the second.
        seeds: how many seeds both configurations have this score of.
        mean: the mean of b - a over these seeds.
        p: the probability of such a difference by chance, corrected for the scores compared; None
            where there are fewer than two such seeds.
    """

    name: str
    a: float | None
    b: float | None
    seeds: int = 0
    mean: float | None = None
    p: float | None = None


def settings(record: RunRecord) -> dict[str, str]:
    """Return all that a run was made of, in words."""
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
    """Return each setting of two runs, and whether they differ; `-` where one has none."""
    left, right = settings(a.record), settings(b.record)
    names = dict.fromkeys([*left, *right])
    pairs = [(name, left.get(name, "-"), right.get(name, "-")) for name in names]
    return [(name, x, y, x != y) for name, x, y in pairs]


def by_column(run: Run) -> dict[ColumnKey, float]:
    """Return the scores that a run has, by what they mean."""
    return {s.key: s.value for s in current_scores(run) if s.value is not None}


def siblings(run: Run) -> dict[int, Run]:
    """Return the finished runs beside this one that differ from it in their seed alone."""
    runs, _ = load_all(run.path.resolve().parent)
    found = {run.record.seed: run}
    for other in runs:
        same = (other.record.group, other.record.data) == (run.record.group, run.record.data)
        if same and other.finished:
            found.setdefault(other.record.seed, other)
    return found


def score_differences(a: Run, b: Run) -> list[Difference]:
    """Return the scores of two runs, with a test over the seeds that both configurations have.

    The test is a permutation test of pairs, corrected for the number of scores (Holm).
    """
    mine, theirs = by_column(a), by_column(b)
    names = headings([*mine, *theirs], tuple(a.record.dataset.factors))
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
            mine.get(column),
            theirs.get(column),
            seeds=len(pairs[column][0]) if column in pairs else 0,
            mean=_mean(pairs.get(column)),
            p=chance.get(column),
        )
        for column, name in names.items()
    ]


def _mean(pair: tuple[list[float], list[float]] | None) -> float | None:
    return None if pair is None else float(np.mean(np.subtract(pair[1], pair[0])))


def as_json(a: Run, b: Run) -> Mapping[str, Any]:
    """Return a comparison as plain values."""
    return {
        "made_by": made_by(),
        "runs": [str(a.path), str(b.path)],
        "settings": {
            name: {"a": x, "b": y, "differs": differs} for name, x, y, differs in side_by_side(a, b)
        },
        "scores": [vars(difference) for difference in score_differences(a, b)],
    }
