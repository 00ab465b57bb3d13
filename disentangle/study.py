"""Every score of many runs, as what figures over runs are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from disentangle.cells import Column, identity
from disentangle.errors import DisentangleError, UsageError, suggestion
from disentangle.record import RunRecord, Value, describe
from disentangle.run import Run
from disentangle.scoring import read_scores
from disentangle.table import headings


@dataclass(frozen=True)
class Observation:
    """One score of one run.

    Attributes:
        model: of the run.
        group: what the runs of one configuration share.
        settings: the knobs and trainer's options that a reader needs.
        seed: of the run.
        column: what the score means.
        value: the score.
    """

    model: str
    group: str
    settings: dict[str, Value]
    seed: int
    column: Column
    value: float


@dataclass(frozen=True)
class Study:
    """The scores of finished runs on one dataset.

    Attributes:
        dataset: its name and fingerprint.
        observations: every score that could be had.
        headings: of each column, as tables name them.
        runs: how many there are.
    """

    dataset: str
    observations: tuple[Observation, ...]
    headings: dict[Column, str]
    runs: int

    @property
    def about(self) -> str:
        """Return in words what a figure of it came from."""
        return f"{self.runs} runs on {self.dataset}"

    def columns(self, names: Sequence[str] | None = None) -> list[Column]:
        """Return the columns of scores of these names or headings; all unless given.

        Raises:
            UsageError: a name that no column has.
        """
        if not names:
            return list(self.headings)
        known = {column[0] for column in self.headings} | set(self.headings.values())
        for name in names:
            if name not in known:
                raise UsageError(f"no run has the score '{name}'{suggestion(name, known)}")
        return [c for c, heading in self.headings.items() if {c[0], heading} & set(names)]

    def column(self, name: str) -> Column:
        """Return the column of this name or heading.

        Raises:
            UsageError: none has it, or several do: which they are.
        """
        found = self.columns([name])
        if len(found) > 1:
            several = "', '".join(self.headings[column] for column in found)
            raise UsageError(f"'{name}' is several scores; name one of '{several}'")
        return found[0]

    def of(self, column: Column) -> list[Observation]:
        """Return the observations of one column."""
        return [o for o in self.observations if o.column == column]

    def names(self) -> dict[str, str]:
        """Return a name for each configuration: its model, and what tells it from others of it."""
        settings = {o.group: (o.model, o.settings) for o in self.observations}
        names = {}
        for group, (model, own) in settings.items():
            others = [s for m, s in settings.values() if m == model]
            told = {k: v for k, v in own.items() if any(s.get(k) != v for s in others)}
            names[group] = f"{model} {describe(told)}".strip()
        return names


def studies(runs: Iterable[Run]) -> list[Study]:
    """Return the scores of the finished runs, a study for each dataset and part of it."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in {(r.record.id, r.record.weights): r for r in runs if r.finished}.values():
        about = run.record.dataset
        groups.setdefault((about.name, f"{about.fingerprint} {about.view}"), []).append(run)
    return [
        study_of(f"{name} {mark[:10]}", group) for (name, mark), group in sorted(groups.items())
    ]


def study_of(dataset: str, runs: Sequence[Run]) -> Study:
    """Return the scores of runs on one dataset."""
    kept = [(run, s) for run in runs for s in read_scores(run) if s.weights == run.record.weights]
    scores = [s for _, s in kept if s.value is not None]
    observations = tuple(
        Observation(
            run.record.model, run.record.group, told(run.record), run.record.seed, identity(s), v
        )
        for run, s in kept
        if (v := s.value) is not None
    )
    usual = tuple(runs[0].record.dataset.factors)
    return Study(dataset, observations, headings(scores, usual), len(runs))


def told(record: RunRecord) -> dict[str, Value]:
    """Return what tells configurations apart: knobs, trainer's options and steps."""
    return {**record.told, "steps": record.recipe["steps"]}


def one_study(runs: Iterable[Run]) -> Study:
    """Return the study of runs that all are on one dataset.

    Raises:
        UsageError: they are on several.
        DisentangleError: none is finished.
    """
    found = studies(runs)
    if not found:
        raise DisentangleError("no finished run is there; train one first")
    if len(found) > 1:
        several = ", ".join(study.dataset for study in found)
        raise UsageError(
            f"a figure is of one dataset, and these runs are on {several}; use --where"
        )
    return found[0]
