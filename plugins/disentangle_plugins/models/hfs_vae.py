"""HFS, Hausdorff factorised support: Roth et al. (2023), https://arxiv.org/abs/2210.07347."""

from typing import Literal

import torch
from torch import Tensor

from disentangle import Batch, Model, Terms, knob, weighted
from disentangle.errors import UsageError
from disentangle.maths import draw_latent_pairs, factorised_support


class HFSVAE(Model):
    """-E_q[log p(x|z)] + beta KL(q(z|x) || p(z)) + gamma sum_(i,j) H_ij + scale S.

    H_ij is the squared Hausdorff distance between the means of latents i and j in a batch and all
    combinations of their values, max_c min_n |c - mean_n|^2: 0 if every combination occurs, however
    rarely, so latents of correlated factors may remain correlated. It is summed over `latent_pairs`
    pairs, drawn for each batch, and c runs over `combinations` that are drawn for each of them, or
    over all. The experiments of the authors' code have all.

    S keeps the latents from shrinking: sum_d max(0, 1 - max_n mean_nd) + max(0, min_n mean_nd) is 0
    if each latent reaches from 0 to 1 in the batch (`batch`). The authors' code takes the extremes
    over the latents of each image instead, and sums over images (`latents`); its experiments have
    no such term. The default weights are a point of their grid.
    """

    about = "A VAE whose latents take all combinations of their values"
    display = "HFS"
    min_batch = 2  # points to combine

    beta: float = knob(default=1.0, min=0, normalised=True, help="weight of the KL term")
    gamma: float = knob(default=10.0, min=0, help="weight of the Hausdorff distances")
    latent_pairs: int = knob(default=25, min=1, help="maximum number of pairs of latents per step")
    combinations: int = knob(
        default=100,
        min=0,
        help="combinations of values drawn for each pair of latents; 0: all of the batch",
    )
    scale_over: Literal["none", "batch", "latents"] = knob(
        default="none",
        help="scale term: none, of each latent over the batch, or as in the authors' code over the "
        "latents of each image",
    )
    scale: float = knob(
        default=1.0,
        min=0,
        only_if=[("scale_over", "batch", "latents")],
        help="weight of the scale term",
    )
    kl_warmup: int = knob(
        default=0, min=0, help="steps over which the KL term's weight rises from 0"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks."""
        if self.latents < 2:
            raise UsageError("hfs-vae compares pairs of latents: expected `--latents 2` or more")
        super().build(image_shape)

    def terms(self, batch: Batch) -> Terms:
        """Return the four terms of the loss, or three without the scale."""
        q = self.encode(batch.x)
        terms: Terms = {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
            "support": weighted(self.gamma, self.distances(q.mean, batch.rng).sum()),
        }
        if self.scale_over == "none":
            return terms
        return {**terms, "scale": weighted(self.scale, too_narrow(q.mean, self.scale_over))}

    def distances(self, z: Tensor, rng: torch.Generator) -> Tensor:
        """Return the squared Hausdorff distance of each pair of latents, [P]."""
        pairs = draw_latent_pairs(self.latents, self.latent_pairs, rng)
        shape = (self.combinations, *pairs.shape)
        rows = torch.randint(len(z), shape, generator=rng, device=z.device)
        return factorised_support(z, pairs, rows if self.combinations else None)


def too_narrow(z: Tensor, over: str) -> Tensor:
    """Return how far z [N, D] is from reaching both 0 and 1, summed over latents or over images."""
    low, high = z.aminmax(dim=0 if over == "batch" else 1)
    return ((1 - high).relu() + low.relu()).sum()
