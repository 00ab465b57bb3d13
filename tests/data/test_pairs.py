"""Pairs against the definitions of the published experiments, recomputed one pair at a time."""

from itertools import product
from math import comb, log

import numpy as np
import pytest

from disentangle._utils.seeds import numpy_rng
from disentangle.contracts.dataset import Dataset, Grid
from disentangle.data.pairs import changed_factors, check_pairs, draw_pairs, moving_factors
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


FULL_GRID = {
    "changes": [3, 1814, 3602, 5120, 7186, 4968],
    "changes_fixed": [3, 1842, 3604, 5232, 7179, 6984],
    "uniform": [8238, 6896, 8661, 5400, 7088, 8979],
    "uniform_fixed": [8517, 624, 569, 1368, 7368, 9007],
    "locatello2020": [28, 3844, 3770, 5400, 5184, 8999],
    "laplace": [2093, 1849, 637, 463, 8334, 9616],
}
"""Pairs as drawn before parts that are no grids could be trained on."""


@pytest.mark.parametrize(("name", "expected"), FULL_GRID.items())
def test_pairs_of_a_full_grid_are_those_of_earlier_versions(name, expected):
    index = np.arange(0, len(GRID), 1800)
    assert draw_pairs(GRID, index, np.random.default_rng(0), name).tolist() == expected


HOLES = {"combination": ["a=3,b=0", "c>4,d<3"], "share": ["0.5"], "most": ["0.9"]}
"""Hold-outs that leave no grid."""


@pytest.mark.parametrize("hold_out", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("name", NAMES)
def test_pairs_of_a_part_with_holes_are_in_the_part(name, hold_out):
    part = GRID.view(hold_out=hold_out)
    assert not isinstance(part, Grid)
    check_pairs(part, name, changes=2)
    index = np.arange(len(part))
    pair = draw_pairs(part, index, numpy_rng(0, "pair", 3), name, changes=2)
    assert pair.min() >= 0
    assert pair.max() < len(part)
    assert len(np.unique(pair)) > len(part) / 4
    first, second = part.every_label(index), part.every_label(pair)
    assert (first[:, 1] == second[:, 1]).all()
    again = draw_pairs(part, index, numpy_rng(0, "pair", 3), name, changes=2)
    assert (again == pair).all()
    differ = changed_factors(part, index, pair)
    assert differ.tolist() == (first != second)[:, [0, 2, 3, 4]].tolist()
    if name == "changes_fixed":
        assert (differ.sum(1) == 2).all()
    if name == "changes":
        assert differ.sum(1).max() == 2
    if name == "laplace":
        assert differ.any(1).all()


@pytest.mark.parametrize("name", NAMES)
def test_pairs_of_a_part_are_those_of_the_grid_that_are_in_it(name):
    """Independent: pairs of the whole grid, of which those outside are left out."""
    grid = Speckle({"a": 4, "b": 3, "c": 2}, (), (1, 1, 1))
    part = grid.view(hold_out=["a>1,b>0", "a=1,c=1"])
    inside = part.origin(np.arange(len(part)))
    for first in (0, len(part) - 1):
        rng = np.random.default_rng(1)
        whole = draw_pairs(grid, np.full(6 * DRAWS, inside[first]), rng, name, changes=2)
        whole = whole[np.isin(whole, inside)][:DRAWS]
        pair = part.origin(draw_pairs(part, np.full(DRAWS, first), rng, name, changes=2))
        counts = [np.bincount(each, minlength=len(grid)) / DRAWS for each in (pair, whole)]
        assert len(whole) == DRAWS
        within(counts[0], counts[1], DRAWS / 2)


def test_partner_is_found_where_few_are_left():
    grid = Speckle({"a": 60, "b": 60}, (), (1, 1, 1))
    part = grid.view(hold_out=["a in 1..58", "b in 1..58", "a=0,b=59", "a=59,b=0"])
    check_pairs(part, "changes_fixed", changes=2)
    index = np.tile([0, 1], 32)
    pair = draw_pairs(part, index, np.random.default_rng(0), "changes_fixed", changes=2)
    assert (pair == 1 - index).all()


CUBE = Speckle({"a": 4, "b": 4, "c": 4}, (), (1, 1, 1))
LONE = CUBE.view(hold_out=["a=0,b!=0", "a=0,c!=0", "a!=0,b=0", "a!=0,c=0"])
"""27 images of a cube, and one that differs from each of them in all factors."""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("changes", {"changes": 2}),
        ("changes_fixed", {"changes": 2}),
        ("uniform", {}),
        ("uniform_fixed", {}),
        ("locatello2020", {}),
        ("laplace", {"categorical": "b"}),
    ],
)
def test_part_in_which_an_image_has_no_partner_is_refused(name, options):
    with pytest.raises(UsageError, match=f"'speckle' lacks partners for 1 of its 28.*{name}"):
        check_pairs(LONE, name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [("changes", {"changes": 3}), ("changes_fixed", {"changes": 9}), ("laplace", {})],
)
def test_part_in_which_each_image_has_a_partner_is_accepted(name, options):
    check_pairs(LONE, name, **options)
    index = np.zeros(9, np.int64)
    assert (draw_pairs(LONE, index, np.random.default_rng(0), name, **options) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_check_counts_partners_as_a_comparison_of_all_images_does(name):
    grid = Speckle({"a": 4, "still": 2, "b": 3, "c": 4}, ("still",), (1, 1, 1))
    refused = 0
    for seed in range(12):
        part = grid.view(hold_out=["0.9"], hold_out_seed=seed)
        labels = part.every_label(np.arange(len(part)))
        differ = (labels[:, None] != labels).sum(2)
        same = labels[:, None, 1] == labels[:, 1]
        allowed = {"laplace": [1, 2, 3], "changes": [1], "changes_fixed": [1]}.get(name, [1, 2])
        alone = (~(np.isin(differ, allowed) & same).any(1)).sum()
        refused += alone > 0
        if alone:
            with pytest.raises(UsageError, match=f"for {alone} of its {len(part)} images"):
                check_pairs(part, name)
        else:
            check_pairs(part, name)
    assert refused or name == "laplace"  # which reaches every image


def test_labelled_images_that_are_no_grid_have_no_pairs():
    with pytest.raises(UsageError, match=r"need a grid.*'photos' is only images"):
        check_pairs(Photos(), "changes")
    with pytest.raises(UsageError, match=r"need a grid.*'photos' is only images"):
        draw_pairs(Photos(), np.array([0]), np.random.default_rng(0), "changes")


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
