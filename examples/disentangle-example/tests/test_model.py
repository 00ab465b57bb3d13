"""Tests of CyclicalVAE: the contract of a model, and the equation."""

import numpy as np
from disentangle.testing import conformance

from disentangle_example.model import CyclicalVAE

test_conformance = conformance(models=["cyclical-vae"])


def test_weight_rises_again_in_each_cycle() -> None:
    """Two cycles of ten steps each; the weight rises in the first five."""
    model = CyclicalVAE(beta=4.0, cycles=2)
    cycle = [0.0, 0.8, 1.6, 2.4, 3.2, 4.0, 4.0, 4.0, 4.0, 4.0]
    np.testing.assert_allclose([model.weight(step, 20) for step in range(20)], cycle * 2)
