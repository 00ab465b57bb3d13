"""Tripod: Hsu et al. (2024), https://arxiv.org/abs/2404.10282."""

import torch
from torch import Tensor, nn

from disentangle import Batch, Code, Model, Terms, knob, weighted
from disentangle.maths import HessianPenalty, kernel_multi_information
from disentangle.nn import (
    Nearest,
    Spread,
    finite_scalar,
    finite_scalar_values,
    straight_through,
    with_activations,
)


class Tripod(Model[Code]):
    """-log p(x|z) + lambda_MI mean (log q(z) - sum_d log q(z_d)) + lambda_H mean sum_l H_l(z).

    Each latent z is the tanh of the encoder's output, rounded to one of `values` evenly spaced
    values in [-1, 1], with a straight-through gradient. The second term is the multi-information of
    the latents of a batch by kernel densities. H_l is the Hessian penalty of hidden layer l of the
    decoder, normalised by the whole Hessian, by finite differences along random directions.

    The paper averages the likelihood over pixels. Here all terms are in nats per image, so both
    weights are multiplied by the number of pixels times channels. The default weights are those of
    Shapes3D; the paper has twice as many latents as factors. Each step decodes 1 + 4 `draws` times
    as many images as are in the batch, in one batch, always in single precision: second differences
    of 16-bit numbers are mostly rounding errors.

    The paper's ablations: without `quantised`, z is the encoder's output, without the tanh; a
    weight of 0 takes its term away; without `normalised`, H_l is the plain Hessian penalty.
    """

    about = "A quantised autoencoder whose latents do not depend or interact"
    display = "Tripod"
    min_batch = 2  # densities of a batch

    quantised: bool = knob(
        default=True, added=True, help="bound and round the latents; if not, the code is continuous"
    )
    values: int = knob(
        default=12, min=2, only_if=[("quantised", True)], help="number of values of each latent"
    )
    multi_information: float = knob(
        default=1e-4,
        min=0,
        help="weight of the multi-information of the latents, in a loss averaged over pixels",
    )
    hessian_penalty: float = knob(
        default=1e-2, min=0, help="weight of the Hessian penalty, in a loss averaged over pixels"
    )
    normalised: bool = knob(
        default=True, help="divide the Hessian penalty by the size of the whole Hessian"
    )
    standardised: bool = knob(
        default=False,
        help="standardise the encoder's outputs over the batch before the tanh; not in the paper, "
        "for networks without norm layers, whose tanh saturates",
    )
    draws: int = knob(default=2, min=2, help="random directions of each kind, per image and step")

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Make the networks; a decoder without activations to observe is refused."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        standardise = self.standardised
        self.norm = nn.BatchNorm1d(self.latents, affine=False) if standardise else nn.Identity()
        self.spread = None if self.quantised else Spread(self.latents)
        self.make_observation()
        with torch.no_grad():
            with_activations(self.decoder, torch.zeros(2, self.latents))
        self.pixels = int(torch.Size(image_shape).numel())

    def continuous(self, x: Tensor) -> Tensor:
        """Return the latents of images before quantisation, in (-1, 1) if they are quantised."""
        c: Tensor = self.norm(self.encoder(x).float())
        return c.tanh() if self.quantised else c

    def quantise(self, c: Tensor) -> Tensor:
        """Round latents c in [-1, 1] to their values, with the gradient of c."""
        return straight_through(c, finite_scalar(c, self.values)) if self.quantised else c

    def encode(self, x: Tensor) -> Code:
        """Return the code of images, with the gradient of the encoder's output."""
        return Code(self.quantise(self.continuous(x)), discrete=self.quantised)

    def page_encoder(self) -> tuple[nn.Module, ...]:
        """Return the encoder and the quantisation, for the page of a run."""
        if not self.quantised:
            return self.encoder, self.norm
        values = finite_scalar_values(self.values).repeat(self.latents, 1)
        return self.encoder, self.norm, nn.Tanh(), Nearest(values)

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss; the first decodes what the third needs."""
        c = self.continuous(batch.x)
        z = self.quantise(c)
        if self.spread is not None:
            self.spread.update(z)
        scale = c.std(0, correction=0) + 1e-6
        penalty = HessianPenalty(self.draws, normalised=self.normalised)
        with torch.autocast(z.device.type, enabled=False):
            points = torch.cat([z, penalty.probes(z, scale, batch.rng)])
            decoded, activations = with_activations(self.decoder, points)
            interaction = penalty(a[len(z) :] for a in activations).mean()
        nll = self.observation.nll(decoded[: len(z)], batch.x)
        information = kernel_multi_information(z, scale).mean()
        return {
            "reconstruction": nll.mean(),
            "multi-information": weighted(self.multi_information * self.pixels, information),
            "hessian-penalty": weighted(self.hessian_penalty * self.pixels, interaction),
        }

    def traversal(self, latent: int, n: int) -> Tensor:
        """Return the values of a latent in order, or `n` of them if there are more.

        Without quantisation: values up to three standard deviations from the mean of the latent.
        """
        if self.spread is not None:
            return self.spread.around(latent, n)
        values = finite_scalar_values(self.values)
        return values[torch.linspace(0, self.values - 1, min(n, self.values)).round().long()]
