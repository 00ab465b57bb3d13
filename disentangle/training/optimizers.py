"""The optimisers of a model, and the function that takes one step with them."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch, Model
from disentangle.errors import BrokenContract
from disentangle.training.checks import TermSets, checked, detached, term_sets
from disentangle.training.steps import Update


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


class LearningRates:
    """The learning rates of optimisers as a function of the step, so that resuming is exact.

    Args:
        optimizers: the optimisers with their first learning rates; an opponent's falls too.
        training: the options.
    """

    def __init__(self, optimizers: list[torch.optim.Optimizer], training: Training) -> None:
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        falls = training.lr_schedule != "constant"
        self.first = [(group, float(group["lr"])) for group in groups] if falls else []
        self.steps, self.end = training.lr_steps or training.steps, training.lr_end
        self.last = 1.0 if training.lr_schedule == "cosine" else math.inf

    def set(self, step: int | Tensor) -> None:
        """Set the learning rates of a step, counted from 0; on the device if `step` is there."""
        if not self.first:
            return
        share = (torch.as_tensor(step).double() / self.steps).clamp(max=self.last)
        left = 0.5 * (1 + torch.cos(math.pi * share))
        for group, first in self.first:
            rate = self.end + (first - self.end) * left
            group["lr"] = rate.float() if isinstance(step, Tensor) else rate.item()


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
    rates = LearningRates(optimizers, training)

    def update(batch: Batch) -> TermSets:
        with torch.autocast(device.type, torch.bfloat16, training.precision == "bf16"):
            sets = checked(term_sets(model.terms(batch)))
        for optimizer, inputs, terms in zip(optimizers, parameters, sets, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = torch.stack([term.loss for term in terms.values()]).sum()
            if not loss.requires_grad:
                raise BrokenContract("its terms have no gradient: something detaches them")
            torch.autograd.backward(loss, inputs=inputs)
            if training.clip_value:
                torch.nn.utils.clip_grad_value_(inputs, training.clip_value)
            if training.clip:
                torch.nn.utils.clip_grad_norm_(inputs, training.clip)
        rates.set(batch.step)
        for optimizer in optimizers:
            optimizer.step()
        return tuple({name: detached(term) for name, term in terms.items()} for terms in sets)

    if training.compile and device.type != "cuda":
        for part in model.children():
            part.compile()
    return update
