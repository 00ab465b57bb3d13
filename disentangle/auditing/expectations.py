"""What must hold of each property for each case, and why: the thresholds of the audit, as a table.

A score's *level* is its value on the scale from noise (0) to the oracle (1), both on the small
grid: so one threshold serves metrics of different scales. The thresholds are wide: they ask whether
a metric sees a difference at all, not how well it measures it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from disentangle.contracts.metric import PROPERTIES, Property

Kind: TypeAlias = Literal[
    "value at least",
    "value at most",
    "level at least",
    "level at most",
    "falls",
    "drops",
    "steady",
    "same",
]
DISENTANGLEMENT: tuple[Property, ...] = ("disentanglement",)
COMPLETENESS: tuple[Property, ...] = ("completeness",)
INFORMATIVENESS: tuple[Property, ...] = ("informativeness",)
STRUCTURE: tuple[Property, ...] = ("disentanglement", "completeness")
ALL: tuple[Property, ...] = PROPERTIES

BEST = 0.95
"""The least value of a perfect code: 1, but that binning and fitting may cost a little."""
KEPT = 0.85
"""The least level of a property that the code keeps: a code that lost one factor of five has 0.8.
"""
SEEN = 0.95
"""The largest level of a property that one factor or latent of five lacks: by the definitions of
modularity, InfoM and DCI a latent of two factors has 0.75 to 0.85, and their mean 0.95 to 0.97."""
HALF = 0.5
"""The level of a code that is as far from noise as from the oracle."""
ZERO = 0.1
"""The largest score of nothing: readers take 0 for nothing, and more for something."""
EQUAL = 0.02
"""The largest difference between scores that should be the same: two drawn samples differ."""
REPORTED = 0.1
"""The largest difference between scores of equally good codes: a paper would report 0.1."""
RISE = 0.02
"""A rise of the level that still counts as falling: chance between two samples."""


@dataclass(frozen=True)
class Expectation:
    """What must hold of a score in a case.

    Attributes:
        case: the case.
        properties: the properties of which it must hold.
        kind: `value` and `level` compare with `bound`, at the last amount; `steady`: no value
            differs from the first amount's by more than `bound`; `falls`: the level falls from each
            amount to the next, and by `bound` in all; `drops`: it falls by `bound` in all, and is
            nowhere above the first one; `same`: within `bound` of the case `other`.
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
            case "drops":
                return f"falls by at least {self.bound:g} in all, and never rises above its start"
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
    E("oracle", ALL, "value at least", BEST, "1 is the best score"),
    E("scaled", ALL, "same", EQUAL, "names and units of latents mean nothing", "oracle"),
    E("monotone", ALL, "level at least", KEPT, "each factor can be read from its latent as before"),
    # Not `falls`: of discrete factors, information does not grow or shrink steadily with an angle.
    E("rotated", STRUCTURE, "drops", 0.15, "DCI, modularity and MCC fall by 0.2 by definition"),
    E("rotated", INFORMATIVENESS, "level at least", KEPT, "a rotation loses nothing"),
    E("mixed", STRUCTURE, "level at most", HALF, "nothing is separated: nearer to noise"),
    E("mixed", INFORMATIVENESS, "level at least", KEPT, "a rotation loses nothing"),
    E("merged", DISENTANGLEMENT, "level at most", SEEN, "one of four latents holds two factors"),
    E("merged", COMPLETENESS, "level at least", KEPT, "each factor is in one latent"),
    E("merged", INFORMATIVENESS, "level at least", KEPT, "both factors can be read exactly"),
    E("dropped", INFORMATIVENESS, "level at most", 0.9, "one of five factors is lost: 0.8"),
    E("dropped", DISENTANGLEMENT, "level at least", 0.7, "four of five latents hold one factor"),
    E("spread", DISENTANGLEMENT, "level at least", KEPT, "each latent holds one factor"),
    E("spread", COMPLETENESS, "level at most", SEEN, "one of five factors needs two latents"),
    E("spread", INFORMATIVENESS, "level at least", KEPT, "nothing is lost"),
    E("copied", DISENTANGLEMENT, "level at least", KEPT, "each latent holds one factor"),
    E("copied", COMPLETENESS, "level at most", 0.75, "DCI's is 0.7 for two of ten latents"),
    E("copied", INFORMATIVENESS, "level at least", KEPT, "nothing is lost"),
    E("quantised", INFORMATIVENESS, "falls", 0.2, "two groups hold 3/4 of the variance at most"),
    E("quantised", DISENTANGLEMENT, "level at least", KEPT, "each latent holds one factor"),
    E("cyclic", DISENTANGLEMENT, "level at least", KEPT, "each latent holds one factor"),
    E("cyclic", COMPLETENESS, "level at most", SEEN, "one of five factors needs two latents"),
    E("cyclic", INFORMATIVENESS, "level at least", KEPT, "nothing is lost"),
    E("noise", ALL, "value at most", ZERO, "a reader takes 0 for nothing"),
    E("collapsed", INFORMATIVENESS, "level at most", HALF, "one of five factors is left"),
    E("constant", ALL, "level at most", ZERO, "it is not better than noise; no score is as good"),
    E("beside constants", ALL, "same", EQUAL, "unused latents hold nothing", "oracle"),
    E("beside noise", ALL, "steady", REPORTED, "more latents only give chance more to find"),
    E("leaking", STRUCTURE, "drops", 0.2, "DCI, modularity and MCC fall by 0.25 by definition"),
    E("noisy", INFORMATIVENESS, "falls", HALF, "a tenth of the variance is left: nearer to noise"),
    E("noisy at 0.3", STRUCTURE, "level at least", KEPT, "the noise is of no other factor"),
    E("single precision", ALL, "same", 0.005, "seven digits are enough", "noisy at 0.3"),
    E("correlated factors", ALL, "steady", REPORTED, "the code is as good as before"),
    E("copied factor", ALL, "steady", REPORTED, "the code is as good as before"),
    E(
        "function of two factors",
        ALL,
        "same",
        REPORTED,
        "the code is as good as that of independent factors",
        "unsorted rows",
    ),
    E("normal factors", ALL, "value at least", BEST, "1 is the best score"),
    E("normal factors, mixed", STRUCTURE, "level at most", HALF, "nothing is separated"),
    E("normal factors, noise", ALL, "value at most", ZERO, "a reader takes 0 for nothing"),
    E("correlated normals", ALL, "steady", REPORTED, "the code is as good as before"),
    E("copied normal factor", ALL, "steady", REPORTED, "the code is as good as before"),
    E(
        "sum of two normals",
        ALL,
        "same",
        REPORTED,
        "the code is as good as that of independent factors",
        "normal factors",
    ),
    E("few rows, noise", ALL, "steady", REPORTED, "chance is not a matter of the number of rows"),
    E("few rows, oracle", ALL, "steady", REPORTED, "the code is as good with few rows"),
    E("sorted rows", ALL, "same", EQUAL, "rows have no order", "unsorted rows"),
    E("repeated rows", ALL, "steady", REPORTED, "a repeated row tells nothing new"),
    E("large grid, oracle", ALL, "value at least", BEST, "1 is the best score"),
    E("large grid, mixed", STRUCTURE, "level at most", HALF, "nothing is separated"),
    E("uneven grid, oracle", ALL, "value at least", BEST, "1 is the best score"),
    E("uneven grid, noise", ALL, "value at most", ZERO, "a reader takes 0 for nothing"),
    E(
        "images drawn twice",
        ALL,
        "same",
        REPORTED,
        "a repeated image tells nothing new",
        "uneven grid, noise",
    ),
)
"""The expectations of all cases, by case and property."""
