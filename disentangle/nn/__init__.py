"""The papers' networks, their layers, and the likelihoods of images."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
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

_HOMES = {
    "Bernoulli": "likelihoods",
    "Burgess": "networks",
    "ContinuousBernoulli": "likelihoods",
    "Conv": "networks",
    "Gaussian": "likelihoods",
    "HigginsConv": "networks",
    "HigginsFC": "networks",
    "LearnedGaussian": "likelihoods",
    "Likelihood": "likelihoods",
    "Locatello": "networks",
    "Network": "networks",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
