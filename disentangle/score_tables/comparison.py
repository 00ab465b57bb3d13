"""Comparison of two runs: settings side by side, and scores with a paired test over seeds.

An external encoder may take the place of a run; nothing is tested then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from disentangle._utils.text import count
from disentangle._utils.versions import made_by
from disentangle.runs.external import (
    UNCHECKED,
    External,
    ExternalRecord,
    load_externals,
    without_copies,
)
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.runs.scores import current_scores
from disentangle.runs.siblings import siblings
from disentangle.score_tables.headings import headings
from disentangle.score_tables.statistics import LEVEL, holm, least_paired, paired

Kind: TypeAlias = Literal["set", "derived", "environment"]


@dataclass(frozen=True)
class Setting:
    """A setting of two runs as text.

    Attributes:
        name: its name.
        a: the first run's value, `-` if it has none. `b`: the second run's.
        kind: `set` if a user, a preset or a default set it, `derived` if it follows from others,
            `environment` if it is the machine or software.
    """

    name: str
    a: str
    b: str
    kind: Kind

    @property
    def differs(self) -> bool:
        """True if the two runs have different values."""
        return self.a != self.b


@dataclass(frozen=True)
class Difference:
    """A score of two runs, also over the common seeds of both configurations.

    Attributes:
        name: the score's heading.
        a: the first run's value; None if it has none. `b`: the second run's.
        seeds: number of seeds for which both configurations have this score.
        mean_a: the mean of the first configuration over these seeds. `mean_b`: the second's.
        mean: the mean of b - a over these seeds.
        p: p-value of the difference, corrected for the number of scores; None with fewer than two
            common seeds.
    """

    name: str
    a: float | None
    b: float | None
    seeds: int = 0
    mean_a: float | None = None
    mean_b: float | None = None
    mean: float | None = None
    p: float | None = None

    @property
    def shown(self) -> tuple[float | None, float | None, float | None]:
        """A, B and B - A: means over the common seeds, or the values of the two runs alone."""
        if self.seeds:
            return self.mean_a, self.mean_b, self.mean
        single = self.a is not None and self.b is not None
        return self.a, self.b, self.b - self.a if single else None  # type: ignore[operator]


@dataclass(frozen=True)
class Comparison:
    """The scores of two runs.

    Attributes:
        scores: each score of either run.
        seeds_a: the seeds of the first run's configuration, if they are finished. `seeds_b`: those
            of the second's.
        same: True if both runs have the same configuration.
        alike: True if both were trained on the same images.
        external: True if A or B was not trained here.
        fewer: scores that some of the seeds of A or B lack, each with the number that have it.
    """

    scores: list[Difference]
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    same: bool
    alike: bool = True
    external: bool = False
    fewer: tuple[str, ...] = ()

    @property
    def common(self) -> list[int]:
        """The seeds that both configurations were trained with."""
        return sorted(set(self.seeds_a) & set(self.seeds_b))

    @property
    def least(self) -> float:
        """The smallest p-value that these numbers of scores and seeds allow; 1 without a test."""
        tested = [score.seeds for score in self.scores if score.p is not None]
        return min(1.0, len(tested) * least_paired(max(tested))) if tested else 1.0

    @property
    def verdict(self) -> str:
        """What the p-values mean, or why there are none."""
        if self.external:
            numbers = f"A: {len(self.seeds_a)}; B: {len(self.seeds_b)}"
            fewer = f" Of fewer seeds: {', '.join(self.fewer)}." if self.fewer else ""
            return (
                f"A and B are means over the seeds of each ({numbers}).{fewer} Not tested: an "
                "external encoder was not trained here."
            )
        tested = [score.seeds for score in self.scores if score.p is not None]
        if tested and self.least < LEVEL:
            return (
                "p: permutation test over the common seeds, "
                f"Holm-corrected for {len(tested)} scores; the smallest possible p is "
                f"{self.least:.2g}."
            )
        if tested:
            scores = f" and {len(tested)} scores" if len(tested) > 1 else ""
            return (
                f"With {max(tested)} common seeds{scores}, "
                f"p cannot be below {self.least:.2g}, so no difference can be significant."
            )
        if not self.alike:
            return "Not tested: A and B were trained on different images, so no seed is comparable."
        if self.same:
            return "Not tested: A and B have the same configuration and differ only in the seed."
        if not self.common:
            a, b = (", ".join(map(str, seeds)) for seeds in (self.seeds_a, self.seeds_b))
            return (
                f"Not tested: no seed is common to both configurations (A: {a}; B: {b}). Train "
                "both with the same seeds: `disentangle train ... --seeds 0..4`."
            )
        if len(self.common) == 1:
            return (
                f"A and B are the scores of seed {self.common[0]}, the only seed that is common to "
                "both configurations. Not tested: at least two common seeds are needed."
            )
        return (
            f"Not tested: the runs with the {len(self.common)} common seeds have too few common "
            "scores. Score the runs of both configurations by the same metrics and protocol."
        )


def settings(record: RunRecord | ExternalRecord) -> dict[str, str]:
    """All settings of a run, or what an external encoder is, as text."""
    if isinstance(record, ExternalRecord):
        return {
            "model": f"{record.name} (external)",
            "dataset": record.dataset.name,
            "fingerprint": record.dataset.fingerprint[:10],
            "latents": str(record.latents),
            **({} if record.seed is None else {"seed": str(record.seed)}),
            "takes": record.takes if record.kind == "encoder" else UNCHECKED,
            **record.origin,
            **record.packages,
        }
    return {
        "model": f"{record.model} (version {record.model_version})",
        "preset": record.preset or "none",
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint[:10],
        "view": str(record.dataset.view or "all images"),
        **{k: str(v) for k, v in {**record.knobs, **record.recipe}.items()},
        **{k: f"{v:.4g}" for k, v in record.normalised.items()},
        "imported": record.imported or "no",
        "device": f"{record.device}, {count(record.threads, 'thread')}",
        "commit": record.commit or "unknown",
        **record.packages,
    }


def side_by_side(a: Run | External, b: Run | External) -> list[Setting]:
    """Each setting of two runs."""
    left, right = settings(a.record), settings(b.record)
    names = dict.fromkeys([*left, *right])
    return [
        Setting(name, left.get(name, "-"), right.get(name, "-"), kind_of(name, a.record, b.record))
        for name in names
    ]


@dataclass(frozen=True)
class Apart:
    """The settings of a run and an external encoder, or of two encoders, by name.

    Attributes:
        both: those that both have, with the same value.
        a: the others of the first one. `b`: those of the second one.
    """

    both: dict[str, str]
    a: dict[str, str]
    b: dict[str, str]


def apart(a: Run | External, b: Run | External, *, every: bool = False) -> Apart:
    """What two have in common and what each is: most settings of one mean nothing for the other.

    Without `every`, settings at their defaults, derived ones, machines and packages are left out.
    """
    left, right = (settings(r.record) if every else main_settings(r.record) for r in (a, b))
    both = {name: value for name, value in left.items() if right.get(name) == value}
    own = ({k: v for k, v in each.items() if k not in both} for each in (left, right))
    return Apart(both, *own)


def main_settings(record: RunRecord | ExternalRecord) -> dict[str, str]:
    """The settings that a reader needs to know what a run or an external encoder is."""
    every = settings(record)
    if isinstance(record, ExternalRecord):
        return {name: value for name, value in every.items() if name not in record.packages}
    common = ("model", "dataset", "fingerprint", "latents", *record.shown_settings)
    changed = {"preset": "none", "view": "all images", "imported": "no"}
    return {
        name: value
        for name, value in every.items()
        if name in (*common, "steps", "seed") or value != changed.get(name, value)
    }


def kind_of(name: str, *records: RunRecord | ExternalRecord) -> Kind:
    """The kind of a setting of runs or external encoders."""
    if any(isinstance(r, RunRecord) and name in r.normalised for r in records):
        return "derived"
    if name in ("device", "commit") or any(name in record.packages for record in records):
        return "environment"
    return "set"


def by_column(run: Run | External) -> dict[ColumnKey, float]:
    """A run's finite scores by column key."""
    kept = [(score.key, score.value) for score in current_scores(run)]
    return {key: value for key, value in kept if value is not None and math.isfinite(value)}


def beside(a: Run | External, b: Run | External) -> Comparison:
    """Compare scores with those of an external encoder: means over the seeds of each, no test."""
    left, right = members(a), members(b)
    values_a, values_b = all_scores(left), all_scores(right)
    means_a, means_b = (
        {column: float(np.mean(several)) for column, several in values.items()}
        for values in (values_a, values_b)
    )
    names = headings([*means_a, *means_b], tuple(a.record.dataset.factors))
    scores = [Difference(name, means_a.get(c), means_b.get(c)) for c, name in names.items()]
    fewer = tuple(
        f"{names[column]} ({side}: {len(several)} of {len(group)})"
        for side, group, values in (("A", left, values_a), ("B", right, values_b))
        for column, several in values.items()
        if len(several) < len(group)
    )
    seeds_a, seeds_b = (tuple(range(len(group))) for group in (left, right))
    return Comparison(scores, seeds_a, seeds_b, same=False, external=True, fewer=fewer)


def members(scored: Run | External) -> list[Run | External]:
    """The runs of a configuration, or the external encoders of one name on the same dataset."""
    if isinstance(scored, Run):
        return list(siblings(scored).values())
    others, _ = load_externals(scored.path.resolve().parent)
    return [one for one in without_copies(others) if one.record.row == scored.record.row]


def all_scores(group: Sequence[Run | External]) -> dict[ColumnKey, list[float]]:
    """The values of each score, of the runs or external encoders that have it."""
    values: dict[ColumnKey, list[float]] = {}
    for one in group:
        for column, value in by_column(one).items():
            values.setdefault(column, []).append(value)
    return values


def compare(a: Run | External, b: Run | External) -> Comparison:
    """Compare the scores of two runs, with a test over the common seeds of both configurations.

    The test is a paired permutation test, Holm-corrected for the number of scores. With an external
    encoder, means over all seeds are compared, without a test.
    """
    if isinstance(a, External) or isinstance(b, External):
        return beside(a, b)
    scores_a, scores_b = by_column(a), by_column(b)
    names = headings([*scores_a, *scores_b], tuple(a.record.dataset.factors))
    left, right = siblings(a), siblings(b)
    same = a.record.group == b.record.group
    pairs: dict[ColumnKey, tuple[list[float], list[float]]] = {}
    for seed in [] if same else sorted(left.keys() & right.keys()):
        x, y = by_column(left[seed]), by_column(right[seed])
        for column in x.keys() & y.keys():
            one, other = pairs.setdefault(column, ([], []))
            one.append(x[column])
            other.append(y[column])
    tested = [column for column in names if len(pairs.get(column, ([],))[0]) > 1]
    chance = dict(zip(tested, holm([paired(*pairs[c]) for c in tested]), strict=True))
    scores = [
        Difference(
            name,
            scores_a.get(column),
            scores_b.get(column),
            p=chance.get(column),
            **means(pairs[column]) if column in pairs else {},
        )
        for column, name in names.items()
    ]
    return Comparison(
        scores, tuple(sorted(left)), tuple(sorted(right)), same, a.record.data == b.record.data
    )


def means(pair: tuple[list[float], list[float]]) -> dict[str, Any]:
    """The number of common seeds, the means over these, and the mean difference."""
    a, b = pair
    return {
        "seeds": len(a),
        "mean_a": float(np.mean(a)),
        "mean_b": float(np.mean(b)),
        "mean": float(np.mean(np.subtract(b, a))),
    }


def as_json(a: Run | External, b: Run | External) -> Mapping[str, Any]:
    """The comparison as plain values."""
    return {
        "made_by": made_by(),
        "runs": [str(a.path), str(b.path)],
        "settings": {
            s.name: {"a": s.a, "b": s.b, "differs": s.differs} for s in side_by_side(a, b)
        },
        "scores": [vars(difference) for difference in compare(a, b).scores],
    }
