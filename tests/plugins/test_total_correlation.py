"""Dependence among latents against the reference at full size and closed forms."""

import numpy as np
import pytest
from helpers.golden_metrics import DSPRITES, ENCODERS, SHAPES3D, Coded, defined, noise, single_run
from hypothesis import given
from hypothesis import strategies as st

from disentangle.contracts.dataset import Dataset
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.total_correlation import (
    TotalCorrelation,
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)

PARTS = ("gaussian", "wasserstein", "wasserstein-normalised", "mutual-information")
REFERENCE = dict(
    zip(
        PARTS,
        (
            "gaussian_total_correlation",
            "gaussian_wasserstein_correlation",
            "gaussian_wasserstein_correlation_norm",
            "mutual_info_score",
        ),
        strict=True,
    )
)


def scores(source, **knobs):
    found = defined(TotalCorrelation(**knobs).score(source, np.random.default_rng(0)))
    return {name.removeprefix("total-correlation/"): value for name, value in found.items()}


def of_codes(z):
    return scores(array_source(z, np.arange(len(z))[:, None] % 2))


def codes(seed=0, n=500, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("sizes", "name"), [(DSPRITES, "dsprites"), (SHAPES3D, "shapes3d")], ids=["dsprites", "shapes"]
)
def test_score_of_known_codes_at_full_size(sizes, name, encoder):
    found = scores(Coded(ENCODERS[encoder], sizes))
    expected = single_run("unsup", name, encoder)
    tolerances = {"gaussian": 3e-3, "wasserstein": 0.03, "mutual-information": 3e-3}
    for part in PARTS:
        value = float(expected[REFERENCE[part]])
        tolerance = tolerances.get(part, 6e-3)
        assert found.get(part, np.inf) == pytest.approx(value, abs=tolerance), part


@given(st.floats(-0.99, 0.99), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_total_correlation_of_two_latents_is_the_closed_form(r, a, b):
    covariance = np.array([[a * a, r * a * b], [r * a * b, b * b]])
    expected = -np.log(1 - r * r) / 2
    assert gaussian_total_correlation(covariance) == pytest.approx(expected, abs=1e-9)


@given(st.floats(-1, 1), st.floats(1e-3, 1e3))
def test_wasserstein_distance_of_two_latents_is_the_closed_form(r, variance):
    covariance = variance * np.array([[1, r], [r, 1]])
    expected = variance * (4 - 2 * np.sqrt(1 + r) - 2 * np.sqrt(1 - r))
    found = gaussian_wasserstein_correlation(covariance)
    assert found == pytest.approx(expected, abs=1e-6 * variance)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scores_without_a_unit_do_not_depend_on_scale(scale):
    found, expected = of_codes(scale * codes()), of_codes(codes())
    assert found.pop("wasserstein") == pytest.approx(scale**2 * expected.pop("wasserstein"))
    assert found == pytest.approx(expected, abs=1e-9)


def test_scores_rise_with_what_latents_share():
    rng = np.random.default_rng(0)
    z, shared = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 1))
    found = [of_codes((1 - share) * z + share * shared) for share in (0, 0.2, 0.4, 0.6, 0.8)]
    for part in ("gaussian", "wasserstein-normalised", "mutual-information"):
        values = [one[part] for one in found]
        assert values == sorted(values), part


def test_twice_the_same_latent_leaves_out_the_gaussian_only():
    z = codes()
    assert set(of_codes(np.hstack([z, z]))) == set(PARTS[1:])


def test_latent_that_is_the_sum_of_others_leaves_out_the_gaussian_only():
    z = codes()
    assert set(of_codes(np.hstack([z, z.sum(axis=1, keepdims=True)]))) == set(PARTS[1:])


def test_constant_latent_adds_nothing_but_pairs():
    z = codes()
    found, expected = of_codes(np.hstack([z, np.full((len(z), 1), 0.7)])), of_codes(z)
    assert found.pop("mutual-information") == pytest.approx(expected.pop("mutual-information") / 2)
    assert found == pytest.approx(expected)


def test_constant_codes_depend_on_nothing():
    expected = {"gaussian": 0.0, "wasserstein": 0.0, "mutual-information": 0.0}
    assert of_codes(np.full((20, 3), 0.7)) == pytest.approx(expected)


def test_single_latent_depends_on_nothing():
    expected = {"gaussian": 0.0, "wasserstein": 0.0, "wasserstein-normalised": 0.0}
    assert of_codes(codes(d=1)) == pytest.approx(expected, abs=1e-12)


def test_single_image_is_unavailable():
    with pytest.raises(Unavailable, match="needs at least two images"):
        of_codes(np.zeros((1, 3)))


def test_images_without_labels_are_enough():
    class Bare(Dataset):
        def __len__(self):
            return 100

        def images(self, index):
            raise AssertionError

    class Codes(Source):
        dataset, latents = Bare(), 3

        def codes(self, index):
            return codes()[index]

        posterior = None

    assert set(scores(Codes(), samples=50)) == set(PARTS)


def test_rows_of_bare_arrays_serve_once():
    z = codes(n=60)
    shuffled = np.random.default_rng(3).permutation(z)
    assert of_codes(shuffled) == pytest.approx(of_codes(z), abs=1e-12)


def test_independent_latents_score_near_zero():
    found = scores(Coded(noise))
    assert 0 <= found["gaussian"] < 0.01
    assert 0 <= found["wasserstein-normalised"] < 0.001
