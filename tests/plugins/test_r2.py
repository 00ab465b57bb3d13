"""R^2 of readouts against scikit-learn, by its definition on views, and across a hold-out."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

import disentangle
from disentangle import Unavailable
from disentangle.contracts.source import Part
from disentangle_plugins.metrics.r2 import R2, as_numbers, r2

SIZES = {"a": 4, "b": 6, "c": 5, "d": 40}


def rng(seed=0):
    return np.random.default_rng(seed)


def arrays(n=600):
    """Codes that mix two factors, and these factors: to fit on, and to test on."""
    made = rng()
    v = made.integers(0, (3, 40), (n, 2)).astype(float)
    z = v @ made.normal(size=(2, 4)) + made.normal(size=(n, 4))
    return z[::2], v[::2], z[1::2], v[1::2]


class Viewed(Coded):
    """The factors as codes, of a view of a grid; `read` makes the codes of whole labels [N, K]."""

    def __init__(self, read=lambda labels: labels, numbers=None, **view):
        super().__init__(identity, SIZES)
        self.dataset.numbers = numbers or {}
        self.dataset, self.read = self.dataset.view(**view), read

    def codes(self, index):
        whole = self.dataset.whole
        return self.read(whole.every_label(self.dataset.origin(index)).astype(float))


def test_linear_readout_is_that_of_scikit_learn():
    z, v, test_z, test_v = arrays()
    predicted = LinearRegression().fit(z, v).predict(test_z)
    assert r2(z, v, test_z, test_v) == pytest.approx(r2_score(test_v, predicted), abs=1e-9)


def test_boosted_readout_is_that_of_scikit_learn():
    z, v, test_z, test_v = arrays()
    expected = []
    for k in range(2):
        trees = HistGradientBoostingRegressor(early_stopping=False, random_state=0)
        expected.append(r2_score(test_v[:, k], trees.fit(z, v[:, k]).predict(test_z)))
    found = r2(z, v, test_z, test_v, readout="boosting")
    assert found == pytest.approx(np.mean(expected), abs=0.02)  # codes are standardised for bins


def test_given_variances_are_the_denominators():
    z, v, test_z, test_v = arrays()
    error = np.square(LinearRegression().fit(z, v).predict(test_z) - test_v).mean(axis=0)
    found = r2(z, v, test_z, test_v, variances=[2.0, 50.0])
    assert found == pytest.approx(np.mean(1 - error / [2.0, 50.0]))


def test_guessing_scores_nothing_and_a_worse_readout_less():
    made = rng()
    z, v = made.normal(size=(4000, 3)), made.integers(0, 9, (4000, 1))
    assert r2(z[:2000], v[:2000], z[2000:], v[2000:]) == pytest.approx(0, abs=0.01)
    assert r2(v[:2000], v[:2000], -5.0 * v[2000:], v[2000:]) < -10


def test_a_constant_factor_is_left_out():
    z, v, test_z, test_v = arrays()
    both = [np.hstack([part, np.ones((len(part), 1))]) for part in (v, test_v)]
    assert r2(z, both[0], test_z, both[1]) == pytest.approx(r2(z, v, test_z, test_v))
    with pytest.raises(Unavailable, match="constant"):
        r2(z, np.ones((len(z), 1)), test_z, np.ones((len(test_z), 1)))


def test_values_are_the_numbers_behind_the_labels():
    uneven = {"b": [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]}
    steps, numbers = Viewed(), Viewed(numbers=uneven)
    for source in (steps, numbers):
        source.read = lambda labels: np.array(uneven["b"])[labels[:, [1]].astype(int)]
    of = [R2().score(source, rng())["r2/factors"].values[1] for source in (steps, numbers)]
    assert of[1] == pytest.approx(1)
    assert of[0] < 0.95


def test_variance_of_values_is_that_of_the_whole_grid():
    view = {"hold_out": ("b=0|3|4",), "split": "test"}
    noise = Viewed(lambda labels: np.zeros((len(labels), 1)), **view)
    found = R2(variance="values").score(noise, rng())["r2/factors"].values
    b = np.array([0, 3, 4])
    assert found[1] == pytest.approx(1 - b.var() / np.arange(6).var(), abs=0.02)
    assert found[0] == pytest.approx(0, abs=0.02)


def test_values_of_a_view_are_those_of_the_whole_dataset():
    labels = {"b": [0, 3, 4]}
    for specs in (("b=0|3|4",), ("b=0|3|4,a=1", "a=2,b=0")):
        view = Viewed(hold_out=specs, split="test").dataset
        index = np.arange(len(view))
        whole = view.whole.every_label(view.origin(index))
        columns = [list(view.whole.factors).index(name) for name in view.factors]
        assert (as_numbers(view, view.labels(index)) == whole[:, columns]).all()
    assert (
        list(Viewed(hold_out=("b=0|3|4",), split="test").dataset.every_number["b"]) == labels["b"]
    )


def test_across_fits_on_the_images_trained_on_and_tests_on_those_held_out():
    source = Viewed(lambda labels: np.abs(labels - 2), hold_out=("b<2",), split="all")
    found = R2(across=True).score(source, rng())["r2/factors"].values
    # b = 2, 3, 4, 5 is read as 2 + |b - 2|, so b = 0 as 4 and b = 1 as 3
    assert found[1] == pytest.approx(1 - np.mean([4.0**2, 2.0**2]) / np.var([0, 1]), abs=0.2)


def test_parts_of_a_source_are_those_of_the_hold_out():
    source = Viewed(hold_out=("0.3",), split="all")
    parts = source.held_out_parts()
    assert all(isinstance(part, Part) for part in parts)
    drawn = [set(part.index) for part in parts]
    splits = [source.dataset.whole.view(hold_out=("0.3",), split=s) for s in ("train", "test")]
    assert drawn == [set(view.origin(np.arange(len(view)))) for view in splits]


@pytest.mark.parametrize(
    "view", [{}, {"hold_out": ("0.3",)}, {"hold_out": ("0.3",), "split": "test"}]
)
def test_across_needs_both_parts(view):
    with pytest.raises(Unavailable, match="--split all"):
        R2(across=True).score(Viewed(**view), rng())


def test_splits_of_a_dataset_are_parts_too():
    source = Viewed()

    class Split(type(source.dataset)):
        @property
        def splits(self):
            every = np.arange(len(self))
            return {"all": every, "train": every[:50], "test": every[50:70]}

    source.dataset = Split(SIZES)
    inside, outside = source.held_out_parts()
    assert (inside.index.tolist(), outside.index.tolist()) == (
        list(range(50)),
        list(range(50, 70)),
    )


def test_no_image_is_drawn_twice():
    source, drawn = Viewed(), []
    read = source.codes
    source.codes = lambda index: drawn.append(index) or read(index)
    R2().score(source, rng())
    fitted, tested = drawn
    assert sorted([*fitted, *tested]) == list(range(len(source)))
    assert source.overlap == 0


def test_held_out_rows_are_scored():
    z, v, test_z, test_v = arrays()
    given = {"test_codes": test_z, "test_factors": test_v}
    found = disentangle.score_codes(z, v, **given, metrics=["r2:train=300,test=300"])
    assert found["r2"] == pytest.approx(r2(z, v, test_z, test_v))
