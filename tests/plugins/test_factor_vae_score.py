"""The FactorVAE score against the reference's, and against what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
    ARRAYS,
    DSPRITES,
    ENCODERS,
    SHAPES3D,
    Coded,
    golden,
    identity,
    published,
    rotation,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.factor_vae_score import (
    FactorVAEScore,
    count,
    factor_vae_score,
    least_varying,
)

THRESHOLD = 0.05


def score(source, seed=0, **knobs):
    return FactorVAEScore(**knobs).score(source, np.random.default_rng(seed))["factor-vae-score"]


def recorded(value):
    """Return variances and labels that the reference drew, and the latents that it chose."""
    case = "fvae/" + value["case"].removeprefix("sampled:")
    names = ("local_var", "global_var", "label", "argmin_among_active")
    local, overall, label, chosen = (ARRAYS[f"{case}/{name}"] for name in names)
    return local, overall, label.astype(np.int64), chosen


def cast(value):
    """Return the votes to fit on and those to test on, each [D, K]."""
    local, overall, label, _ = recorded(value)
    latent = least_varying(local, overall, THRESHOLD)
    shape, n = (len(overall), label.max() + 1), value["hp"]["num_train"]
    return count(latent[:n], label[:n], shape), count(latent[n:], label[n:], shape)


@pytest.mark.parametrize("value", golden("factor_vae_eval_accuracy"), ids=lambda v: v["case"])
def test_chosen_latents_are_the_references(value):
    local, overall, _, chosen = recorded(value)
    active = np.flatnonzero(np.sqrt(overall) >= THRESHOLD)
    np.testing.assert_array_equal(least_varying(local, overall, THRESHOLD), active[chosen])


@pytest.mark.parametrize("value", golden("factor_vae_eval_accuracy"), ids=lambda v: v["case"])
def test_score_of_the_references_variances_is_the_references(value):
    assert factor_vae_score(*cast(value)) == pytest.approx(value["value"], abs=1e-6)


@pytest.mark.parametrize("value", golden("factor_vae_train_accuracy"), ids=lambda v: v["case"])
def test_score_on_the_votes_it_was_fitted_to_is_the_references(value):
    votes, _ = cast(value)
    assert factor_vae_score(votes, votes) == pytest.approx(value["value"], abs=1e-6)


@pytest.mark.parametrize("encoder", ["identity", "rotation", "noisy_dead", "entangled2", "noise10"])
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_score_of_known_codes_at_full_size(sizes, name, encoder):
    mean, std = published("factor_vae_vec.eval_accuracy", name, encoder)
    found = score(Coded(ENCODERS[encoder], sizes))
    assert found == pytest.approx(mean, abs=4 * std + 1e-9)


@settings(max_examples=5)
@given(st.permutations(range(5)), st.lists(st.sampled_from([-1, 1]), min_size=5, max_size=5))
def test_score_does_not_depend_on_order_or_sign_of_latents(order, signs):
    def turned(u, index):
        return rotation(u, index)[:, order] * signs

    few = {"train": 300, "test": 200, "variances": 500}
    assert score(Coded(turned), **few) == score(Coded(rotation), **few)


def test_score_falls_as_noise_is_added_to_the_factors():
    rng = np.random.default_rng(1)
    v = rng.integers(0, (3, 4, 5), (5000, 3))
    noise = rng.normal(size=v.shape)
    scores = [score(array_source(v + amount * noise, v)) for amount in (0, 2, 5, 10, 50)]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)


def test_score_without_an_active_latent_is_the_references_zero():
    found = FactorVAEScore().score(Coded(lambda u, index: 0.01 * u), np.random.default_rng(0))
    assert found["factor-vae-score"] == 0
    assert (found["factor-vae-score/votes"].values == 0).all()


def test_dead_latents_get_no_votes():
    def dead(u, index):
        return np.hstack([u, 0.01 * u, np.full((len(u), 1), 0.7)])

    found = FactorVAEScore(train=200, test=100).score(Coded(dead), np.random.default_rng(0))
    votes = found["factor-vae-score/votes"].values
    assert votes.shape == (11, 5)
    assert votes[5:].sum() == 0
    assert found["factor-vae-score"] == 1


def test_variance_of_codes_far_from_zero_is_not_lost():
    assert score(Coded(lambda u, index: u + 1e8), train=200, test=100) == 1


def test_wide_codes_are_read_in_blocks():
    largest = 0

    class Wide(Coded):
        def codes(self, index):
            nonlocal largest
            z = np.repeat(super().codes(index), 800, axis=1)
            largest = max(largest, z.nbytes)
            return z

    assert score(Wide(identity), train=50, test=20, variances=1000) == 1
    assert largest < 2**23


def test_votes_where_images_serve_once_come_from_two_parts():
    source = Coded(identity)
    source.disjoint = True
    assert score(source, train=200, test=100) == 1


def test_single_factor_is_unavailable():
    with pytest.raises(Unavailable, match="needs at least two factors, got 1"):
        score(Coded(identity, {"only": 9}))
