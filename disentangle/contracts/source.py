"""A metric's input: codes of images, with their labels if the dataset has them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from disentangle._utils.device import CHUNK
from disentangle._utils.seeds import numpy_rng
from disentangle.contracts import entry_points
from disentangle.contracts.dataset import Dataset, Index, Labelled, check_labels
from disentangle.contracts.hold_out import held_out
from disentangle.contracts.views import LabelledSubset, Subset
from disentangle.errors import BrokenContract, Unavailable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

D_co = TypeVar("D_co", bound=Dataset, covariant=True)
"""Covariant, so that a source of a grid is also a source of a labelled dataset."""

Codes: TypeAlias = NDArray[np.float64]
"""Representations, [N, D]."""
Values: TypeAlias = NDArray[np.float64]
"""The factors' values as numbers, [N, K]."""
BLOCK = 2**19
"""Numbers copied at once: 4 MiB."""
TABLE = 2**24
"""Maximum numbers in a table of codes: 128 MiB."""


class Source(ABC, Generic[D_co]):
    """A metric's input: codes of images together with their labels.

    Each image is encoded at most once per checkpoint, for all metrics together.

    Attributes:
        dataset: the opened dataset; for bare arrays, a dataset with labels but no images.
        model: the trained model; None for a bare encoder or bare arrays.
        disjoint: True if no image may be used both to fit and to test.
        overlap: the share of test images of the last `train_test` that were also fitted on.
        drawn: the number of points of the last draw, in the smaller set if there are two.
        reducible: True if `--reduce` can replace the codes by their principal components.
    """

    dataset: D_co
    model: Any = None
    disjoint: bool = False
    overlap: float | None = None
    drawn: int | None = None
    reducible: bool = False

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    @abstractmethod
    def latents(self) -> int:
        """The number of latents, D."""

    @property
    def discrete(self) -> bool:
        """True if each latent takes a few values that are labels: only which one it is counts."""
        return False

    @abstractmethod
    def codes(self, index: Index) -> Codes:
        """Return the codes of the images at `index`, [N, D]."""

    def lookup(self, *used: Index) -> Callable[[Index], Codes]:
        """Return a fast function from indices to codes, for `used` images: a table if it fits."""
        if len(self) * self.latents > TABLE:
            return self.codes
        in_use = np.zeros(len(self), bool)
        for index in used:
            in_use[index] = True
        table = np.empty((len(self), self.latents))
        for block in np.array_split(np.flatnonzero(in_use), 1 + table.size // BLOCK):
            table[block] = self.codes(block)
        return lambda index: table.take(index, axis=0)

    def image_batches(
        self, index: Index, device: "torch.device"
    ) -> "Iterator[tuple[slice, Tensor]]":
        """Yield the images at `index` [N] in batches of a suitable size for the device.

        Each batch comes with its slice of `index`. Images are float32 [n, C, H, W] in [0, 1], on
        the device.
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
            Unavailable: the encoder has no posterior.
        """

    def relabelled(
        self: "Source[Labelled]", view: Callable[[Labelled], Labelled]
    ) -> "Source[Labelled]":
        """Return the same codes with the labels of a view of all images of the dataset."""
        return Relabelled(self, view(self.dataset))

    def fit_test(
        self, n: int, m: int, rng: np.random.Generator, *, distinct: bool = False
    ) -> "tuple[Source[D_co], Source[D_co]]":
        """Return the sources from which to draw `n` points to fit on and `m` to test on.

        Both are this source itself, as in the reference protocol. If the source is `disjoint`, or
        if `distinct`, they are parts of it without common images, in the ratio n : m.
        """
        if not (self.disjoint or distinct) or not m:
            return self, self

        order = rng.permutation(len(self))
        cut = round(len(order) * n / (n + m))
        if not 0 < cut < len(order):
            raise Unavailable(f"{len(order)} images are too few to split into fit and test")
        return Part(self, np.sort(order[:cut])), Part(self, np.sort(order[cut:]))

    def held_out_parts(self) -> "tuple[Source[D_co], Source[D_co]]":
        """Return the images to train on and the held-out ones, as parts of a source of both.

        Raises:
            Unavailable: the source is not of both parts of a hold-out, or of a dataset's splits.
        """
        view, splits = self.dataset.view_record, self.dataset.splits
        specs, seed = view.get("hold_out"), view.get("hold_out_seed", 0)
        if isinstance(specs, tuple) and view.get("split") == "all":
            splits = held_out(self.dataset.whole, specs, int(str(seed)))
        if not {"train", "test"} <= splits.keys():
            raise Unavailable(
                "needs both parts of a hold-out: train with `--hold-out`, score with `--split all`"
            )
        return Part(self, splits["train"]), Part(self, splits["test"])

    def train_test(
        self: "Source[Labelled]",
        n: int,
        m: int,
        rng: np.random.Generator,
        *,
        distinct: bool = False,
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return codes and labels of `n` points to fit on and `m` to test on: (z, y, z', y').

        Both sets are drawn independently, as in the reference protocol. If the source is
        `disjoint`, or if `distinct`, no image is drawn twice, and the sets may be smaller than `n`
        and `m`. For bare arrays, each row is used exactly once if there are no more rows than
        requested.

        Args:
            n: number of points to fit on.
            m: number of points to test on.
            rng: draws the images.
            distinct: draw no image twice under any protocol, for an estimate that repeats would
                bias, such as one by nearest neighbours.
        """
        fit, test = self.fit_test(n, m, rng, distinct=distinct)
        train, rest = (
            part.points(count, rng, distinct=distinct) for part, count in ((fit, n), (test, m))
        )
        self.drawn = min(len(train), len(rest)) if m else len(train)
        if m:
            self.overlap = float(np.isin(rest, train).mean()) if fit is test else 0.0
        return fit.codes(train), fit.labels(train), test.codes(rest), test.labels(rest)

    def codes_and_values(
        self: "Source[Labelled]", n: int, rng: np.random.Generator
    ) -> tuple[Codes, Values]:
        """Return codes and values of the same `n` points as `train_test(n, 0, rng)`.

        This is for metrics that use the factors' order or distances, such as correlations.
        """
        index = self.points(n, rng)
        self.drawn = len(index)
        return self.codes(index), self.values(index)

    def points(self, n: int, rng: np.random.Generator, *, distinct: bool = False) -> Index:
        """Return the indices of `n` images: as `draw`, or without repetition.

        No image is repeated if the source is `disjoint`, or if `distinct`. If factors are
        correlated, images are drawn by their chances; see `Dataset.draw_distinct`.
        """
        if not (self.disjoint or distinct):
            return self.draw(n, rng)
        return self.dataset.draw_distinct(n, rng)

    def draw(self, n: int, rng: np.random.Generator) -> Index:
        """Draw the indices of `n` images independently: uniformly, or by their chances."""
        return self.dataset.draw(n, rng)

    def every_image(self, instead: str = "") -> Index:
        """Return the indices of all images, for a metric in which each counts once.

        Args:
            instead: what the user can do if factors are correlated, for the message.

        Raises:
            Unavailable: factors are correlated, so images do not count alike.
        """
        if self.dataset.correlation:
            reason = "it takes all images alike, but they are drawn by correlated factors"
            raise Unavailable("; ".join(filter(None, [reason, instead])))
        return np.arange(len(self))

    @property
    def factors(self: "Source[Labelled]") -> dict[str, int]:
        """The scored factors: name -> number of values."""
        return self.dataset.factors

    def labels(self: "Source[Labelled]", index: Index) -> Index:
        """Return the labels of the scored factors at `index`, [N, K].

        Raises:
            BrokenContract: a label is outside its factor.
        """
        labels = self.dataset.labels(index)
        try:
            check_labels(labels, self.dataset.factors)
        except ValueError as error:
            dataset = entry_points.who("dataset", self.dataset.name)
            raise BrokenContract(f"{dataset} cannot be scored: {error}") from None
        return labels

    def values(self: "Source[Labelled]", index: Index) -> Values:
        """Return the values of the scored factors at `index` as numbers, [N, K].

        These are the dataset's `numbers`, or for a factor without any its labels.
        """
        return self.values_of(self.labels(index))

    def values_of(self: "Source[Labelled]", labels: Index) -> Values:
        """Return the values of the scored factors with these labels [N, K] as numbers, [N, K]."""
        values = labels.astype(np.float64)
        for k, name in enumerate(self.dataset.factors):
            if name in self.dataset.numbers:
                table = np.asarray(self.dataset.numbers[name], np.float64)
                values[:, k] = table[values[:, k].astype(np.int64)]
        return values

    def sharing(
        self: "Source[Labelled]", factor: str, index: Index, rng: np.random.Generator
    ) -> Index:
        """Draw for each image another image with the same value of `factor`."""
        return self.dataset.sharing(factor, index, rng)


def part_of(dataset: Dataset, index: Index) -> Dataset:
    """Return some images of a dataset, without recording this in the view.

    The scored factors stay the same, even if some do not vary among these images.
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
        """The number of latents."""
        return self.base.latents

    @property
    def discrete(self) -> bool:
        """True if the codes are discrete."""
        return self.base.discrete

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self.base.codes(self.index[index])

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(self.index[index])


class Relabelled(Source[Any]):
    """The codes of another source, with other labels of its images."""

    def __init__(self, base: Source[Any], dataset: Labelled) -> None:
        self.base, self.dataset, self.model = base, dataset, base.model
        self.disjoint = base.disjoint

    @property
    def latents(self) -> int:
        """The number of latents."""
        return self.base.latents

    @property
    def discrete(self) -> bool:
        """True if the codes are discrete."""
        return self.base.discrete

    def codes(self, index: Index) -> Codes:
        """Return the codes at `index`, [N, D]."""
        return self.base.codes(index)

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(index)


class Sampled(Source[Any]):
    """One sample z ~ q(z|x) for each image instead of the mean, always the same one."""

    def __init__(self, base: Source[Any], seed: int) -> None:
        self.base, self.dataset, self.model = base, base.dataset, base.model
        self.disjoint = base.disjoint
        base.posterior(np.arange(1))  # raises Unavailable before the noise takes memory
        rng = numpy_rng(seed, "sampled codes")
        self._noise = rng.standard_normal((len(base), base.latents), dtype=np.float32)

    @property
    def latents(self) -> int:
        """The number of latents."""
        return self.base.latents

    def codes(self, index: Index) -> Codes:
        """Return a sample of q(z|x) at `index`, [N, D]."""
        mean, scale = self.posterior(index)
        return mean + scale * self._noise[index]

    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D]."""
        return self.base.posterior(index)
