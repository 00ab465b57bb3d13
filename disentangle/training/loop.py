"""The training loop. Resuming is exact, since all randomness derives from the seed and the step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from disentangle._utils.callbacks import Report
from disentangle._utils.memory import keep_freed_memory
from disentangle._utils.seeds import numpy_rng
from disentangle._utils.tensors import as_input
from disentangle._utils.time_limit import Deadline
from disentangle.contracts import entry_points
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.isolation import watched_once
from disentangle.contracts.model import Model
from disentangle.runs.log_tail import LOG
from disentangle.runs.run import Run
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.checks import check_networks, named
from disentangle.training.history import History
from disentangle.training.optimizers import updating
from disentangle.training.pace import Pace
from disentangle.training.periodic import PeriodicActions
from disentangle.training.recorded_steps import RecordedSteps, is_recorded, require_recordable
from disentangle.training.state import TrainingState
from disentangle.training.steps import BlockReader, EagerSteps, Steps, Update
from disentangle.training.stopping import reason_to_stop, stop_signals
from disentangle.training.turns import turns_of_thread, wait_for


def fit(
    run: Run,
    model: Model,
    dataset: Dataset,
    training: Training,
    *,
    device: torch.device,
    checkpoint_every: int,
    report: Report,
    midway: PeriodicActions,
    deadline: Deadline | None = None,
) -> float:
    """Train `model` to its last step, from the run's last checkpoint or from the start.

    Returns:
        The training time in seconds, including time before an interruption.

    Raises:
        DisentangleError: a term of the loss is not finite; the last good checkpoint is kept.
        Interrupted: SIGINT, SIGTERM or SIGHUP was received; a checkpoint was written.
        OutOfTime: the deadline is near; a checkpoint was written.
    """
    steps = training.steps
    if device.type == "cpu":
        keep_freed_memory()
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    state = TrainingState(run, model, training, device)
    plugin = entry_points.who("model", run.record.model)
    probe = as_input(
        dataset.images(numpy_rng(training.seed, "probe").permutation(len(dataset))[:256]),
        dataset.image_shape,
    ).to(device)
    with named(plugin):
        check_networks(model, probe[:2])
    order = batches(dataset, training.batch_size, training.seed, state.done, steps)
    read = BlockReader(model, dataset, order, training.seed)
    taker = taker_of(state, dataset, plugin)
    intervals = [state.history.every, checkpoint_every, *midway.intervals]
    pace = Pace(deadline, midway.scores_at) if deadline else None
    state.start_clock()

    def next_stop() -> int:
        """The next step after which there is more to do than to take another one."""
        return min(steps, *(state.done + each - state.done % each for each in intervals))

    def save() -> None:
        seconds = state.save(log)
        if pace:
            pace.saved(seconds)

    with (
        stop_signals() as stopped,
        deterministic(),
        (run.path / LOG).open("a", encoding="utf-8") as log,
    ):
        while state.done < steps:
            until = next_stop()
            block = read(state.done, taker.block_length(state.done, until))
            with named(plugin):
                sets = taker.take(block)
            for step in range(state.done + 1, state.done + len(block)):
                report(step, steps, None)
            state.done += len(block)

            if state.done == until or stopped:
                wait_for(device)
            entry = state.log_entry(sets, probe, midway)
            if entry is not None:
                log.write(json.dumps(entry) + "\n")
                log.flush()
            report(state.done, steps, entry)
            if midway.keeps_at(state.done):
                state.check_finite()
                midway.keep(state.done, model)
            if state.done == steps:
                break
            upcoming = state.done + taker.block_length(state.done, next_stop())
            need = pace.after_steps(state.done, upcoming) if pace else ""
            if stopped or need == "stop":
                save()
                raise reason_to_stop(stopped, run, state.done, steps)
            if need == "save" or state.done % checkpoint_every == 0:
                save()
    return state.save_final()


def taker_of(state: TrainingState, dataset: Dataset, plugin: str) -> Steps:
    """What takes the steps of a training that starts or goes on.

    Args:
        state: the training.
        dataset: its images.
        plugin: the model's, named in a warning about randomness that is not derived from the seed.
    """
    training, turns = state.training, turns_of_thread()
    update = watched_once(
        updating(state.model, state.optimizers, training, state.device),
        plugin,
        "a run that is stopped and resumed will end with different weights; draw from batch.rng",
    )
    feed = BatchLoader(
        dataset,
        state.device,
        images=(training.steps - state.done) * training.batch_size,
        shared=turns.resident if turns else None,
    )
    return steps_of(update, state.optimizers, state.history, feed, training)


def steps_of(
    update: Update,
    optimizers: list[torch.optim.Optimizer],
    history: History,
    feed: BatchLoader,
    training: Training,
) -> Steps:
    """What takes the steps of a training: one by one, or recorded if that is requested on a GPU."""
    if not is_recorded(training, feed.device):
        return EagerSteps(update, history, feed, training)
    require_recordable(optimizers)
    return RecordedSteps(update, history, feed, training, history.every)


@contextmanager
def deterministic() -> Iterator[None]:
    """Make convolutions on a GPU bitwise reproducible, so that resuming a run is exact."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
