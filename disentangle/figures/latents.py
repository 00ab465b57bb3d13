"""The latents of a run, for figures: which are active, their KL and their ranges."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from disentangle._utils.seeds import numpy_rng, torch_rng
from disentangle.contracts.dataset import Index
from disentangle.contracts.model import ACTIVE, Posterior
from disentangle.runs.run import Run

SAMPLE = 1024
DRAWS = 16  # samples of q(z|x) for each image
TAIL = 0.01


@dataclass(frozen=True)
class Latents:
    """The latents of a run, for a figure: active ones first, then by KL."""

    order: list[int]
    weights: list[str]
    """The sort keys as text: `KL 2.41`, in nats, or `Var 0.30`, the variance of the means."""
    active: list[bool]
    notes: list[str]
    """Further notes, such as `inactive`."""
    named: bool = False
    """True if a label has the name of a factor."""

    @property
    def labels(self) -> list[str]:
        """The labels of the rows."""
        return [
            f"z{d}  {weight}\n{note}".rstrip()
            for d, weight, note in zip(self.order, self.weights, self.notes, strict=True)
        ]


def probe(run: Run, count: int = SAMPLE) -> Index:
    """Draw the indices of images that represent the dataset in a figure."""
    rng = numpy_rng(run.record.seed, "figures")
    return np.sort(rng.permutation(len(run.dataset))[:count])


def measure_latents(run: Run) -> Latents:
    """Measure the latents: active ones first, then by KL (without KL, by variance of the means)."""
    code = run.code(run.dataset.images(probe(run)))
    spread = code.mean.var(0)
    kl = isinstance(code, Posterior)
    weight = code.kl().mean(0) if isinstance(code, Posterior) else spread
    active = spread > ACTIVE
    order = sorted(range(len(spread)), key=lambda d: (not active[d], -float(weight[d])))
    weights = [f"{'KL' if kl else 'Var'} {weight[d]:.2f}" for d in order]
    notes = ["" if active[d] else "inactive" for d in order]
    return Latents(order, weights, [bool(active[d]) for d in order], notes)


def has_prior(run: Run) -> bool:
    """Return True if the model's codes have a posterior, and so a prior to sample."""
    return isinstance(run.code(run.dataset.images([0])), Posterior)


def measure_ranges(run: Run) -> Tensor | None:
    """Return the 1st and the 99th percentile of the aggregate posterior of each latent, [D, 2].

    For a model without a posterior, they are the percentiles of its codes. For discrete codes the
    result is None, as traversals show their values instead of a range.
    """
    code = run.code(run.dataset.images(probe(run)))
    if code.discrete:
        return None
    z = code.mean.cpu()
    if isinstance(code, Posterior):
        rng = torch_rng(run.record.seed, "aggregate posterior", device=code.mean.device)
        z = torch.cat([code.sample(rng).cpu() for _ in range(DRAWS)])
    return torch.from_numpy(np.quantile(z.numpy(), [TAIL, 1 - TAIL], axis=0).T).to(z.dtype)
