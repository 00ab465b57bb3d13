"""QLAE, latent quantisation: Hsu et al. (2023), https://arxiv.org/abs/2305.18378."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob, weighted
from disentangle.nn import Nearest, nearest_values, straight_through


class QLAE(Model[Code]):
    """-log p(x|z) + quantisation mean |v - sg(c)|^2 + commitment mean |c - sg(v)|^2, equation 4.

    Each latent z is quantised to v, the nearest of `values` learnable scalars to the encoder's
    output c, with a straight-through gradient; sg stops the gradient. The paper averages over
    pixels and latents. Here all terms are in nats per image, so both weights are multiplied by the
    number of pixels. Weight decay is on the weights of the networks, not on biases and values.
    """

    about = "An autoencoder; each latent takes one of a few learnt values"
    display = "QLAE"
    version = 2  # since then the decay leaves out biases and values

    values: int = knob(default=10, min=2, help="number of values of each latent")
    quantisation: float = knob(
        default=0.01, min=0, help="weight of mean |v - sg(c)|^2, in a loss averaged over pixels"
    )
    commitment: float = knob(
        default=0.01, min=0, help="weight of mean |c - sg(v)|^2, in a loss averaged over pixels"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks and the codebook, with values evenly spaced over [-1/2, 1/2]."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.make_observation()
        start = torch.linspace(-0.5, 0.5, self.values)
        self.codebook = nn.Parameter(start.repeat(self.latents, 1))  # [d, value]
        self.pixels = int(torch.Size(image_shape).numel())

    def undecayed(self) -> list[nn.Parameter]:
        """Return the codebook and the biases, as in the authors' code."""
        biases = [p for name, p in self.named_parameters() if name.endswith(".bias")]
        return [self.codebook, *biases]

    def quantise(self, c: Tensor) -> Tensor:
        """Return the codebook value nearest to each entry of c [N, D]; the gradient reaches it."""
        return nearest_values(c, self.codebook)

    def encode(self, x: Tensor) -> Code:
        """Return the quantised code of images, with the gradient of the encoder's output."""
        c = self.encoder(x).float()
        return Code(straight_through(c, self.quantise(c)), discrete=True)

    def page_encoder(self) -> tuple[nn.Module, ...]:
        """Return the encoder and the quantisation, for the page of a run."""
        return self.encoder, Nearest(self.codebook)

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        c = self.encoder(batch.x).float()
        v = self.quantise(c)
        return {
            "reconstruction": self.reconstruction(batch.x, c + (v - c).detach()),
            "quantisation": weighted(
                self.quantisation * self.pixels, (v - c.detach()).square().mean()
            ),
            "commitment": weighted(self.commitment * self.pixels, (c - v.detach()).square().mean()),
        }

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return the values of this latent in order, or `n` of them if there are more."""
        values = self.codebook[latent].detach().sort().values
        return values[torch.linspace(0, self.values - 1, min(n, self.values)).round().long()]
