"""The papers' networks and layers, likelihoods of images, and frozen networks as encoders."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.nn.activations import with_activations as with_activations
    from disentangle.nn.blocks import MostProbable as MostProbable
    from disentangle.nn.blocks import Nearest as Nearest
    from disentangle.nn.blocks import Residual as Residual
    from disentangle.nn.blocks import Spread as Spread
    from disentangle.nn.dalle import DALLE as DALLE
    from disentangle.nn.discriminators import Discriminator as Discriminator
    from disentangle.nn.discriminators import permute_latents as permute_latents
    from disentangle.nn.frozen import IMAGENET as IMAGENET
    from disentangle.nn.frozen import FrozenEncoder as FrozenEncoder
    from disentangle.nn.frozen import Preprocessing as Preprocessing
    from disentangle.nn.frozen import load_weights as load_weights
    from disentangle.nn.frozen import random_weights as random_weights
    from disentangle.nn.frozen import weights_digest as weights_digest
    from disentangle.nn.gumbel import gumbel_softmax as gumbel_softmax
    from disentangle.nn.hsu2024 import Hsu2024 as Hsu2024
    from disentangle.nn.likelihoods import Bernoulli as Bernoulli
    from disentangle.nn.likelihoods import ContinuousBernoulli as ContinuousBernoulli
    from disentangle.nn.likelihoods import Gaussian as Gaussian
    from disentangle.nn.likelihoods import LearnedGaussian as LearnedGaussian
    from disentangle.nn.likelihoods import Likelihood as Likelihood
    from disentangle.nn.networks import Burgess as Burgess
    from disentangle.nn.networks import Conv as Conv
    from disentangle.nn.networks import HigginsConv as HigginsConv
    from disentangle.nn.networks import HigginsFC as HigginsFC
    from disentangle.nn.networks import Locatello as Locatello
    from disentangle.nn.networks import Network as Network
    from disentangle.nn.networks import normal_weights as normal_weights
    from disentangle.nn.predictors import LatentPredictors as LatentPredictors
    from disentangle.nn.quantisers import finite_scalar as finite_scalar
    from disentangle.nn.quantisers import finite_scalar_values as finite_scalar_values
    from disentangle.nn.quantisers import nearest_values as nearest_values
    from disentangle.nn.quantisers import straight_through as straight_through

_HOMES = {
    "Bernoulli": "likelihoods",
    "Burgess": "networks",
    "ContinuousBernoulli": "likelihoods",
    "Conv": "networks",
    "DALLE": "dalle",
    "Discriminator": "discriminators",
    "FrozenEncoder": "frozen",
    "Gaussian": "likelihoods",
    "HigginsConv": "networks",
    "HigginsFC": "networks",
    "Hsu2024": "hsu2024",
    "IMAGENET": "frozen",
    "LatentPredictors": "predictors",
    "LearnedGaussian": "likelihoods",
    "Likelihood": "likelihoods",
    "Locatello": "networks",
    "MostProbable": "blocks",
    "Nearest": "blocks",
    "Network": "networks",
    "Preprocessing": "frozen",
    "Residual": "blocks",
    "Spread": "blocks",
    "finite_scalar": "quantisers",
    "finite_scalar_values": "quantisers",
    "gumbel_softmax": "gumbel",
    "load_weights": "frozen",
    "nearest_values": "quantisers",
    "normal_weights": "networks",
    "permute_latents": "discriminators",
    "random_weights": "frozen",
    "straight_through": "quantisers",
    "weights_digest": "frozen",
    "with_activations": "activations",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
