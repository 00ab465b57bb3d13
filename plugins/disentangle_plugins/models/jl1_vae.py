"""JL1-VAE: Rhodes & Lee (2021), https://arxiv.org/abs/2106.02923."""

import torch
from torch import Tensor

from disentangle import Batch, Model, Terms, knob, weighted

EPSILON = 1e-3
"""The step of the forward differences."""


class JL1VAE(Model):
    """-E_q[log p(x|z)] + beta KL(q(z|x) || p(z)) + gamma |J(z)|_1.

    J is the Jacobian of the decoded image, the mean of the likelihood, with respect to the sampled
    z, and |J(z)|_1 the sum of its absolute values over pixels and latents. The decoder alone is
    trained by it. It is taken by forward differences with steps of 0.001, always in single
    precision, for which each step decodes one more than `latents` images for each of the batch, in
    one batch. Both weights rise from 0 over `kl_warmup` steps.

    The default weights are among those of the paper's experiments with three dots.
    """

    about = "A VAE whose latents each change few pixels at any point"
    display = "JL1-VAE"

    beta: float = knob(default=4.0, min=0, normalised=True, help="weight of the KL term")
    gamma: float = knob(default=0.1, min=0, help="weight of the Jacobian")
    kl_warmup: int = knob(
        default=100_000, min=0, rise=True, help="steps over which both weights rise from 0"
    )

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        q = self.encode(batch.x)
        z = q.sample(batch.rng)
        risen = batch.risen(self.kl_warmup)
        return {
            "reconstruction": self.reconstruction(batch.x, z),
            "kl": weighted(self.beta * risen, q.kl().sum(1).mean()),
            "jacobian": weighted(self.gamma * risen, self.jacobian(z.detach()).mean()),
        }

    def jacobian(self, z: Tensor) -> Tensor:
        """Return the sum of the absolute values of the Jacobian at each z, [N]."""
        steps = EPSILON * torch.eye(self.latents, device=z.device)
        points = torch.cat([z[None], z + steps[:, None]])  # [D + 1, N, D]
        with torch.autocast(z.device.type, enabled=False):
            images = self.observation.mean(self.decode(points.flatten(0, 1)))
        decoded = images.reshape(*points.shape[:2], -1)  # [D + 1, N, pixels]
        return (decoded[1:] - decoded[0]).abs().sum((0, 2)) / EPSILON
