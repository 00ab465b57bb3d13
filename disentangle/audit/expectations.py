"""What must hold of each property for each case, and why: the thresholds of the audit, as a table.

A score's *level* is its value on the scale from noise (0) to the oracle (1), both on the small
grid: so one threshold serves metrics of different scales. The thresholds are wide: they ask whether
a metric sees a difference at all, not how well it measures it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from disentangle.contracts.metric import PROPERTIES, Property

Kind: TypeAlias = Literal[
    "value at least", "value at most", "level at least", "level at most", "falls", "steady", "same"
]
DISENTANGLEMENT: tuple[Property, ...] = ("disentanglement",)
COMPLETENESS: tuple[Property, ...] = ("completeness",)
INFORMATIVENESS: tuple[Property, ...] = ("informativeness",)
STRUCTURE: tuple[Property, ...] = ("disentanglement", "completeness")
ALL: tuple[Property, ...] = PROPERTIES
RISE = 0.02
"""A rise from one amount to the next that still counts as falling: chance between two samples."""


@dataclass(frozen=True)
class Expectation:
    """What must hold of a score in a case.

    Attributes:
        case: the case.
        properties: the properties of which it must hold.
        kind: `value` and `level` compare with `bound`, at the last amount; `steady`: no value
            differs from the first amount's by more than `bound`; `falls`: from each amount to the
            next, and by `bound` of a level in all; `same`: within `bound` of the case `other`.
        bound: the threshold.
        reason: why this threshold.
        other: the case with which `same` compares.
    """

    case: str
    properties: tuple[Property, ...]
    kind: Kind
    bound: float
    reason: str
    other: str = ""

    def __str__(self) -> str:
        """The expectation in words."""
        match self.kind:
            case "falls":
                return f"falls with the amount, by at least {self.bound:g} in all"
            case "steady":
                return f"stays within {self.bound:g} of its first value"
            case "same":
                return f"is within {self.bound:g} of '{self.other}'"
            case _:
                what, _, bound = self.kind.partition(" ")
                of = " of the way from noise to the oracle" if what == "level" else ""
                return f"{bound} {self.bound:g}{of}"


E = Expectation
EXPECTATIONS: tuple[Expectation, ...] = (
    E("oracle", ALL, "value at least", 0.95, "1 is the best score; binning may cost a little"),
    E("scaled", ALL, "same", 0.02, "names and units of latents mean nothing", "oracle"),
    E("monotone", ALL, "level at least", 0.9, "equal-width bins may merge values"),
    E("rotated", STRUCTURE, "falls", 0.3, "four of five factors are shared at 45 degrees"),
    E("rotated", INFORMATIVENESS, "level at least", 0.8, "a rotation loses nothing"),
    E("mixed", STRUCTURE, "level at most", 0.4, "nothing is separated; a part is by chance"),
    E("mixed", INFORMATIVENESS, "level at least", 0.7, "a rotation loses nothing"),
    E("merged", DISENTANGLEMENT, "level at most", 0.9, "one of four latents holds two factors"),
    E("merged", COMPLETENESS, "level at least", 0.8, "each factor is in one latent"),
    E("merged", INFORMATIVENESS, "level at least", 0.8, "both factors can be read exactly"),
    E("dropped", INFORMATIVENESS, "level at most", 0.9, "one of five factors is lost"),
    E("dropped", DISENTANGLEMENT, "level at least", 0.7, "the other latents hold one factor each"),
    E("spread", DISENTANGLEMENT, "level at least", 0.85, "each latent holds one factor"),
    E("spread", COMPLETENESS, "level at most", 0.95, "one of five factors needs two latents"),
    E("spread", INFORMATIVENESS, "level at least", 0.8, "nothing is lost"),
    E("copied", DISENTANGLEMENT, "level at least", 0.9, "each latent holds one factor"),
    E("copied", COMPLETENESS, "level at most", 0.7, "every factor is in two latents"),
    E("copied", INFORMATIVENESS, "level at least", 0.95, "nothing is lost"),
    E("quantised", INFORMATIVENESS, "falls", 0.2, "two groups are left of up to ten values"),
    E("quantised", DISENTANGLEMENT, "level at least", 0.8, "each latent holds one factor"),
    E("cyclic", DISENTANGLEMENT, "level at least", 0.85, "each latent holds one factor"),
    E("cyclic", COMPLETENESS, "level at most", 0.95, "one of five factors needs two latents"),
    E("cyclic", INFORMATIVENESS, "level at least", 0.8, "nothing is lost"),
    E("noise", ALL, "value at most", 0.1, "a reader takes 0 for nothing, and more for something"),
    E("collapsed", INFORMATIVENESS, "level at most", 0.5, "one of five factors is left"),
    E("constant", ALL, "value at most", 0.1, "there is no code; no score is as good an answer"),
    E("beside constants", ALL, "same", 0.02, "unused latents hold nothing", "oracle"),
    E("beside noise", ALL, "steady", 0.1, "more latents give chance more to find"),
    E("leaking", DISENTANGLEMENT, "falls", 0.3, "half of each latent is of another factor"),
    E("leaking", COMPLETENESS, "falls", 0.3, "half of each factor is in another latent"),
    E("noisy", INFORMATIVENESS, "falls", 0.4, "little can be read from a tenth of the variance"),
    E("single precision", ALL, "same", 0.005, "seven digits are enough", "noisy at 0.3"),
    E("noisy at 0.3", DISENTANGLEMENT, "level at least", 0.6, "the noise is of no factor"),
    E("correlated factors", ALL, "steady", 0.1, "the code is as good as before"),
    E("copied factor", ALL, "value at least", 0.9, "the code is perfect"),
    E("function of two factors", ALL, "value at least", 0.9, "the code is perfect"),
    E("few rows, noise", ALL, "steady", 0.1, "the level of chance is not of the number of rows"),
    E("few rows, oracle", ALL, "steady", 0.1, "the code is as good with few rows"),
    E(
        "sorted rows",
        ALL,
        "same",
        0.03,
        "rows have no order; other ones are drawn",
        "unsorted rows",
    ),
    E("repeated rows", ALL, "steady", 0.1, "a repeated row tells nothing new"),
    E("large grid, oracle", ALL, "value at least", 0.95, "1 is the best score"),
    E("large grid, mixed", STRUCTURE, "level at most", 0.4, "nothing is separated"),
    E("uneven grid, oracle", ALL, "value at least", 0.9, "bins are fewer than 183 values"),
    E("uneven grid, noise", ALL, "value at most", 0.1, "a reader takes 0 for nothing"),
)
"""The expectations of all cases, by case and property."""
