"""The metric contract: scores of a source of codes and labels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Dataset
from disentangle.contracts.plugin import Plugin
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable

D = TypeVar("D", bound=Dataset)


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
