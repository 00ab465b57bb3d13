"""What a metric reads: codes of images, and what the dataset knows of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.device import CHUNK
from disentangle._utils.seeds import numpy_rng
from disentangle.contracts import entry_points
from disentangle.contracts.dataset import Dataset, Index, Labelled, check_labels
from disentangle.contracts.views import LabelledSubset, Subset
from disentangle.errors import BrokenContract, Unavailable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

D_co = TypeVar("D_co", bound=Dataset, covariant=True)
"""So that a source of a grid is one of a labelled dataset too, which most of its methods take."""

Codes: TypeAlias = NDArray[np.float64]
"""Representations, [N, D]."""
BLOCK = 2**19
"""Numbers that are copied at once, 4 MiB."""
TABLE = 2**24
"""Numbers in the largest table of codes, 128 MiB."""


class Source(ABC, Generic[D_co]):
    """What a metric reads: the codes of images, and all that the dataset knows of these.

    Every image is encoded at most once for a checkpoint, whatever the metrics ask for.

    Attributes:
        dataset: the opened dataset; for bare arrays, one that has labels and no images.
        model: the trained model; None for a bare encoder or bare arrays.
        disjoint: whether no image may serve both to fit and to test.
        overlap: of the last `train_test`, the share of test images that are among those fitted on.
    """

    dataset: D_co
    model: Any = None
    disjoint: bool = False
    overlap: float | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    @abstractmethod
    def latents(self) -> int:
        """Return the number of latents, D."""

    @abstractmethod
    def codes(self, index: Index) -> Codes:
        """Return the codes of the images at `index`, [N, D]."""

    def lookup(self, *used: Index) -> Callable[[Index], Codes]:
        """Return what gives the codes of these images, fast: a table of them where it is small."""
        if len(self) * self.latents > TABLE:
            return self.codes
        wanted = np.zeros(len(self), bool)
        for index in used:
            wanted[index] = True
        table = np.empty((len(self), self.latents))
        for block in np.array_split(np.flatnonzero(wanted), 1 + table.size // BLOCK):
            table[block] = self.codes(block)
        return lambda index: table.take(index, axis=0)

    def image_batches(
        self, index: Index, device: "torch.device"
    ) -> "Iterator[tuple[slice, Tensor]]":
        """Yield the images at `index` [N], in batches that suit a device.

        With each batch comes its place in `index`, a slice. Images are float32 [n, C, H, W] in
        [0, 1] on the device.
        """
        from disentangle._utils.tensors import to_device

        size = CHUNK["cpu" if device.type == "cpu" else "other"]
        for start in range(0, len(index), size):
            part = slice(start, start + size)
            yield part, to_device(self.dataset.images(index[part]), device)

    @abstractmethod
    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D].

        Raises:
            Unavailable: the encoder gives codes without a posterior.
        """

    def fit_test(
        self, n: int, m: int, rng: np.random.Generator
    ) -> "tuple[Source[D_co], Source[D_co]]":
        """Return the sources of `n` points to fit on, and of `m` to test on.

        They are this source itself, as in the reference protocol; or where it is `disjoint`, parts
        of it that share no image, in the ratio n : m.
        """
        if not self.disjoint or not m:
            return self, self

        order = rng.permutation(len(self))
        cut = round(len(order) * n / (n + m))
        if not 0 < cut < len(order):
            raise Unavailable(f"{len(order)} images are too few to fit on some and test on others")
        return Part(self, np.sort(order[:cut])), Part(self, np.sort(order[cut:]))

    def train_test(
        self: "Source[Labelled]", n: int, m: int, rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return codes and labels of `n` points to fit on and `m` to test on: (z, y, z', y').

        A dataset draws both independently, as the reference protocol does; where the source is
        `disjoint`, no image comes twice, and fewer than asked for if there are not enough. Bare
        arrays give their own rows, each exactly once when there are no more than asked for.
        """
        fit, test = self.fit_test(n, m, rng)
        train, rest = fit.points(n, rng), test.points(m, rng)
        if m:
            self.overlap = float(np.isin(rest, train).mean()) if fit is test else 0.0
        return fit.codes(train), fit.labels(train), test.codes(rest), test.labels(rest)

    def points(self, n: int, rng: np.random.Generator) -> Index:
        """Return the indices of `n` images: as `draw`, or where it is `disjoint`, none twice."""
        if not self.disjoint:
            return self.draw(n, rng)
        return np.sort(rng.permutation(len(self))[:n])

    def draw(self, n: int, rng: np.random.Generator) -> Index:
        """Return the indices of `n` images, drawn uniformly and independently."""
        return rng.integers(0, len(self.dataset), n)

    @property
    def factors(self: "Source[Labelled]") -> dict[str, int]:
        """Return the scored factors: name -> number of values."""
        return self.dataset.factors

    def labels(self: "Source[Labelled]", index: Index) -> Index:
        """Return the labels of the scored factors at `index`, [N, K].

        Raises:
            BrokenContract: one is outside its factor.
        """
        labels = self.dataset.labels(index)
        try:
            check_labels(labels, self.dataset.factors)
        except ValueError as error:
            whose = entry_points.who("dataset", self.dataset.name)
            raise BrokenContract(f"{whose} cannot be scored: {error}") from None
        return labels

    def sharing(
        self: "Source[Labelled]", factor: str, index: Index, rng: np.random.Generator
    ) -> Index:
        """Return for each image another that shares its value of `factor`."""
        return self.dataset.sharing(factor, index, rng)


def part_of(dataset: Dataset, index: Index) -> Dataset:
    """Return some images of a dataset, without a record of the choice.

    The scored factors stay the same, those included that happen not to vary among these images.
    """
    if isinstance(dataset, Labelled):
        part = LabelledSubset(dataset, index, dataset.view_record, dataset.nuisance)
        part.nuisance = dataset.nuisance
        return part
    return Subset(dataset, index, dataset.view_record)


class Part(Source[Any]):
    """Some images of another source."""

    def __init__(self, base: Source[Any], index: Index) -> None:
        self.base, self.index, self.model = base, index, base.model
        self.disjoint = base.disjoint
        self.dataset = part_of(base.dataset, index)

    @property
    def latents(self) -> int:
        """Return the number of latents."""
        return self.base.latents

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self.base.codes(self.index[index])

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(self.index[index])


class Sampled(Source[Any]):
    """One z ~ q(z|x) for each image, always the same one, in place of the mean."""

    def __init__(self, base: Source[Any], seed: int) -> None:
        self.base, self.dataset, self.model = base, base.dataset, base.model
        self.disjoint = base.disjoint
        rng = numpy_rng(seed, "sampled codes")
        self._noise = rng.standard_normal((len(base), base.latents), dtype=np.float32)

    @property
    def latents(self) -> int:
        """Return the number of latents."""
        return self.base.latents

    def codes(self, index: Index) -> Codes:
        """Return a sample of q(z|x) at `index`, [N, D]."""
        mean, scale = self.posterior(index)
        return mean + scale * self._noise[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(index)
