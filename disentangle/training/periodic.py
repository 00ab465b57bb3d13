"""Periodic actions during training: keep permanent checkpoints, and compute scores."""

from collections.abc import Iterable
from contextlib import suppress

import torch

from disentangle._utils.callbacks import Say
from disentangle._utils.text import as_whole, whole
from disentangle.contracts.model import Model
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.checkpoint import Checkpoint
from disentangle.runs.records import DatasetRecord, PeriodicRecord
from disentangle.runs.run import Run
from disentangle.scoring.encoders import FunctionSource
from disentangle.scoring.measure import ScoreMapping, measure, score_requests
from disentangle.scoring.metric_spec import MetricSpec, choose, spec_list
from disentangle.scoring.protocol import load_protocol
from disentangle.scoring.request import ScoringRequest


def periodic_record(
    keep: str | None, score_every: int | None, metrics: Iterable[str] | None
) -> PeriodicRecord:
    """Validate the periodic actions of a run.

    Args:
        keep: `every:N`, to keep a permanent checkpoint every N steps.
        score_every: steps between scores.
        metrics: see `score`.

    Raises:
        UsageError: an argument is invalid.
    """
    every = None
    if keep is not None:
        word, _, number = str(keep).partition(":")
        every = as_whole(number)
        if word != "every" or every is None or not 1 <= every < 10**16:
            raise UsageError(f"--keep must be every:STEPS, for example every:50000; got '{keep}'")
    if score_every is None:
        if metrics is not None:
            raise UsageError(
                "scoring during training requires --score-every, the interval in steps"
            )
        return PeriodicRecord(keep_every=every)
    score_every = whole(score_every)
    if type(score_every) is not int or score_every < 1:
        raise UsageError(f"score_every must be a whole number, at least 1; got {score_every!r}")
    names = spec_list(metrics)
    if "all" in (names or ()):
        raise UsageError("computing all metrics during training takes too long; name some of them")
    loaded = choose(names)
    if of_model := [metric.name for metric in loaded if metric.kind.of_model and names]:
        raise UsageError(
            f"{of_model[0]} needs a finished run; during training, see the loss terms in the log"
        )
    specs = names or [metric.name for metric in loaded if not metric.kind.of_model]
    return PeriodicRecord(
        keep_every=every,
        score_every=score_every,
        metrics=tuple(dict.fromkeys(specs)),
        named=names is not None,
    )


class PeriodicActions:
    """Performs the periodic actions in a run's record."""

    def __init__(self, run: Run, say: Say) -> None:
        self.run, self.say, self.record = run, say, run.record.midway
        if self.record.score_every is not None:
            self.specs = [MetricSpec(spec, named=self.record.named) for spec in self.record.metrics]
            self.part = ScoringRequest().part_of_run(run) or run.dataset
        self.reported: set[str] = set()

    @property
    def intervals(self) -> list[int]:
        """The steps between scores, and between permanent checkpoints."""
        record = self.record
        return [every for every in (record.score_every, record.keep_every) if every is not None]

    def scores_at(self, step: int) -> bool:
        """True if scores are due after this step."""
        every = self.record.score_every
        return every is not None and step % every == 0

    def scores(self, model: Model, device: torch.device) -> dict[str, float | None]:
        """Score a model that is being trained; a missing score is None."""
        model.eval()
        source = FunctionSource(model.encode, self.part, device=device)
        data = DatasetRecord.of(self.part)
        records = []
        for request in score_requests(self.specs, load_protocol(), data, "midway", 0):
            try:
                records += measure(request, source)
            except DisentangleError as error:  # a metric must not end the training
                records += measure(request, str(error))
        scores = ScoreMapping(records)
        model.train()
        for name, reason in scores.unavailable.items():
            if name not in self.reported:
                self.say(f"{name}: n/a: {reason}")
                self.reported.add(name)
        return {**scores, **dict.fromkeys(scores.unavailable)}

    def keeps_at(self, step: int) -> bool:
        """True if the weights after this step are kept permanently."""
        every = self.record.keep_every
        return every is not None and step % every == 0

    def keep(self, step: int, model: Model) -> None:
        """Write a permanent checkpoint of the weights."""
        path = self.run.kept_path(step)
        with suppress(OSError):  # writing the checkpoint reports it
            path.parent.mkdir(exist_ok=True)
        Checkpoint(run=self.run.record.id, step=step, model=model.state_dict()).save(path)
