"""IRS of codes and factors that are perfect or constant."""

import numpy as np
import pytest
from helpers.golden_metrics import small

from disentangle.errors import Unavailable
from disentangle_plugins.metrics.irs import robustness, weighted_robustness


def score(z, v, **kwargs):
    return weighted_robustness(*robustness(z, v, **kwargs))


def test_irs_of_the_factors_themselves_is_1():
    _, v = small(n=3000)
    assert score(v.astype(float), v) == pytest.approx(1)


def test_constant_latent_is_left_out():
    z, v = small()
    matrix, weights = robustness(np.hstack([z, np.full((len(z), 1), 0.7)]), v)
    assert np.isnan(matrix[3]).all()
    assert weighted_robustness(matrix, weights) == score(z, v)


def test_irs_of_constant_codes_is_the_references_zero():
    _, v = small()
    assert score(np.full((len(v), 2), 0.7), v) == 0


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    assert score(z, constant) == score(z, v)
    with pytest.raises(Unavailable, match="every factor is constant"):
        robustness(z, constant[:, :1])
