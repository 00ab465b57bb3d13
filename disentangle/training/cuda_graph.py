"""A training step that is recorded once as a CUDA graph and then replayed with one launch."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from disentangle.contracts.model import Batch
from disentangle.errors import DisentangleError
from disentangle.training.checks import TermSets

Update: TypeAlias = Callable[[Batch], TermSets]
"""A function that takes one step on a batch; it returns the sets of terms before the step."""
WARM = 3
"""Number of warm-up steps before recording, which initialise libraries and optimisers."""


class StepFreeBatch(Batch):
    """A batch that hides its step, so that a recording is valid at every step."""

    def __getattribute__(self, name: str) -> object:
        if name == "step":
            raise DisentangleError(
                "--compile failed: on a GPU it records one step and replays it, but this model's "
                "loss depends on the step's index; train without --compile"
            )
        return super().__getattribute__(name)


class Replay:
    """Replays the recorded step on new images and new noise."""

    def __init__(self, update: Update, optimizers: list[torch.optim.Optimizer]) -> None:
        """Prepare for recording.

        Args:
            update: the step, which runs entirely on the GPU.
            optimizers: the optimisers that it uses.

        Raises:
            DisentangleError: an optimiser runs partly on the CPU.
        """
        self.update, self.taken = update, 0
        self.graph: torch.cuda.CUDAGraph | None = None
        for optimizer in optimizers:
            if "capturable" not in optimizer.defaults:
                raise DisentangleError(
                    f"--compile failed: {type(optimizer).__name__} cannot be recorded on a GPU; "
                    "use adam or adamw, or train without --compile"
                )
            for group in optimizer.param_groups:
                group["capturable"] = True

    def __call__(self, batch: Batch) -> TermSets:
        """Take one step; the next step overwrites the returned terms."""
        batch = StepFreeBatch(**{name: batch.__dict__[name] for name in batch.__dict__})
        if self.graph is None:
            if self.taken < WARM:
                return self._warm(batch)
            self._record(batch)
        assert self.graph is not None
        for held, given in zip(self.held, (batch.x, batch.pair), strict=True):
            if held is not None and given is not None:
                held.copy_(given)
        self.graph.replay()
        return self.terms

    def _warm(self, batch: Batch) -> TermSets:
        """Take a step on another stream, as recording does."""
        self.taken += 1
        main = torch.cuda.current_stream()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(main)
        with torch.cuda.stream(side):
            terms = self.update(batch)
        main.wait_stream(side)
        return terms

    def _record(self, batch: Batch) -> None:
        """Record the step without taking it."""
        self.held: tuple[Tensor | None, Tensor | None] = (
            batch.x.clone(),
            None if batch.pair is None else batch.pair.clone(),
        )
        values = {**batch.__dict__, "x": self.held[0], "pair": self.held[1]}
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(batch.rng)
        try:
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.terms = self.update(StepFreeBatch(**values))
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise DisentangleError(
                f"--compile failed: this model's step cannot be recorded on a GPU: {reason}; "
                "train without --compile"
            ) from error
