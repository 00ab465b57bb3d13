"""Quantisers against their formulas, and their gradients."""

import pytest
import torch

from disentangle import Batch, Code, Model, Terms
from disentangle._utils.seeds import initialising, torch_rng
from disentangle.nn import (
    Nearest,
    finite_scalar,
    finite_scalar_values,
    nearest_values,
    straight_through,
)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch_rng(seed, "z"))


def test_straight_through_has_the_values_of_one_and_the_gradient_of_the_other():
    z = random(50, 4).requires_grad_()
    values = random(50, 4, seed=1).requires_grad_()
    weights = random(50, 4, seed=2)
    result = straight_through(z, values)
    assert torch.equal(result, values)  # z + (values - z) differs in the last bits
    assert not torch.equal(z + (values - z), values)
    (result * weights).sum().backward()
    assert torch.equal(z.grad, weights)
    assert values.grad is None


@pytest.mark.parametrize("values", [2, 3, 12])
def test_finite_scalar_is_the_nearest_of_evenly_spaced_values(values):
    z = 2 * torch.rand((1000, 1), generator=torch_rng(0, "z")) - 1
    allowed = torch.linspace(-1, 1, values)
    expected = allowed[(z - allowed).abs().argmin(1)][:, None]
    assert torch.allclose(finite_scalar(z, values), expected, atol=1e-6)
    assert torch.equal(finite_scalar(z, values).unique(), finite_scalar_values(values))


def test_finite_scalar_by_hand():
    z = torch.tensor([-1.0, -0.76, -0.74, 0.1, 0.26, 0.99, 3.0, -3.0])
    expected = torch.tensor([-1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0, -1.0])
    assert torch.equal(finite_scalar(z, 5), expected)


def test_nearest_values_are_those_of_a_page_and_keep_the_gradient_of_values():
    z, values = random(20, 3).requires_grad_(), random(3, 5, seed=1).requires_grad_()
    nearest = nearest_values(z, values)
    assert torch.equal(nearest, Nearest(values)(z))
    nearest.sum().backward()
    assert values.grad.sum() == 20 * 3
    assert z.grad is None


class Ternary(Model[Code]):
    """A third party's model: latents of -1, 0 and 1."""

    def build(self, image_shape):
        network = self.make_network()
        self.encoder = network.encoder(image_shape, self.latents)
        self.decoder = network.decoder(self.latents, image_shape)

    def encode(self, x):
        z = self.encoder(x).float().tanh()
        return Code(straight_through(z, finite_scalar(z, 3)), discrete=True)

    def terms(self, batch: Batch) -> Terms:
        return {"reconstruction": self.reconstruction(batch.x, self.encode(batch.x).mean)}


def test_model_of_a_third_party_learns_through_the_quantiser():
    model = Ternary(latents=6)
    with initialising(0):
        model.build((1, 32, 32))
    x = torch.rand((8, 1, 32, 32), generator=torch_rng(0, "images"))
    last = model.encoder[-1]
    with torch.no_grad():
        last.weight.mul_(100)
    code = model.encode(x).mean
    assert set(code.unique().tolist()) == {-1, 0, 1}
    batch = Batch(x=x, step=0, steps=1, dataset_size=8, rng=torch_rng(0, "noise"))
    model.terms(batch)["reconstruction"].backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
