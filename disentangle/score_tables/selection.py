"""Select the configuration of each model that a table shows; its row states how it was chosen.

The best seed is never selected, and a selection by the displayed score is labelled and grey.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from disentangle._utils.callbacks import Progress, silent
from disentangle.contracts import registry
from disentangle.contracts.plugin import knobs
from disentangle.errors import UsageError
from disentangle.runs.collapse import collapsed
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
"""Seed of the metric that selects by few labels: it differs from the displayed scores' seed, so
that other images are used."""


@dataclass(frozen=True)
class Selection:
    """The configurations that a table shows.

    Attributes:
        kept: the configurations to show; None for all.
        chosen: configuration -> how it was chosen.
        grey: the configurations that were chosen by the displayed score.
        absent: pairs of data and a model that is not shown, because none of its configurations has
            the selecting score.
    """

    kept: frozenset[Key] | None = None
    chosen: Mapping[Key, str] = field(default_factory=dict)
    grey: frozenset[Key] = frozenset()
    absent: tuple[tuple[tuple[str, str, str], str], ...] = ()

    def shows(self, run: Run) -> bool:
        """True if a run's configuration is shown."""
        return self.kept is None or key_of(run.record) in self.kept


def key_of(record: RunRecord) -> Key:
    """The key of a run's row: equal for the runs of one row, unique over all tables."""
    return record.data, record.group


EVERY = Selection()


def select(
    runs: Sequence[Run],
    rule: str,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Selection:
    """Select configurations by a rule: one per model and dataset.

    Args:
        runs: the runs to select from.
        rule: `all`; `default` (default or preset settings); `udr` (the highest mean UDR over seeds,
            without labels); `labels:N:METRIC` (the best mean of a metric computed from N labelled
            images); `oracle:SCORE` (the best mean of a displayed score).
        device: the device that encodes images.
        progress: called while images are encoded.

    Raises:
        UsageError: an unknown rule, or one that cannot select among these runs.
    """
    check_rule(rule)
    word, _, rest = rule.partition(":")
    if rule == "all":
        return EVERY
    runs, _ = deduplicated(runs)
    if rule == "default":
        kept = {key_of(r.record): r.record.origin for r in runs if at_default(r.record)}
        if not kept:
            raise UsageError("--choose default: no run has default or preset settings")
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
    """Raise `UsageError` unless a rule is valid, independently of the runs."""
    word, _, rest = rule.partition(":")
    if word == "labels":
        count, _, name = rest.partition(":")
        if not count.isdecimal() or int(count) < 2 or not name:
            raise UsageError(
                f"--choose {rule}: write labels:N:METRIC, where N is the number of labelled images "
                "(at least 2)"
            )
        metric = name.partition("/")[0]
        if "samples" not in knobs(registry.metrics.load(metric)):
            raise UsageError(
                f"--choose labels: '{metric}' has no hyper-parameter 'samples', the "
                "number of images it uses"
            )
    elif rule not in ("all", "default", "udr") and not (word == "oracle" and rest):
        raise UsageError(f"--choose {rule}: the rules are {RULES}")


def at_default(record: RunRecord) -> bool:
    """True if the settings are the plugin's defaults or an unchanged preset."""
    return record.origin == "default" or (
        record.origin.startswith("preset") and not record.origin.endswith("changed")
    )


@dataclass(frozen=True)
class Worth:
    """The value by which a configuration is selected, and its direction."""

    value: float
    less: bool = False

    @property
    def goodness(self) -> float:
        """The value with its sign chosen so that more is better."""
        return -self.value if self.less else self.value


def best(
    runs: Sequence[Run],
    worth: Callable[[list[Run]], Worth | None],
    how: str,
    *,
    grey: bool = False,
) -> Selection:
    """Select the best configuration of each model on each dataset; a collapsed one only if all are.

    Args:
        runs: the runs to select from.
        worth: the value of a configuration's finished runs; None if unknown.
        how: a description of the value.
        grey: True if the value is the displayed score.
    """
    rivals: dict[tuple[tuple[str, str, str], str], dict[Key, list[Run]]] = {}
    for run in runs:
        group = rivals.setdefault((run.record.data, run.record.model), {})
        group.setdefault(key_of(run.record), []).append(run)
    chosen: dict[Key, str] = {}
    absent, picked = [], set()
    for data_and_model, groups in rivals.items():
        if len(groups) == 1:
            chosen |= dict.fromkeys(groups, "the only one")
            continue
        worths = {}
        for key, members in groups.items():
            done = finished(members)
            value = worth(done) if done else None
            if value is not None:
                worths[key] = value
        if not worths:
            absent.append(data_and_model)
            continue
        standing = [key for key in worths if not all(map(collapsed, finished(groups[key])))]
        top = max(standing or worths, key=lambda key: worths[key].goodness)
        without = len(groups) - len(worths)
        lacking = f", {without} without this score" if without else ""
        picked.add(top)
        chosen[top] = f"{how} {number(worths[top].value)}, best of {len(groups)}{lacking}"
    if not chosen:
        raise UsageError(
            f"no configuration can be selected by {how}: each has runs without this score"
        )
    return Selection(frozenset(chosen), chosen, frozenset(picked if grey else ()), tuple(absent))


def finished(runs: Sequence[Run]) -> list[Run]:
    """The finished runs."""
    return [run for run in runs if run.finished]


def mean_udr(group: list[Run], device: str, progress: Progress) -> Worth | None:
    """The mean UDR over a configuration's seeds."""
    from disentangle.scoring.udr import udr_of_runs

    if len(group) < 2:
        return None
    scores = udr_of_runs(group, device=device, progress=progress).scores
    defined = [score for score in scores if score is not None]
    return Worth(float(np.mean(defined))) if defined else None


def by_labels(
    runs: Sequence[Run], count: int, name: str, device: str, progress: Progress
) -> Selection:
    """Select by a score (or a metric's own score) computed from only `count` labelled images."""
    metric = name.partition("/")[0]

    def worth(group: list[Run]) -> Worth | None:
        by_run = [few_labels(run, metric, count, SEED, device, progress) for run in group]
        scores = [score for scores in by_run for score in scores]
        if name not in {score.name for score in scores}:
            names = ", ".join(sorted({score.name for score in scores}))
            raise UsageError(
                f"--choose labels: '{metric}' has no score '{name}'; use one of: {names}"
            )
        return _mean(scores, name, len(group))

    return best(runs, worth, f"{count:,} labels ({name})")


def columns_named(runs: Sequence[Run], name: str) -> dict[tuple[str, str, str], ColumnKey]:
    """Data -> the column with this score's name or heading.

    Raises:
        UsageError: on some data no run has the score, the name matches several columns, or the
            metric declares no better direction.
    """
    scores: dict[tuple[str, str, str], list[Score]] = {}
    usual: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for run in runs:
        scores.setdefault(run.record.data, []).extend(current_scores(run))
        usual.setdefault(run.record.data, tuple(run.record.dataset.factors))
    columns = {}
    for data, scored in scores.items():
        try:
            columns[data] = only(headings((score.key for score in scored), usual[data]), name)
        except UsageError as error:
            where = f"; on {data[0]} (`--where dataset=NAME` selects a dataset)"
            raise UsageError(
                f"--choose oracle: {error}{where if len(scores) > 1 else ''}"
            ) from None
    for column in columns.values():
        if direction(column) not in ("more", "less"):
            raise UsageError(
                f"--choose oracle: cannot rank by '{name}': the metric declares no better direction"
            )
    return columns


def mean_score(group: list[Run], column: ColumnKey | None) -> Worth | None:
    """The mean of a stored score over seeds; None unless every run has it."""
    scores = [s for run in group for s in current_scores(run) if s.key == column]
    return _mean(scores, column.score, len(group)) if column else None


def _mean(scores: Sequence[Score], name: str, runs: int) -> Worth | None:
    matching = [score for score in scores if score.name == name]
    values = [s.value for s in matching if s.value is not None and math.isfinite(s.value)]
    if not values or len(values) < runs:
        return None
    return Worth(float(np.mean(values)), direction(matching[0].key) == "less")
