"""The small audit of a metric: codes that are equally good, or equally bad, on a small grid."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from disentangle._utils.seeds import numpy_rng
from disentangle.auditing import cases
from disentangle.auditing.cases import Factors
from disentangle.auditing.factor_sets import FactorGrid, FactorRows
from disentangle.contracts.dataset import Index
from disentangle.contracts.source import Source
from disentangle.scoring.arrays import array_source
from disentangle.scoring.controls import TableSource

SIZES = (3, 4, 5, 4)
LATENTS = 6
TIMES = 5
"""How often each row is there in the case 'repeated rows'."""
DIFFERENT = {
    "scaled": ("the factors", "latents with other signs, scales and offsets"),
    "beside constants": ("the factors", "latents that never change beside them"),
    "sorted rows": ("the factors", "rows in another order"),
    "repeated rows": ("noise", f"each row {TIMES} times"),
}
"""Case of an audit -> what the codes are, and what is different that should mean nothing."""


@functools.cache
def small_grid() -> FactorGrid:
    """The factors, each combination once."""
    return FactorGrid(SIZES)


def plain(case: str) -> Source[Any]:
    """The codes with which those of a case compare."""
    if case == "sorted rows":
        return two_parts(lambda rows: rows)
    codes = noise() if DIFFERENT[case][0] == "noise" else Factors.of(small_grid()).numbers
    return TableSource(small_grid(), codes, disjoint=True)


def different(case: str) -> Source[Any]:
    """The codes of a case."""
    factors, rng = Factors.of(small_grid()), numpy_rng(0, "audited")
    match case:
        case "scaled":
            codes = np.roll(cases.scaled(factors, rng, 0.0), -1, axis=1)  # in the same order
        case "beside constants":
            codes = cases.beside_constants(factors, rng, 0.0)
        case "sorted rows":
            return two_parts(np.sort)
        case _:
            rows = FactorRows(np.repeat(factors.labels, TIMES, axis=0))
            return TableSource(rows, np.repeat(noise(), TIMES, axis=0), disjoint=True)
    return TableSource(small_grid(), codes, disjoint=True)


def two_parts(order: Callable[[Index], Index]) -> Source[Any]:
    """The factors as codes: always the same rows to fit on and to test on, each part in an order.

    Without parts, rows in another order would be split in another way.
    """
    factors = Factors.of(small_grid())
    rows = numpy_rng(0, "audited").permutation(len(small_grid()))
    fit, test = map(order, np.split(rows, [2 * len(rows) // 3]))
    return array_source(
        factors.numbers[fit], factors.labels[fit], factors.numbers[test], factors.labels[test]
    )


def noise() -> cases.Numbers:
    """Latents of noise, [N, LATENTS]."""
    return numpy_rng(0, "audited noise").standard_normal((len(small_grid()), LATENTS))
