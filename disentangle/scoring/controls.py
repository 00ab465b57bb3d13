"""Baselines: codes that were not learnt, such as the factors themselves, noise, PCA and ICA.

Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl, compare with the ground truth, raw
pixels, PCA, ICA and an untrained network.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.callbacks import Progress
from disentangle._utils.seeds import initialising, numpy_rng
from disentangle.contracts.dataset import Dataset, Index, Labelled
from disentangle.contracts.source import Codes, Source, part_of
from disentangle.contracts.vectors import encoder_inputs, has_vectors
from disentangle.errors import Unavailable, UsageError

LATENTS = 10
SAMPLE = 10_000
"""Number of images that raw pixels are scored on; the maximum that PCA and ICA are fitted on."""
BYTES = 2**28
"""Maximum size, as floats, of the images that PCA and ICA are fitted on."""


class LabelSource(Source[Labelled]):
    """Codes that are a linear function of the standardised factors."""

    def __init__(self, dataset: Labelled, turn: NDArray[np.float64], disjoint: bool) -> None:
        self.dataset, self.turn, self.disjoint = dataset, turn, disjoint
        sizes = np.array(list(dataset.factors.values()), np.float64)
        self.middle, self.scale = (sizes - 1) / 2, np.sqrt((sizes**2 - 1) / 12)
        for k, name in enumerate(dataset.factors):
            if name in dataset.numbers:
                self.middle[k] = np.mean(dataset.numbers[name])
                self.scale[k] = np.std(dataset.numbers[name])

    @property
    def latents(self) -> int:
        """The number of scored factors."""
        return len(self.turn)

    def codes(self, index: Index) -> Codes:
        """The transformed factors at `index`, [N, K]."""
        codes: Codes = (self.values(index) - self.middle) / self.scale @ self.turn
        return codes

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Raise `Unavailable`: factors have no posterior."""
        raise Unavailable("the factors have no posterior")


class TableSource(Source[Any]):
    """Codes from a table with one row per image."""

    def __init__(self, dataset: Dataset, table: NDArray[Any], disjoint: bool) -> None:
        self.dataset, self.table, self.disjoint = dataset, table, disjoint

    @property
    def latents(self) -> int:
        """The number of columns."""
        return int(np.prod(self.table.shape[1:]))

    def codes(self, index: Index) -> Codes:
        """The rows at `index`, [N, D]."""
        rows = self.table[index].reshape(len(index), self.latents).astype(np.float64)
        return rows / 255 if self.table.dtype == np.uint8 else rows

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Raise `Unavailable`: a table has no posterior."""
        raise Unavailable("these codes have no posterior")


@dataclass(frozen=True)
class BaselineContext:
    """The inputs of a baseline."""

    dataset: Dataset
    seed: int
    device: Any
    progress: Progress
    disjoint: bool


def oracle(at: BaselineContext) -> Source[Any]:
    """The factors themselves."""
    data = labelled(at.dataset)
    return LabelSource(data, np.eye(len(data.factors)), at.disjoint)


def rotation(at: BaselineContext) -> Source[Any]:
    """The factors under a random rotation: complete information, not disentangled."""
    data = labelled(at.dataset)
    rng = numpy_rng(at.seed, "rotation")
    q, r = np.linalg.qr(rng.normal(size=(len(data.factors), len(data.factors))))
    return LabelSource(data, q * np.sign(np.diag(r)), at.disjoint)


def noise(at: BaselineContext) -> Source[Any]:
    """Ten latents of Gaussian noise, independent of the image."""
    rng = numpy_rng(at.seed, "noise")
    table = rng.standard_normal((len(at.dataset), LATENTS), dtype=np.float32)
    return TableSource(at.dataset, table, at.disjoint)


def pixels(at: BaselineContext) -> Source[Any]:
    """The pixels of a sample of 10,000 images, each pixel a latent; of vectors, their numbers."""
    index = np.sort(numpy_rng(at.seed, "pixels").permutation(len(at.dataset))[:SAMPLE])
    inputs = encoder_inputs(at.dataset, index).numpy()
    return TableSource(part_of(at.dataset, index), inputs, at.disjoint)


def pca(at: BaselineContext) -> Source[Any]:
    """The ten principal components with the largest variance."""
    mean, components, _ = principal(at)
    return projected(at, mean, components)


def ica(at: BaselineContext) -> Source[Any]:
    """Ten independent components: FastICA applied to the principal components."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    mean, components, codes = principal(at)
    fitted = FastICA(whiten="unit-variance", max_iter=1000, random_state=at.seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(codes)
    return projected(at, mean, components @ fitted.components_.T)


def untrained(at: BaselineContext) -> Source[Any]:
    """The ten means of the untrained network `conv`."""
    from disentangle.nn.networks import Conv

    if has_vectors(at.dataset):
        raise Unavailable(f"the network conv takes images, and {at.dataset.name} has vectors")
    try:
        with initialising(at.seed):
            encoder = Conv().encoder(at.dataset.image_shape, 2 * LATENTS).eval().to(at.device)
    except UsageError as error:  # the network does not support this image size
        raise Unavailable(str(error)) from error
    return function_source(at, lambda x: encoder(x)[:, :LATENTS])


CONTROLS: dict[str, Callable[[BaselineContext], Source[Any]]] = {
    "oracle": oracle,
    "rotation": rotation,
    "pca": pca,
    "ica": ica,
    "untrained": untrained,
    "pixels": pixels,
    "noise": noise,
}


def labelled(dataset: Dataset) -> Labelled:
    """The dataset, if it has labels; raise `Unavailable` otherwise."""
    if not isinstance(dataset, Labelled):
        raise Unavailable(f"{dataset.name} has no labels, so there are no factors to use as codes")
    return dataset


def principal(at: BaselineContext) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Fit PCA to a sample of images: mean [P], components [P, 10] and their codes [N, 10].

    Vectors with fewer than 10 numbers have as many components as numbers.
    """
    from sklearn.decomposition import PCA

    size = int(np.prod(at.dataset.image_shape))
    count = min(SAMPLE, BYTES // (4 * size), len(at.dataset))
    index = np.sort(numpy_rng(at.seed, "pca").permutation(len(at.dataset))[:count])
    inputs = encoder_inputs(at.dataset, index)
    x = inputs.contiguous().numpy().reshape(count, -1).astype(np.float32)
    x /= 255 if inputs.ndim > 2 else 1
    latents = LATENTS if inputs.ndim > 2 else min(LATENTS, size)
    if min(x.shape) < latents:
        raise Unavailable(f"{count} images of {size} pixels are too few for {latents} components")
    fitted = PCA(latents, svd_solver="randomized", random_state=at.seed % 2**32).fit(x)
    return fitted.mean_, fitted.components_.T, fitted.transform(x)


def projected(at: BaselineContext, mean: NDArray[Any], components: NDArray[Any]) -> Source[Any]:
    """The codes (x - mean) @ components; each image is projected once."""
    import torch

    centre, matrix = (
        torch.from_numpy(np.ascontiguousarray(a, np.float32)).to(at.device)
        for a in (mean, components)
    )
    return function_source(at, lambda x: (x.contiguous().flatten(1) - centre) @ matrix)


def function_source(at: BaselineContext, function: Callable[[Any], Any]) -> Source[Any]:
    """The codes computed by a function of images."""
    from disentangle.scoring.encoders import FunctionSource

    return FunctionSource(
        function, at.dataset, device=at.device, progress=at.progress, disjoint=at.disjoint
    )
