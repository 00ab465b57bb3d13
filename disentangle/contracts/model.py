"""The model contract: encode, decode, and the terms whose sum is the loss."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Generic, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from disentangle.contracts import entry_points
from disentangle.contracts.common_options import Common
from disentangle.contracts.dataset import Dataset, Index
from disentangle.nn import likelihoods

if TYPE_CHECKING:
    from disentangle.nn.networks import Network


@dataclass(frozen=True)
class Term:
    """A term of the loss and the quantity that it weighs; the log holds both."""

    loss: Tensor
    """The scalar that is added to the loss, in nats per image."""
    value: Tensor
    """The quantity itself, without a weight: a scalar."""
    name: str = ""
    """The name of the quantity, if it is not the term's."""


def weighted(weight: float | Tensor, value: Tensor) -> Term:
    """Multiply a quantity by its weight in the loss."""
    return Term(weight * value, value)


Terms: TypeAlias = Mapping[str, Tensor | Term]
"""The terms of a loss by name, each a `Term`, or a scalar in nats per image if it has no weight.

Their sum is the loss.
"""


ACTIVE = 0.01
"""A latent is active when Var_x[mean] exceeds this (Burda et al. 2016)."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The input of a model in one training step."""

    x: Tensor
    """Images, float32 [N, C, H, W] in [0, 1]."""
    step: int | Tensor
    """The index of the step, from 0; `steps` is the total.

    While `--compile` records a step on a GPU, an int64 scalar on the device: a loss may compute
    with it, but not branch on it.
    """
    steps: int
    dataset_size: int
    rng: torch.Generator
    """The source of noise, on the device of `x`."""
    pair: Tensor | None = None
    """A second image for each, for models that learn from pairs."""
    changed: Tensor | None = None
    """True where a scored factor differs within a pair, bool [N, K]; if `Model.reads_changed`."""
    labels: Tensor | None = None
    """The scored factors of the images of `pair`, float32 [N, K]; if `Model.labelled_images`.

    The first value of a factor is 0, the last of m values (m - 1) / m.
    """

    def risen(self, steps: int) -> float | Tensor:
        """Progress of a linear warm-up over the first `steps` steps, 0 to 1; 1 if `steps` is 0.

        It is a number, or a float32 scalar on the device if `step` is on the device.

        A model that warms up the weight of its KL term names the knob `kl_warmup`: the advice
        before training refers to it.
        """
        if not steps:
            return 1.0
        if isinstance(self.step, Tensor):
            return (self.step.double() / steps).clamp(max=1).float()
        return min(1.0, self.step / steps)


@dataclass(frozen=True)
class Code:
    """The output of an encoder: the latents of images."""

    mean: Tensor
    """[N, D]: the representation that metrics read. Given in blocks, [N, B, M], it is flattened."""
    discrete: bool = field(default=False, kw_only=True)
    blocks: tuple[int, int] | None = field(default=None, kw_only=True)
    """B blocks of M numbers each, such as tokens; they are scored by a reduction that is named."""
    exchangeable: bool = field(default=False, kw_only=True)
    """True if the order of the blocks means nothing, as of slots; such codes are not scored."""

    def __post_init__(self) -> None:
        """Flatten a mean in blocks."""
        if self.mean.ndim == 3:
            object.__setattr__(self, "blocks", tuple(self.mean.shape[1:]))
            object.__setattr__(self, "mean", self.mean.flatten(1))


@dataclass(frozen=True)
class Posterior(Code):
    """q(z|x) = N(mean, diag exp(log_variance)), against the prior p(z) = N(0, I)."""

    log_variance: Tensor

    def __post_init__(self) -> None:
        """Flatten mean and log-variance in blocks."""
        super().__post_init__()
        if self.log_variance.ndim == 3:
            object.__setattr__(self, "log_variance", self.log_variance.flatten(1))

    @property
    def scale(self) -> Tensor:
        """The standard deviations, [N, D]."""
        return (0.5 * self.log_variance).exp()

    def sample(self, rng: torch.Generator) -> Tensor:
        """Sample one z ~ q(z|x) per image, [N, D], differentiable in mean and scale."""
        noise = torch.randn(
            self.mean.shape, generator=rng, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + self.scale * noise

    def kl(self) -> Tensor:
        """Return KL(q(z_d|x) || p(z_d)) in nats, [N, D] (Kingma & Welling 2014, appendix B)."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - self.log_variance - 1)


C = TypeVar("C", bound=Code, default=Posterior)


class Model(Common, nn.Module, Generic[C]):
    """A latent-variable model of images. A subclass implements its paper's loss in `terms`.

    `Model` encodes to a Gaussian posterior. A model with another kind of code subclasses
    `Model[Code]` and implements its own `encode`.
    """

    needs: ClassVar[type[Dataset]] = Dataset
    """The class of dataset required for training."""
    supervision: ClassVar[str] = ""
    """How training uses labels, in words; empty for an unsupervised model."""
    fixed_kl_weight: ClassVar[float | None] = None
    """The weight of the KL term in nats per image where no hyper-parameter sets it: 1 in a VAE."""
    collapse_advice: ClassVar[str] = ""
    """What to try if no latent is active, for a model that a smaller KL weight may not help."""
    reads_changed: ClassVar[bool] = False
    """True if `terms` reads `Batch.changed`: the model is given which factors differ in a pair."""
    min_batch: ClassVar[int] = 1
    """The fewest images in a batch; more than 1 if the loss is a statistic of the batch."""

    def __post_init__(self) -> None:
        nn.Module.__init__(self)
        super().__post_init__()

    def build(self, image_shape: tuple[int, int, int]) -> None:
        """Create the modules for images of (channels, height, width); the core calls this once."""
        network = self.make_network()
        self.encoder = network.encoder(image_shape, 2 * self.latents)
        self.decoder = network.decoder(self.latents, image_shape)
        self.make_observation()

    def make_network(self) -> "Network":
        """Create the network named by the knob `network`; it makes the encoder and the decoder."""
        return entry_points.networks.load(self.network)()

    def make_observation(self) -> None:
        """Create the likelihood's parameter, if it has one: a log variance, initialised at 0.5."""
        if likelihoods.LIKELIHOODS[self.likelihood].learns_variance:
            self.log_variance = nn.Parameter(torch.tensor(0.5).log())

    def encode(self, x: Tensor) -> C:
        """Encode images [N, C, H, W] in [0, 1] as q(z|x): the encoder's mean and log variance."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return cast(C, Posterior(mean, log_variance))

    def decode(self, z: Tensor) -> Tensor:
        """Decode latents [N, D] to the parameters of the likelihood: one logit per pixel."""
        parameters: Tensor = self.decoder(z)
        return parameters.float()

    def page_encoder(self) -> Iterable[nn.Module]:
        """The modules that compute what `encode` does, in order, for the page of a run.

        The last returns the latents, [N, D], or mean and log variance of a posterior, [N, 2 D].
        """
        return (self.encoder,)

    def page_decoder(self) -> Iterable[nn.Module]:
        """The modules that compute what `decode` does, in order, for the page of a run."""
        return (self.decoder,)

    def reconstruction(self, x: Tensor, z: Tensor) -> Tensor:
        """Return -log p(x|z) in nats per image: summed over pixels, averaged over the batch."""
        return self.observation.nll(self.decode(z), x).mean()

    @property
    def observation(self) -> likelihoods.Likelihood:
        """The likelihood p(x|z)."""
        learnt: Tensor | None = getattr(self, "log_variance", None)
        return likelihoods.make(self.likelihood, self.variance, learnt)

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise `UsageError` if the model, with its settings, cannot be trained on a dataset.

        The core calls this before a run begins, on a model without networks. That the dataset is
        of the class `needs` has been checked.
        """

    def labelled_images(self) -> int:
        """The number of images of which the model is given the labels; 0 by default.

        The core draws that many images with the seed of the run, distinct ones unless factors are
        correlated. They take turns in `Batch.pair`, for which `pair` is then not called, and
        `Batch.labels` has their labels. The dataset must be `Labelled`.
        """
        return 0

    def pair(self, dataset: Dataset, index: Index, rng: np.random.Generator) -> Index | None:
        """Choose a second image for each image of a batch, for `Batch.pair`; None if not needed.

        `disentangle.data.draw_pairs` draws the pairs of published experiments. If `reads_changed`,
        the core also compares the labels of both images, for `Batch.changed`.
        """
        return None

    @abstractmethod
    def terms(self, batch: Batch) -> Terms | tuple[Terms, Terms]:
        """Compute the terms of the loss; an adversarial model also returns its opponent's terms."""

    def opponent(self) -> torch.optim.Optimizer | None:
        """Create the optimiser of the opponent's parameters; None for a model without opponent.

        The trainer updates these parameters with the second set of terms and all others with the
        first.
        """
        return None

    def undecayed(self) -> Iterable[nn.Parameter]:
        """The parameters that AdamW's weight decay leaves alone; none by default."""
        return ()

    def traversal(self, latent: int, n: int) -> Tensor:
        """The values for a traversal of this latent, in order, including both ends.

        Their number is `n`, or fewer if the latents are discrete with fewer values; it is the same
        for every latent.
        """
        return torch.linspace(-3, 3, n)
