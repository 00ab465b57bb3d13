"""Modularity at full size, and where a latent or a factor is constant."""

import numpy as np
import pytest
from helpers.golden_metrics import DSPRITES, ENCODERS, SHAPES3D, Coded, identity, single_run, small

from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics.modularity import Modularity


def score(z, v, **knobs):
    return Modularity(**knobs).score(array_source(z, v), np.random.default_rng(0))["modularity"]


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
