"""Tests of ZMaxVariance: the contract of a metric, and known codes."""

import numpy as np
import pytest
from disentangle.testing import conformance

from disentangle_example.metric import count

test_conformance = conformance(metrics=["z-max-variance"])


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_latents_that_are_the_factors_get_their_votes(scale: float) -> None:
    """In any order and any units; a latent that never varies gets no vote."""
    rng = np.random.default_rng(0)
    k = rng.integers(0, 2, 50)
    z = np.zeros((50, 8, 3))
    z[np.arange(50), :, 1 - k] = scale * rng.normal(size=(50, 8))
    votes = count(z, k, z.var(axis=(0, 1)), 2)
    assert votes.tolist() == [[0, (k == 1).sum()], [(k == 0).sum(), 0], [0, 0]]
