"""Metrics against the reference implementations' values, and against what must not change them."""

from contextlib import suppress

import numpy as np
import pytest
from helpers.golden_metrics import (
    ARRAYS,
    DSPRITES,
    ENCODERS,
    SHAPES3D,
    Coded,
    defined,
    golden,
    identity,
    noise,
    published,
    rotation,
    small,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.contracts.metric import Detail
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import ArrayDataset, array_source
from disentangle.scoring.metric_spec import MetricSpec
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from disentangle_plugins.metrics.mig import MIG, mig


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


@pytest.mark.parametrize("encoder", ["identity", "rotation", "noisy_dead", "entangled2", "noise10"])
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_beta_vae_score_of_known_codes_at_full_size(sizes, name, encoder):
    mean, std = published("beta_vae_vec.eval_accuracy", name, encoder)
    found = BetaVAEScore().score(Coded(ENCODERS[encoder], sizes), np.random.default_rng(0))
    assert found["beta-vae-score"] == pytest.approx(mean, abs=4 * std + 1e-9)


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

    with pytest.raises(Unavailable, match="needs at least two factors, got 1"):
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
    found = {name: MetricSpec(name).metric for name in ("mig", "beta-vae-score")}
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


def test_beta_vae_score_of_codes_too_wide_for_a_table_is_the_same(monkeypatch):
    few = BetaVAEScore(train=200, test=100)
    expected = few.score(Coded(rotation), np.random.default_rng(0))
    monkeypatch.setattr("disentangle.contracts.source.TABLE", 0)
    assert few.score(Coded(rotation), np.random.default_rng(0)) == expected


def test_beta_vae_score_reads_wide_codes_in_blocks():
    largest = 0

    class Wide(Coded):
        def codes(self, index):
            nonlocal largest
            z = np.repeat(super().codes(index), 800, axis=1)
            largest = max(largest, z.nbytes)
            return z

    found = BetaVAEScore(train=60, test=20).score(Wide(identity), np.random.default_rng(0))
    assert found["beta-vae-score"] == 1
    assert largest < 2**23


def test_beta_vae_score_where_images_serve_once_fits_and_tests_on_two_parts():
    used = []

    class Watched(Coded):
        disjoint = True

        def codes(self, index):
            if len(index) > 1:
                used.append(set(index))
            return super().codes(index)

    metric = BetaVAEScore(train=20, test=10)
    metric.score(Watched(identity, {"a": 5, "b": 6, "c": 7}), np.random.default_rng(0))
    fit, test = used
    assert not fit & test


SPECS = [
    "beta-vae-score:train=50,test=20",
    "factor-vae-score:train=50,test=20",
    "sap",
    "sap-r2",
    "modularity",
    "explicitness",
    "irs",
    "total-correlation",
    "mig",
]


def edge_cases():
    """Return arrays that break reference code, by what is odd about them."""
    z, v = small(n=60)
    still, one = np.full((len(z), 1), 0.7), np.zeros((len(z), 1), np.int64)
    lone = v.copy()
    lone[:, 0] = np.arange(len(v)) == 7
    new = v.copy()
    new[:3, 0] = 9
    rng = np.random.default_rng(0)
    few = rng.normal(size=(6, 3)), np.stack([np.arange(6) % 3, np.arange(6) // 3], 1)
    return {
        "constant factor": (z, np.hstack([one, v])),
        "constant factors": (z, one),
        "factor that is constant until tested": (
            z,
            np.hstack([one, v]),
            z,
            np.hstack([one + 1, v]),
        ),
        "constant latent": (np.hstack([z, still]), v),
        "constant latents": (np.hstack([still, still]), v),
        "one latent": (z[:, :1], v),
        "one factor": (z, v[:, :1]),
        "one of each": (z[:, :1], v[:, :1]),
        "two values": (z, v % 2),
        "fewer samples than values": (z[:4], np.array([[0, 0], [1, 0], [2, 1], [3, 2]])),
        "few samples": few,
        "one sample": (z[:1], v[:1]),
        "two samples": (z[:2], np.array([[0, 1], [1, 0]])),
        "value of one sample": (z, lone),
        "value that only the test set has": (z, v, z, new),
        "latent twice": (np.hstack([z, z]), v),
        "tiny": (1e-8 * z, v),
        "huge": (1e8 * z, v),
        "far from zero": (z + 1e8, v),
        "tiny and huge": (z * [1e-8, 1, 1e8], v),
        "outlier": (np.vstack([z, 1e6 * z[:1]]), np.vstack([v, v[:1]])),
    }


@pytest.mark.parametrize("case", edge_cases())
@pytest.mark.parametrize("spec", SPECS)
def test_odd_codes_have_finite_scores_or_none(spec, case):
    found = {"reason": 0.0}
    with suppress(Unavailable):
        metric = MetricSpec(spec).metric
        found = metric.score(array_source(*edge_cases()[case]), np.random.default_rng(0))
    scores = [value for value in defined(found).values() if not isinstance(value, Detail)]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("spec", SPECS)
def test_details_have_the_shape_of_their_axes(spec):
    z, v = small()
    found = MetricSpec(spec).metric.score(array_source(z[:, :2], v), np.random.default_rng(0))
    sizes = {"latent": 2, "factor": 3}
    for detail in found.values():
        if isinstance(detail, Detail):
            assert detail.values.shape == tuple(sizes[axis] for axis in detail.axes)
