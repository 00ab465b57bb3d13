"""AdaGVAE: Locatello et al. (2020), https://arxiv.org/abs/2002.02886."""

from typing import Literal

import numpy as np
import torch

from disentangle import Batch, Dataset, Grid, Index, Model, Posterior, Terms, knob, weighted


class AdaGVAE(Model):
    """The mean of the beta-VAE losses of two images that differ in few factors, section 4.

    Latents whose KL(q_1 || q_2) is in the lower half of its range over the latents count as shared;
    for these, the two posteriors are averaged. The pairs are drawn with the dataset's labels, so
    this is weak supervision.

    In a pair, n of the K scored factors get new random values, which may equal the old ones: n is
    `changes`, or uniform from 1 to K - 1 if `changes` is 0. The pairs `locatello2020` are those of
    the authors' code for k = -1: n is 1 in half of the pairs, and uniform from 1 to K - 1 in the
    others.
    """

    about = "A weakly supervised VAE, on pairs that share most factors"
    display = "Ada-GVAE"
    needs = Grid
    supervision = "pairs that share factors"

    beta: float = knob(default=1.0, min=0, normalised=True, help="weight of the KL term")
    changes: int = knob(
        default=1,
        min=0,
        only_if=("pairs", "changes"),
        help="maximum number of factors changed in a pair; 0: drawn from 1 to K - 1",
    )
    pairs: Literal["changes", "locatello2020"] = knob(
        default="changes",
        added=True,
        help="how pairs are drawn: with `changes` factors changed, or as in the authors' code",
    )
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )

    def pair(self, dataset: Dataset, index: Index, rng: np.random.Generator) -> Index:
        """Return the second image of each pair: some scored factors get new random values."""
        assert isinstance(dataset, Grid)
        scored = [dataset.column(name) for name in dataset.factors]
        count = self.redrawn(len(index), len(scored), rng)
        labels = dataset.every_label(index)
        rank = (
            rng.random((len(index), len(scored))).argsort(1).argsort(1)
        )  # a random order of the factors
        fresh = rng.integers(0, list(dataset.every_factor.values()), labels.shape)
        changed = np.zeros(labels.shape, bool)
        changed[:, scored] = rank < np.reshape(count, (-1, 1))
        return dataset.index(np.where(changed, fresh, labels))

    def redrawn(self, pairs: int, factors: int, rng: np.random.Generator) -> int | Index:
        """Return the number of factors that are redrawn, for all pairs or for each one [N]."""
        if self.pairs == "changes" and self.changes > 0:
            return self.changes
        count = rng.integers(1, max(1, factors - 1) + 1, pairs)
        return count if self.pairs == "changes" else np.where(rng.random(pairs) < 0.5, 1, count)

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the loss."""
        assert batch.pair is not None
        first, second = share(self.encode(batch.x), self.encode(batch.pair))
        pairs = ((batch.x, first), (batch.pair, second))
        errors = [self.reconstruction(x, q.sample(batch.rng)) for x, q in pairs]
        kls = [q.kl().sum(1).mean() for _, q in pairs]
        return {
            "reconstruction": 0.5 * (errors[0] + errors[1]),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), 0.5 * (kls[0] + kls[1])),
        }


def share(first: Posterior, second: Posterior) -> tuple[Posterior, Posterior]:
    """Return both posteriors, with means and variances averaged in the shared latents."""
    kl = divergence(first, second)  # [N, D]
    threshold = 0.5 * (kl.amin(1, keepdim=True) + kl.amax(1, keepdim=True))
    shared = kl < threshold
    mean = 0.5 * (first.mean + second.mean)
    log_variance = (0.5 * (first.log_variance.exp() + second.log_variance.exp())).log()
    averaged = [
        Posterior(
            torch.where(shared, mean, q.mean), torch.where(shared, log_variance, q.log_variance)
        )
        for q in (first, second)
    ]
    return averaged[0], averaged[1]


def divergence(first: Posterior, second: Posterior) -> torch.Tensor:
    """Return KL(q_1(z_d) || q_2(z_d)) in nats, [N, D]."""
    square = (first.mean - second.mean).square() * (-second.log_variance).exp()
    ratio = first.log_variance - second.log_variance
    return 0.5 * (ratio.exp() + square - 1 - ratio)
