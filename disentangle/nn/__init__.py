"""The papers' networks and layers, likelihoods of images, and frozen networks as encoders."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.nn.blocks import MostProbable as MostProbable
    from disentangle.nn.blocks import Nearest as Nearest
    from disentangle.nn.blocks import Residual as Residual
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
    "IMAGENET": "frozen",
    "LearnedGaussian": "likelihoods",
    "Likelihood": "likelihoods",
    "Locatello": "networks",
    "MostProbable": "blocks",
    "Nearest": "blocks",
    "Network": "networks",
    "Preprocessing": "frozen",
    "Residual": "blocks",
    "gumbel_softmax": "gumbel",
    "load_weights": "frozen",
    "normal_weights": "networks",
    "permute_latents": "discriminators",
    "random_weights": "frozen",
    "weights_digest": "frozen",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
