"""Which configuration of each model a table shows, and how it was chosen: a part of its row.

The best seed is never chosen, and a choice by the score shown is said, and grey.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from disentangle._utils.callbacks import Progress, silent
from disentangle.contracts import registry
from disentangle.contracts.plugin import knobs
from disentangle.errors import UsageError
from disentangle.runs.records import RunRecord
from disentangle.runs.run import Run
from disentangle.runs.score_records import ColumnKey, Score
from disentangle.runs.scores import current_scores, deduplicated
from disentangle.score_tables.cells import number
from disentangle.score_tables.headings import headings, only
from disentangle.scoring.metric_traits import direction
from disentangle.scoring.score_runs import few_labels

RULES = "all, default, udr, labels:N:METRIC or oracle:SCORE"
Key: TypeAlias = tuple[tuple[str, str, str], str]
"""A configuration on some data; see `key_of`."""
SEED = 1
"""Of the metric that chooses by few labels: not that of the scores shown, so other images."""


@dataclass(frozen=True)
class Selection:
    """What is shown.

    Attributes:
        kept: the configurations that are; None for every one.
        chosen: configuration -> how it was chosen.
        grey: those that were chosen by the score shown.
        absent: the data, and a model on it that is not shown, for it has not what chooses.
    """

    kept: frozenset[Key] | None = None
    chosen: Mapping[Key, str] = field(default_factory=dict)
    grey: frozenset[Key] = frozenset()
    absent: tuple[tuple[tuple[str, str, str], str], ...] = ()

    def shows(self, run: Run) -> bool:
        """Say whether a run's configuration is shown."""
        return self.kept is None or key_of(run.record) in self.kept


def key_of(record: RunRecord) -> Key:
    """Return what the runs of one row share, and no run of another table."""
    return record.data, record.group


EVERY = Selection()


def select(
    runs: Sequence[Run],
    rule: str,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Selection:
    """Return which configurations a rule chooses: one of each model on each dataset.

    Args:
        runs: all that there is to choose from.
        rule: `all`; `default` (those at the plugin's own settings or a preset's); `udr` (the
            highest mean UDR over seeds, without labels); `labels:N:METRIC` (the best mean of a
            metric that saw N labelled images); `oracle:SCORE` (the best mean of a score as the
            table shows it).
        device: where images are encoded.
        progress: called while images are encoded.

    Raises:
        UsageError: a rule that there is not, or that cannot choose among these.
    """
    check_rule(rule)
    word, _, rest = rule.partition(":")
    if rule == "all":
        return EVERY
    runs, _ = deduplicated(runs)
    if rule == "default":
        kept = {key_of(r.record): r.record.origin for r in runs if at_default(r.record)}
        if not kept:
            raise UsageError("--choose default: every run's settings were given by hand")
        return Selection(frozenset(kept), kept)
    if rule == "udr":
        return best(runs, lambda group: mean_udr(group, device, progress), "UDR")
    if word == "labels":
        count, _, name = rest.partition(":")
        return by_labels(runs, int(count), name, device, progress)
    columns = columns_named(runs, rest)

    def worth(group: list[Run]) -> Worth | None:
        return mean_score(group, columns.get(group[0].record.data))

    return best(runs, worth, f"oracle ({rest})", grey=True)


def check_rule(rule: str) -> None:
    """Refuse what is no rule, whatever there is to choose from."""
    word, _, rest = rule.partition(":")
    if word == "labels":
        count, _, name = rest.partition(":")
        if not count.isdecimal() or int(count) < 2 or not name:
            raise UsageError(
                f"--choose {rule}: write labels:N:METRIC, N a number of labelled images, 2 or more"
            )
        metric = name.partition("/")[0]
        if "samples" not in knobs(registry.metrics.load(metric)):
            raise UsageError(
                f"--choose labels: '{metric}' has no knob 'samples', the images it sees"
            )
    elif rule not in ("all", "default", "udr") and not (word == "oracle" and rest):
        raise UsageError(f"--choose {rule}: the rules are {RULES}")


def at_default(record: RunRecord) -> bool:
    """Say whether settings are a plugin's or a preset's own."""
    return record.origin == "default" or (
        record.origin.startswith("preset") and not record.origin.endswith("changed")
    )


@dataclass(frozen=True)
class Worth:
    """What a configuration is chosen by: a number, and whether less of it is better."""

    value: float
    less: bool = False

    @property
    def goodness(self) -> float:
        """Return a number of which more is better."""
        return -self.value if self.less else self.value


def best(
    runs: Sequence[Run],
    worth: Callable[[list[Run]], Worth | None],
    how: str,
    *,
    grey: bool = False,
) -> Selection:
    """Return of each model on each dataset the configuration of the greatest worth.

    Args:
        runs: all that there is to choose from.
        worth: of a configuration's finished runs; None if it is not known.
        how: what it is, in words.
        grey: whether that is the score shown.
    """
    rivals: dict[tuple[tuple[str, str, str], str], dict[Key, list[Run]]] = {}
    for run in runs:
        group = rivals.setdefault((run.record.data, run.record.model), {})
        group.setdefault(key_of(run.record), []).append(run)
    chosen: dict[Key, str] = {}
    absent, picked = [], set()
    for place, groups in rivals.items():
        if len(groups) == 1:
            chosen |= dict.fromkeys(groups, "the only one")
            continue
        worths = {}
        for key, members in groups.items():
            done = [run for run in members if run.finished]
            found = worth(done) if done else None
            if found is not None:
                worths[key] = found
        if not worths:
            absent.append(place)
            continue
        top = max(worths, key=lambda key: worths[key].goodness)
        without = len(groups) - len(worths)
        lacking = f", {without} without it" if without else ""
        picked.add(top)
        chosen[top] = f"{how} {number(worths[top].value)}, best of {len(groups)}{lacking}"
    if not chosen:
        raise UsageError(f"no configuration can be chosen by {how}: every run must have it")
    return Selection(frozenset(chosen), chosen, frozenset(picked if grey else ()), tuple(absent))


def mean_udr(group: list[Run], device: str, progress: Progress) -> Worth | None:
    """Return the mean over a configuration's seeds of how well each comes back in the others."""
    from disentangle.scoring.udr import udr_of_runs

    if len(group) < 2:
        return None
    scores = udr_of_runs(group, device=device, progress=progress).scores
    known = [score for score in scores if score is not None]
    return Worth(float(np.mean(known))) if known else None


def by_labels(
    runs: Sequence[Run], count: int, name: str, device: str, progress: Progress
) -> Selection:
    """Choose by a score, or the metric of one, that sees so many labelled images and no more."""
    metric = name.partition("/")[0]

    def worth(group: list[Run]) -> Worth | None:
        found = [few_labels(run, metric, count, SEED, device, progress) for run in group]
        scores = [score for scores in found for score in scores]
        if name not in {score.name for score in scores}:
            known = ", ".join(sorted({score.name for score in scores}))
            raise UsageError(
                f"--choose labels: '{metric}' has no score '{name}'; name one: {known}"
            )
        return _mean(scores, name, len(group))

    return best(runs, worth, f"{count:,} labels ({name})")


def columns_named(runs: Sequence[Run], name: str) -> dict[tuple[str, str, str], ColumnKey]:
    """Return by data the column of this score or heading.

    Raises:
        UsageError: no run has it, it is several columns, or neither more nor less of it is better.
    """
    scores: dict[tuple[str, str, str], list[Score]] = {}
    for run in runs:
        scores.setdefault(run.record.data, []).extend(current_scores(run))
    found, errors = {}, []
    for data, mine in scores.items():
        try:
            found[data] = only(headings(score.key for score in mine), name)
        except UsageError as error:
            errors.append(error)
    if not found or any("several" in str(error) for error in errors):
        raise UsageError(f"--choose oracle: {errors[-1]}")
    for column in found.values():
        if direction(column) not in ("more", "less"):
            raise UsageError(f"--choose oracle: of '{name}' neither more nor less is better")
    return found


def mean_score(group: list[Run], column: ColumnKey | None) -> Worth | None:
    """Return the mean over seeds of a score as it is kept, where every run has it."""
    scores = [s for run in group for s in current_scores(run) if s.key == column]
    return _mean(scores, column.score, len(group)) if column else None


def _mean(scores: Sequence[Score], name: str, runs: int) -> Worth | None:
    mine = [s for s in scores if s.name == name and s.value is not None]
    values = [s.value for s in mine if s.value is not None]
    if not values or len(values) < runs:
        return None
    return Worth(float(np.mean(values)), direction(mine[0].key) == "less")
