"""Observations: every score of many runs, the data of figures over runs."""

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from disentangle._utils.text import count
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.collapse import collapsed
from disentangle.runs.collection import load_all
from disentangle.runs.external import External, load_externals
from disentangle.runs.filters import WHOLE
from disentangle.runs.records import RunRecord, Value, describe
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.headings import headings, named, only

K = TypeVar("K")


def settings(record: RunRecord) -> dict[str, Value]:
    """All knobs and training options."""
    return {**record.knobs, **record.recipe}


@dataclass(frozen=True)
class Observation:
    """One score of one run.

    Attributes:
        run: the run's id.
        model: the run's model.
        group: identifies the configuration: equal for runs that differ only in the seed.
        settings: all knobs and training options except the seed.
        seed: the run's seed.
        column: the score's column key.
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
        dataset: its name, the part trained on, and its fingerprint.
        observations: every available score.
        headings: column -> heading, as in tables.
        runs: the number of runs.
        collapsed: the configurations whose runs all collapsed, which are never ranked.
        external: the scores of external encoders in these columns, which no figure ranks.
        part: the part of the dataset that the runs were trained on, and factors that were
            correlated; empty for all images.
        factors: the factors that are scored unless others are chosen.
    """

    dataset: str
    observations: tuple[Observation, ...]
    headings: dict[ColumnKey, str]
    runs: int
    collapsed: frozenset[str] = frozenset()
    external: tuple[Observation, ...] = ()
    part: str = ""
    factors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.dataset.partition(",")[0]

    @property
    def about(self) -> str:
        """A description of the data, for figures."""
        return f"{count(self.runs, 'run')} on {self.dataset}"

    @property
    def about_all(self) -> str:
        """A description of the data with the external encoders, for figures that show them."""
        encoders = len({o.run for o in self.external})
        beside = f" and {count(encoders, 'external encoder')}" if encoders else ""
        return f"{count(self.runs, 'run')}{beside} on {self.dataset}"

    @property
    def score_names(self) -> list[str]:
        """The names of all scores, sorted."""
        return sorted({column.score for column in self.headings})

    def columns(self, names: Sequence[str] | None = None) -> list[ColumnKey]:
        """The columns with these names or headings [default: all].

        Raises:
            UsageError: no column has the name.
        """
        if not names:
            return list(self.headings)
        columns = [c for name in names for c in named(self.headings, name, "--score")]
        return list(dict.fromkeys(columns))

    def column(self, name: str) -> ColumnKey:
        """The one column with this name or heading.

        Raises:
            UsageError: there is none, or there are several; the message lists them.
        """
        return only(self.headings, name)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.observations)

    def of(self, column: ColumnKey) -> list[Observation]:
        """The observations of one column."""
        return [o for o in self if o.column == column]

    def names(self) -> dict[str, str]:
        """Configuration -> name: its model, and the settings that distinguish it."""
        return names_of({o.group: (o.model, o.settings) for o in self})


def names_of(things: Mapping[K, tuple[str, Mapping[str, Value]]]) -> dict[K, str]:
    """Name each item by its model and the settings that distinguish it from others of the model.

    A setting that others lack, because it was added later, does not count.
    """
    names = {}
    for thing, (model, own) in things.items():
        others = [s for m, s in things.values() if m == model]
        differing = {k: v for k, v in own.items() if any(k in s and s[k] != v for s in others)}
        names[thing] = f"{model} {describe(differing)}".strip()
    return names


Data = tuple[str, str, str]
"""The data of runs: the dataset's name, its part and its fingerprint; see `RunRecord.data`."""


def by_dataset(runs: Iterable[Run], externals: Sequence[External] = ()) -> list[Observations]:
    """Collect the scores of finished runs, separately for each dataset and view.

    Those of external encoders are collected beside them, in the columns that runs have.
    """
    return [
        observations_on(", ".join(filter(None, [name, part, fingerprint[:10]])), group, externals)
        for (name, part, fingerprint), group in sorted(grouped(runs).items())
    ]


def grouped(runs: Iterable[Run]) -> dict[Data, list[Run]]:
    """Group finished runs by their data."""
    groups: dict[Data, list[Run]] = {}
    for run in deduplicated(run for run in runs if run.finished)[0]:
        groups.setdefault(run.record.data, []).append(run)
    return groups


def conditions(data: Data, others: Iterable[Data]) -> str:
    """The `--where` options that select the runs on some data among runs on other data."""
    rest = [other for other in others if other != data]
    words = []
    for place, field in enumerate(("dataset", "part", "fingerprint")):
        if any(other[place] != data[place] for other in rest):
            value = data[place][:10] if field == "fingerprint" else data[place]
            words += ["--where", f"{field}={value or WHOLE}"]
            rest = [other for other in rest if other[place] == data[place]]
    return shlex.join(words)


def observations_on(
    dataset: str, runs: Sequence[Run], externals: Sequence[External] = ()
) -> Observations:
    """Collect the scores of runs on one dataset, and of external encoders in their columns."""
    kept = [(run, s, s.value) for run in runs for s in current_scores(run)]
    finite = [(run, s, v) for run, s, v in kept if v is not None and math.isfinite(v)]
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
        for run, score, value in finite
    )
    usual = tuple(runs[0].record.dataset.factors)
    standing = {run.record.group for run in runs if not collapsed(run)}
    columns = headings((s.key for _, s, _ in finite), usual)
    return Observations(
        dataset,
        observations,
        columns,
        len(runs),
        frozenset(run.record.group for run in runs) - standing,
        tuple(o for one in externals for o in observations_in(one) if o.column in columns),
        runs[0].record.data[1],
        usual,
    )


def observations_in(external: External) -> list[Observation]:
    """Collect the scores of an external encoder, which has no settings."""
    record = external.record
    return [
        Observation(
            run=record.id,
            model=f"{record.name} (external)",
            group=f"external {record.name}",
            settings={},
            seed=record.seed or 0,
            column=score.key,
            value=score.value,
        )
        for score in current_scores(external)
        if score.value is not None and math.isfinite(score.value)
    ]


def data_name(chosen: Iterable[Run], runs: Iterable[Run]) -> str:
    """The data of the chosen runs, for a file's name: what distinguishes it from other runs' data.

    It is empty if all runs are on the same dataset, or the chosen ones on several.
    """
    own, groups = grouped(chosen), grouped(runs)
    names = {name for name, _, _ in own}
    if len(names) != 1 or len(groups) < 2:
        return ""
    (name,) = names
    if len(own) > 1:
        return name if any(other != name for other, _, _ in groups) else ""
    ((_, part, _),) = own
    parts = {other for dataset, other, _ in groups if dataset == name}
    return f"{name} {part or WHOLE}" if len(parts) > 1 else name


NONE_FINISHED = "no finished runs. Run `disentangle train MODEL DATASET` first."

Runs: TypeAlias = Observations | Sequence[Run] | str | Path
"""What a figure over runs is drawn from: runs, their folder, or their observations."""


def observed(runs: Runs) -> Observations:
    """The scores of runs that are given as such, by their folder, or as observations.

    A folder's external encoders are beside its runs.

    Raises:
        UsageError: the runs are on several datasets or views.
        DisentangleError: no run is finished, or one cannot be read.
    """
    if isinstance(runs, Observations):
        return runs
    if not isinstance(runs, str | Path):
        return observations_of(list(runs))
    return observations_of(*loaded_from(runs))


def observed_parts(runs: Sequence[Run] | str | Path) -> list[Observations]:
    """The scores of runs on one dataset, separately for each part or correlation trained on.

    Raises:
        UsageError: the runs are on several datasets.
        DisentangleError: no run is finished, or one cannot be read.
    """
    loaded = loaded_from(runs)[0] if isinstance(runs, str | Path) else runs
    groups = grouped(loaded)
    if not groups:
        raise DisentangleError(NONE_FINISHED)
    datasets = sorted({(name, "", fingerprint) for name, _, fingerprint in groups})
    if len(datasets) > 1:
        choices = "".join(f"\n  {conditions(data, datasets)}" for data in datasets)
        raise UsageError(
            f"this figure shows one dataset, but these runs are on {len(datasets)}. Select runs "
            f"with one of{choices}"
        )
    return by_dataset(loaded)


def loaded_from(folder: str | Path) -> tuple[list[Run], list[External]]:
    """The runs and the external encoders of a folder.

    Raises:
        DisentangleError: one cannot be read.
    """
    loaded, problems = load_all(folder)
    externals, others = load_externals(folder)
    if problems or others:
        raise DisentangleError("; ".join([*problems, *others]))
    return loaded, externals


def observations_of(runs: Sequence[Run], externals: Sequence[External] = ()) -> Observations:
    """Collect the scores of runs that are all on one dataset, and of external encoders beside them.

    Raises:
        UsageError: the runs are on several datasets or views.
        DisentangleError: no run is finished.
    """
    groups = grouped(runs)
    if not groups:
        raise DisentangleError(NONE_FINISHED)
    if len(groups) > 1:
        choices = "".join(
            f"\n  {conditions(data, groups)}  ({count(len(own), 'run')})"
            for data, own in sorted(groups.items(), key=lambda group: group[0])
        )
        raise UsageError(
            "a figure shows one dataset and one part of it, but these runs are on "
            f"{len(groups)}. Select runs with one of{choices}"
        )
    return by_dataset(runs, externals)[0]
