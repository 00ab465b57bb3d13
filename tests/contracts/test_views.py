"""Views: splits, held-out shares and combinations, and what a view says of itself."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.errors import UsageError


class Numbers(Grid):
    """A grid whose images say their own index."""

    image_shape = (1, 1, 1)
    fingerprint = source = name = "numbers"
    likelihood = "gaussian"

    def images(self, index):
        return torch.from_numpy(self._index(index).astype(np.uint8))[:, None, None, None]


class Bare(Dataset):
    image_shape = (1, 1, 1)
    fingerprint = source = name = "bare"

    def __len__(self):
        return 10

    def images(self, index):
        return torch.from_numpy(self._index(index).astype(np.uint8))[:, None, None, None]


def grid():
    made = Numbers({"shape": 3, "scale": 4, "x": 5}, nuisance=["x"])
    made.values = {"shape": ["square", "ellipse", "heart"], "scale": ["0.5", "0.6", "0.8", "1"]}
    return made


def numbers(view):
    return view.images(np.arange(len(view))).flatten().tolist()


def test_combination_that_is_held_out_is_tested_and_not_trained_on():
    spec = ["shape=heart,scale=0.5"]
    train = grid().view(hold_out=spec)
    test = grid().view(hold_out=spec, split="test")
    assert numbers(test) == [40, 41, 42, 43, 44]
    assert sorted(numbers(train) + numbers(test)) == list(range(60))
    assert train.view_record == {"split": "train", "hold_out": tuple(spec)}
    assert train.likelihood == "gaussian"


def test_several_combinations_are_all_held_out():
    test = grid().view(hold_out=["shape=heart,scale=1", "shape=square,x=0"], split="test")
    assert numbers(test) == [0, 5, 10, 15, 55, 56, 57, 58, 59]


def test_what_is_left_of_a_grid_is_a_grid_where_it_can_be():
    train = grid().view(hold_out=["shape=ellipse"])
    assert isinstance(train, Grid)
    assert train.every_factor == {"shape": 2, "scale": 4, "x": 5}
    assert train.values["shape"] == ["square", "heart"]
    assert numbers(train) == [*range(20), *range(40, 60)]
    assert train.images(train.index([[1, 0, 2]])).item() == 42
    assert isinstance(grid().view(hold_out=["shape=heart,x=1"], split="test"), Grid)
    assert not isinstance(grid().view(hold_out=["shape=heart,x=1"]), Grid)


def test_position_in_a_part_is_the_inverse_of_the_origin():
    part = grid().view(hold_out=["shape=heart,x=1", "scale=1,x=2"]).view(factors=["x"])
    index = np.arange(len(part))
    assert (part.position(part.origin(index)) == index).all()
    others = np.setdiff1d(np.arange(60), part.origin(index))
    assert len(others) == 7
    assert (part.position(others) == -1).all()


def test_factor_that_a_split_fixes_is_not_scored_there():
    assert grid().view(hold_out=["shape=heart"], split="test").factors == {"scale": 4}
    share = grid().view(hold_out=["shape=heart,scale=0.5", "shape=heart,scale=1"], split="test")
    assert share.factors == {"scale": 2}
    assert grid().view(hold_out=["shape=heart,x=1"]).factors == {"shape": 3, "scale": 4}


def test_factor_of_a_labelled_part_that_is_fixed_is_not_scored():
    labelled = grid().view(hold_out=["scale=1,x=0", "scale=0.5,x=2"], split="test", factors=["x"])
    assert isinstance(labelled, Labelled)
    assert labelled.factors == {"x": 5}


def test_share_is_drawn_by_the_seed_and_recorded():
    views = [Bare().view(hold_out=["0.2"], hold_out_seed=seed) for seed in (0, 0, 1)]
    assert numbers(views[0]) == numbers(views[1]) != numbers(views[2])
    assert len(views[0]) == 8
    assert views[2].view_record == {"split": "train", "hold_out": ("0.2",), "hold_out_seed": 1}


def test_share_of_a_factors_values_holds_out_whole_values():
    train, test = (grid().view(hold_out=["x=40%"], split=s) for s in ("train", "test"))
    assert (train.every_factor["x"], test.every_factor["x"]) == (3, 2)
    columns = [set(np.array(numbers(view)) % 5) for view in (train, test)]
    assert not columns[0] & columns[1]


@given(
    st.lists(
        st.sampled_from(["shape=heart", "scale=0.6,x=3", "x=4", "0.3", "shape=50%", "10%"]),
        min_size=1,
        unique=True,
    ),
    st.integers(0, 5),
)
def test_train_and_test_are_a_partition_and_reopen_from_their_record(specs, seed):
    views = [
        grid().view(hold_out=specs, split=split, hold_out_seed=seed) for split in ("train", "test")
    ]
    assert Counter(numbers(views[0]) + numbers(views[1])) == Counter(range(60))
    for view in views:
        assert numbers(grid().view(**view.view_record)) == numbers(view)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("1.5", "expected a share between 0 and 1"),
        ("0", "expected a share between 0 and 1"),
        ("heart", "or a combination factor=value"),
        ("shape=200%", "expected a share between 0 and 1"),
        ("shap=heart", "no factor 'shap'; did you mean 'shape'"),
        ("shape=hart", "shape has no value 'hart'; its values are square, ellipse, heart"),
        ("x=9", "x has no value '9'; its values are 0, 1, 2, 3, 4"),
        ("0.001", "holds out no image of numbers"),
        ("x=1%", "holds out no image of numbers"),
    ],
)
def test_hold_out_that_makes_no_sense_is_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        grid().view(hold_out=[spec])


def test_holding_out_everything_is_refused():
    with pytest.raises(UsageError, match="holds out all images"):
        grid().view(hold_out=["shape=heart", "shape=square", "shape=ellipse"])


def test_images_without_labels_have_no_combinations():
    with pytest.raises(UsageError, match="bare has no labels; hold out a share"):
        Bare().view(hold_out=["shape=heart"])


def test_part_of_a_part_is_refused():
    with pytest.raises(UsageError, match="already has a split or hold-out"):
        grid().view(hold_out=["0.5"]).view(hold_out=["0.5"])


def test_values_are_numbers_where_they_look_like_numbers():
    assert grid().view(hold_out=["scale=.50"], split="test").values["scale"] == ["0.5"]


def test_values_are_taken_as_they_are_listed():
    """In four significant digits, if these mean one value."""
    thirds = grid()
    thirds.values = {**thirds.values, "x": ["0.0", "0.14285714285714285", "0.3", "0.30001", "1.0"]}
    assert len(thirds.view(hold_out=["x=0.1429"], split="test")) == 12
    for text in ("0.143", "0.14286", "0.30002"):
        with pytest.raises(UsageError, match=f"x has no value '{text}'; its values are 0.0, 0.14"):
            thirds.view(hold_out=[f"x={text}"])
    assert thirds.view(hold_out=["x=0.3"], split="test").values["x"] == ["0.3"]


def test_view_knows_the_whole_dataset():
    whole = grid()
    assert whole.view(factors=["x"]).view(hold_out=["shape=heart"]).whole is whole
    assert whole.whole is whole
    assert whole.view(hold_out=["x=1"]).view(factors=["scale"]).whole is whole
    assert Bare().view().whole.name == "bare"


def test_no_factors_at_all_are_refused():
    with pytest.raises(UsageError, match="list of factors is empty"):
        grid().view(factors=[])


class Faces(Numbers):
    """A grid with splits of its own."""

    train_split, test_split = "train", "test"

    @property
    def splits(self):
        return {"all": np.arange(60), "train": np.arange(40), "test": np.arange(40, 60)}


def test_all_images_of_a_dataset_that_trains_on_a_part_are_recorded_as_all():
    faces = Faces({"a": 60})
    assert faces.view(split="all").view_record == {"split": "all"}
    assert grid().view(split="all").view_record == {}
    assert numbers(faces.view(split="test")) == list(range(40, 60))


def test_view_of_a_part_shows_the_images_of_the_part():
    part = grid().view(hold_out=["shape=ellipse"])
    assert numbers(part.view(factors=["x"])) == numbers(part)


class Parted(Numbers):
    """Sixty images with splits of their own: 30 to train on, 10 to choose by, 20 to test."""

    train_split, test_split = "train", "test"

    @property
    def splits(self):
        parts = {"train": range(30), "valid": range(30, 40), "test": range(40, 60)}
        return {"all": np.arange(60), **{name: np.array(part) for name, part in parts.items()}}


def parted():
    return Parted({"a": 12, "b": 5})


@pytest.mark.parametrize("dataset", [parted(), parted().view(factors=["b"])], ids=["whole", "view"])
@pytest.mark.parametrize("spec", ["b=1", "b=20%"])
def test_what_is_held_out_stays_within_the_datasets_own_splits(dataset, spec):
    train, test, everything = (
        numbers(dataset.view(hold_out=[spec], split=split)) for split in ("train", "test", "all")
    )
    held = {image % 5 for image in test}
    assert len(held) == 1
    assert train == [image for image in range(30) if image % 5 not in held]
    assert test == [image for image in range(40, 60) if image % 5 in held]
    assert everything == list(range(60))


def test_held_out_part_of_own_splits_is_recorded_as_ever():
    view = parted().view(hold_out=["b=1"])
    assert view.view_record == {"split": "train", "hold_out": ("b=1",)}
    assert numbers(parted().view(**view.view_record)) == numbers(view)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hold_out": ["0.2"]},
            r"0\.2: numbers has its own splits \(train, valid, test\): choose one with --split",
        ),
        (
            {"hold_out": ["b=1"], "split": "valid"},
            "expected --split train, test or all, got 'valid'",
        ),
        ({"hold_out": ["a=1"]}, "holds out no image of numbers's split 'test'"),
        ({"hold_out": [f"a={a}" for a in range(9)]}, "all images of numbers's split 'train'"),
    ],
)
def test_hold_out_that_own_splits_do_not_allow_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        parted().view(**options)
