"""CyclicalVAE: Fu et al. (2019), "Cyclical annealing schedule", https://arxiv.org/abs/1903.10145."""

from math import ceil

import torch
from disentangle import Batch, Model, Terms, knob, weighted
from torch import Tensor


class CyclicalVAE(Model):
    """-E_q[log p(x|z)] + beta_t KL(q(z|x) || p(z)), where beta_t rises from 0 in each of M cycles.

    beta_t = beta min(1, tau / R), tau = mod(t, ceil(T / M)) / (T / M), at step t of T, from 0.
    """

    about = "A VAE whose KL weight rises from 0 in each of several cycles"
    display = "Cyclical VAE"

    beta: float = knob(default=1.0, min=0, normalised=True, help="largest weight of the KL term")
    cycles: int = knob(default=4, min=1, help="M, number of cycles")
    rise: float = knob(default=0.5, above=0, max=1, help="R, rising fraction of a cycle")

    def weight(self, step: int | Tensor, steps: int) -> Tensor:
        """Compute beta_t."""
        tau = step % ceil(steps / self.cycles) / (steps / self.cycles)
        return self.beta * torch.as_tensor(tau / self.rise).clamp(max=1)

    def terms(self, batch: Batch) -> Terms:
        """Compute the two terms of the loss, in nats per image."""
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(self.weight(batch.step, batch.steps), q.kl().sum(1).mean()),
        }
