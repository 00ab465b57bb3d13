"""Metrics against the reference implementations' values, and against what must not change them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.arrays import ArrayDataset
from disentangle.chosen import Chosen
from disentangle.dataset import Grid
from disentangle.errors import Unavailable
from disentangle.metric import Source
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from disentangle_plugins.metrics.mig import MIG, mig

GOLDEN = Path(__file__).parents[1] / "golden"
ARRAYS = np.load(GOLDEN / "golden_public.npz")
VALUES = json.loads((GOLDEN / "golden_public.json").read_text())
DSPRITES = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}


def golden(metric):
    return [v for v in VALUES["values"] if v["metric"] == metric]


class Coded(Source):
    """Codes that are a function of the labels, on a grid of factors without images."""

    def __init__(self, encoder, sizes=DSPRITES):
        class Factors(Grid):
            name, fingerprint, source, image_shape = "factors", "factors", "made", (1, 1, 1)

            def images(self, index):
                raise AssertionError("a metric reads codes, not images")

        self.dataset, self.encoder = Factors(sizes), encoder

    def codes(self, index):
        sizes = np.array(list(self.dataset.factors.values()))
        standard = (self.labels(index) - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
        return self.encoder(standard, index)

    def posterior(self, index):
        raise Unavailable("none")

    def train_test(self, n, m, rng):
        train, test = self.draw(n, rng), self.draw(m, rng)
        return self.codes(train), self.labels(train), self.codes(test), self.labels(test)


def identity(u, index):
    return u


def rotation(u, index):
    return u @ ARRAYS["enc/rotation_5"]


NOISE = np.random.default_rng(0).normal(size=(np.prod(list(DSPRITES.values())), 10))


def noise(u, index):
    return NOISE[index]


@pytest.mark.parametrize("value", golden("mig"), ids=lambda v: v["case"])
def test_mig_is_the_references(value):
    case = f"case/{value['case']}"
    z, v = ARRAYS[f"{case}/codes_train"], ARRAYS[f"{case}/factors_train"]
    bins = value["hp"]["num_bins"]
    assert mig(z, v.astype(np.int64), bins) == pytest.approx(value["value"], abs=1e-6)


@pytest.mark.parametrize(
    "value",
    golden("beta_vae_eval_accuracy"),
    ids=lambda v: f"{v['case']}-{v['versions']['sklearn']}",
)
def test_beta_vae_score_of_the_references_features_is_the_references(value):
    case = "beta/" + value["case"].removeprefix("sampled:")
    arrays = [ARRAYS[f"{case}/{name}"] for name in ("X_train", "y_train", "X_eval", "y_eval")]
    assert beta_vae_score(*arrays) == pytest.approx(value["value"], abs=1.5e-2)


@pytest.mark.parametrize(
    ("encoder", "expected", "tolerance"),
    [(identity, 0.8957, 0.004), (rotation, 0.2214, 0.006), (noise, 0.0, 0.005)],
    ids=["identity", "rotation", "noise"],
)
def test_mig_of_known_codes_at_full_size(encoder, expected, tolerance):
    found = MIG().score(Coded(encoder), np.random.default_rng(0))
    assert found["mig"] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("encoder", "name"), [(identity, "identity"), (rotation, "rotation"), (noise, "noise10")]
)
def test_beta_vae_score_of_known_codes_at_full_size(encoder, name):
    expected = next(
        row
        for row in VALUES["distributions"]["stats"]
        if (row["metric"], row["dataset_sizes"], row["encoder"])
        == ("beta_vae_vec.eval_accuracy", "dsprites", name)
    )
    found = BetaVAEScore().score(Coded(encoder), np.random.default_rng(0))
    margin = 4 * expected["std"] + 1e-9
    assert found["beta-vae-score"] == pytest.approx(expected["mean"], abs=margin)


def small(seed=0, n=300):
    rng = np.random.default_rng(seed)
    v = rng.integers(0, (3, 4, 5), (n, 3))
    return v + 0.3 * rng.normal(size=v.shape), v


@given(st.permutations(range(3)))
def test_mig_does_not_depend_on_the_order_of_latents_or_rows(order):
    z, v = small()
    rows = np.random.default_rng(1).permutation(len(z))
    assert mig(z[rows][:, order], v[rows]) == pytest.approx(mig(z, v), abs=1e-12)


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_mig_does_not_depend_on_scale_and_shift(scale, shift):
    z, v = np.round(small()[0], 3), small()[1]
    assert mig(z * scale + shift, v, bins=3) == pytest.approx(mig(z, v, bins=3), abs=0.05)


def test_mig_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=3000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [mig(v + amount * noise, v) for amount in (0, 0.2, 0.5, 1, 2, 5)]
    assert scores == sorted(scores, reverse=True)


def test_mig_of_one_latent_is_its_share_of_the_factor():
    v = np.arange(40)[:, None] % 4
    assert mig(v.astype(float), v) == pytest.approx(1.0)


def test_mig_leaves_constant_factors_out():
    z, v = small()
    constant = np.zeros((len(v), 1), np.int64)
    assert mig(z, np.hstack([constant, v])) == mig(z, v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        mig(z, constant)


def test_mig_with_a_constant_latent_is_finite():
    z, v = small()
    assert mig(np.hstack([z, np.full((len(z), 1), 0.7)]), v) == pytest.approx(mig(z, v))


def test_beta_vae_score_of_a_single_factor_is_unavailable():
    class One(Coded):
        pass

    with pytest.raises(Unavailable, match="takes two; here: 1"):
        BetaVAEScore().score(One(identity, {"only": 9}), np.random.default_rng(0))


@settings(max_examples=5)
@given(st.permutations(range(5)), st.lists(st.sampled_from([-1, 1]), min_size=5, max_size=5))
def test_beta_vae_score_does_not_depend_on_order_or_sign_of_latents(order, signs):
    metric = BetaVAEScore(train=500, test=300)

    def turned(u, index):
        return rotation(u, index)[:, order] * signs

    scores = [
        metric.score(Coded(encoder), np.random.default_rng(0))["beta-vae-score"]
        for encoder in (rotation, turned)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)


def test_metrics_run_through_their_registered_names():
    found = {name: Chosen(name).metric for name in ("mig", "beta-vae-score")}
    assert isinstance(found["mig"], MIG)
    assert isinstance(found["beta-vae-score"], BetaVAEScore)


def test_beta_vae_score_of_rows_that_share_no_value_is_unavailable():
    class Rows(Coded):
        def __init__(self):
            labels = np.stack([np.arange(50), np.arange(50) % 2], 1)
            self.dataset = ArrayDataset(labels, ["own", "half"], [50, 2])

        def codes(self, index):
            return self.labels(index).astype(float)

    with pytest.raises(Unavailable, match="factor 'own' has values that only one image has"):
        BetaVAEScore().score(Rows(), np.random.default_rng(0))
