"""The metric contract: scores of a source of codes and labels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from disentangle.dataset import Dataset, Index, Labelled
from disentangle.plugin import Plugin

D = TypeVar("D", bound=Dataset)

Codes: TypeAlias = NDArray[np.float64]
"""Representations, [N, D]."""
Scores: TypeAlias = Mapping[str, float]


class Source(ABC, Generic[D]):
    """What a metric reads: the codes of images, and all that the dataset knows of these.

    Every image is encoded at most once for a checkpoint, whatever the metrics ask for.

    Attributes:
        dataset: the opened dataset; for bare arrays, one that has labels and no images.
        model: the trained model; None for a bare encoder or bare arrays.
    """

    dataset: D
    model: Any = None

    def __len__(self) -> int:
        return len(self.dataset)

    @abstractmethod
    def codes(self, index: Index) -> Codes:
        """Return the codes of the images at `index`, [N, D]."""

    @abstractmethod
    def posterior(self, index: Index) -> tuple[Codes, Codes]:
        """Return mean and scale of q(z|x) at `index`, each [N, D].

        Raises:
            Unavailable: the encoder gives codes without a posterior.
        """

    @abstractmethod
    def train_test(
        self: "Source[Labelled]", n: int, m: int, rng: np.random.Generator
    ) -> tuple[Codes, Index, Codes, Index]:
        """Return codes and labels of `n` points to fit on and `m` to test on: (z, y, z', y').

        A dataset draws both independently, as the reference protocol does. Bare arrays give their
        own rows, each exactly once when there are no more than asked for.
        """

    def draw(self, n: int, rng: np.random.Generator) -> Index:
        """Return the indices of `n` images, drawn uniformly and independently."""
        return rng.integers(0, len(self.dataset), n)

    @property
    def factors(self: "Source[Labelled]") -> dict[str, int]:
        """Return the scored factors: name -> number of values."""
        return self.dataset.factors

    def labels(self: "Source[Labelled]", index: Index) -> Index:
        """Return the labels of the scored factors at `index`, [N, K]."""
        return self.dataset.labels(index)

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Metric and isinstance(get_args(base)[0], type):
                cls.needs = get_args(base)[0]

    @abstractmethod
    def score(self, source: Source[D], rng: np.random.Generator) -> Scores:
        """Return the scores by name: the metric's own, or `metric/part` where it has several.

        Raises:
            Unavailable: the score is undefined here; the message says why.
        """
