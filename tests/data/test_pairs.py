"""Pairs against the definitions of the published experiments, recomputed one pair at a time."""

from itertools import product
from math import comb, log

import numpy as np
import pytest

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset
from disentangle.data.pairs import changed_factors, draw_pairs, moving_factors
from disentangle.errors import UsageError
from disentangle.testing.examples import Speckle

GRID = Speckle({"a": 10, "still": 2, "b": 9, "c": 8, "d": 7}, ("still",), (1, 2, 2))
DRAWS = 20_000
NAMES = ["changes", "changes_fixed", "uniform", "uniform_fixed", "locatello2020", "laplace"]


def drawn(name, grid=GRID, draws=DRAWS, first=None, **options):
    """The labels of the first and the second images of pairs."""
    rng = np.random.default_rng(0)
    index = rng.integers(0, len(grid), draws) if first is None else np.full(draws, first)
    pair = draw_pairs(grid, index, rng, name, **options)
    return grid.every_label(index), grid.every_label(pair)


def within(seen, expected, draws=DRAWS):
    """Require shares within five standard deviations of probabilities."""
    expected = np.asarray(expected)
    assert np.abs(seen - expected).max() <= 5 * 0.5 / np.sqrt(draws)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_on_the_grid_and_leave_unscored_factors(name):
    first, second = drawn(name)
    assert (first[:, 1] == second[:, 1]).all()
    assert (second >= 0).all()
    assert (second < list(GRID.every_factor.values())).all()


@pytest.mark.parametrize("name", NAMES)
def test_pairs_depend_on_the_generator_alone(name):
    index = np.arange(50)
    once, again, other = (
        draw_pairs(GRID, index, numpy_rng(seed, "pair", 3), name) for seed in (0, 0, 1)
    )
    assert (once == again).all()
    assert (once != other).any()


@pytest.mark.parametrize(
    ("name", "options", "redrawn"),
    [
        ("changes", {"changes": 2}, [0, 1, 0, 0]),
        ("changes", {"changes": 0}, [1 / 3, 1 / 3, 1 / 3, 0]),
        ("uniform", {}, [1 / 3, 1 / 3, 1 / 3, 0]),
        ("locatello2020", {}, [2 / 3, 1 / 6, 1 / 6, 0]),
    ],
)
def test_redrawn_factors_may_stay_the_same(name, options, redrawn):
    grid = Speckle(dict.fromkeys("abcd", 5), (), (1, 1, 1))
    first, second = drawn(name, grid, **options)
    seen = np.bincount((first != second).sum(1), minlength=5) / DRAWS
    expected = [
        sum(p * comb(n, m) * 0.8**m * 0.2 ** (n - m) for n, p in enumerate(redrawn, 1))
        for m in range(5)
    ]
    within(seen, expected)


@pytest.mark.parametrize(
    ("name", "options", "counts"),
    [
        ("changes_fixed", {"changes": 3}, [0, 0, 0, 1, 0]),
        ("changes_fixed", {"changes": 0}, [0, 1 / 3, 1 / 3, 1 / 3, 0]),
        ("uniform_fixed", {}, [0, 1 / 3, 1 / 3, 1 / 3, 0]),
    ],
)
def test_fixed_pairs_differ_in_each_redrawn_factor(name, options, counts):
    first, second = drawn(name, **options)
    differ = first != second
    within(np.bincount(differ.sum(1), minlength=5) / DRAWS, counts)
    mean = sum(n * p for n, p in enumerate(counts)) / 4
    within(differ[:, [0, 2, 3, 4]].mean(0), mean)  # each factor alike


def test_fixed_pairs_take_each_other_value_alike():
    _, second = drawn("changes_fixed", first=0, changes=4)
    seen = np.bincount(second[:, 0], minlength=10) / DRAWS
    within(seen, [0, *[1 / 9] * 9])


def laplace(start, size, rate):
    """The probability of each value, as defined by Klindt et al."""
    scale = log(size) / rate
    density = [np.exp(-abs(j - start) / scale) / (2 * scale) for j in range(size)]
    return np.array(density) / sum(density)


@pytest.mark.parametrize(("rate", "categorical"), [(1.0, "none"), (3.0, "b"), (1.0, "b+a")])
def test_laplace_pairs_have_the_joint_of_their_definition(rate, categorical):
    grid = Speckle({"a": 4, "b": 3, "c": 2}, (), (1, 1, 1))
    start = (1, 2, 0)
    moving = [name for name in grid.factors if name not in categorical.split("+")]
    steps = [
        laplace(s, size, rate) if name in moving else np.eye(size)[s]
        for s, (name, size) in zip(start, grid.factors.items(), strict=True)
    ]
    joint = np.zeros((4, 3, 2))
    for end in product(range(4), range(3), range(2)):
        joint[end] = np.prod([step[j] for step, j in zip(steps, end, strict=True)])
    stayed, joint[start] = joint[start], 0.0
    for name in moving:  # one of them steps to another value
        axis = list(grid.factors).index(name)
        others = steps[axis].copy()
        others[start[axis]] = 0.0
        for value, p in enumerate(others / others.sum()):
            end = tuple(value if k == axis else s for k, s in enumerate(start))
            joint[end] += stayed * p / len(moving)
    (first,) = grid.index([start])
    _, second = drawn("laplace", grid, first=first, rate=rate, categorical=categorical)
    seen = np.zeros_like(joint)
    np.add.at(seen, tuple(second.T), 1 / DRAWS)
    within(seen, joint)


@pytest.mark.parametrize("rate", [1e-3, 1e4])
def test_laplace_pairs_always_differ(rate):
    first, second = drawn("laplace", rate=rate)
    assert (first != second).any(1).all()
    if rate > 1:  # then one factor takes one step
        assert (np.abs(first - second).sum(1) == 1).all()


def test_pairs_are_drawn_within_a_part_of_a_grid():
    part = GRID.view(hold_out=["a=3", "b=0"], split="train")
    index = np.arange(len(part))
    for name in NAMES:
        pair = draw_pairs(part, index, np.random.default_rng(0), name)
        first, second = (GRID.every_label(part.origin(each)) for each in (index, pair))
        assert set(second[:, 0]) == set(range(10)) - {3}
        assert set(second[:, 2]) == set(range(1, 9))
        assert (first[:, 1] == second[:, 1]).all()


def test_pairs_of_a_single_factor_change_it():
    grid = Speckle({"a": 3}, (), (1, 1, 1))
    for name in ("uniform_fixed", "changes_fixed", "laplace"):
        first, second = drawn(name, grid, draws=50)
        assert (first != second).all()


def test_changed_factors_are_scored_ones_that_differ():
    first = GRID.index([[1, 0, 2, 3, 4], [1, 1, 2, 3, 4]])
    second = GRID.index([[1, 1, 0, 3, 4], [2, 1, 2, 3, 0]])
    changed = changed_factors(GRID, first, second)
    assert changed.tolist() == [[False, True, False, False], [True, False, False, True]]


def test_factor_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="speckle has no factor 'stil'; did you mean 'still'"):
        moving_factors(GRID, "stil")


def test_some_factor_must_be_able_to_change():
    assert moving_factors(GRID, "a+c") == ["b", "d"]
    with pytest.raises(UsageError, match=r"no factor of speckle can change.*: a, b, c, d; leave"):
        moving_factors(GRID, "a+b+c+d+still")


class Photos(Dataset):
    """Images without labels."""

    name = "photos"

    def __len__(self):
        return 9

    def images(self, index):
        raise NotImplementedError


def test_factors_that_differ_need_labels():
    with pytest.raises(UsageError, match="photos has no labels, so the changed factors"):
        changed_factors(Photos(), np.array([0]), np.array([1]))
