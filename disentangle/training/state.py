"""A training under way: what its checkpoints hold, its log, and the time that it has taken."""

import json
import os
import time
from typing import Any, TextIO

import torch
from torch import Tensor

from disentangle._utils.files import write_text
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Model
from disentangle.runs.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    restore_optimizer,
    restore_weights,
)
from disentangle.runs.log_tail import LOG
from disentangle.runs.run import Run
from disentangle.training.checks import TermSets
from disentangle.training.history import History
from disentangle.training.monitor import check_finite, measure
from disentangle.training.optimizers import make_optimizers
from disentangle.training.periodic import PeriodicActions


class TrainingState:
    """A training under way, from the run's last checkpoint or from the start.

    Args:
        run: the run.
        model: its model, on the device; the weights of a checkpoint are restored.
        training: the options.
        device: where the model is.

    Attributes:
        done: the number of steps done.
        optimizers: the optimiser of the model, followed by its opponent's if it has one.
        history: the terms of the loss since the last entry of the log.
    """

    def __init__(self, run: Run, model: Model, training: Training, device: torch.device) -> None:
        self.run, self.model, self.training, self.device = run, model, training, device
        self.optimizers = make_optimizers(model, training)
        self.history = History(log_interval(training), device)
        self.done, self._before = self._restore()
        self._truncate_log()
        self.start_clock()

    def start_clock(self) -> None:
        """Count the time of training from now on."""
        self._began = self._ticked = time.perf_counter()
        self._logged = self.done

    @property
    def seconds(self) -> float:
        """The training time so far, including time before an interruption."""
        return self._before + time.perf_counter() - self._began

    def check_finite(self) -> None:
        """Raise an error if a term of the loss since the last entry of the log is not finite."""
        check_finite(self.history.losses, self.done, self.history.every, self.model, self.run)

    def log_entry(
        self, sets: TermSets, probe: Tensor, midway: PeriodicActions
    ) -> dict[str, Any] | None:
        """The entry of the log that is due after this step; None if none is.

        Args:
            sets: the terms of the last step.
            probe: the images on which the model is measured.
            midway: the scores that are due during training.
        """
        done, scoring = self.done, midway.scores_at(self.done)
        if done % self.history.every and done != self.training.steps and not scoring:
            return None
        self.check_finite()
        now = time.perf_counter()
        images = (done - self._logged) * self.training.batch_size
        entry = {
            "step": done,
            **self.history.means(sets, done),
            **measure(self.model, probe),
            "images_per_second": round(images / (now - self._ticked), 1),
            "seconds": round(self._before + now - self._began, 3),
        }
        if scoring:
            entry["scores"] = midway.scores(self.model, self.device)
        aside = time.perf_counter() - now  # time that is not training
        self._logged, self._ticked = done, now + aside
        self._began += aside
        return entry

    def save(self, log: TextIO) -> float:
        """Write a checkpoint from which the training can go on; return the seconds it took."""
        started = time.perf_counter()
        self.check_finite()
        os.fsync(log.fileno())  # the log must not end before the checkpoint does
        Checkpoint(
            run=self.run.record.id,
            step=self.done,
            seconds=self.seconds,
            model=self.model.state_dict(),
            optimizers=[optimizer_tensors(optimizer) for optimizer in self.optimizers],
            history=self.history.losses,
            values=self.history.values,
        ).save(self.run.checkpoint_path)
        return time.perf_counter() - started

    def save_final(self) -> float:
        """Write the checkpoint of a finished training; return the training time in seconds."""
        seconds, weights = self.seconds, self.model.state_dict()
        final = Checkpoint(run=self.run.record.id, step=self.done, seconds=seconds, model=weights)
        final.save(self.run.checkpoint_path)
        return seconds

    def _restore(self) -> tuple[int, float]:
        """Restore the last checkpoint, if there is one; return its step and the training time."""
        path = self.run.checkpoint_path
        if not path.exists():
            return 0, 0.0
        checkpoint = self.run.load_checkpoint()
        restore_weights(self.model, checkpoint.model, path)
        for optimizer, state in zip(
            self.optimizers, checkpoint.optimizers, strict=False
        ):  # a checkpoint may have none
            restore_optimizer(optimizer, state)
        self.history.restore(checkpoint)
        return checkpoint.step, checkpoint.seconds or 0.0

    def _truncate_log(self) -> None:
        """Keep the entries of the log up to this step; later ones will be written again."""
        lines = [json.dumps(entry) for entry in self.run.log if entry["step"] <= self.done]
        write_text(self.run.path / LOG, "".join(line + "\n" for line in lines))


def log_interval(training: Training) -> int:
    """The number of steps between entries of the log."""
    return min(100, max(1, training.steps // 10))
