"""The metric contract: scores of a source of codes and labels."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from disentangle import registry
from disentangle.dataset import Dataset, Index, Labelled, check_labels
from disentangle.errors import BrokenContract, Unavailable
from disentangle.plugin import Plugin

D = TypeVar("D", bound=Dataset)
D_co = TypeVar("D_co", bound=Dataset, covariant=True)
"""So that a source of a grid is one of a labelled dataset too, which most of its methods take."""

Codes: TypeAlias = NDArray[np.float64]
"""Representations, [N, D]."""
BLOCK = 2**19
"""Numbers that are copied at once, 4 MiB."""
TABLE = 2**24
"""Numbers in the largest table of codes, 128 MiB."""


@dataclass(frozen=True)
class Detail:
    """Numbers behind a score, for people and for figures: along latents, factors, or both.

    Attributes:
        axes: what each axis of `values` counts: scored factors, latents.
        values: [D], [K] or [D, K]; NaN where one is undefined.
    """

    axes: tuple[Literal["latent", "factor"], ...]
    values: NDArray[Any]


Direction: TypeAlias = Literal["more", "less", "neither"]
"""Of a score: which is better."""
Role: TypeAlias = Literal["rate", "distortion"]
"""Of a score: nats per image that the code takes, or that an image takes given the code."""
Scores: TypeAlias = Mapping[str, float | Unavailable | Detail]
"""Scores by name, or why there is none; and details by name."""


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
        from disentangle.sources import Part

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
            whose = registry.who("dataset", self.dataset.name)
            raise BrokenContract(f"{whose} cannot be scored: {error}") from None
        return labels

    def sharing(
        self: "Source[Labelled]", factor: str, index: Index, rng: np.random.Generator
    ) -> Index:
        """Return for each image another that shares its value of `factor`."""
        return self.dataset.sharing(factor, index, rng)


class Metric(Plugin, ABC, Generic[D]):
    """A metric of codes. `Metric[Labelled]` says that it needs a labelled dataset, and so on."""

    needs: ClassVar[type[Dataset]] = Dataset
    by_default: ClassVar[bool] = False
    """Whether `score` runs it when no metric is named."""
    assumes_independence: ClassVar[bool] = False
    """Whether it means what it says only where the factors are independent of one another."""
    of_model: ClassVar[bool] = False
    """Whether it reads the model itself, so that it is the same for every representation."""
    ordered: ClassVar[bool] = False
    """Whether the order of latents matters to it."""
    better: ClassVar[Mapping[str, Direction]] = MappingProxyType({})
    """By score, where it is not that more is better."""
    roles: ClassVar[Mapping[str, Role]] = MappingProxyType({})
    """By score, what a figure of rate and distortion takes it for."""
    most_latents: ClassVar[int] = 512
    """With more latents than this it says n/a, for it would take too long."""
    seconds: ClassVar[float] = 1.0
    """What it takes at its defaults with ten latents and five factors, codes at hand, two cores."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Metric and isinstance(get_args(base)[0], type):
                cls.needs = get_args(base)[0]

    @abstractmethod
    def score(self, source: Source[D], rng: np.random.Generator) -> Scores:
        """Return the scores by name: the metric's own, or `metric/part` where it has several.

        A part that is undefined here is an `Unavailable` that says why. A `Detail` among them is no
        score: it says what is behind one.

        Raises:
            Unavailable: the score is undefined here; the message says why.
        """
