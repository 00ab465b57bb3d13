"""Datasets in their three strengths, and the views of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from disentangle._utils.files import data_folder
from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, Unavailable, UsageError


class Counting(Grid):
    """A grid whose images say their own index."""

    image_shape = (1, 1, 2)
    fingerprint = "counting"
    source = "made"
    name = "counting"

    def images(self, index):
        index = self._index(index)
        return torch.from_numpy(np.stack([index // 256, index % 256], 1)[:, None, None]).byte()


class Some(Labelled):
    """Labelled images that are no grid."""

    image_shape = (1, 1, 1)
    fingerprint = "some"
    source = "made"
    name = "some"

    def __init__(self, labels):
        self._labels = np.asarray(labels)
        self.every_factor = {f"f{k}": int(n) for k, n in enumerate(self._labels.max(0) + 1)}

    def __len__(self):
        return len(self._labels)

    def images(self, index):
        return torch.zeros((len(self._index(index)), 1, 1, 1), dtype=torch.uint8)

    def every_label(self, index):
        return self._labels[self._index(index)]


GRID = Counting({"constant": 1, "a": 3, "b": 4, "c": 5}, nuisance=["b"])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.randoms())
def test_index_and_labels_are_inverse(sizes, random):
    grid = Counting({f"f{i}": size for i, size in enumerate(sizes)})
    index = np.array([random.randrange(len(grid)) for _ in range(20)])
    assert (grid.index(grid.every_label(index)) == index).all()


def test_grid_is_row_major():
    assert GRID.every_label([0, 1, 5, 20]).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
    ]


def test_constant_and_nuisance_factors_are_not_scored():
    assert GRID.factors == {"a": 3, "c": 5}
    assert GRID.labels([59]).tolist() == [[2, 4]]


@pytest.mark.parametrize("factor", ["a", "b", "c"])
def test_grid_shares_the_factor_and_draws_the_others(factor):
    index = np.zeros(4000, np.int64)
    labels = GRID.every_label(GRID.sharing(factor, index, np.random.default_rng(0)))
    column = list(GRID.every_factor).index(factor)
    for k, size in enumerate(GRID.every_factor.values()):
        counts = np.bincount(labels[:, k], minlength=size)
        if k == column:
            assert counts[0] == 4000
        else:
            assert (np.abs(counts - 4000 / size) < 5 * np.sqrt(4000 / size)).all()


def test_labelled_shares_the_factor_with_another_image_uniformly():
    data = Some([[0], [1], [0], [0], [1], [0]])
    shared = data.sharing("f0", np.full(3000, 2), np.random.default_rng(0))
    counts = np.bincount(shared, minlength=6)
    assert counts[[1, 2, 4]].tolist() == [0, 0, 0]
    assert (np.abs(counts[[0, 3, 5]] - 1000) < 150).all()


def test_value_that_one_image_has_alone_cannot_be_shared():
    data = Some([[0], [1], [0]])
    with pytest.raises(Unavailable, match="factor 'f0' has values with only one image"):
        data.sharing("f0", np.array([0, 1]), np.random.default_rng(0))


@pytest.mark.parametrize("index", [[-1], [60], [0, 99]])
def test_index_outside_is_refused(index):
    with pytest.raises(UsageError, match="counting has images 0 to 59"):
        GRID.images(index)


def test_index_of_floats_is_refused():
    with pytest.raises(UsageError, match="whole numbers, got float64"):
        GRID.images([0.5])


def test_view_of_factors_is_a_grid_that_remembers():
    view = GRID.view(factors=["b", "c"])
    assert isinstance(view, Grid)
    assert view.factors == {"b": 4, "c": 5}
    assert view.view_record == {"factors": ("b", "c")}
    assert GRID.factors == {"a": 3, "c": 5}


def test_view_of_an_unknown_factor_or_split_gets_a_suggestion():
    with pytest.raises(UsageError, match="no factor 'constat'; did you mean 'constant'"):
        GRID.view(factors=["constat"])
    with pytest.raises(UsageError, match="no split 'al'; did you mean 'all'"):
        GRID.view(split="al")


class Halves(Some):
    @property
    def splits(self):
        return {"all": np.arange(6), "odd": np.array([1, 3, 5])}


def test_view_of_a_split_is_labelled_and_counts_from_0():
    view = Halves([[0, 0], [1, 1], [0, 2], [1, 3], [0, 4], [1, 5]]).view(split="odd")
    assert isinstance(view, Labelled)
    assert not isinstance(view, Grid)
    assert len(view) == 3
    assert view.factors == {"f1": 6}  # f0 is the same in all of them
    assert view.labels([0, 2]).tolist() == [[1], [5]]
    assert view.view_record == {"split": "odd"}
    assert set(view.sharing("f0", np.array([0, 1, 2]), np.random.default_rng(0))) <= {0, 1, 2}


def test_unlabelled_dataset_has_no_factors_to_choose_from():
    class Bare(Dataset):
        name = "bare"
        image_shape = (1, 1, 1)
        fingerprint = source = "bare"

        def __len__(self):
            return 3

        def images(self, index):
            return torch.zeros((len(self._index(index)), 1, 1, 1), dtype=torch.uint8)

    assert len(Bare().view()) == 3
    with pytest.raises(UsageError, match="bare has no labels"):
        Bare().view(factors=["a"])


def test_data_folder_is_given_or_from_the_environment_or_in_the_cache(monkeypatch, tmp_path):
    assert data_folder(tmp_path) == tmp_path
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path / "data"))
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("DISENTANGLE_DATA")
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "data"


def test_dataset_that_fails_to_open_is_named(strangers):
    with pytest.raises(DisentangleError, match=r"of strangers 3\.1 cannot be opened: Runtime"):
        load_dataset("unopenable")


def test_opened_dataset_knows_its_registered_name(strangers):
    assert load_dataset("tiny").name == "tiny"


def test_view_of_a_view_remembers_both():
    halves = Halves([[0, 0], [1, 1], [0, 2], [1, 3], [0, 4], [1, 5]])
    view = halves.view(split="odd").view(factors=["f1"])
    assert view.view_record == {"split": "odd", "factors": ("f1",)}
    assert view.labels([0, 1, 2]).tolist() == [[1], [3], [5]]
    same = halves.view(**view.view_record)
    assert (same.labels([0, 1, 2]) == view.labels([0, 1, 2])).all()
    assert GRID.view(factors=["b"]).view().view_record == {"factors": ("b",)}


def test_index_of_two_dimensions_is_refused():
    with pytest.raises(UsageError, match=r"expected an index \[N\], got \[2, 2\]"):
        GRID.images([[0, 1], [2, 3]])


@pytest.mark.parametrize("data", [GRID, Some([[0], [0]])], ids=["grid", "labelled"])
def test_sharing_an_unknown_factor_gets_a_suggestion(data):
    with pytest.raises(UsageError, match="has no factor 'nope'"):
        data.sharing("nope", np.array([0]), np.random.default_rng(0))


def test_labels_that_are_not_whole_numbers_are_refused():
    with pytest.raises(UsageError, match="whole numbers, got float64"):
        GRID.index([[0, 0.5, 0, 0]])
