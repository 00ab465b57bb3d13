"""Which configuration of each model a table shows, and how it was chosen: a part of its row.

The best seed is never chosen, and a choice by the score shown is said, and grey.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from disentangle.cells import number
from disentangle.codes import Progress, silent
from disentangle.errors import DisentangleError, UsageError
from disentangle.ranking import direction
from disentangle.record import RunRecord, Score
from disentangle.run import Run

RULES = "all, default, udr, labels:N, labels:N:METRIC or oracle:SCORE"
SEED = 1
"""Of the metric that chooses by few labels: not that of the scores shown, so other images."""


@dataclass(frozen=True)
class Selection:
    """What is shown.

    Attributes:
        kept: the configurations that are; None for every one.
        chosen: configuration -> how it was chosen.
        grey: whether it was by the score shown.
    """

    kept: frozenset[str] | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    grey: bool = False

    def shows(self, run: Run) -> bool:
        """Say whether a run's configuration is shown."""
        return self.kept is None or run.record.group in self.kept


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
            metric that saw N labelled images, MIG unless named); `oracle:SCORE` (the best mean of a
            score as the table shows it).
        device: where images are encoded.
        progress: called while images are encoded.

    Raises:
        UsageError: a rule that there is not, or that cannot choose among these.
    """
    word, _, rest = rule.partition(":")
    if rule == "all":
        return EVERY
    if rule == "default":
        kept = {r.record.group: r.record.origin for r in runs if plain(r.record)}
        return Selection(frozenset(kept), kept)
    if rule == "udr":
        return best(runs, lambda group: mean_udr(group, device, progress), "UDR")
    if word == "labels" and rest:
        count, _, metric = rest.partition(":")
        if not count.isdecimal() or int(count) < 2:
            raise UsageError(f"--choose {rule}: N is a whole number of labelled images, 2 or more")
        return by_labels(runs, int(count), metric or "mig", device, progress)
    if word == "oracle" and rest:
        return best(runs, lambda group: mean_score(group, rest), f"oracle ({rest})", grey=True)
    raise UsageError(f"--choose {rule}: the rules are {RULES}")


def plain(record: RunRecord) -> bool:
    """Say whether settings are a plugin's or a preset's own."""
    return record.origin == "default" or (
        record.origin.startswith("preset") and not record.origin.endswith("changed")
    )


def best(
    runs: Sequence[Run],
    worth: Callable[[list[Run]], float | None],
    how: str,
    *,
    grey: bool = False,
) -> Selection:
    """Return of each model on each dataset the configuration of the greatest worth.

    Args:
        runs: all that there is to choose from.
        worth: of a configuration's finished runs; None if it is not known.
        how: what it is, in words.
        grey: see `Selection`.
    """
    rivals: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in runs:
        group = rivals.setdefault((run.record.model, run.record.dataset.fingerprint), {})
        group.setdefault(run.record.group, []).append(run)
    chosen: dict[str, str] = {}
    for groups in rivals.values():
        if len(groups) == 1:
            chosen |= dict.fromkeys(groups, "the only one")
            continue
        worths = {}
        for key, members in groups.items():
            done = [run for run in members if run.finished]
            value = worth(done) if done else None
            if value is not None:
                worths[key] = value
        if worths:
            top = max(worths, key=lambda key: worths[key])
            without = len(groups) - len(worths)
            lacking = f", {without} without it" if without else ""
            chosen[top] = f"{how} {number(abs(worths[top]))}, best of {len(groups)}{lacking}"
    if not chosen:
        raise UsageError(f"no configuration can be chosen by {how}: none has it")
    return Selection(frozenset(chosen), chosen, grey)


def mean_udr(group: list[Run], device: str, progress: Progress) -> float | None:
    """Return the mean over a configuration's seeds of how well each comes back in the others."""
    from disentangle.udr import udr_of_runs

    if len(group) < 2:
        return None
    scores = udr_of_runs(group, device=device, progress=progress).scores
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else None


def by_labels(
    runs: Sequence[Run], count: int, metric: str, device: str, progress: Progress
) -> Selection:
    """Choose by a metric that sees so many labelled images and no more."""
    from disentangle import registry
    from disentangle.plugin import knobs
    from disentangle.scoring import few_labels

    kind = registry.metrics.load(metric)
    if "samples" not in knobs(kind):
        raise UsageError(f"--choose labels: '{metric}' has no knob 'samples', the images it sees")

    def worth(group: list[Run]) -> float | None:
        found = [few_labels(run, metric, count, SEED, device, progress) for run in group]
        return _mean([score for scores in found for score in scores], metric)

    return best(runs, worth, f"{count:,} labels ({metric})")


def mean_score(group: list[Run], name: str) -> float | None:
    """Return the mean over seeds of a score as it is kept; negative where less is better."""
    from disentangle.scoring import read_scores

    found = [
        score
        for run in group
        for score in read_scores(run)
        if score.name == name and score.weights == run.record.weights
    ]
    meanings = {(*score.column, score.seed) for score in found}
    if len(meanings) > 1:
        raise DisentangleError(
            f"--choose oracle:{name}: it was scored in {len(meanings)} ways; keep the runs apart"
        )
    return _mean(found, name)


def _mean(scores: Sequence[Score], name: str) -> float | None:
    values = [s.value for s in scores if s.name == name and s.value is not None]
    if not values:
        return None
    column = next(s.column for s in scores if s.name == name)
    return float(np.mean(values)) * (-1 if direction(column) == "less" else 1)
