"""SlowVAE: Klindt et al. (2021), https://openreview.net/forum?id=EbIDjBynYJ8."""

import math

import numpy as np
import torch
from torch import Tensor

from disentangle import Batch, Dataset, Index, Labelled, Model, Terms, knob, weighted
from disentangle.data import Pairs, check_pairs, draw_pairs, pair_knobs

NARROWEST = 1e-12
"""The least standard deviation that a mean is divided by."""
FAR = 20.0
"""Standard deviations beyond which a Gaussian is on one side of 0."""


class SlowVAE(Model):
    """-2 E_q[log p(x|z)] + beta KL(q(z|x) || p(z)) + gamma (CE - H), in nats per pair of images.

    For images x, x' with posteriors N(m, s), N(m', s'), CE is the sum over latents of the
    cross-entropies of N(m - m', s) and of N(m' - m, s') with a Laplace distribution of rate
    `laplace_rate` around 0: latents rarely change, and then by much. The reconstruction, the KL and
    H, the entropy of q(z|x), are averages over both images. So the terms of a pair are weighted as
    in the authors' code; beta 1 is half the KL of each image, beside the whole of its
    reconstruction.

    The pairs stand for neighbouring images of a video; on a grid they are drawn with its labels, so
    this is weak supervision.
    """

    about = "A VAE on pairs whose latents change rarely, as in natural videos"
    display = "SlowVAE"
    needs = Labelled
    supervision = "pairs of neighbouring images"

    beta: float = knob(
        default=1.0, min=0, help="weight of the KL term, beside twice the reconstruction"
    )
    gamma: float = knob(default=10.0, min=0, help="weight of the KL from the Laplace transition")
    laplace_rate: float = knob(default=6.0, above=0, help="rate of the Laplace transition")
    pairs: Pairs = knob(default="laplace", help="how pairs are drawn, as in published experiments")
    rate: float = knob(
        default=1.0,
        above=0,
        only_if=[("pairs", "laplace")],
        help="rate of the steps of factors; the larger, the shorter and rarer",
    )
    categorical: str = knob(
        default="none",
        only_if=[("pairs", "laplace")],
        help="factors that never change, joined by +",
    )
    changes: int = knob(
        default=1,
        min=0,
        only_if=[("pairs", "changes", "changes_fixed")],
        help="maximum number of factors changed in a pair; 0: drawn from 1 to K - 1",
    )
    kl_warmup: int = knob(
        default=0, min=0, help="steps over which the KL term's weight rises from 0"
    )

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise unless some factor can change."""
        check_pairs(dataset, **pair_knobs(self))

    def pair(self, dataset: Dataset, index: Index, rng: np.random.Generator) -> Index:
        """Return the second image of each pair."""
        return draw_pairs(dataset, index, rng, **pair_knobs(self))

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        assert batch.pair is not None
        pairs = [(x, self.encode(x)) for x in (batch.x, batch.pair)]
        (_, first), (_, second) = pairs
        errors = [self.reconstruction(x, q.sample(batch.rng)) for x, q in pairs]
        kls = [q.kl().sum(1).mean() for _, q in pairs]
        entropies = [entropy(q.log_variance).sum(1).mean() for _, q in pairs]
        step = first.mean - second.mean
        forth = laplace_cross_entropy(step, first.scale, self.laplace_rate)
        back = laplace_cross_entropy(-step, second.scale, self.laplace_rate)
        transition = (forth + back).sum(1).mean() - 0.5 * (entropies[0] + entropies[1])
        return {
            "reconstruction": weighted(2.0, 0.5 * (errors[0] + errors[1])),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), 0.5 * (kls[0] + kls[1])),
            "transition": weighted(self.gamma, transition),
        }


def entropy(log_variance: Tensor) -> Tensor:
    """Return the entropy of Gaussians in nats."""
    return 0.5 * (log_variance + math.log(2 * math.pi * math.e))


def laplace_cross_entropy(mean: Tensor, scale: Tensor, rate: float) -> Tensor:
    """Return -E[log Lap(z; 0, rate)] for z ~ N(mean, scale): -ln(rate / 2) + rate E|z|, in nats.

    E|z| = scale sqrt(2 / pi) exp(-r^2 / 2) + mean erf(r / sqrt 2), with r = mean / scale.
    """
    # The bounds change no value, and leave no infinite slope as the scale goes to 0.
    r = (mean / scale.clamp_min(NARROWEST)).clamp(-FAR, FAR)
    size = scale * math.sqrt(2 / math.pi) * (-0.5 * r.square()).exp()
    size = size + mean * torch.erf(r / math.sqrt(2))
    return rate * size - math.log(rate / 2)
