"""Autoencoder: Hinton & Salakhutdinov (2006), https://doi.org/10.1126/science.1127647."""

from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms
from disentangle.nn import Spread


class AE(Model[Code]):
    """-log p(x|z), where z is the encoder's output.

    Nothing else shapes the latents: it is the reference point of models whose codes are points and
    not posteriors. Weight decay, with the optimiser `adamw`, is on weights and not on biases.
    """

    about = "A plain autoencoder: no regulariser, no prior"
    display = "AE"

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.spread = Spread(self.latents)
        self.make_observation()

    def undecayed(self) -> list[nn.Parameter]:
        """Return the biases."""
        return [p for name, p in self.named_parameters() if name.endswith(".bias")]

    def encode(self, x: Tensor) -> Code:
        """Return the code of images, the encoder's output."""
        return Code(self.encoder(x).float())

    def terms(self, batch: Batch) -> Terms:
        """Return the only term of the loss."""
        z = self.encode(batch.x).mean
        self.spread.update(z)
        return {"reconstruction": self.reconstruction(batch.x, z)}

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return values up to three standard deviations from the mean of the latent."""
        return self.spread.around(latent, n)
