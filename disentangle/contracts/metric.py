"""The metric contract: scores of a source of codes and labels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Dataset
from disentangle.contracts.plugin import Condition, Plugin, knob
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable

D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True)
class Detail:
    """Numbers behind a score, for display: one per latent, per factor, or per pair of both.

    Attributes:
        axes: the meaning of each axis of `values`: latents or scored factors.
        values: [D], [K] or [D, K]; NaN if undefined.
        about: what a value is, with its unit or range, such as "mutual information, in nats".
    """

    axes: tuple[Literal["latent", "factor"], ...]
    values: NDArray[Any]
    about: str = ""


Direction: TypeAlias = Literal["more", "less", "neither"]
"""The better direction of a score."""
Property: TypeAlias = Literal["disentanglement", "completeness", "informativeness"]
"""What a score measures of a code (Eastwood & Williams 2018; also modularity, compactness and
explicitness): each latent informs about one factor, each factor is in one latent, and the factors
can be read from the code."""
PROPERTIES: tuple[Property, ...] = get_args(Property)
Role: TypeAlias = Literal["rate", "distortion"]
"""A score's role: nats per image of the code (rate), or of an image given its code (distortion)."""
Scores: TypeAlias = Mapping[str, float | Unavailable | Detail]
"""Scores by name, or the reason why one is undefined; and details by name."""


RealFactors: TypeAlias = Literal["", "bins", "quantiles", "numbers"]
"""How a metric takes factors of real numbers: not at all, in bins of equal width or equal count, or
as the numbers."""


class Metric(Plugin, ABC, Generic[D]):
    """A metric of codes. `Metric[Labelled]` needs a labelled dataset, `Metric[Grid]` a grid."""

    needs: ClassVar[type[Dataset]] = Dataset
    by_default: ClassVar[bool] = False
    """True if `disentangle score` computes it when no metric is named."""
    by_default_if_dependent: ClassVar[bool] = False
    """The same for datasets whose factors depend on one another, or are all binary attributes."""
    assumes_independence: ClassVar[bool] = False
    """True if it is meaningful only for factors that are independent of one another."""
    of_model: ClassVar[bool] = False
    """True if it evaluates the model itself, so that every representation has the same score."""
    real_factors: ClassVar[RealFactors] = ""
    """How it takes factors of real numbers, such as continuous ones. `bins`: their labels are bins
    of equal width, as many as its hyper-parameter `factor_bins`, declared by `factor_bins()`.
    `quantiles`: the same with bins of equally many images, for metrics that need images of each
    value. `numbers`: it reads `Source.values`, as their labels are only ranks. Otherwise its scores
    of such factors are n/a."""
    by_default_if_real: ClassVar[bool] = False
    """True if `disentangle score` also computes it if a factor has real numbers."""
    ordered: ClassVar[bool] = False
    """True if it depends on the order of the latents."""
    displays: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Score -> its name as papers write it, if not that of the metric; a literal, as `display`. A
    score that `better` or `claims` names, but only other hyper-parameters give, must be in it."""
    better: ClassVar[Mapping[str, Direction]] = MappingProxyType({})
    """Score -> its better direction, if not "more"."""
    counts: ClassVar[frozenset[str]] = frozenset()
    """Scores that are counts, such as a number of latents."""
    roles: ClassVar[Mapping[str, Role]] = MappingProxyType({})
    """Score -> its role in a figure of rate and distortion."""
    claims: ClassVar[Mapping[str, tuple[Property, ...]]] = MappingProxyType({})
    """Score -> the properties that it claims to measure, which `disentangle audit` checks; other
    scores of the metric claim none [default: the property that a score's name ends with, else
    disentanglement; none if no labels are needed]."""
    limitations: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Case of the audit -> why the metric fails it by its definition; the checks for authors leave
    it out, and `disentangle audit` shows the reason."""
    most_latents: ClassVar[int] = 512
    """With more latents than this the score is n/a, as it would take too long."""
    seconds: ClassVar[float] = 1.0
    """Duration with default knobs, ten latents, five factors, given codes and two cores."""
    growth: ClassVar[float] = 1.0
    """The duration grows as this power of the number of latents, from ten on."""
    faster: ClassVar[str] = ""
    """The metric with knobs that estimate the same scores in less time, such as `mig:samples=99`;
    shown to users who are about to wait."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Metric and isinstance(get_args(base)[0], type):
                cls.needs = get_args(base)[0]

    def reads_real_factors(self) -> RealFactors:
        """How it takes factors of real numbers with its hyper-parameters."""
        return self.real_factors

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds that the scores of this many images take, as for `seconds`."""
        return self.seconds

    def seconds_with(self, images: int, latents: int) -> float:
        """Estimate the seconds for codes of this many latents; 0 if there are too many to score."""
        if latents > self.most_latents:
            return 0.0
        longer: float = max(1.0, latents / 10) ** self.growth
        return self.seconds_for(images) * longer

    def resolve(self, source: Source[D]) -> Mapping[str, bool | int | float | str]:
        """Return the knobs whose values depend on the codes, with the values used for this source.

        They are recorded with the scores, so that scores of different treatments of the codes are
        in different columns. A value that is not returned counts as the default.
        """
        return {}

    @abstractmethod
    def score(self, source: Source[D], rng: np.random.Generator) -> Scores:
        """Return the scores by name: the metric's name, or `metric/part` if there are several.

        An undefined part is an `Unavailable` with the reason. A `Detail` is not a score, but holds
        the numbers behind one.

        Raises:
            Unavailable: the score is undefined for this source; the message is the reason.
        """


def factor_bins(
    default: int = 20,
    *,
    equal: Literal["width", "count"] = "width",
    only_if: Sequence[Condition] = (),
) -> int:
    """Declare the hyper-parameter `factor_bins` of a metric that bins factors of real numbers.

    Args:
        default: the default number of bins.
        equal: `width` for a metric of `bins`, `count` for one of `quantiles`.
        only_if: conditions under which it bins; see `knob`.
    """
    return knob(
        default=default,
        min=2,
        added=True,
        only_if=only_if,
        help=f"equal-{equal} bins of each factor of real numbers",
    )
