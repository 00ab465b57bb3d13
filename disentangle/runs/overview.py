"""An overview of a run: its state, its settings and its scores, in one record."""

import datetime
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from disentangle.errors import DisentangleError
from disentangle.runs.labels import read_label
from disentangle.runs.records import Value
from disentangle.runs.run import Run
from disentangle.runs.score_records import Score
from disentangle.runs.scores import current_scores

TAIL = 2**16
"""Bytes at the end of a log that hold its last entry."""


@dataclass(frozen=True)
class Overview:
    """A run at a glance.

    Attributes:
        id: the run's id.
        name: the name that the user gave; empty if none.
        note: the user's note.
        state: `finished`, `collapsed` (finished, and no latent is active), `training`, `stopped`
            or `failed`.
        step: the last logged step.
        steps: the steps to train.
        model: the model.
        dataset: the dataset.
        part: the part of the dataset that was trained on; empty for all of it.
        settings: the settings that differ from the defaults.
        seed: the seed.
        scores: the plainest value of each score.
        started: when training started.
        age: seconds since it finished, else since it started.
        folder: the run's folder.
    """

    id: str
    name: str
    note: str
    state: str
    step: int
    steps: int
    model: str
    dataset: str
    part: str
    settings: dict[str, Value]
    seed: int
    scores: dict[str, float]
    started: str
    age: float
    folder: str

    @property
    def progress(self) -> str:
        """The state as text, with the step if training has not ended."""
        if self.state in ("finished", "collapsed", "failed"):
            return self.state
        return f"{self.state} at step {self.step:,} of {self.steps:,}"

    def as_dict(self) -> dict[str, Any]:
        """The overview as JSON."""
        return asdict(self)


def overview(run: Run, now: datetime.datetime | None = None) -> Overview:
    """Make the overview of a run; `now` is the present time."""
    record, last, label = run.record, last_entry(run), read_label(run.path)
    now = now or datetime.datetime.now(datetime.UTC)
    since = datetime.datetime.fromisoformat(record.finished or record.started)
    return Overview(
        id=record.id,
        name=label.name,
        note=label.note,
        state=state_of(run, last),
        step=int(last.get("step", 0)),
        steps=int(record.recipe["steps"]),
        model=record.model,
        dataset=record.dataset.name,
        part=record.data[1],
        settings=record.shown_settings,
        seed=record.seed,
        scores=plainest(current_scores(run)),
        started=record.started,
        age=(now - since).total_seconds(),
        folder=str(run.path),
    )


def last_entry(run: Run) -> dict[str, Any]:
    """The last entry of a run's log, read from the end of the file; empty if there is none."""
    try:
        with (run.path / "log.jsonl").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        with suppress(ValueError):  # an incomplete line
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                return entry
    return {}


def state_of(run: Run, last: dict[str, Any]) -> str:
    """The state of a run; `last` is the last entry of its log."""
    if run.finished:
        return "collapsed" if last.get("active") == 0 else "finished"
    if run.record.failed:
        return "failed"
    with suppress(DisentangleError):  # a folder that cannot be written to has no lock
        return "training" if run.busy() else "stopped"
    return "stopped"


def plainest(scores: tuple[Score, ...]) -> dict[str, float]:
    """The value of each score under the plainest conditions: means, all factors, no other knobs."""

    def unusual(score: Score) -> tuple[Any, ...]:
        other = score.representation != "mean", score.protocol != "locatello2019"
        return len(score.knobs), *other, -len(score.factors), score.seed, -score.version

    values = {s.name: s.value for s in sorted(scores, key=unusual, reverse=True)}
    return {name: value for name, value in sorted(values.items()) if value is not None}
