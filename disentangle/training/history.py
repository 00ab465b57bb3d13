"""The terms of the loss at each step since the last log entry, and their means."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from disentangle.contracts.model import Term
from disentangle.runs.checkpoint import Checkpoint
from disentangle.training.checks import TermSets


class History:
    """What each term added to the loss since the last log entry, and the quantity that it weighs.

    Attributes:
        losses: term -> what it added to the loss, by step.
        values: quantity -> its value without a weight, by step; only of terms that have a weight.
            NaN where it is not known, as after resuming from a checkpoint of version 0.1.
    """

    def __init__(self, every: int, device: torch.device) -> None:
        self.every, self.device = every, device
        self.losses: dict[str, Tensor] = {}
        self.values: dict[str, Tensor] = {}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore the steps since the last log entry from a checkpoint."""
        self.losses |= {name: row.to(self.device) for name, row in checkpoint.history.items()}
        self.values |= {name: row.to(self.device) for name, row in checkpoint.values.items()}

    def add(self, step: int | Tensor, sets: TermSets) -> None:
        """Store the terms of a step, counted from 0; as a tensor on the device, it is recorded."""
        at = step % self.every
        for name, quantity, term in items(sets):
            put(self._row(self.losses, name, 0.0), at, term.loss)
            if term.value is not term.loss:
                put(self._row(self.values, quantity, math.nan), at, term.value)

    def means(self, sets: TermSets, done: int) -> dict[str, Any]:
        """The means since the last multiple of `every`, as a part of a log entry.

        `terms` holds what each term adds to the loss, `values` the quantities without weights, and
        `loss` the sum of the model's own terms, without an opponent's.
        """
        steps = (done - 1) % self.every + 1
        terms = {name: float(self.losses[name][:steps].mean()) for name, _, _ in items(sets)}
        values = {
            quantity: terms[name]
            if term.value is term.loss
            else float(self.values[quantity][:steps].mean())
            for name, quantity, term in items(sets)
        }
        return {
            "terms": terms,
            "values": {name: value for name, value in values.items() if math.isfinite(value)},
            "loss": sum(terms[name] for name in sets[0]),
        }

    def _row(self, rows: dict[str, Tensor], name: str, missing: float) -> Tensor:
        if name not in rows:
            rows[name] = torch.full((self.every,), missing, device=self.device)
        return rows[name]


def put(row: Tensor, at: int | Tensor, number: Tensor) -> None:
    """Store a scalar in a row, at a position that is a number or a tensor on the device."""
    if isinstance(at, Tensor):
        row.index_copy_(0, at.view(1), number.to(row.dtype).view(1))
    else:
        row[at] = number


def items(sets: TermSets) -> Iterator[tuple[str, str, Term]]:
    """The terms of all sets: the name of each, the name of its quantity, and the term."""
    for terms in sets:
        for name, term in terms.items():
            yield name, term.name or name, term
