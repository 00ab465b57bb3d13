"""An overview of a run: its state, its settings and its scores, in one record."""

import datetime
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from disentangle._utils.html import heading, paragraph, picture, table
from disentangle.errors import DisentangleError
from disentangle.runs.collapse import collapsed, log_end
from disentangle.runs.external import External
from disentangle.runs.labels import read_label
from disentangle.runs.records import Value, describe
from disentangle.runs.run import Run
from disentangle.runs.score_records import DEFAULT_PROTOCOL, Score
from disentangle.runs.scores import current_scores

STATES = ("finished", "collapsed", "training", "stopped", "failed")
"""The states of a run; see `Overview.state`."""
EXTERNAL = "external"
"""The state of an external encoder."""


@dataclass(frozen=True)
class Overview:
    """A run at a glance.

    Attributes:
        id: the run's id.
        name: the name that the user gave; empty if none.
        note: the user's note.
        state: `finished`, `collapsed` (finished, and no latent is active), `training`, `stopped`
            or `failed`; `external` for an external encoder.
        step: the last logged step.
        steps: the steps to train.
        model: the model; what an external encoder is.
        dataset: the dataset.
        part: the part of the dataset that was trained on; empty for all of it.
        settings: the settings that differ from the defaults.
        seed: the seed; None if that of an external encoder is not known.
        scores: the plainest value of each score.
        started: when training started; when an external encoder was first scored.
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
    seed: int | None
    scores: dict[str, float]
    started: str
    age: float
    folder: str

    @property
    def progress(self) -> str:
        """The state as text, with the step if training has not ended."""
        if self.state in ("finished", "collapsed", "failed", EXTERNAL):
            return self.state
        return f"{self.state} at step {self.step:,} of {self.steps:,}"

    def html(self, figures: Path) -> str:
        """The overview for a notebook.

        Args:
            figures: the folder of the run's figures; its traversals are shown if they are there.
        """
        settings = {**self.settings, "steps": f"{self.steps:,}", "seed": self.seed}
        data = ", ".join(filter(None, [self.dataset, self.part]))
        parts = [
            heading(f"{self.model} on {data}", self.name),
            paragraph(f"{self.progress}; {self.folder}"),
            paragraph(self.note) if self.note else "",
            table([[describe(settings)]], ["settings"]),
        ]
        if self.scores:
            rows = [(name, decimals(value)) for name, value in self.scores.items()]
            parts.append(table(rows, ["score", "value"], numbers=1))
        file = figures / "traversals.png"
        if file.exists():
            with Image.open(file) as image:
                parts.append(picture(image, f"traversals of run {self.id}"))
        return "".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The overview as JSON."""
        return asdict(self)


def decimals(value: float) -> str:
    """A score with the decimals that other displays give it; a count above 1 has none."""
    return f"{value:g}" if value.is_integer() and value > 1 else f"{value:.3f}"


def overview(run: Run | External, now: datetime.datetime | None = None) -> Overview:
    """Make the overview of a run or of an external encoder; `now` is the present time."""
    now = now or datetime.datetime.now(datetime.UTC)
    if isinstance(run, External):
        return overview_of_external(run, now)
    record, label = run.record, read_label(run.path)
    since = datetime.datetime.fromisoformat(record.finished or record.started)
    return Overview(
        id=record.id,
        name=label.name,
        note=label.note,
        state=state_of(run),
        step=log_end(run).step,
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


def overview_of_external(external: External, now: datetime.datetime) -> Overview:
    """Make the overview of an external encoder, whose training is not known."""
    record = external.record
    return Overview(
        id=record.id,
        name=record.name,
        note=record.note,
        state=EXTERNAL,
        step=0,
        steps=0,
        model=record.reference,
        dataset=record.dataset.name,
        part="",
        settings=record.options,
        seed=record.seed,
        scores=plainest(current_scores(external)),
        started=record.created,
        age=(now - datetime.datetime.fromisoformat(record.created)).total_seconds(),
        folder=str(external.path),
    )


def state_of(run: Run | External) -> str:
    """The state of a run, or that of external encoders."""
    if isinstance(run, External):
        return EXTERNAL
    if run.finished:
        return "collapsed" if collapsed(run) else "finished"
    if run.record.failed:
        return "failed"
    with suppress(DisentangleError):  # a folder that cannot be written to has no lock
        return "training" if run.busy() else "stopped"
    return "stopped"


def plainest(scores: tuple[Score, ...]) -> dict[str, float]:
    """The value of each score under the plainest conditions: means, all factors, no other knobs."""

    def unusual(score: Score) -> tuple[Any, ...]:
        other = score.representation != "mean", score.protocol != DEFAULT_PROTOCOL
        return len(score.knobs), *other, -len(score.factors), score.seed, -score.version

    values = {s.name: s.value for s in sorted(scores, key=unusual, reverse=True)}
    return {name: value for name, value in sorted(values.items()) if value is not None}
