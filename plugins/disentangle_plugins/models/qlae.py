"""QLAE, latent quantisation: Hsu et al. (2023), https://arxiv.org/abs/2305.18378."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob


class QLAE(Model[Code]):
    """-log p(x|z) + weights of the distances of z from its quantised value, equation 4.

    Each latent takes one of `values` learnable scalars, the nearest to the encoder's output c, with
    a straight-through gradient. The paper takes means over pixels and latents; here all is in nats
    per image, so that its weights are multiplied by the number of pixels.
    """

    values: int = knob(default=10, min=2, help="values that each latent takes")
    quantisation: float = knob(
        default=0.01, min=0, help="weight of the mean |v - sg(c)|^2, against the mean over pixels"
    )
    commitment: float = knob(
        default=0.01, min=0, help="weight of the mean |c - sg(v)|^2, against the mean over pixels"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks and the values, evenly over [-1/2, 1/2]."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.make_observation()
        start = torch.linspace(-0.5, 0.5, self.values)
        self.codebook = nn.Parameter(start.repeat(self.latents, 1))  # [d, value]
        self.pixels = int(torch.Size(image_shape).numel())

    def quantise(self, c: Tensor) -> Tensor:
        """Return the value nearest to each entry of c [N, D]; its gradient is the codebook's.

        By a sum over [n, d, value]: a GPU adds up the gradient of an index in no fixed order.
        """
        distance = (c.detach()[:, :, None] - self.codebook.detach()).abs()
        nearest = distance.argmin(2, keepdim=True)
        chosen = nearest == torch.arange(self.values, device=c.device)
        return torch.where(chosen, self.codebook, 0.0).sum(2)

    def encode(self, x: Tensor) -> Code:
        """Return the quantised code of images, whose gradient is that of the encoder's output."""
        c = self.encoder(x).float()
        return Code(c + (self.quantise(c) - c).detach(), discrete=True)

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        c = self.encoder(batch.x).float()
        v = self.quantise(c)
        return {
            "reconstruction": self.reconstruction(batch.x, c + (v - c).detach()),
            "quantisation": self.quantisation * self.pixels * (v - c.detach()).square().mean(),
            "commitment": self.commitment * self.pixels * (c - v.detach()).square().mean(),
        }

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return the values that this latent takes, in order, or `n` of them if they are more."""
        values = self.codebook[latent].detach().sort().values
        return values[torch.linspace(0, self.values - 1, min(n, self.values)).round().long()]
