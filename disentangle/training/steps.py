"""Training steps in blocks: which images, and how a block is taken without being recorded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeAlias

import numpy as np
import torch

from disentangle._utils.seeds import derive, numpy_rng
from disentangle.contracts.common_options import Training
from disentangle.contracts.dataset import Dataset, Index
from disentangle.contracts.model import Batch, Model
from disentangle.data.pairs import Flags, changed_factors
from disentangle.training.batches import BatchLoader
from disentangle.training.checks import TermSets
from disentangle.training.history import History
from disentangle.training.labelled import Labels, draw_labelled, in_turn, scaled_labels

Update: TypeAlias = Callable[[Batch], TermSets]
"""A function that takes one step on a batch; it returns the sets of terms before the step."""


@dataclass(frozen=True)
class Block:
    """Consecutive training steps.

    Attributes:
        start: the first step, counted from 0.
        indices: the images of each step, [K, B].
        pairs: the second image of each, [K, B], for models that learn from pairs.
        changed: which factors differ in each pair, [K, B, factors], for models that read it.
        labels: of the second images, [K, B, factors], for models that are given some labels.
    """

    start: int
    indices: Index
    pairs: Index | None
    changed: Flags | None = None
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.indices)


class Steps(Protocol):
    """Takes the steps of a training."""

    def block_length(self, step: int, until: int) -> int:
        """The number of steps to take from `step` on; never past `until`."""

    def take(self, block: Block) -> TermSets:
        """Take the steps of a block; return the terms of the last one."""


class BlockReader:
    """Reads blocks of steps in order.

    Args:
        model: chooses the second images.
        dataset: the images.
        order: the index of each batch from the first step on.
        seed: the training's seed.
    """

    def __init__(self, model: Model, dataset: Dataset, order: Iterator[Index], seed: int) -> None:
        self.model, self.dataset, self.order, self.seed = model, dataset, order, seed
        self.labelled = draw_labelled(dataset, model.labelled_images(), seed)

    def __call__(self, start: int, count: int) -> Block:
        """The next `count` steps, of which `start` is the first."""
        indices = list(islice(self.order, count))
        pairs = self.pairs(start, indices)
        changed, labels = self.changed(indices, pairs), self.labels(pairs)
        return Block(start, np.stack(indices), pairs, changed, labels)

    def pairs(self, start: int, indices: list[Index]) -> Index | None:
        """The second images of steps, [K, B]."""
        if len(self.labelled):
            steps = enumerate(indices, start)
            return np.stack([in_turn(self.labelled, step, len(index)) for step, index in steps])
        pairs: list[Index] = []
        for step, index in enumerate(indices, start):
            pair = self.model.pair(self.dataset, index, numpy_rng(self.seed, "pair", step))
            if pair is None:
                return None
            pairs.append(pair)
        return np.stack(pairs)

    def changed(self, indices: list[Index], pairs: Index | None) -> Flags | None:
        """Which factors differ in the pairs of steps, [K, B, factors]; None if not read."""
        if pairs is None or not self.model.reads_changed:
            return None
        both = zip(indices, pairs, strict=True)
        return np.stack([changed_factors(self.dataset, *index) for index in both])

    def labels(self, pairs: Index | None) -> Labels | None:
        """The labels of the second images of steps, [K, B, factors]; None if not given."""
        if pairs is None or not len(self.labelled):
            return None
        return np.stack([scaled_labels(self.dataset, pair) for pair in pairs])


class EagerSteps:
    """Takes one step at a time.

    Args:
        update: takes one step.
        history: stores the terms of each step.
        feed: loads images.
        training: the options.
    """

    def __init__(
        self, update: Update, history: History, feed: BatchLoader, training: Training
    ) -> None:
        self.update, self.history, self.feed = update, history, feed
        self.seed, self.steps = training.seed, training.steps
        self.rng = torch.Generator(feed.device)

    def block_length(self, step: int, until: int) -> int:
        """The number of steps to take from `step` on: one."""
        return 1

    def take(self, block: Block) -> TermSets:
        """Take the step of a block."""
        self.rng.manual_seed(derive(self.seed, "noise", block.start))
        batch = Batch(
            x=self.feed(block.indices[0]),
            step=block.start,
            steps=self.steps,
            dataset_size=len(self.feed.dataset),
            rng=self.rng,
            pair=None if block.pairs is None else self.feed(block.pairs[0]),
            changed=None if block.changed is None else self.feed.moved(block.changed[0]),
            labels=None if block.labels is None else self.feed.moved(block.labels[0]),
        )
        sets = self.update(batch)
        self.history.add(block.start, sets)
        return sets
