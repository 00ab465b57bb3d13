"""NashAE: Yeats et al. (2022), https://arxiv.org/abs/2209.10677."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob, weighted
from disentangle.nn import LatentPredictors, Spread


class NashAE(Model[Code]):
    """-log p(x|z) + a / (1 - a) N sum_d Cov(z_d, prediction of z_d), with a = `adversarial`.

    z is the sigmoid of the encoder's output. For each latent an opponent, a small network, learns
    to predict it from all others; the encoder makes the covariance of latent and prediction small,
    by what it lets the opponents see: the covariance is that of a batch, with the gradient of the
    prediction alone.

    The paper's loss is (1 - a) / 2 times the mean squared error plus a times the covariances. Here
    all terms are in nats per image, so it is multiplied by N / (1 - a), of N pixels times channels;
    a Gaussian of variance 1 has the paper's reconstruction. In the authors' code the opponents take
    five steps on each batch, here one.
    """

    about = "An autoencoder whose latents do not predict one another"
    display = "NashAE"
    min_batch = 2  # a covariance

    adversarial: float = knob(
        default=0.2, min=0, max=0.99, help="share a of the covariances in the paper's loss"
    )
    predictor_lr: float = knob(default=0.01, above=0, help="learning rate of the opponents")

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks and the opponents."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.predictors = LatentPredictors(self.latents)
        self.spread = Spread(self.latents)
        self.make_observation()
        self.pixels = int(torch.Size(image_shape).numel())

    def opponent(self) -> torch.optim.Optimizer:
        """Return the optimiser of the opponents."""
        return torch.optim.Adam(self.predictors.parameters(), lr=self.predictor_lr, fused=True)

    def undecayed(self) -> list[nn.Parameter]:
        """Return the biases."""
        return [p for name, p in self.named_parameters() if name.endswith(".bias")]

    def encode(self, x: Tensor) -> Code:
        """Return the code of images, in (0, 1)."""
        return Code(self.encoder(x).float().sigmoid())

    def page_encoder(self) -> tuple[nn.Module, ...]:
        """Return the encoder and the sigmoid, for the page of a run."""
        return self.encoder, nn.Sigmoid()

    def terms(self, batch: Batch) -> tuple[Terms, Terms]:
        """Return the two terms of the model and the one term of the opponents."""
        z = self.encode(batch.x).mean
        self.spread.update(z)
        weight = self.adversarial / (1 - self.adversarial) * self.pixels
        terms: Terms = {
            "reconstruction": self.reconstruction(batch.x, z),
            "covariance": weighted(weight, covariances(z.detach(), self.predictors(z)).sum()),
        }
        error = (self.predictors(z.detach()) - z.detach()).square().mean()
        return terms, {"prediction": 0.5 * error}

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return values up to three standard deviations from the latent's mean, within 0 to 1."""
        mean, reach = float(self.spread.mean[latent]), 3 * float(self.spread.scale[latent])
        return torch.linspace(max(0, mean - reach), min(1, mean + reach), n)


def covariances(a: Tensor, b: Tensor) -> Tensor:
    """Return the covariance of each column of a [N, D] with that of b [N, D] over rows, [D]."""
    return (a * b).mean(0) - a.mean(0) * b.mean(0)
