"""Codes with a known answer: what each is, and what a metric should make of it.

Each function returns codes [N, D] for factors. The designs follow Joshi et al. (2026), whose code
is identifiability-guard, and Zaidi et al. (2022), https://arxiv.org/abs/2012.09276.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle.auditing.factor_sets import (
    ContinuousRows,
    FactorSet,
    continuous,
    continuous_copy,
    continuous_function,
    correlated,
    function_of_two,
    grid,
    noisy_copy,
    repeated,
    standardised,
)
from disentangle.contracts.dataset import Index

Numbers: TypeAlias = NDArray[np.float64]
ROWS = 10_000
"""Number of rows where the factors are not those of a grid."""
FEW = 200
"""Number of rows of the smallest set."""


@dataclass(frozen=True)
class Factors:
    """The factors of all rows.

    Attributes:
        labels: the position of each value, [N, K].
        numbers: the factors with mean 0 and standard deviation 1, [N, K].
    """

    labels: Index
    numbers: Numbers

    @classmethod
    def of(cls, data: FactorSet) -> "Factors":
        """The factors of a set."""
        labels = data.labels(np.arange(len(data)))
        return cls(labels, standardised(data.reals if isinstance(data, ContinuousRows) else labels))


def oracle(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The factors themselves."""
    return factors.numbers


def scaled(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The factors in another order, each with another sign, scale and offset."""
    count = factors.numbers.shape[1]
    order = np.roll(np.arange(count), 1)
    scale = np.logspace(-2, 2, count) * (-1.0) ** np.arange(count)
    return factors.numbers[:, order] * scale + np.arange(count)


def monotone(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Each factor under a monotone function of another strength and direction."""
    columns: list[Numbers] = []
    for k, u in enumerate(factors.numbers.T):
        bent = np.sinh((1 + k % 3) * u) if k % 2 else -np.exp(-u)
        columns.append(bent)
    return np.stack(columns, axis=1)


def rotated(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Neighbouring pairs of factors, rotated by an angle of `amount` degrees."""
    angle = np.deg2rad(amount)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    codes = factors.numbers.copy()
    for k in range(0, codes.shape[1] - 1, 2):
        codes[:, k : k + 2] = codes[:, k : k + 2] @ turn
    return codes


def mixed(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """All factors under one random rotation."""
    count = factors.numbers.shape[1]
    q, r = np.linalg.qr(rng.normal(size=(count, count)))
    codes: Numbers = factors.numbers @ (q * np.sign(np.diag(r)))
    return codes


def merged(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The first two factors in one latent, from which both can be read exactly."""
    first, second = factors.labels[:, 0], factors.labels[:, 1]
    both = first * (second.max() + 1) + second
    return np.column_stack([both, factors.numbers[:, 2:]])


def dropped(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """All factors but the first, with noise in its place."""
    codes = factors.numbers.copy()
    codes[:, 0] = rng.standard_normal(len(codes))
    return codes


def spread(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The last factor as two latents, neither of which determines it: its coarse and fine part."""
    last = factors.labels[:, -1]
    base = int(np.ceil(np.sqrt(last.max() + 1)))
    return np.column_stack([factors.numbers[:, :-1], last // base, last % base])


def copied(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Each factor in two latents, with a little noise of their own."""
    twice = np.tile(factors.numbers, 2)
    return twice + 0.01 * rng.standard_normal(twice.shape)


def quantised(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Each factor, but of its values only `amount` groups."""
    sizes = factors.labels.max(axis=0) + 1
    groups = np.minimum(sizes, amount)
    coarse: Numbers = np.floor(factors.labels * groups / sizes)
    return coarse


def cyclic(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The last factor as the cosine and sine of an angle."""
    last = factors.labels[:, -1]
    angle = 2 * np.pi * last / (last.max() + 1)
    return np.column_stack([factors.numbers[:, :-1], np.cos(angle), np.sin(angle)])


def noise(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Ten latents of noise."""
    return rng.standard_normal((len(factors.labels), 10))


def collapsed(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """One latent with the last factor; all others hold next to nothing."""
    codes = 1e-4 * rng.standard_normal(factors.numbers.shape)
    codes[:, -1] = factors.numbers[:, -1]
    return codes


def constant(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Latents that never change."""
    return np.ones_like(factors.numbers)


def beside_constants(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The factors, beside five latents that never change."""
    return np.hstack([factors.numbers, np.ones((len(factors.labels), 5))])


def beside_noise(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The factors, beside `amount` latents of noise."""
    noisy = rng.standard_normal((len(factors.labels), int(amount)))
    return np.hstack([factors.numbers, noisy])


def leaking(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Each latent holds its factor, and a share of `amount` of the variance is of a second."""
    other = np.roll(factors.numbers, 1, axis=1)
    codes: Numbers = np.sqrt(1 - amount) * factors.numbers + np.sqrt(amount) * other
    return codes


def noisy(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Each factor with noise of a standard deviation of `amount`."""
    return factors.numbers + amount * rng.standard_normal(factors.numbers.shape)


def rounded_to_float32(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """The factors with noise, in single precision."""
    codes = noisy(factors, rng, amount)
    return codes.astype(np.float32).astype(np.float64)


def noise_of_repeats(factors: Factors, rng: np.random.Generator, amount: float) -> Numbers:
    """Ten latents of noise, the same ones for all `amount` repeats of a row."""
    times = int(amount)
    return np.repeat(rng.standard_normal((len(factors.labels) // times, 10)), times, axis=0)


Codes: TypeAlias = Callable[[Factors, np.random.Generator, float], Numbers]
FactorMaker: TypeAlias = Callable[[np.random.Generator, float], FactorSet]


@dataclass(frozen=True)
class Case:
    """Codes with a known answer.

    Attributes:
        name: the name, by which it is chosen.
        codes: makes the codes of all rows.
        expects: what a metric should make of them, in a sentence.
        amounts: the values of the parameter that grows; one without a meaning if there is none.
        unit: what the parameter is.
        grid: the grid whose factors they are, if there are no `rows`.
        rows: makes the factors, if they are not those of a grid.
        disjoint: True if no row is drawn twice, so that a score means the codes alone; False to
            draw with replacement, as the default protocol does.
        quick: True if it is a part of a quick audit.
    """

    name: str
    codes: Codes
    expects: str
    amounts: tuple[float, ...] = (0.0,)
    unit: str = ""
    grid: str = "small"
    rows: FactorMaker | None = None
    disjoint: bool = True
    quick: bool = True

    def factors(self, rng: np.random.Generator, amount: float) -> FactorSet:
        """Make the factors."""
        return self.rows(rng, amount) if self.rows else grid(self.grid)

    @property
    def about(self) -> str:
        """What the codes are, in a sentence."""
        *others, last = (f"{amount:,g}" for amount in self.amounts)
        amounts = f"{', '.join(others)} or {last}" if others else last
        return (self.codes.__doc__ or "").partition("\n")[0].replace("`amount`", amounts)


ALL_CASES = (
    Case("oracle", oracle, "The best code that there is: each score is at its maximum."),
    Case("scaled", scaled, "The same code up to names and units: each score is the oracle's."),
    Case("monotone", monotone, "The same information in the same latents, in another unit."),
    Case(
        "rotated",
        rotated,
        "The information stays, but latents share it: disentanglement and completeness fall.",
        (0.0, 10.0, 20.0, 30.0, 45.0),
        "degrees",
    ),
    Case("mixed", mixed, "Every latent holds a part of every factor, and all information stays."),
    Case(
        "merged",
        merged,
        "One latent holds two factors: less disentangled, but as complete and informative.",
    ),
    Case("dropped", dropped, "One factor is missing: the code is less informative."),
    Case(
        "spread",
        spread,
        "Two latents are needed for one factor: less complete, as disentangled and informative.",
    ),
    Case("copied", copied, "Each factor is in two latents: not complete, but disentangled."),
    Case(
        "quantised",
        quantised,
        "Values that differ have one code: the code is less informative, and nothing else.",
        (10.0, 4.0, 2.0),
        "groups",
    ),
    Case("cyclic", cyclic, "One factor is in two latents: less complete, but disentangled."),
    Case("noise", noise, "Nothing is known of any factor: each score is 0."),
    Case("collapsed", collapsed, "One factor alone is left: hardly informative."),
    Case("constant", constant, "There is no code: no score, or the lowest."),
    Case("beside constants", beside_constants, "Unused latents change nothing."),
    Case(
        "beside noise",
        beside_noise,
        "Latents that hold nothing change nothing, however many there are.",
        (0.0, 10.0, 100.0),
        "latents",
    ),
    Case(
        "leaking",
        leaking,
        "Each latent holds more and more of a second factor: disentanglement falls.",
        (0.0, 0.1, 0.2, 0.35, 0.5),
        "share",
    ),
    Case(
        "noisy",
        noisy,
        "Less and less can be read, but from the right latent: informativeness falls.",
        (0.0, 0.3, 1.0, 3.0),
        "standard deviations",
    ),
    Case(
        "noisy at 0.3",
        noisy,
        "A little noise in each latent: less can be read, but from the right latent.",
        (0.3,),
        "standard deviations",
    ),
    Case(
        "single precision",
        rounded_to_float32,
        "The same code with seven digits: the score of the code with sixteen.",
        (0.3,),
        "standard deviations",
    ),
    Case(
        "correlated factors",
        oracle,
        "The best code of factors that correlate: the scores are those of independent factors.",
        (0.0, 0.3, 0.6, 0.9),
        "correlation",
        rows=lambda rng, amount: correlated(ROWS, amount, rng),
    ),
    Case(
        "copied factor",
        oracle,
        "The best code where one factor copies another: the scores are still at their maximum.",
        (0.0, 0.5, 0.8),
        "share",
        rows=lambda rng, amount: noisy_copy(ROWS, amount, rng),
        quick=False,
    ),
    Case(
        "function of two factors",
        oracle,
        "The best code where one factor follows from two others: still at the maximum.",
        rows=lambda rng, amount: function_of_two(ROWS, rng),
        quick=False,
    ),
    Case(
        "normal factors",
        oracle,
        "The best code of normal factors: each score is at its maximum.",
        rows=lambda rng, amount: continuous(ROWS, 0.0, rng),
    ),
    Case(
        "normal factors, mixed",
        mixed,
        "Every latent holds a part of every normal factor, and all information stays.",
        rows=lambda rng, amount: continuous(ROWS, 0.0, rng),
        quick=False,
    ),
    Case(
        "normal factors, noise",
        noise,
        "Nothing is known of any normal factor: each score is 0.",
        rows=lambda rng, amount: continuous(ROWS, 0.0, rng),
    ),
    Case(
        "correlated normals",
        oracle,
        "The best code of normal factors that correlate: the scores are those of independent ones.",
        (0.0, 0.3, 0.6, 0.9),
        "correlation",
        rows=lambda rng, amount: continuous(ROWS, amount, rng),
        quick=False,
    ),
    Case(
        "copied normal factor",
        oracle,
        "The best code where one normal factor nearly copies another: still at the maximum.",
        (0.0, 0.5, 0.9, 0.99),
        "correlation",
        rows=lambda rng, amount: continuous_copy(ROWS, amount, rng),
        quick=False,
    ),
    Case(
        "sum of two normals",
        oracle,
        "The best code where one normal factor follows from two others: still at the maximum.",
        rows=lambda rng, amount: continuous_function(ROWS, rng),
        quick=False,
    ),
    Case(
        "few rows, noise",
        noise,
        "Nothing is known, and there are few rows: chance is not taken for knowledge.",
        (50.0, 200.0, 1_000.0, 10_000.0),
        "rows",
        rows=lambda rng, amount: correlated(int(amount), 0.0, rng),
    ),
    Case(
        "few rows, oracle",
        oracle,
        "The best code, and few rows: the score does not depend on their number.",
        (200.0, 1_000.0, 10_000.0),
        "rows",
        rows=lambda rng, amount: correlated(int(amount), 0.0, rng),
        quick=False,
    ),
    Case(
        "unsorted rows",
        oracle,
        "The best code of 10,000 rows, in the order in which they were drawn.",
        rows=lambda rng, amount: correlated(ROWS, 0.0, rng),
    ),
    Case(
        "sorted rows",
        oracle,
        "The best code, with rows in the order of the first factor: their order is no matter.",
        rows=lambda rng, amount: correlated(ROWS, 0.0, rng).in_order(),
    ),
    Case(
        "repeated rows",
        noise_of_repeats,
        "Nothing is known, and rows are there several times: repeats are not knowledge.",
        (1.0, 2.0, 10.0),
        "times",
        rows=lambda rng, amount: repeated(1_000, int(amount), rng),
    ),
    Case(
        "large grid, oracle",
        oracle,
        "The best code of dSprites-sized factors.",
        grid="large",
        quick=False,
    ),
    Case(
        "large grid, mixed",
        mixed,
        "Every latent holds a part of every factor, of dSprites-sized factors.",
        grid="large",
        quick=False,
    ),
    Case(
        "uneven grid, oracle",
        oracle,
        "The best code of Cars3D-sized factors: 4, 24 and 183 values.",
        grid="uneven",
        quick=False,
    ),
    Case(
        "uneven grid, noise",
        noise,
        "Nothing is known of Cars3D-sized factors: each score is 0.",
        grid="uneven",
        quick=False,
    ),
    Case(
        "images drawn twice",
        noise,
        "Nothing is known, and images are drawn twice and more: repeats are not knowledge.",
        grid="uneven",
        disjoint=False,
        quick=False,
    ),
)
CASES: Mapping[str, Case] = {case.name: case for case in ALL_CASES}
"""All cases by name, in the order of the table."""
