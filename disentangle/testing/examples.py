"""Examples to test plugins on: a grid of noise images, a plain model, and known codes."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from disentangle._utils.seeds import initialising, numpy_rng, torch_rng
from disentangle.contracts.dataset import Grid, Index
from disentangle.contracts.model import Batch, Model, Terms
from disentangle.contracts.source import Codes, Source
from disentangle.errors import Unavailable

Kind: TypeAlias = Literal["oracle", "noise", "constant"]


class Speckle(Grid):
    """A grid of different noise images."""

    name = source = "speckle"

    def __init__(
        self,
        axes: Mapping[str, int],
        nuisance: tuple[str, ...] = (),
        image_shape: tuple[int, int, int] = (1, 32, 32),
    ) -> None:
        super().__init__(axes, nuisance)
        self.image_shape = image_shape
        self.fingerprint = hashlib.sha256(repr((axes, image_shape)).encode()).hexdigest()
        rng = torch_rng(0, "speckle")
        size = (len(self), *image_shape)
        self._images = torch.randint(0, 256, size, generator=rng, dtype=torch.uint8)

    def images(self, index: ArrayLike) -> Tensor:
        """Return the images at `index`, uint8 [N, C, H, W]."""
        return self._images[torch.from_numpy(self._index(index))]


class Plain(Model):
    """-E_q[log p(x|z)] + KL(q(z|x) || p(z))."""

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the loss."""
        q = self.encode(batch.x)
        reconstruction = self.reconstruction(batch.x, q.sample(batch.rng))
        return {"reconstruction": reconstruction, "kl": q.kl().sum(1).mean()}


@functools.cache
def labelled(factors: tuple[int, ...]) -> Speckle:
    """Return a grid with scored factors of these sizes and ten images per combination."""
    axes = {f"factor {k + 1}": size for k, size in enumerate(factors)}
    return Speckle({**axes, "instance": 10}, ("instance",))


@functools.cache
def plain(latents: int) -> Model:
    """Return an untrained model, for metrics that evaluate a model."""
    model = Plain(latents=latents)
    with initialising(0):
        model.build((1, 32, 32))
    return model.requires_grad_(False).eval()


class SyntheticCodes(Source[Any]):
    """Codes of a grid: factors with a little noise plus a noise latent, only noise, or constant.

    Attributes:
        given: every array that was returned, with a copy of its original content.
    """

    disjoint = True  # otherwise noise could be memorised

    def __init__(
        self,
        kind: Kind,
        order: tuple[int, ...] = (0, 1, 2, 3),
        factors: tuple[int, ...] = (3, 4, 5),
        whole: bool = True,
    ) -> None:
        self.dataset = labelled(factors)
        rng = numpy_rng(0, "codes")
        v = self.dataset.labels(np.arange(len(self.dataset)))
        z = rng.standard_normal((len(v), len(factors) + 1))
        if kind == "oracle":
            z[:, :-1] = v + 0.01 * z[:, :-1]
        if kind == "constant":
            z[:] = 0.5
        self._codes = np.ascontiguousarray(z[:, order])
        self.model = plain(len(order)) if whole else None
        self.given: list[tuple[Any, Any]] = []

    @property
    def latents(self) -> int:
        """The number of latents."""
        return int(self._codes.shape[1])

    def hand(self, array: Any) -> Any:
        """Return an array and keep a copy of it."""
        self.given.append((array, array.copy()))
        return array

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        codes: Codes = self.hand(self._codes[index])
        return codes

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return the codes as means and a scale of 0.1, each [N, D]."""
        if self.model is None:
            raise Unavailable("these codes have no posterior")
        mean = self.codes(index)
        return mean, self.hand(np.full(mean.shape, 0.1))

    def labels(self, index: Index) -> Index:
        """Return the labels of the scored factors at `index`, [N, K]."""
        labels: Index = self.hand(self.dataset.labels(index))
        return labels
