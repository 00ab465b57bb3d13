"""The beta-VAE score where pairs are few, codes are wide and images serve once."""

import numpy as np
import pytest
from helpers.golden_metrics import Coded, identity, rotation

from disentangle.data.factor_values import read_factors
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import ArrayDataset
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore


def test_score_of_a_single_factor_is_unavailable():
    with pytest.raises(Unavailable, match="needs at least two factors, got 1"):
        BetaVAEScore().score(Coded(identity, {"only": 9}), np.random.default_rng(0))


def test_score_of_rows_that_share_no_value_is_unavailable():
    class Rows(Coded):
        def __init__(self):
            labels = np.stack([np.arange(50), np.arange(50) % 2], 1)
            self.dataset = ArrayDataset(read_factors(labels, ["own", "half"]))

        def codes(self, index):
            return self.labels(index).astype(float)

    with pytest.raises(Unavailable, match="factor 'own' has values with only one image"):
        BetaVAEScore().score(Rows(), np.random.default_rng(0))


def test_score_of_codes_too_wide_for_a_table_is_the_same(monkeypatch):
    few = BetaVAEScore(train=200, test=100)
    expected = few.score(Coded(rotation), np.random.default_rng(0))
    monkeypatch.setattr("disentangle.contracts.source.TABLE", 0)
    assert few.score(Coded(rotation), np.random.default_rng(0)) == expected


def test_wide_codes_are_read_in_blocks():
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


def test_images_that_serve_once_are_fitted_to_or_tested_on():
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
