"""Pairs of images of a grid that differ in some of its scored factors, as in published experiments.

A factor that is not scored is the same in both images. In a part of a grid, such as the training
part of a hold-out, both images are in the part.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.dataset import Dataset, Grid, Index, Labelled
from disentangle.contracts.views import LabelledSubset
from disentangle.errors import UsageError

Flags: TypeAlias = NDArray[np.bool_]
"""Truth values."""
NONE = "none"
"""The names of no factors."""
Pairs: TypeAlias = Literal[
    "changes", "changes_fixed", "uniform", "uniform_fixed", "locatello2020", "laplace"
]
"""How pairs are drawn; see `draw_pairs`."""
DrawLabels: TypeAlias = Callable[[Index, np.random.Generator], Index]
"""Draws the labels of the second images on the whole grid, from those of the first, [N, all]."""
TRIES = 1_000_000
"""Second images that are drawn for an image until one is in the part."""
AT_ONCE = 2**16
"""Second images that are drawn at once for images that are left."""


class PairKnobs(Protocol):
    """A model with the hyper-parameters of pairs."""

    pairs: Pairs
    changes: int
    rate: float
    categorical: str


def pair_knobs(model: PairKnobs) -> dict[str, Any]:
    """The hyper-parameters of a model that are arguments of `draw_pairs` and `check_pairs`."""
    return {name: getattr(model, name) for name in PairKnobs.__annotations__}


def draw_pairs(
    dataset: Dataset,
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

    In a part of a grid that is no grid, such as the training part of a hold-out of combinations, a
    second image outside of the part is drawn anew, with the factors that change. So its
    distribution is that on the whole grid, given that it is in the part: where many combinations
    are held out, pairs that differ in few factors become more frequent. A part of whole values of
    factors is a grid of its own.

    Args:
        dataset: a grid, or a part of one.
        index: the first image of each pair, [N].
        rng: the source of randomness.
        pairs: the name of the distribution.
        changes: the number n for `changes` and `changes_fixed`.
        rate: the rate for `laplace`; the larger, the shorter and fewer are the steps.
        categorical: the names of factors that never change in `laplace`, joined by `+`.

    Raises:
        UsageError: `categorical` names a factor that the grid does not have, or leaves none; the
            dataset is no part of a grid; an image has no partner in it.
    """
    grid = _grid_of(dataset)
    draw = _distribution(grid, dataset, pairs, changes, rate, categorical)
    if isinstance(dataset, Grid):
        return grid.index(draw(grid.every_label(index), rng))
    assert isinstance(dataset, LabelledSubset)
    return _drawn_inside(dataset, index, draw, rng)


def check_pairs(
    dataset: Dataset,
    pairs: Pairs,
    *,
    changes: int = 1,
    rate: float = 1.0,
    categorical: str = NONE,
) -> None:
    """Raise unless each image of a dataset has a partner; the arguments are those of `draw_pairs`.

    Raises:
        UsageError: `draw_pairs` would fail, or would pair an image with nothing but itself.
    """
    _grid_of(dataset)
    assert isinstance(dataset, Labelled)
    laplace = pairs == "laplace"
    names = moving_factors(dataset, categorical) if laplace else list(dataset.factors)
    if isinstance(dataset, Grid):
        return
    assert isinstance(dataset, LabelledSubset)
    numbers = _numbers_of_changes(pairs, changes, len(names))
    partners = _images_by_changes(dataset, names)[numbers].sum(0)
    if not partners.all():
        raise UsageError(
            f"this part of '{dataset.name}' lacks partners for {(partners == 0).sum():,} of its "
            f"{len(dataset):,} images: every other image differs from them in more or fewer "
            f"factors than `--pairs {pairs}` changes; choose other pairs, or hold out fewer images"
        )


def changed_factors(dataset: Dataset, first: Index, second: Index) -> Flags:
    """Compare the images of pairs: True where a scored factor differs, [N, K].

    Raises:
        UsageError: the dataset has no labels.
    """
    if not isinstance(dataset, Labelled):
        raise UsageError(f"{dataset.name} has no labels, so the changed factors are unknown")
    changed: Flags = dataset.labels(first) != dataset.labels(second)
    return changed


def moving_factors(dataset: Labelled, categorical: str) -> list[str]:
    """The scored factors that can change in pairs `laplace`; see `draw_pairs`.

    Raises:
        UsageError: there is no factor of a name, or none is left.
    """
    still = [] if categorical == NONE else categorical.split("+")
    for name in still:
        dataset.column(name)
    moving = [name for name in dataset.factors if name not in still]
    if not moving:
        raise UsageError(
            f"no factor of {dataset.name or 'the grid'} can change, as all that are scored are "
            f"categorical: {', '.join(dataset.factors)}; leave one of them out of `--categorical`"
        )
    return moving


def _grid_of(dataset: Dataset) -> Grid:
    """The grid on which pairs are drawn: the dataset itself, or the whole that it is a part of."""
    if isinstance(dataset, Grid):
        return dataset
    if isinstance(dataset, LabelledSubset) and isinstance(dataset.whole, Grid):
        return dataset.whole
    raise UsageError(
        "pairs need a grid, an image for every combination of factors, or a part of one, but "
        f"'{dataset.name}' is only {dataset.strength}; choose a dataset that has them all, such as "
        "dsprites"
    )


def _distribution(
    grid: Grid, dataset: Dataset, pairs: Pairs, changes: int, rate: float, categorical: str
) -> DrawLabels:
    """The distribution of pairs on the whole grid, in which factors that `dataset` scores change.

    Raises:
        UsageError: see `moving_factors`.
    """
    assert isinstance(dataset, Labelled)
    if pairs == "laplace":
        moving = [grid.column(name) for name in moving_factors(dataset, categorical)]
        return partial(_laplace_steps, grid, moving, rate)
    scored = [grid.column(name) for name in dataset.factors]
    return partial(_new_values, grid, scored, pairs, changes)


def _drawn_inside(
    part: LabelledSubset, index: Index, draw: DrawLabels, rng: np.random.Generator
) -> Index:
    """Draw second images, each until it is in the part, [N]."""
    grid = _grid_of(part)
    labels = grid.every_label(part.origin(index))
    second = np.full(len(index), -1)
    missing, copies, tries = np.arange(len(index)), 1, 0
    while missing.size:
        if tries > TRIES:
            raise UsageError(
                f"an image of this part of '{part.name}' has no partner in {TRIES:,} pairs; choose "
                "other `--pairs`, a smaller `--rate`, or hold out fewer images"
            )
        drawn = grid.index(draw(labels[missing].repeat(copies, axis=0), rng))
        positions = part.position(drawn).reshape(-1, copies)
        first = (positions >= 0).argmax(1)  # 0 if none is inside
        second[missing] = positions[np.arange(len(missing)), first]
        missing = np.flatnonzero(second < 0)
        tries += copies
        # More and more are drawn at once for the few images that are left.
        copies = min(2 * copies, max(1, AT_ONCE // max(1, len(missing))))
    return second


def _images_by_changes(part: LabelledSubset, factors: Sequence[str]) -> Index:
    """Count the images of a part that differ from each in 0, 1, ... of these factors, [n + 1, N].

    All other factors are the same.
    """
    grid, inside = _grid_of(part), part.origin(np.arange(len(part)))
    counts = np.zeros((len(factors) + 1, len(grid)), np.int64)
    counts[0, inside] = 1
    table = counts.reshape(-1, *grid.every_factor.values())
    for name in factors:
        axis = grid.column(name)
        for n in reversed(range(len(factors))):  # so that a factor counts once
            table[n + 1] += table[n].sum(axis, keepdims=True) - table[n]
    return counts[:, inside]


def _numbers_of_changes(pairs: Pairs, changes: int, factors: int) -> slice:
    """The numbers of factors in which images of pairs differ, if they do."""
    if pairs == "laplace":
        return slice(1, factors + 1)
    if pairs in ("changes", "changes_fixed") and changes > 0:
        most = min(changes, factors)
        return slice(most if pairs.endswith("_fixed") else 1, most + 1)
    return slice(1, max(1, factors - 1) + 1)


def _new_values(
    grid: Grid,
    scored: Sequence[int],
    pairs: Pairs,
    changes: int,
    labels: Index,
    rng: np.random.Generator,
) -> Index:
    """Draw new values of some of the scored columns; return all labels, [N, all]."""
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
    return np.where(redrawn, fresh, labels)


def _redrawn(
    pairs: Pairs, changes: int, size: int, factors: int, rng: np.random.Generator
) -> int | Index:
    """Return how many factors are redrawn, for all pairs or for each one [N]."""
    if pairs in ("changes", "changes_fixed") and changes > 0:
        return changes
    count = rng.integers(1, max(1, factors - 1) + 1, size)
    return np.where(rng.random(size) < 0.5, 1, count) if pairs == "locatello2020" else count


def _laplace_steps(
    grid: Grid, moving: Sequence[int], rate: float, labels: Index, rng: np.random.Generator
) -> Index:
    """Take a step along the values of the moving columns; return all labels, [N, all]."""
    sizes = list(grid.every_factor.values())
    columns = [(column, sizes[column]) for column in moving]
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
