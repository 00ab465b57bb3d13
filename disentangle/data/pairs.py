"""Pairs of images of a grid that differ in some of its scored factors, as in published experiments.

A factor that is not scored is the same in both images.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.errors import UsageError

Flags: TypeAlias = NDArray[np.bool_]
"""Truth values."""
NONE = "none"
"""The names of no factors."""
Pairs: TypeAlias = Literal[
    "changes", "changes_fixed", "uniform", "uniform_fixed", "locatello2020", "laplace"
]
"""How pairs are drawn; see `draw_pairs`."""


def draw_pairs(
    grid: Grid,
    index: Index,
    rng: np.random.Generator,
    pairs: Pairs,
    *,
    changes: int = 1,
    rate: float = 1.0,
    categorical: str = NONE,
) -> Index:
    """Draw the second image of each pair.

    In all but `laplace`, n of the K scored factors, each as likely as any other, get new values,
    uniformly. With `_fixed`, these differ from the old ones; else they may be the same.

    - `changes`, `changes_fixed`: n is `changes`; if that is 0, as for `uniform`.
    - `uniform`, `uniform_fixed`: n is uniform from 1 to K - 1. `uniform_fixed` is the uniform
      distribution of Klindt et al. (2021); the names are those of Roth et al. (2023).
    - `locatello2020`: n is 1 in half of the pairs, and uniform from 1 to K - 1 in the others, as in
      the code of Locatello et al. (2020) for k = -1.
    - `laplace`: each factor takes a step along its values, as in the code of Klindt et al. (2021):
      from value i of m it goes to value j with a probability proportional to
      exp(-|i - j| rate / ln m). Factors named in `categorical` never change. If no factor has
      changed, one of the others, uniformly, takes such a step to another value.

    Args:
        grid: the dataset.
        index: the first image of each pair, [N].
        rng: the source of randomness.
        pairs: the name of the distribution.
        changes: the number n for `changes` and `changes_fixed`.
        rate: the rate for `laplace`; the larger, the shorter and fewer are the steps.
        categorical: the names of factors that never change in `laplace`, joined by `+`.

    Raises:
        UsageError: `categorical` names a factor that the grid does not have, or leaves none.
    """
    labels = grid.every_label(index)
    if pairs == "laplace":
        return grid.index(_laplace_steps(grid, labels, rng, rate, categorical))
    scored = [grid.column(name) for name in grid.factors]
    count = _redrawn(pairs, changes, len(labels), len(scored), rng)
    # A random order of the factors, in which the first ones are redrawn.
    rank = rng.random((len(labels), len(scored))).argsort(1).argsort(1)
    sizes = np.array(list(grid.every_factor.values()))
    if pairs.endswith("_fixed"):
        other = 1 + rng.integers(0, np.maximum(sizes - 1, 1), labels.shape)
        fresh = (labels + other) % sizes
    else:
        fresh = rng.integers(0, sizes, labels.shape)
    redrawn = np.zeros(labels.shape, bool)
    redrawn[:, scored] = rank < np.reshape(count, (-1, 1))
    return grid.index(np.where(redrawn, fresh, labels))


def changed_factors(dataset: Dataset, first: Index, second: Index) -> Flags:
    """Compare the images of pairs: True where a scored factor differs, [N, K].

    Raises:
        UsageError: the dataset has no labels.
    """
    if not isinstance(dataset, Labelled):
        raise UsageError(f"{dataset.name} has no labels, so the changed factors are unknown")
    changed: Flags = dataset.labels(first) != dataset.labels(second)
    return changed


def moving_factors(grid: Grid, categorical: str) -> list[str]:
    """The scored factors that can change in pairs `laplace`; see `draw_pairs`.

    Raises:
        UsageError: there is no factor of a name, or none is left.
    """
    still = [] if categorical == NONE else categorical.split("+")
    for name in still:
        grid.column(name)
    moving = [name for name in grid.factors if name not in still]
    if not moving:
        raise UsageError(
            f"no factor of {grid.name or 'the grid'} can change, as all that are scored are "
            f"categorical: {', '.join(grid.factors)}; leave one of them out of `--categorical`"
        )
    return moving


def _redrawn(
    pairs: Pairs, changes: int, size: int, factors: int, rng: np.random.Generator
) -> int | Index:
    """Return how many factors are redrawn, for all pairs or for each one [N]."""
    if pairs in ("changes", "changes_fixed") and changes > 0:
        return changes
    count = rng.integers(1, max(1, factors - 1) + 1, size)
    return np.where(rng.random(size) < 0.5, 1, count) if pairs == "locatello2020" else count


def _laplace_steps(
    grid: Grid, labels: Index, rng: np.random.Generator, rate: float, categorical: str
) -> Index:
    """Return the labels of the second images, [N, all factors]."""
    moving = moving_factors(grid, categorical)
    columns = [(grid.column(name), grid.every_factor[name]) for name in moving]
    end = labels.copy()
    for column, size in columns:
        end[:, column] = _laplace(labels[:, column], size, rate, rng)
    same = (end == labels).all(1)
    chosen = rng.integers(0, len(columns), len(labels))
    for number, (column, size) in enumerate(columns):
        rows = same & (chosen == number)
        end[rows, column] = _laplace(labels[rows, column], size, rate, rng, leaving=True)
    return end


def _laplace(
    start: Index, size: int, rate: float, rng: np.random.Generator, leaving: bool = False
) -> Index:
    """Draw values from 0 to size - 1, near those at the start [N]; other ones if `leaving`."""
    distance = np.abs(np.arange(size) - start[:, None])  # [N, value]
    if leaving:  # relative to the nearest other value, so that it cannot underflow
        weight = np.exp(-np.maximum(distance - 1, 0) * rate / np.log(size)) * (distance > 0)
    else:
        weight = np.exp(-distance * rate / np.log(size))
    below = weight.cumsum(1)
    drawn: Index = (below / below[:, -1:] <= rng.random((len(start), 1))).sum(1)
    return drawn
