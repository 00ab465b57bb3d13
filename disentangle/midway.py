"""What a run does on its way: it keeps checkpoints for good, and scores what it has learnt."""

from collections.abc import Iterable
from typing import Any

import torch

from disentangle import checkpoint
from disentangle.chosen import choose, listed
from disentangle.encoders import FunctionSource
from disentangle.errors import UsageError
from disentangle.location import Say
from disentangle.measure import ScoreMapping, measure, wanted_scores
from disentangle.model import Model
from disentangle.protocol import load_protocol
from disentangle.record import DatasetRecord, MidwayRecord
from disentangle.run import Run
from disentangle.scoring import part_to_score


def midway_record(
    keep: str | None, score_every: int | None, metrics: Iterable[str] | None
) -> MidwayRecord:
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
        word, _, number = keep.partition(":")
        if word != "every" or not number.isdecimal() or int(number) < 1:
            raise UsageError(f"--keep is every:STEPS, as in every:50000; got '{keep}'")
        every = int(number)
    if score_every is not None and score_every < 1:
        raise UsageError(f"score_every must be at least 1; got {score_every}")
    if metrics is not None and score_every is None:
        raise UsageError("metrics are scored while training every so many steps: say --score-every")
    chosen = choose(metrics) if score_every is not None else []
    names = listed(metrics) or [metric.name for metric in chosen]
    return MidwayRecord(
        keep_every=every, score_every=score_every, metrics=tuple(names if chosen else ())
    )


class Midway:
    """What a run does on its way, by its record."""

    def __init__(self, run: Run, say: Say) -> None:
        self.run, self.say, self.record = run, say, run.record.midway
        if self.record.score_every is not None:
            self.chosen = choose(self.record.metrics)
            self.part = part_to_score(run) or run.dataset
        self.told: set[str] = set()

    def scores_at(self, step: int) -> bool:
        """Say whether scores are due after this step."""
        every = self.record.score_every
        return every is not None and step % every == 0

    def scores(self, model: Model, device: torch.device) -> dict[str, float | None]:
        """Return the scores of a model that is being trained; None for one that has none."""
        model.eval()
        source = FunctionSource(
            lambda x: model.encode(x).mean, self.part, device=device, disjoint=False
        )
        about = DatasetRecord.of(self.part)
        wanted = wanted_scores(self.chosen, load_protocol(), about, "midway", 0)
        found = ScoreMapping(
            [score for metric, which in wanted for score in measure(metric, source, which)]
        )
        model.train()
        for name, reason in found.unavailable.items():
            if name not in self.told:
                self.say(f"{name}: n/a: {reason}")
                self.told.add(name)
        return {**found, **dict.fromkeys(found.unavailable)}

    def keep(self, step: int, model: Model) -> None:
        """Keep the weights for good, if it is time to."""
        if self.record.keep_every is None or step % self.record.keep_every:
            return
        path = self.run.kept_path(step)
        path.parent.mkdir(exist_ok=True)
        about: dict[str, Any] = {"run": self.run.record.id, "step": step}
        checkpoint.save(path, checkpoint.pack({"model": model.state_dict()}), about)
