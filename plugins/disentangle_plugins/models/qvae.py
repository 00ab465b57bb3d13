"""QVAE, dVAE and both with a penalty on total correlation, FactorQVAE and FactorDVAE.

Baykal, Kandemir and Unal (2024), https://arxiv.org/abs/2409.14851.
"""

import math

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Term, Terms, knob, weighted
from disentangle.nn import (
    Discriminator,
    MostProbable,
    Nearest,
    gumbel_softmax,
    normal_weights,
    permute_latents,
)


class QVAE(Model[Code]):
    """-log p(x|z) + kl_weight N / D KL(q(z|x) || u(z)), for N pixels, D latents and uniform u.

    Each latent takes one of the `values` learnt scalars e_j that all latents share. Of the
    encoder's output c, q(z_d = e_j|x) is softmax(-(c_d - e_j)^2). Training decodes a relaxed sample
    sum_j y_j e_j, where y is a Gumbel-softmax of the logits with temperature times exp(-cooling
    step); evaluation takes the nearest value. The authors average the squared error over pixels
    (and channels) and the KL over latents. Here both are summed, in nats per image: with
    `--likelihood gaussian` and variance 0.5 the loss is theirs times N. Their decoder is linear at
    the end; here the Gaussian's mean is a sigmoid.
    """

    about = "A VAE whose latents share one codebook of learnt scalars"
    display = "QVAE"
    collapse_advice = (
        "if the KL is near its largest, latents times ln(values), try a larger kl_weight; if it is "
        "near 0, a smaller one, or a smaller lr"
    )

    values: int = knob(default=64, min=2, help="number of values in the codebook of all latents")
    kl_weight: float = knob(
        default=1e-3,
        min=0,
        help="weight of the KL term, averaged over latents in a loss averaged over pixels",
    )
    temperature: float = knob(default=1.0, above=0, help="first temperature of the Gumbel-softmax")
    cooling: float = knob(
        default=1e-5, min=0, help="the temperature falls as exp(-cooling * step); 0: constant"
    )
    kl_warmup: int = knob(
        default=0, min=0, help="steps over which the KL term's weight rises from 0"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks and the codebook, of standard normal values."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.encoder_outputs())
        self.decoder = network.decoder(self.latents, image_shape)
        self.make_observation()
        self.codebook = nn.Parameter(torch.randn(self.values))
        self.pixels = math.prod(image_shape)

    def encoder_outputs(self) -> int:
        """Return how many numbers the encoder gives: one for each latent."""
        return self.latents

    def logits(self, x: Tensor) -> Tensor:
        """Return log q(z_d = e_j|x) up to a constant, -(c_d - e_j)^2: [N, d, value]."""
        c: Tensor = self.encoder(x).float()
        return -(c[:, :, None] - self.codebook).square()

    def encode(self, x: Tensor) -> Code:
        """Return the most probable value of each latent."""
        return Code(self.codebook.detach()[self.logits(x).argmax(2)], discrete=True)

    def page_encoder(self) -> tuple[nn.Module, ...]:
        """Return the encoder and the choice of the nearest values, for the page of a run."""
        return self.encoder, Nearest(self.codebook.repeat(self.latents, 1))

    def relax(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return relaxed one-hot samples of the values, [N, d, value]."""
        cooled = torch.exp(-self.cooling * torch.as_tensor(batch.step))
        return gumbel_softmax(logits, batch.rng, self.temperature * cooled)

    def terms(self, batch: Batch) -> Terms | tuple[Terms, Terms]:
        """Return the two terms of the loss."""
        logits = self.logits(batch.x)
        return self.bound(batch, batch.x, logits, self.relax(logits, batch))

    def bound(self, batch: Batch, x: Tensor, logits: Tensor, y: Tensor) -> dict[str, Tensor | Term]:
        """Return the reconstruction of images and the KL of q(z|x) from the uniform prior."""
        log_q = logits.log_softmax(2)
        kl = (log_q.exp() * (log_q + math.log(self.values))).sum((1, 2)).mean()
        weight = self.kl_weight * self.pixels / self.latents
        return {
            "reconstruction": self.reconstruction(x, (y * self.codebook).sum(2)),
            "kl": weighted(weight * batch.risen(self.kl_warmup), kl),
        }

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return the values of the codebook in order, or `n` of them if there are more."""
        values = self.codebook.detach().sort().values
        return values[torch.linspace(0, self.values - 1, min(n, self.values)).round().long()]


class DVAE(QVAE):
    """-log p(x|z) + kl_weight N / D KL(q(z|x) || u(z)), for N pixels, D latents and uniform u.

    As `qvae`, except that the encoder gives the logits of q(z_d = e_j|x), one for each value of
    each latent; evaluation takes the value with the largest.
    """

    about = "A VAE of categorical latents with one codebook of learnt scalars"
    display = "dVAE"

    kl_weight: float = knob(
        default=5e-3,
        min=0,
        help="weight of the KL term, averaged over latents in a loss averaged over pixels",
    )

    def encoder_outputs(self) -> int:
        """Return how many numbers the encoder gives: a logit for each value of each latent."""
        return self.latents * self.values

    def logits(self, x: Tensor) -> Tensor:
        """Return the encoder's logits, [N, d, value]."""
        logits: Tensor = self.encoder(x).float()
        return logits.view(len(x), self.latents, self.values)

    def page_encoder(self) -> tuple[nn.Module, ...]:
        """Return the encoder and the choice of the value with the largest logit."""
        return self.encoder, MostProbable(self.codebook.repeat(self.latents, 1))


class FactorQVAE(QVAE):
    """The loss of `qvae` + gamma N TC(y), for N pixels and relaxed one-hot samples y [D, values].

    TC is estimated as in `factor-vae`, by a discriminator: the model learns from the first half of
    a batch; the discriminator learns to distinguish its y from those of the second half, whose
    latents are permuted. As in the authors' code it has five hidden layers, one fewer than in
    `factor-vae`. That code counts each batch twice, once for each optimiser, so its temperature
    falls twice as fast as that of `qvae`.
    """

    about = "QVAE with a penalty on total correlation, by a discriminator"
    display = "FactorQVAE"
    min_batch = 4  # two codes to permute in half a batch

    gamma: float = knob(
        default=1e-4, min=0, help="weight of the total correlation, in a loss averaged over pixels"
    )
    discriminator_lr: float = knob(default=1e-3, above=0, help="learning rate of the discriminator")
    cooling: float = knob(
        default=2e-5, min=0, help="the temperature falls as exp(-cooling * step); 0: constant"
    )

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks, the codebook and the discriminator."""
        super().build(image_shape)
        self.discriminator = Discriminator(self.latents * self.values, layers=5)
        normal_weights(self.discriminator)

    def opponent(self) -> torch.optim.Optimizer:
        """Return the discriminator's optimiser."""
        parameters = self.discriminator.parameters()
        return torch.optim.Adam(parameters, lr=self.discriminator_lr, fused=True)

    def terms(self, batch: Batch) -> tuple[Terms, Terms]:
        """Return the three terms of the model and the one term of the discriminator."""
        first, second = batch.x.chunk(2)
        logits = self.logits(first)
        y = self.relax(logits, batch)
        with torch.no_grad():
            permuted = permute_latents(self.relax(self.logits(second), batch), batch.rng)
        y_flat, permuted_flat = y.flatten(1), permuted.flatten(1)
        terms = self.bound(batch, first, logits, y)
        tc = self.discriminator.total_correlation(y_flat)
        terms["total-correlation"] = weighted(self.gamma * self.pixels, tc)
        return terms, {"discriminator": self.discriminator.loss(y_flat.detach(), permuted_flat)}


class FactorDVAE(FactorQVAE, DVAE):
    """The loss of `dvae` + gamma N TC(y), for N pixels and relaxed one-hot samples y [D, values].

    As `factor-qvae`, with the encoder of `dvae`.
    """

    about = "dVAE with a penalty on total correlation, by a discriminator"
    display = "FactorDVAE"

    kl_weight: float = knob(
        default=5e-3,
        min=0,
        help="weight of the KL term, averaged over latents in a loss averaged over pixels",
    )
    gamma: float = knob(
        default=5e-4, min=0, help="weight of the total correlation, in a loss averaged over pixels"
    )
