"""Group VAEs, on pairs of images: Ada-GVAE, Ada-ML-VAE, GVAE and ML-VAE.

The adaptive ones are those of Locatello et al. (2020), https://arxiv.org/abs/2002.02886; the
averages those of Hosoya (2019), https://arxiv.org/abs/1809.02383, and of Bouchacourt et al. (2018),
https://arxiv.org/abs/1705.08841.
"""

from abc import abstractmethod
from math import log

import numpy as np
import torch
from torch import Tensor

from disentangle import (
    Batch,
    Dataset,
    Index,
    Labelled,
    Model,
    Posterior,
    Terms,
    UsageError,
    knob,
    weighted,
)
from disentangle.data import Pairs, check_pairs, draw_pairs, pair_knobs


class GroupVAE(Model):
    """The mean of the beta-VAE losses of two images that share factors.

    In shared latents, both posteriors are replaced by their average. A subclass chooses the average
    and, by `reads_changed`, which latents are shared.
    """

    needs = Labelled

    beta: float = knob(default=1.0, min=0, normalised=True, help="weight of the KL term")
    changes: int = knob(
        default=1,
        min=0,
        only_if=[("pairs", "changes", "changes_fixed")],
        help="maximum number of factors changed in a pair; 0: drawn from 1 to K - 1",
    )
    pairs: Pairs = knob(
        default="changes",
        added=True,
        help="how pairs are drawn: with `changes` factors changed, or as published",
    )
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )
    rate: float = knob(
        default=1.0,
        above=0,
        added=True,
        only_if=[("pairs", "laplace")],
        help="rate of the steps of factors; the larger, the shorter and rarer",
    )
    categorical: str = knob(
        default="none",
        added=True,
        only_if=[("pairs", "laplace")],
        help="factors that never change, joined by +",
    )

    @abstractmethod
    def average(self, first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance that shared latents take, each [N, D]."""

    def shared(self, first: Posterior, second: Posterior, batch: Batch) -> Tensor:
        """Return True for each latent that is shared, bool [N, D]."""
        if self.reads_changed:
            assert batch.changed is not None
            return unchanged(batch.changed, self.latents)
        return similar(first, second)

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise unless some factor can change, and there is a latent for each that is given."""
        check_pairs(dataset, **pair_knobs(self))
        assert isinstance(dataset, Labelled)
        least = len(dataset.factors)
        if self.reads_changed and self.latents < least:
            raise UsageError(
                f"{self.display} keeps one latent for each factor: expected at least {least} "
                f"latents for the factors of {dataset.name} ({', '.join(dataset.factors)}), got "
                f"{self.latents}; use `--latents {least}` or more"
            )

    def pair(self, dataset: Dataset, index: Index, rng: np.random.Generator) -> Index:
        """Return the second image of each pair."""
        return draw_pairs(dataset, index, rng, **pair_knobs(self))

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the loss."""
        assert batch.pair is not None
        both = self.encode(batch.x), self.encode(batch.pair)
        shared, average = self.shared(*both, batch), self.average(*both)
        first, second = (replaced(q, shared, *average) for q in both)
        pairs = ((batch.x, first), (batch.pair, second))
        errors = [self.reconstruction(x, q.sample(batch.rng)) for x, q in pairs]
        kls = [q.kl().sum(1).mean() for _, q in pairs]
        return {
            "reconstruction": 0.5 * (errors[0] + errors[1]),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), 0.5 * (kls[0] + kls[1])),
        }


class AdaGVAE(GroupVAE):
    """The mean of the beta-VAE losses of two images that differ in few factors, section 4.

    Latents whose KL(q_1 || q_2) is in the lower half of its range over the latents count as shared;
    for these, the two posteriors are averaged: their means and their variances. The pairs are drawn
    with the dataset's labels, so this is weak supervision.
    """

    about = "A weakly supervised VAE, on pairs that share most factors"
    display = "Ada-GVAE"
    supervision = "pairs that share factors"

    def average(self, first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
        """Return the average of the means and of the variances."""
        return mean_of(first, second)


class AdaMLVAE(GroupVAE):
    """The loss of `ada-gvae`, with the product of the two posteriors in the shared latents.

    The product of two Gaussians has the precision-weighted mean (m_1/v_1 + m_2/v_2) v / 2; its
    variance is doubled, v = 2 v_1 v_2 / (v_1 + v_2).
    """

    about = "Ada-GVAE with the product of posteriors as the average"
    display = "Ada-ML-VAE"
    supervision = "pairs that share factors"

    def average(self, first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
        """Return the product of both posteriors."""
        return product_of(first, second)


class GVAE(GroupVAE):
    """The loss of `ada-gvae`, given which factors differ in each pair: latent k is factor k.

    Latent k keeps its own posterior where factor k differs; all other latents are averaged, those
    beyond the number of factors always. In the authors' code only one factor of a pair is given,
    the last that was drawn anew; here all that differ are.
    """

    about = "A VAE on pairs, given the factors in which they differ"
    display = "GVAE"
    supervision = "pairs with the factors that differ"
    reads_changed = True

    def average(self, first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
        """Return the average of the means and of the variances."""
        return mean_of(first, second)


class MLVAE(GroupVAE):
    """The loss of `gvae`, with the product of the two posteriors in the shared latents.

    The product of two Gaussians has the precision-weighted mean (m_1/v_1 + m_2/v_2) v / 2; its
    variance is doubled, v = 2 v_1 v_2 / (v_1 + v_2).
    """

    about = "GVAE with the product of posteriors as the average"
    display = "ML-VAE"
    supervision = "pairs with the factors that differ"
    reads_changed = True

    def average(self, first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
        """Return the product of both posteriors."""
        return product_of(first, second)


def mean_of(first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
    """Return the average of both means, and the log of the average of both variances."""
    mean = 0.5 * (first.mean + second.mean)
    return mean, (0.5 * (first.log_variance.exp() + second.log_variance.exp())).log()


def product_of(first: Posterior, second: Posterior) -> tuple[Tensor, Tensor]:
    """Return the mean of the product of two Gaussians, and the log of twice its variance."""
    a, b = first.log_variance, second.log_variance
    # v_2 / (v_1 + v_2) is a sigmoid of the difference, which cannot overflow.
    mean = first.mean * torch.sigmoid(b - a) + second.mean * torch.sigmoid(a - b)
    return mean, log(2) + a + b - torch.logaddexp(a, b)


def similar(first: Posterior, second: Posterior) -> Tensor:
    """Return True where the KL is in the lower half of its range over the latents, [N, D]."""
    kl = divergence(first, second)  # [N, D]
    threshold = 0.5 * (kl.amin(1, keepdim=True) + kl.amax(1, keepdim=True))
    return kl < threshold


def unchanged(changed: Tensor, latents: int) -> Tensor:
    """Return True for the latents of factors that do not differ, and for all others, [N, D]."""
    images, factors = changed.shape
    return torch.cat([~changed, changed.new_ones((images, latents - factors))], 1)


def replaced(q: Posterior, shared: Tensor, mean: Tensor, log_variance: Tensor) -> Posterior:
    """Return a posterior with this mean and log variance in the shared latents."""
    return Posterior(
        torch.where(shared, mean, q.mean), torch.where(shared, log_variance, q.log_variance)
    )


def divergence(first: Posterior, second: Posterior) -> Tensor:
    """Return KL(q_1(z_d) || q_2(z_d)) in nats, [N, D]."""
    square = (first.mean - second.mean).square() * (-second.log_variance).exp()
    ratio = first.log_variance - second.log_variance
    return 0.5 * (ratio.exp() + square - 1 - ratio)
