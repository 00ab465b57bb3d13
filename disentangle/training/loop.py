"""The training loop. Resuming is exact, since all randomness derives from the seed and the step."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import nn

from disentangle._utils.callbacks import Report
from disentangle._utils.files import write_text
from disentangle._utils.memory import keep_freed_memory
from disentangle._utils.seeds import numpy_rng
from disentangle._utils.tensors import as_input
from disentangle._utils.time_limit import Deadline, alarm_signals
from disentangle.contracts import entry_points
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.isolation import watched_once
from disentangle.contracts.model import Batch, Model
from disentangle.errors import BrokenContract, DisentangleError, OutOfTime
from disentangle.runs.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    restore_optimizer,
    restore_weights,
)
from disentangle.runs.run import Run
from disentangle.training.batches import BatchLoader, batches
from disentangle.training.checks import (
    TermSets,
    check_networks,
    checked,
    detached,
    named,
    term_sets,
)
from disentangle.training.history import History
from disentangle.training.monitor import check_finite, measure
from disentangle.training.pace import Pace
from disentangle.training.periodic import PeriodicActions
from disentangle.training.recorded_steps import RecordedSteps, is_recorded, require_recordable
from disentangle.training.steps import BlockReader, EagerSteps, Steps, Update
from disentangle.training.turns import turns_of_thread, wait_for


class Interrupted(DisentangleError):
    """Training was stopped by a signal, after a checkpoint was written."""

    def __init__(self, number: int, run: Run, step: int) -> None:
        super().__init__(
            f"stopped after step {step}. Run `disentangle resume {run.path}` to continue."
        )
        self.exit_code = 128 + number


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
    steps, size = training.steps, training.batch_size
    if device.type == "cpu":
        keep_freed_memory()
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizers = make_optimizers(model, training)
    plugin = entry_points.who("model", run.record.model)
    update = watched_once(
        updating(model, optimizers, training, device),
        plugin,
        "a run that is stopped and resumed will end with different weights; draw from batch.rng",
    )
    every = log_interval(training)
    history = History(every, device)
    done, seconds = restore(run, model, optimizers, history)
    start_log(run, done)
    probe = as_input(
        dataset.images(numpy_rng(training.seed, "probe").permutation(len(dataset))[:256]),
        dataset.image_shape,
    ).to(device)
    with named(plugin):
        check_networks(model, probe[:2])
    turns = turns_of_thread()
    feed = BatchLoader(
        dataset, device, images=(steps - done) * size, shared=turns.resident if turns else None
    )
    taker = steps_of(update, optimizers, history, feed, training, every)
    order = batches(len(dataset), size, training.seed, done, steps)
    read = BlockReader(model, dataset, order, training.seed)
    intervals = [every, checkpoint_every, *midway.intervals]
    began = ticked = time.perf_counter()
    last = done
    pace = Pace(deadline, midway.scores_at) if deadline else None

    def next_stop() -> int:
        """The next step after which there is more to do than to take another one."""
        return min(steps, *(done + each - done % each for each in intervals))

    def save() -> None:
        started = time.perf_counter()
        check_finite(history.losses, done, every, model, run)
        os.fsync(log.fileno())  # the log must not end before the checkpoint does
        Checkpoint(
            run=run.record.id,
            step=done,
            seconds=seconds + time.perf_counter() - began,
            model=model.state_dict(),
            optimizers=[optimizer_tensors(optimizer) for optimizer in optimizers],
            history=history.losses,
            values=history.values,
        ).save(run.checkpoint_path)
        if pace:
            pace.saved(time.perf_counter() - started)

    with (
        stop_signals() as stopped,
        deterministic(),
        (run.path / "log.jsonl").open("a", encoding="utf-8") as log,
    ):
        while done < steps:
            until = next_stop()
            block = read(done, taker.block_length(done, until))
            with named(plugin):
                sets = taker.take(block)
            for step in range(done + 1, done + len(block)):
                report(step, steps, None)
            done += len(block)

            if done == until or stopped:
                wait_for(device)
            entry = None
            scoring = midway.scores_at(done)
            if done % every == 0 or done == steps or scoring:
                check_finite(history.losses, done, every, model, run)
                now = time.perf_counter()
                entry = {
                    "step": done,
                    **history.means(sets, done),
                    **measure(model, probe),
                    "images_per_second": round((done - last) * size / (now - ticked), 1),
                    "seconds": round(seconds + now - began, 3),
                }
                if scoring:
                    entry["scores"] = midway.scores(model, device)
                aside = time.perf_counter() - now  # time that is not training
                last, ticked, began = done, now + aside, began + aside
                log.write(json.dumps(entry) + "\n")
                log.flush()
            report(done, steps, entry)
            if midway.keeps_at(done):
                check_finite(history.losses, done, every, model, run)
                midway.keep(done, model)
            if done == steps:
                break
            upcoming = done + taker.block_length(done, next_stop())
            need = pace.after_steps(done, upcoming) if pace else ""
            if stopped or need == "stop":
                save()
                raise reason_to_stop(stopped, run, done, steps)
            if need == "save" or done % checkpoint_every == 0:
                save()

    seconds += time.perf_counter() - began
    final = Checkpoint(run=run.record.id, step=done, seconds=seconds, model=model.state_dict())
    final.save(run.checkpoint_path)
    return seconds


def reason_to_stop(stopped: list[int], run: Run, step: int, steps: int) -> DisentangleError:
    """The error that ends a training before its last step: a signal's, or that of a time limit."""
    if stopped and stopped[0] not in alarm_signals():
        return Interrupted(stopped[0], run, step)
    return OutOfTime(
        f"stopped at the time limit, after step {step:,} of {steps:,}. "
        f"Run `disentangle resume {run.path}` to continue."
    )


def updating(
    model: Model,
    optimizers: list[torch.optim.Optimizer],
    training: Training,
    device: torch.device,
) -> Update:
    """Make the function that takes one step on a batch; on a CPU compiled if requested."""
    parameters = [
        [p for group in optimizer.param_groups for p in group["params"]] for optimizer in optimizers
    ]

    def update(batch: Batch) -> TermSets:
        with torch.autocast(device.type, torch.bfloat16, training.precision == "bf16"):
            sets = checked(term_sets(model.terms(batch)))
        for optimizer, inputs, terms in zip(optimizers, parameters, sets, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = torch.stack([term.loss for term in terms.values()]).sum()
            if not loss.requires_grad:
                raise BrokenContract("its terms have no gradient: something detaches them")
            torch.autograd.backward(loss, inputs=inputs)
            if training.clip:
                torch.nn.utils.clip_grad_norm_(inputs, training.clip)
        for optimizer in optimizers:
            optimizer.step()
        return tuple({name: detached(term) for name, term in terms.items()} for terms in sets)

    if training.compile and device.type != "cuda":
        for part in model.children():
            part.compile()
    return update


def steps_of(
    update: Update,
    optimizers: list[torch.optim.Optimizer],
    history: History,
    feed: BatchLoader,
    training: Training,
    every: int,
) -> Steps:
    """What takes the steps of a training: one by one, or recorded if that is requested on a GPU."""
    if not is_recorded(training, feed.device):
        return EagerSteps(update, history, feed, training)
    require_recordable(optimizers)
    return RecordedSteps(update, history, feed, training, every)


def log_interval(training: Training) -> int:
    """The number of steps between entries of the log."""
    return min(100, max(1, training.steps // 10))


def make_optimizers(model: Model, training: Training) -> list[torch.optim.Optimizer]:
    """Make the model's optimiser, followed by its opponent's if it has one."""
    opponent = model.opponent()
    theirs = [p for group in opponent.param_groups for p in group["params"]] if opponent else []
    taken = {id(p) for p in theirs}
    ours = [p for p in model.parameters() if id(p) not in taken]
    optimizer: torch.optim.Optimizer
    if training.optimizer == "adam":
        optimizer = torch.optim.Adam(ours, lr=training.lr, fused=True)
    elif training.optimizer == "adamw":
        groups = decay_groups(ours, list(model.undecayed()), training.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=training.lr, fused=True)
    else:
        optimizer = torch.optim.Adagrad(ours, lr=training.lr)
    return [optimizer, opponent] if opponent else [optimizer]


def decay_groups(
    parameters: list[nn.Parameter], undecayed: list[nn.Parameter], decay: float
) -> list[dict[str, Any]]:
    """Group parameters by their weight decay: those that decay, then those that do not."""
    still = {id(p) for p in undecayed}
    groups = [
        {"params": [p for p in parameters if id(p) not in still], "weight_decay": decay},
        {"params": [p for p in parameters if id(p) in still], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def restore(
    run: Run,
    model: Model,
    optimizers: list[torch.optim.Optimizer],
    history: History,
) -> tuple[int, float]:
    """Restore the last checkpoint, if there is one; return its step and the training time."""
    path = run.checkpoint_path
    if not path.exists():
        return 0, 0.0
    checkpoint = run.load_checkpoint()
    restore_weights(model, checkpoint.model, path)
    for optimizer, state in zip(
        optimizers, checkpoint.optimizers, strict=False
    ):  # a checkpoint may have none
        restore_optimizer(optimizer, state)
    history.restore(checkpoint)
    return checkpoint.step, checkpoint.seconds or 0.0


def start_log(run: Run, step: int) -> None:
    """Truncate the log to the entries up to this step; later ones will be written again."""
    lines = [json.dumps(entry) for entry in run.log if entry["step"] <= step]
    write_text(run.path / "log.jsonl", "".join(line + "\n" for line in lines))


@contextmanager
def deterministic() -> Iterator[None]:
    """Make convolutions on a GPU bitwise reproducible, so that resuming a run is exact."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the signals that end a process in a list instead of exiting.

    These are SIGINT, SIGTERM and SIGHUP, which a closed terminal sends, and the alarm of a time
    limit. A second SIGINT interrupts; a second SIGTERM or SIGHUP does not, as schedulers and shells
    repeat them.
    """
    if turns := turns_of_thread():
        yield turns.stopped
        return
    stopped: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def note(number: int, frame: FrameType | None) -> None:
        if stopped and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.append(number)

    hangup = getattr(signal, "SIGHUP", None)
    numbers = [signal.SIGINT, signal.SIGTERM, *alarm_signals()]
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # as nohup does
        numbers.append(hangup)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
