"""The Gumbel-softmax against the distribution that it relaxes."""

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle.nn import gumbel_softmax

LOGITS = torch.tensor([0.3, -1.2, 2.0, 0.0])


def test_samples_are_the_formula_of_their_noise():
    logits = torch.randn((5, 2, 3), generator=torch_rng(0, "logits"))
    waits = torch.empty((5, 2, 3)).exponential_(generator=torch_rng(0, "noise")).double().numpy()
    weights = np.exp((logits.double().numpy() - np.log(waits)) / 0.7)
    expected = weights / weights.sum(-1, keepdims=True)
    sampled = gumbel_softmax(logits, torch_rng(0, "noise"), 0.7)
    torch.testing.assert_close(sampled.double(), torch.from_numpy(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 20.0])
def test_largest_entry_is_a_draw_from_the_softmax(temperature):
    n = 20_000
    sampled = gumbel_softmax(LOGITS.expand(n, 4), torch_rng(0, "noise"), temperature)
    counts = sampled.argmax(1).bincount(minlength=4) / n
    p = LOGITS.softmax(0)
    error = (p * (1 - p) / n).sqrt()
    assert ((counts - p).abs() < 4 * error).all()


def test_samples_become_one_hot_as_the_temperature_falls():
    sampled = gumbel_softmax(LOGITS.expand(500, 4), torch_rng(0, "noise"), 1e-4)
    assert torch.allclose(sampled.sum(1), torch.ones(500))
    assert (sampled.max(1).values > 0.99).float().mean() > 0.99


def test_noise_is_the_generators_and_the_temperature_may_be_a_scalar_tensor():
    first = gumbel_softmax(LOGITS, torch_rng(3, "noise"), 0.5)
    state = torch.random.get_rng_state()
    again = gumbel_softmax(LOGITS, torch_rng(3, "noise"), torch.tensor(0.5))
    assert torch.equal(first, again)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not torch.equal(first, gumbel_softmax(LOGITS, torch_rng(4, "noise"), 0.5))


def test_gradient_is_that_of_the_softmax_at_fixed_noise():
    logits = LOGITS.double().repeat(3, 1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: gumbel_softmax(x, torch_rng(1, "noise"), 0.8), (logits,)
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_that_is_not_above_0_is_refused(temperature):
    with pytest.raises(ValueError, match="expected a temperature above 0, got"):
        gumbel_softmax(LOGITS, torch_rng(0, "noise"), temperature)
