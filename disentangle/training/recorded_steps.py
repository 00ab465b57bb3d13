"""Training steps that are recorded once as a CUDA graph and then replayed with one launch.

A graph holds several steps. Everything that differs between replays lies on the device: the number
of the step, the index of each batch, and the seed of each step's noise.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from disentangle._utils.seeds import derive
from disentangle._utils.tensors import to_device
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Index
from disentangle.contracts.model import Batch
from disentangle.errors import DisentangleError
from disentangle.training.batches import BatchLoader
from disentangle.training.checks import TermSets
from disentangle.training.history import History
from disentangle.training.steps import Block, Update

LONGEST = 20
"""Maximum number of steps in a graph."""
WARM = 3
"""Minimum number of steps before recording, which initialise libraries and optimisers."""
Capture: TypeAlias = Callable[[Callable[[], None], Sequence[torch.Generator]], Callable[[], None]]
"""Records what a function does, with noise from these generators; returns what replays it."""


def is_recorded(training: Training, device: torch.device) -> bool:
    """True if the steps of a training are recorded on this device."""
    return training.compile and device.type == "cuda"


@contextmanager
def own_stream(training: Training, device: torch.device) -> Iterator[None]:
    """Run a block on a CUDA stream of its own if the training is recorded."""
    if not is_recorded(training, device):
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
        stream.synchronize()


def steps_per_graph(every: int) -> int:
    """The number of steps in a graph: the largest that divides the interval of the log."""
    return max(count for count in range(1, LONGEST + 1) if every % count == 0)


def require_recordable(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Let optimisers run entirely on the GPU.

    Raises:
        DisentangleError: one of them cannot.
    """
    for optimizer in optimizers:
        if "capturable" not in optimizer.defaults:
            raise DisentangleError(
                f"--compile failed: {type(optimizer).__name__} cannot be recorded on a GPU; "
                "use adam or adamw, or train without --compile"
            )
        for group in optimizer.param_groups:
            group["capturable"] = True


def capture_graph(
    run: Callable[[], None], generators: Sequence[torch.Generator]
) -> Callable[[], None]:
    """Record a function as a CUDA graph on the current stream, which must not be the default one.

    Raises:
        DisentangleError: the function does something that cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    # On the stream of this training: cuBLAS keeps one workspace per stream, and graphs that are
    # replayed at the same time must not share it.
    stream = torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            run()
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise DisentangleError(
            f"--compile failed: this model's step cannot be recorded on a GPU: {reason}. A loss "
            "may compute with batch.step, which is a tensor then, but not branch on it; train "
            "without --compile"
        ) from error
    return graph.replay


class StagedImages:
    """The images of a block of steps, on the device or fetched there by index.

    Args:
        feed: the dataset.
        steps: the maximum number of steps in a block.
        size: the number of images per step.
    """

    def __init__(self, feed: BatchLoader, steps: int, size: int) -> None:
        self.feed, self.resident = feed, feed.images
        shape = () if self.resident else feed.dataset.image_shape
        kind = torch.int64 if self.resident else torch.uint8
        self.staged = torch.zeros((steps, size, *shape), dtype=kind, device=feed.device)

    def stage(self, indices: Index) -> None:
        """Bring what the steps with these indices [K, B] need to the device."""
        flat = indices.reshape(-1)
        source = self.feed.rows(flat) if self.resident else self.feed.bytes(flat)
        block = self.staged[: len(indices)]
        block.copy_(source.view(block.shape), non_blocking=True)

    def batch(self, position: Tensor) -> Tensor:
        """The images of the step at a position of the block, a tensor on the device."""
        chosen = self.staged.index_select(0, position.view(1)).squeeze(0)
        return self.resident(chosen) if self.resident else to_device(chosen, chosen.device)


class StagedValues:
    """What a block of steps has besides images, an array for each step, on the device.

    Args:
        feed: the dataset.
        steps: the maximum number of steps in a block.
    """

    def __init__(self, feed: BatchLoader, steps: int) -> None:
        self.feed, self.steps = feed, steps
        self.staged: Tensor | None = None

    def stage(self, values: NDArray[np.generic] | None) -> None:
        """Bring the arrays of steps [K, ...] to the device, if there are any."""
        if values is None:
            return
        moved = self.feed.moved(values)
        if self.staged is None:
            self.staged = moved.new_zeros((self.steps, *moved.shape[1:]))
        self.staged[: len(moved)].copy_(moved, non_blocking=True)

    def batch(self, position: Tensor) -> Tensor | None:
        """The array of the step at a position of the block, a tensor on the device."""
        if self.staged is None:
            return None
        return self.staged.index_select(0, position.view(1)).squeeze(0)


class RecordedSteps:
    """Takes blocks of steps; whole blocks are replayed.

    Args:
        update: takes one step, entirely on the device.
        history: stores the terms of each step.
        feed: loads images.
        training: the options.
        every: the interval of the log, in steps.
        capture: records a block.
    """

    def __init__(
        self,
        update: Update,
        history: History,
        feed: BatchLoader,
        training: Training,
        every: int,
        capture: Capture = capture_graph,
    ) -> None:
        self.update, self.history, self.feed, self.capture = update, history, feed, capture
        self.training, self.length = training, steps_per_graph(every)
        self.first = StagedImages(feed, self.length, training.batch_size)
        self.second: StagedImages | None = None
        self.changed, self.labels = (StagedValues(feed, self.length) for _ in range(2))
        self.step = torch.zeros((), dtype=torch.int64, device=feed.device)
        self.position = torch.zeros((), dtype=torch.int64, device=feed.device)
        self.rngs = [torch.Generator(feed.device) for _ in range(self.length)]
        self.taken = 0
        self.replay: Callable[[], None] | None = None
        self.sets: TermSets = ()

    def block_length(self, step: int, until: int) -> int:
        """The number of steps to take from `step` on; never past `until`."""
        left = self.length - step % self.length
        return left if step + left <= until else until - step

    def take(self, block: Block) -> TermSets:
        """Take the steps of a block; return the terms of the last one."""
        self._stage(block)
        if len(block) == self.length and self.taken >= WARM:
            if self.replay is None:
                self.replay = self.capture(self._whole_block, self.rngs)
            self.replay()
        else:
            for rng in self.rngs[: len(block)]:
                self._one(rng)
        self.taken += len(block)
        return self.sets

    def _stage(self, block: Block) -> None:
        """Bring to the device what the steps of a block differ in."""
        self.step.fill_(block.start)
        self.position.zero_()
        self.first.stage(block.indices)
        if block.pairs is not None:
            if self.second is None:
                self.second = StagedImages(self.feed, self.length, self.training.batch_size)
            self.second.stage(block.pairs)
        self.changed.stage(block.changed)
        self.labels.stage(block.labels)
        for step, rng in enumerate(self.rngs[: len(block)], block.start):
            rng.manual_seed(derive(self.training.seed, "noise", step))

    def _whole_block(self) -> None:
        for rng in self.rngs:
            self._one(rng)

    def _one(self, rng: torch.Generator) -> None:
        """Take the step at the current position, and go on to the next."""
        batch = Batch(
            x=self.first.batch(self.position),
            step=self.step,
            steps=self.training.steps,
            dataset_size=len(self.feed.dataset),
            rng=rng,
            pair=None if self.second is None else self.second.batch(self.position),
            changed=self.changed.batch(self.position),
            labels=self.labels.batch(self.position),
        )
        self.sets = self.update(batch)
        self.history.add(self.step, self.sets)
        self.step.add_(1)
        self.position.add_(1)
