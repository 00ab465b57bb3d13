"""SAP of numbers where latents hardly vary and a factor is constant."""

import numpy as np
import pytest
from helpers.golden_metrics import small

from disentangle.errors import Unavailable
from disentangle.maths.information import gaps
from disentangle_plugins.metrics.sap_r2 import squared_correlations


def sap_r2(z, v):
    return np.nanmean(gaps(squared_correlations(z, v)))


def test_latents_that_hardly_vary_tell_nothing():
    z, v = small()
    still = np.hstack([z, 1e-8 * z, np.full((len(z), 1), 0.7)])
    assert (squared_correlations(still, v)[3:] == 0).all()


def test_constant_factor_is_left_out():
    z, v = small()
    constant = np.hstack([np.zeros((len(v), 1), np.int64), v])
    assert np.isnan(squared_correlations(z, constant)[:, 0]).all()
    assert sap_r2(z, constant) == pytest.approx(sap_r2(z, v), abs=1e-12)
    with pytest.raises(Unavailable, match="every factor is constant"):
        squared_correlations(z, constant[:, :1])
