"""Modularity against the reference's values, and against what must not change it."""

import numpy as np
import pytest
from helpers.golden_metrics import (
    ARRAYS,
    DSPRITES,
    ENCODERS,
    SHAPES3D,
    Coded,
    case_arrays,
    golden,
    identity,
    name_of,
    single_run,
    small,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.modularity import Modularity, modularities

REVIEW = [v for v in golden("ubi_modularity") if v["value"] != "nan"]  # of a constant latent


def score(z, v, **knobs):
    return Modularity(**knobs).score(array_source(z, v), np.random.default_rng(0))["modularity"]


@pytest.mark.parametrize("value", golden("modularity") + REVIEW, ids=name_of)
def test_modularity_is_the_references(value):
    z, v, _, _ = case_arrays(value)
    bins = value["hp"].get("num_bins", value["hp"].get("nb_bins"))
    assert score(z, v, bins=bins) == pytest.approx(value["value"], abs=1e-6)


@pytest.mark.parametrize("value", golden("aggregate"), ids=name_of)
def test_modularity_of_a_matrix_is_the_references(value):
    matrix = ARRAYS["expected/agg/" + value["case"].removeprefix("agg:")]
    expected = value["value"]["modularity"]
    assert modularities(matrix).mean() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_modularity_of_known_codes_at_full_size(sizes, name, encoder):
    source = Coded(ENCODERS[encoder], sizes)
    seeds = map(np.random.default_rng, range(10))
    found = [Modularity().score(source, rng)["modularity"] for rng in seeds]
    expected = single_run("modexp", name, encoder)["modularity_score"]
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) + 1e-4)


@settings(max_examples=10)
@given(st.permutations(range(3)), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
def test_modularity_does_not_depend_on_order_and_sign_of_latents_or_on_rows(order, signs):
    z, v = small()
    rows = np.random.default_rng(1).permutation(len(z))
    assert score(z[rows][:, order] * signs, v[rows]) == pytest.approx(score(z, v), abs=1e-9)


def test_modularity_falls_as_noise_is_added_to_the_factors():
    _, v = small(n=3000)
    noise = np.random.default_rng(2).normal(size=v.shape)
    scores = [score(v + amount * noise, v) for amount in (0, 1, 2, 4, 8)]
    assert scores == sorted(scores, reverse=True)


def test_constant_latent_counts_nought():
    z, v = small()
    still = np.hstack([z, np.full((len(z), 1), 0.7)])
    assert score(still, v) == pytest.approx(score(z, v) * 3 / 4, abs=1e-9)


def test_constant_factor_is_left_out():
    z, v = small()
    source = array_source(z, np.hstack([v[:, :1], np.zeros((len(v), 1), np.int64), v[:, 1:]]))
    source.dataset.every_factor["factor 2"] = 2  # it has another value, which no row shows
    found = Modularity().score(source, np.random.default_rng(0))
    assert found["modularity"] == pytest.approx(score(z, v), abs=1e-12)
    assert np.isnan(found["modularity/information"].values[:, 1]).all()


def test_modularity_of_a_single_factor_is_unavailable():
    with pytest.raises(Unavailable, match="two factors that vary in these samples, got 1"):
        Modularity().score(Coded(identity, {"only": 9}), np.random.default_rng(0))
