"""What a run does on its way: it keeps checkpoints for good, and scores what it has learnt."""

import re
from collections.abc import Iterable
from contextlib import suppress

import torch

from disentangle._utils.callbacks import Say
from disentangle.contracts.model import Model
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.checkpoint import Checkpoint
from disentangle.runs.records import DatasetRecord, PeriodicRecord
from disentangle.runs.run import Run
from disentangle.scoring.encoders import FunctionSource
from disentangle.scoring.measure import ScoreMapping, measure, score_requests
from disentangle.scoring.metric_spec import MetricSpec, choose, listed
from disentangle.scoring.protocol import load_protocol
from disentangle.scoring.request import ScoringRequest


def periodic_record(
    keep: str | None, score_every: int | None, metrics: Iterable[str] | None
) -> PeriodicRecord:
    """Return what a run is to do on its way, checked.

    Args:
        keep: `every:N` steps, a checkpoint is kept for good.
        score_every: steps between scores.
        metrics: see `score`.

    Raises:
        UsageError: one of them makes no sense.
    """
    every = None
    if keep is not None:
        found = re.fullmatch(r"every:([1-9][0-9]{0,15})", str(keep))
        if found is None:
            raise UsageError(f"--keep is every:STEPS, as in every:50000; got '{keep}'")
        every = int(found[1])
    if score_every is None:
        if metrics is not None:
            raise UsageError(
                "metrics are scored while training every so many steps: say --score-every"
            )
        return PeriodicRecord(keep_every=every)
    if type(score_every) is not int or score_every < 1:
        raise UsageError(f"score_every must be a whole number at least 1; got {score_every!r}")
    names = listed(metrics)
    if "all" in (names or ()):
        raise UsageError("name the metrics to score on the way: all of them take too long")
    chosen = choose(names)
    if of_model := [metric.name for metric in chosen if metric.kind.of_model and names]:
        raise UsageError(f"{of_model[0]} is scored of finished runs; the log has the loss's terms")
    specs = names or [metric.name for metric in chosen if not metric.kind.of_model]
    return PeriodicRecord(
        keep_every=every,
        score_every=score_every,
        metrics=tuple(dict.fromkeys(specs)),
        named=names is not None,
    )


class PeriodicActions:
    """What a run does on its way, by its record."""

    def __init__(self, run: Run, say: Say) -> None:
        self.run, self.say, self.record = run, say, run.record.midway
        if self.record.score_every is not None:
            self.chosen = [
                MetricSpec(spec, named=self.record.named) for spec in self.record.metrics
            ]
            self.part = ScoringRequest().part_of_run(run) or run.dataset
        self.told: set[str] = set()

    def scores_at(self, step: int) -> bool:
        """Say whether scores are due after this step."""
        every = self.record.score_every
        return every is not None and step % every == 0

    def scores(self, model: Model, device: torch.device) -> dict[str, float | None]:
        """Return the scores of a model that is being trained; None for one that has none."""
        model.eval()
        source = FunctionSource(lambda x: model.encode(x).mean, self.part, device=device)
        about = DatasetRecord.of(self.part)
        records = []
        for request in score_requests(self.chosen, load_protocol(), about, "midway", 0):
            try:
                records += measure(request, source)
            except DisentangleError as error:  # a metric must not end the training
                records += measure(request, str(error))
        found = ScoreMapping(records)
        model.train()
        for name, reason in found.unavailable.items():
            if name not in self.told:
                self.say(f"{name}: n/a: {reason}")
                self.told.add(name)
        return {**found, **dict.fromkeys(found.unavailable)}

    def keeps_at(self, step: int) -> bool:
        """Say whether the weights after this step are to be kept for good."""
        every = self.record.keep_every
        return every is not None and step % every == 0

    def keep(self, step: int, model: Model) -> None:
        """Keep the weights for good."""
        path = self.run.kept_path(step)
        with suppress(OSError):  # the checkpoint will say it
            path.parent.mkdir(exist_ok=True)
        Checkpoint(run=self.run.record.id, step=step, model=model.state_dict()).save(path)
