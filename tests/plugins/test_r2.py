"""R^2 of readouts against scikit-learn, by its definition on views, and across a hold-out."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

import disentangle
from disentangle import Unavailable
from disentangle.contracts.source import Part
from disentangle.errors import UsageError
from disentangle.maths import circle, standardised
from disentangle.scoring.arrays import array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins.metrics.r2 import (
    KERNEL_IMAGES,
    PENALTIES,
    R2,
    columns_of,
    kernel_ridge,
    r2,
)

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


def waves(n=400):
    """Two codes, and factors that no linear readout reads: to fit on, and to test on."""
    made = rng(4)
    z = made.normal(size=(2 * n, 2))
    v = np.column_stack([np.sin(2 * z[:, 0]), np.cos(z[:, 1]), z[:, 0] * z[:, 1]])
    v += 0.1 * made.normal(size=v.shape)
    return z[:n], v[:n], z[n:], v[n:]


def test_kernel_ridge_is_that_of_scikit_learn_with_the_penalty_of_the_least_error():
    z, v, test_z, _ = waves(60)
    distances = np.linalg.norm(z[:, None] - z, axis=2)
    gamma = 1 / (2 * np.median(distances[distances > 0]) ** 2)
    expected = []
    for y in (v - v.mean(axis=0)).T:
        errors = []
        for alpha in PENALTIES:
            ridge = KernelRidge(alpha=alpha, kernel="rbf", gamma=gamma)
            others = [np.delete(np.arange(60), i) for i in range(60)]
            errors.append(
                np.mean(
                    [
                        (ridge.fit(z[o], y[o]).predict(z[[i]])[0] - y[i]) ** 2
                        for i, o in enumerate(others)
                    ]
                )
            )
        best = KernelRidge(alpha=PENALTIES[np.argmin(errors)], kernel="rbf", gamma=gamma)
        expected.append(best.fit(z, y).predict(test_z))
    got = kernel_ridge(z, v, test_z, seed=0)
    np.testing.assert_allclose(got - v.mean(axis=0), np.transpose(expected), atol=1e-8)


def test_kernel_ridge_fits_on_so_many_images_at_most(monkeypatch):
    z, v, test_z, _ = waves(200)
    monkeypatch.setattr("disentangle_plugins.metrics.r2.KERNEL_IMAGES", 50)
    got = kernel_ridge(z, v, test_z, seed=3)
    monkeypatch.undo()
    rows = rng(3).permutation(200)[:50]
    np.testing.assert_allclose(got, kernel_ridge(z[rows], v[rows], test_z, seed=0))
    assert KERNEL_IMAGES == 2_000


def test_neural_network_is_that_of_scikit_learn():
    z, v, test_z, test_v = waves(150)
    x, test_x = standardised(z, test_z)
    y = (v - v.mean(axis=0)) / v.std(axis=0)
    mlp = MLPRegressor(hidden_layer_sizes=(100, 100), early_stopping=True, random_state=5)
    predicted = mlp.fit(x, y).predict(test_x) * v.std(axis=0) + v.mean(axis=0)
    got = r2(z, v, test_z, test_v, readout="mlp", seed=5)
    assert got == pytest.approx(r2_score(test_v, predicted))


@pytest.mark.parametrize("readout", ["kernel-ridge", "mlp", "boosting"])
def test_readouts_that_are_not_linear_read_waves(readout):
    arrays = waves(1_000)
    assert r2(*arrays, readout=readout) > 0.85
    assert r2(*arrays) < 0.3


@pytest.mark.parametrize("readout", ["kernel-ridge", "mlp"])
@pytest.mark.parametrize("direction", ["codes-to-factors", "both"])
def test_noise_is_read_about_as_well_as_by_guessing(readout, direction):
    made = rng(2)
    z, v = made.normal(size=(1_200, 3)), made.integers(0, 9, (1_200, 2))
    got = r2(z[:600], v[:600], z[600:], v[600:], readout=readout, direction=direction)
    assert got == pytest.approx(0, abs=0.06)


def test_codes_are_read_from_factors_as_factors_from_codes():
    z, v, test_z, test_v = arrays()
    there, back = r2(z, v, test_z, test_v), r2(v, z, test_v, test_z)
    given = (z, v, test_z, test_v)
    assert r2(*given, direction="factors-to-codes") == pytest.approx(back)
    assert r2(*given, direction="both") == pytest.approx((there + back) / 2)
    assert abs(there - back) > 0.05


def test_both_directions_are_scores_with_their_details():
    z, v, test_z, test_v = arrays()
    given = {"test_codes": test_z, "test_factors": test_v}
    sizes = "train=300,test=300"
    both = disentangle.score_codes(z, v, **given, metrics=[f"r2:direction=both,{sizes}"])
    assert both["r2/codes-to-factors"] == pytest.approx(r2(z, v, test_z, test_v))
    assert both["r2/factors-to-codes"] == pytest.approx(r2(v, z, test_v, test_z))
    assert both["r2"] == pytest.approx(
        np.mean([score for name, score in both.items() if "/" in name])
    )
    found = R2(direction="factors-to-codes").score(array_source(z, v), rng())
    assert found.keys() == {"r2", "r2/latents"}
    assert found["r2/latents"].values.shape == (4,)
    assert found["r2"] == pytest.approx(found["r2/latents"].values.mean())


def test_a_latent_that_is_constant_is_not_read():
    z, v, test_z, test_v = arrays()
    more = [np.hstack([part, np.full((300, 1), 0.3)]) for part in (z, test_z)]
    backwards = {"direction": "factors-to-codes"}
    got = r2(more[0], v, more[1], test_v, **backwards)
    assert got == pytest.approx(r2(z, v, test_z, test_v, **backwards))
    with pytest.raises(Unavailable, match="every latent is constant"):
        r2(0 * z, v, 0 * test_z, test_v, **backwards)


@pytest.mark.parametrize("scale", [1e-90, 1e90])
def test_scale_of_latents_changes_nothing_when_they_are_read(scale):
    z, v, test_z, test_v = arrays()
    backwards = {"direction": "factors-to-codes"}
    got = r2(scale * z, v, scale * test_z, test_v, **backwards)
    assert got == pytest.approx(r2(z, v, test_z, test_v, **backwards))


def test_variance_of_values_is_one_of_factors_read_from_codes():
    with pytest.raises(UsageError, match="variance has no effect while direction is both"):
        MetricSpec("r2:direction=both,variance=values")


@pytest.mark.parametrize("readout", ["linear", "boosting", "kernel-ridge", "mlp"])
@pytest.mark.parametrize("direction", ["codes-to-factors", "factors-to-codes", "both"])
def test_same_seed_gives_the_same_numbers(readout, direction):
    z, v, test_z, test_v = arrays(120)
    first, second = (
        r2(z, v, test_z, test_v, readout=readout, direction=direction, seed=3) for _ in range(2)
    )
    assert first == second


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
        assert (columns_of(view, view.labels(index), angles=False) == whole[:, columns]).all()
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


def of_an_angle(codes, kind="cyclic=360", knobs=""):
    degrees = np.linspace(0, 360, 1200, endpoint=False)
    factors = {"angle": degrees, "size": np.arange(len(degrees)) % 5}
    codes = np.column_stack([codes(np.radians(degrees)), factors["size"]])
    (score,) = disentangle.score_codes(
        codes, factors, kinds={"angle": kind}, metrics=[f"r2{knobs}"]
    ).values()
    return score


def test_cosine_and_sine_are_a_cyclic_factor_of_real_numbers():
    assert of_an_angle(circle) == pytest.approx(1)
    assert of_an_angle(np.cos) == pytest.approx((1 + 1 / 2) / 2, abs=0.01)
    assert of_an_angle(np.cos, kind="continuous") == pytest.approx(0.5, abs=0.01)


def test_cyclic_factor_of_a_few_values_is_a_number_unless_angles_are_asked_for():
    angle = 2 * np.pi * (np.arange(1200) % 8) / 8
    codes, v = circle(angle) + 1e-6 * rng().normal(size=(1200, 2)), np.arange(1200)[:, None] % 8
    given = {"names": ["a"], "kinds": {"a": "cyclic=8"}}
    as_number, as_angle = (
        disentangle.score_codes(codes, v, **given, metrics=[f"r2{knobs}"])["r2"]
        for knobs in ("", ":cyclic=angles")
    )
    assert as_number < 0.7
    assert as_angle == pytest.approx(1)


def test_variance_of_values_is_that_of_their_cosine_and_sine():
    assert of_an_angle(circle, knobs=":variance=values") == pytest.approx(1)
