"""The evidence lower bound: Kingma & Welling (2014), https://arxiv.org/abs/1312.6114.

Active units: Burda et al. (2016), https://arxiv.org/abs/1509.00519.
"""

import math
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from disentangle import Codes, Dataset, Detail, Metric, Scores, Source, Unavailable, knob

ACTIVE = 0.01
"""The variance of a latent's mean above which it is an active unit (Burda et al. 2016)."""


def kl_of_latents(mean: Codes, scale: Codes) -> NDArray[np.float64]:
    """Return KL(N(mean, scale^2) || N(0, 1)) in nats, [N, D], of means and scales [N, D]."""
    if not (scale > 0).all():
        raise Unavailable("the KL is infinite: a posterior has standard deviation 0")
    kl: NDArray[np.float64] = 0.5 * (mean**2 + scale**2 - 2 * np.log(scale) - 1)
    return kl


class ELBO(Metric[Dataset]):
    """-E_q[log p(x|z)] + KL(q(z|x) || p(z)), the negative of equation 3, with one z per image.

    This is `elbo/total`, the sum of `elbo/reconstruction` and `elbo/kl`, in nats per image and
    without the likelihood's constant; less is better. It is the loss of a VAE, whatever loss the
    model was trained with. `elbo/bits-per-dimension` includes the constant. For a Gaussian
    likelihood it refers to the density of pixels in [0, 1]; add log2 255 for pixels in 0 to 255.
    """

    about = "The evidence lower bound, its terms, and active units"
    display = "ELBO"
    displays = MappingProxyType(
        {
            "elbo/total": "-ELBO",
            "elbo/reconstruction": "Distortion",
            "elbo/kl": "KL",
            "elbo/bits-per-dimension": "bits/dim",
            "elbo/active-units": "Active units",
        }
    )
    of_model = True
    roles = MappingProxyType({"elbo/kl": "rate", "elbo/reconstruction": "distortion"})
    better = MappingProxyType(
        {
            "elbo/total": "less",
            "elbo/reconstruction": "less",
            "elbo/kl": "neither",
            "elbo/bits-per-dimension": "less",
            "elbo/active-units": "neither",
        }
    )
    counts = frozenset({"elbo/active-units"})
    most_latents = 20_000
    seconds = 400.0
    growth = 0.0
    faster = "elbo:samples=10000"

    samples: int = knob(default=0, min=0, help="images to draw; 0 for all images")

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds: `seconds` are for all images of dSprites."""
        return self.seconds * (self.samples or images) / 737_280

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return the terms of the bound and the number of active latents. Details: KL by latent."""
        import torch

        from disentangle import Model

        model = source.model
        if not isinstance(model, Model):
            raise Unavailable("needs a model with a decoder; only codes are available")
        drawn = self.samples > 0
        some = "`--metric elbo:samples=10000` draws some"
        index = np.sort(source.points(self.samples, rng)) if drawn else source.every_image(some)
        centre, _ = source.posterior(index[:1])  # also moves the model to its device
        device = next(model.parameters()).device
        nll, sums = 0.0, np.zeros((3, source.latents))
        for part, x in source.image_batches(index, device):
            mean, scale = source.posterior(index[part])
            off = mean - centre
            sums += [x.sum(axis=0) for x in (kl_of_latents(mean, scale), off, off**2)]
            z = torch.from_numpy(mean + scale * rng.standard_normal(mean.shape))
            with torch.no_grad():
                likelihood = model.observation.nll(model.decode(z.float().to(device)), x)
            nll += float(likelihood.cpu().double().sum())
        kl, first, second = sums / len(index)
        reconstruction, total = nll / len(index), nll / len(index) + float(kl.sum())
        dimensions = math.prod(source.dataset.image_shape)
        bits = (total + model.observation.constant(dimensions)) / (dimensions * math.log(2))
        return {
            "elbo/total": total,
            "elbo/reconstruction": reconstruction,
            "elbo/kl": float(kl.sum()),
            "elbo/bits-per-dimension": bits,
            "elbo/active-units": float((second - first**2 > ACTIVE).sum()),
            "elbo/kl-of-latents": Detail(("latent",), kl, "KL from the prior, in nats per image"),
        }
