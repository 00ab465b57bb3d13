"""Every score of many runs, as what figures over runs are made of."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.records import RunRecord, Value, describe
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.headings import headings, named, only

K = TypeVar("K")


def settings(record: RunRecord) -> dict[str, Value]:
    """Return every knob and trainer's option."""
    return {**record.knobs, **record.recipe}


@dataclass(frozen=True)
class Observation:
    """One score of one run.

    Attributes:
        run: which run it is of.
        model: of the run.
        group: what the runs of one configuration share.
        settings: every knob and trainer's option, but for the seed.
        seed: of the run.
        column: what the score means.
        value: the score.
    """

    run: str
    model: str
    group: str
    settings: dict[str, Value]
    seed: int
    column: ColumnKey
    value: float


@dataclass(frozen=True)
class Observations:
    """The scores of finished runs on one dataset.

    Attributes:
        dataset: its name and fingerprint.
        observations: every score that could be had.
        headings: of each column, as tables name them.
        runs: how many there are.
    """

    dataset: str
    observations: tuple[Observation, ...]
    headings: dict[ColumnKey, str]
    runs: int

    @property
    def about(self) -> str:
        """Return in words what a figure of it came from."""
        return f"{self.runs} runs on {self.dataset}"

    def columns(self, names: Sequence[str] | None = None) -> list[ColumnKey]:
        """Return the columns of scores of these names or headings; all unless given.

        Raises:
            UsageError: a name that no column has.
        """
        if not names:
            return list(self.headings)
        return list(dict.fromkeys(c for name in names for c in named(self.headings, name)))

    def column(self, name: str) -> ColumnKey:
        """Return the column of this name or heading.

        Raises:
            UsageError: none has it, or several do: which they are.
        """
        return only(self.headings, name)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.observations)

    def of(self, column: ColumnKey) -> list[Observation]:
        """Return the observations of one column."""
        return [o for o in self if o.column == column]

    def names(self) -> dict[str, str]:
        """Return a name for each configuration: its model, and what tells it from others of it."""
        return names_of({o.group: (o.model, o.settings) for o in self})


def names_of(things: Mapping[K, tuple[str, Mapping[str, Value]]]) -> dict[K, str]:
    """Return a name for each thing: its model, and the settings that tell it from others of it.

    A setting that another has not, as it came later, tells nothing.
    """
    names = {}
    for thing, (model, own) in things.items():
        others = [s for m, s in things.values() if m == model]
        told = {k: v for k, v in own.items() if any(k in s and s[k] != v for s in others)}
        names[thing] = f"{model} {describe(told)}".strip()
    return names


def by_dataset(runs: Iterable[Run]) -> list[Observations]:
    """Return the scores of the finished runs, a study for each dataset and part of it."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in deduplicated(run for run in runs if run.finished)[0]:
        groups.setdefault(run.record.data, []).append(run)
    return [
        observations_on(", ".join(filter(None, [name, part, mark[:10]])), group)
        for (name, part, mark), group in sorted(groups.items())
    ]


def observations_on(dataset: str, runs: Sequence[Run]) -> Observations:
    """Return the scores of runs on one dataset."""
    kept = [(run, s, s.value) for run in runs for s in current_scores(run)]
    known = [(run, s, v) for run, s, v in kept if v is not None and math.isfinite(v)]
    observations = tuple(
        Observation(
            run=run.record.id,
            model=run.record.model,
            group=run.record.group,
            settings={k: v for k, v in settings(run.record).items() if k != "seed"},
            seed=run.record.seed,
            column=score.key,
            value=value,
        )
        for run, score, value in known
    )
    usual = tuple(runs[0].record.dataset.factors)
    return Observations(
        dataset, observations, headings((s.key for _, s, _ in known), usual), len(runs)
    )


def observations_of(runs: Iterable[Run]) -> Observations:
    """Return the study of runs that all are on one dataset.

    Raises:
        UsageError: they are on several.
        DisentangleError: none is finished.
    """
    found = by_dataset(runs)
    if not found:
        raise DisentangleError("no finished run is there; train one first")
    if len(found) > 1:
        several = "; ".join(observations.dataset for observations in found)
        raise UsageError(
            f"a figure is of one dataset and one part of it, and these runs are on {several}; "
            "choose by --where dataset=NAME, or name runs"
        )
    return found[0]
