"""FactorVAE: Kim and Mnih (2018), https://arxiv.org/abs/1802.05983."""

from typing import Literal

import numpy as np
import torch

from disentangle import Batch, Dataset, Index, Model, Terms, knob, weighted
from disentangle.nn import Discriminator, permute_latents


class FactorVAE(Model):
    """-E_q[log p(x|z)] + KL(q(z|x) || p(z)) + gamma TC(z), equation 2.

    TC is the mean logit of a discriminator that learns to distinguish z ~ q(z) from z whose
    dimensions are permuted over the batch. The permuted codes come from a second batch (`two`, the
    paper's algorithm 2), the same batch (`same`, as in disentanglement_lib), or its second half
    (`half`; the discriminator then sees the first half as z ~ q(z)).
    """

    about = "A VAE with a penalty on total correlation, by a discriminator"
    display = "FactorVAE"
    min_batch = 4  # two codes to permute in half a batch

    gamma: float = knob(default=35.0, min=0, help="weight of the total correlation")
    permuted: Literal["two", "same", "half"] = knob(
        default="two", help="codes to permute: of a second batch, the same batch, or half of it"
    )
    discriminator_lr: float = knob(default=1e-4, above=0, help="learning rate of the discriminator")
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks and the discriminator; its two logits are of q(z) and of permuted z."""
        super().build(image_shape)
        self.discriminator = Discriminator(self.latents)

    def opponent(self) -> torch.optim.Optimizer:
        """Return the discriminator's optimiser."""
        parameters = self.discriminator.parameters()
        return torch.optim.Adam(parameters, lr=self.discriminator_lr, betas=(0.5, 0.9), fused=True)

    def pair(self, dataset: Dataset, index: Index, rng: np.random.Generator) -> Index | None:
        """Draw the second batch, as the first one, if its codes are permuted."""
        return dataset.draw(len(index), rng) if self.permuted == "two" else None

    def terms(self, batch: Batch) -> tuple[Terms, Terms]:
        """Return the three terms of the model and the one term of the discriminator."""
        q = self.encode(batch.x)
        z = q.sample(batch.rng)
        true, other = z.detach(), z.detach()
        if self.permuted == "two":
            assert batch.pair is not None
            with torch.no_grad():
                other = self.encode(batch.pair).sample(batch.rng)
        elif self.permuted == "half":
            true, other = true.chunk(2)
        permuted = permute_latents(other, batch.rng)
        terms: Terms = {
            "reconstruction": self.reconstruction(batch.x, z),
            "kl": weighted(batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
            "total-correlation": weighted(self.gamma, self.discriminator.total_correlation(z)),
        }
        return terms, {"discriminator": self.discriminator.loss(true, permuted)}
