"""BioAE: Whittington et al. (2023), https://arxiv.org/abs/2210.01768; as in Hsu et al. (2023)."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob, weighted
from disentangle.nn import Spread


class BioAE(Model[Code]):
    """-log p(x|z) + nonnegativity mean max(0, -z) + activity mean z^2.

    Biological constraints on an autoencoder: activity that is nonnegative, and costs energy; means
    are over latents. In the paper the weights of the networks cost energy too: train with
    `--optimizer adamw --weight-decay 1e-4`, which is on weights and not on biases.

    The default weights are those of its use as a baseline by Hsu et al. (2023, Shapes3D: activity
    0.01), https://arxiv.org/abs/2305.18378, who average the likelihood over pixels. Here all terms
    are in nats per image, so both weights are multiplied by the number of pixels times channels.
    """

    about = "An autoencoder with nonnegative latents that cost energy"
    display = "BioAE"

    nonnegativity: float = knob(
        default=1.0, min=0, help="weight of mean max(0, -z), in a loss averaged over pixels"
    )
    activity: float = knob(
        default=0.1, min=0, help="weight of mean z^2, in a loss averaged over pixels"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.spread = Spread(self.latents)
        self.make_observation()
        self.pixels = int(torch.Size(image_shape).numel())

    def undecayed(self) -> list[nn.Parameter]:
        """Return the biases, as in the code of Hsu et al. (2023)."""
        return [p for name, p in self.named_parameters() if name.endswith(".bias")]

    def encode(self, x: Tensor) -> Code:
        """Return the code of images, the encoder's output."""
        return Code(self.encoder(x).float())

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        z = self.encode(batch.x).mean
        self.spread.update(z)
        return {
            "reconstruction": self.reconstruction(batch.x, z),
            "nonnegativity": weighted(self.nonnegativity * self.pixels, (-z).relu().mean()),
            "activity": weighted(self.activity * self.pixels, z.square().mean()),
        }

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return values up to three standard deviations from the mean of the latent."""
        return self.spread.around(latent, n)
