"""Likelihoods against torch.distributions, and networks on the images that they take."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal

from disentangle._utils.seeds import torch_rng
from disentangle.contracts import registry
from disentangle.contracts.common_options import Common
from disentangle.contracts.plugin import knobs
from disentangle.errors import UsageError
from disentangle.nn import likelihoods
from disentangle.training.train import train

SHAPE = (5, 3, 4, 4)
LOGITS = torch.randn(SHAPE, generator=torch_rng(0, "logits"))
X = torch.rand(SHAPE, generator=torch_rng(0, "x"))


def summed(log_p):
    return -log_p.flatten(1).sum(1)


def test_bernoulli_is_torchs_on_binary_pixels():
    found = likelihoods.make("bernoulli", 0.5).nll(LOGITS, X.round())
    assert torch.allclose(found, summed(Bernoulli(logits=LOGITS).log_prob(X.round())), atol=1e-4)


@pytest.mark.parametrize("variance", [0.1, 0.5, 2.0])
def test_gaussian_is_torchs_with_its_constant(variance):
    made = likelihoods.make("gaussian", variance)
    expected = summed(Normal(LOGITS.sigmoid(), math.sqrt(variance)).log_prob(X))
    assert torch.allclose(made.nll(LOGITS, X) + made.constant(48), expected, atol=1e-3)


def test_learnt_gaussian_leaves_nothing_out_and_is_best_at_the_mean_error():
    log_variance = torch.tensor(0.3).log().requires_grad_()
    made = likelihoods.make("gaussian-learned", 0.5, log_variance)
    expected = summed(Normal(LOGITS.sigmoid(), math.sqrt(0.3)).log_prob(X))
    assert torch.allclose(made.nll(LOGITS, X), expected, atol=1e-3)
    best = (LOGITS.sigmoid() - X).square().mean().log().detach().requires_grad_()
    loss = likelihoods.make("gaussian-learned", 0.5, best).nll(LOGITS, X).mean()
    (slope,) = torch.autograd.grad(loss, best)
    assert slope.item() == pytest.approx(0, abs=1e-3)


def test_continuous_bernoulli_is_a_density():
    made = likelihoods.make("continuous-bernoulli", 0.5)
    assert torch.allclose(
        made.nll(LOGITS, X), summed(ContinuousBernoulli(logits=LOGITS).log_prob(X)), atol=1e-4
    )
    grid = torch.linspace(0, 1, 2001).view(-1, 1, 1, 1)
    for logit in (-3.0, 0.0, 1e-4, 2.0):
        density = (-made.nll(torch.full_like(grid, logit), grid)).exp()
        assert torch.trapezoid(density, dx=1 / 2000).item() == pytest.approx(1, abs=1e-3)
        mean = torch.trapezoid(density * grid.flatten(), dx=1 / 2000).item()
        found = made.mean(torch.full((1, 1, 1, 1), logit)).item()
        assert found == pytest.approx(mean, abs=1e-3)


def test_mean_of_the_continuous_bernoulli_is_torchs():
    logits = torch.cat(
        [LOGITS.flatten(), torch.linspace(-0.01, 0.01, 101), torch.tensor([-99, 99])]
    )
    mean = likelihoods.make("continuous-bernoulli", 0.5).mean(logits)
    assert torch.equal(mean, ContinuousBernoulli(logits=logits).mean)


def test_gradient_of_the_continuous_bernoulli_is_finite_everywhere():
    logits = torch.tensor([-80.0, -1e-6, 0.0, 1e-6, 80.0]).view(-1, 1, 1, 1).requires_grad_()
    likelihoods.make("continuous-bernoulli", 0.5).nll(
        logits, torch.rand(5, 1, 1, 1)
    ).sum().backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("likelihood", ["gaussian-learned", "continuous-bernoulli"])
def test_likelihood_trains_and_resumes_by_name(likelihood, strangers, tmp_path):
    options = {"steps": 20, "batch_size": 8, "figures": False, "device": "cpu", "lr": 1e-3}
    run = train("vae", "tiny", likelihood=likelihood, results=tmp_path, **options)
    assert run.record.knobs["likelihood"] == likelihood
    if likelihood == "gaussian-learned":
        assert run.model.log_variance.item() != pytest.approx(math.log(0.5), abs=1e-4)
    assert 0 <= run.decode(torch.zeros(1, 10)).min() <= run.decode(torch.zeros(1, 10)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(registry.networks.entries))
def test_network_takes_images_of_64x64(name, channels):
    network, shape = registry.networks.load(name)(), (channels, 64, 64)
    assert network.encoder(shape, 6)(torch.zeros(2, *shape)).shape == (2, 6)
    assert network.decoder(3, shape)(torch.zeros(2, 3)).shape == (2, *shape)


@pytest.mark.parametrize("name", ["higgins-conv", "locatello"])
def test_network_of_one_size_says_how_to_get_it(name):
    network = registry.networks.load(name)()
    with pytest.raises(UsageError, match=r"needs images of 64x64, got 32x32.*--image-size 64"):
        network.encoder((1, 32, 32), 6)
    with pytest.raises(UsageError, match=r"needs images of 64x64, got 64x48.*--image-size 64"):
        network.decoder(6, (1, 64, 48))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # By hand from the papers' layers, for 64x64x1 and ten latents, encoder and decoder.
        ("locatello", 544 + 16_416 + 8_256 + 16_448 + 262_400 + 5_140),
        ("higgins-conv", 544 + 16_416 + 32_832 + 65_600 + 262_400 + 5_140),
        ("higgins-fc", 4_916_400 + 1_441_200 + 24_020),
    ],
)
def test_encoder_has_the_papers_parameters(name, parameters):
    encoder = registry.networks.load(name)().encoder((1, 64, 64), 20)
    assert sum(p.numel() for p in encoder.parameters()) == parameters


def test_unknown_name_is_refused_and_not_trained_as_another():
    with pytest.raises(UsageError, match="no likelihood 'gausian'; did you mean 'gaussian'"):
        likelihoods.make("gausian", 0.5)


def test_learnt_variance_needs_its_parameter():
    with pytest.raises(ValueError, match="log_variance"):
        likelihoods.make("gaussian-learned", 0.5)


def test_choices_of_the_knob_are_the_likelihoods_there_are(monkeypatch):
    class Laplace(likelihoods.Bernoulli):
        pass

    assert knobs(Common)["likelihood"].choices == tuple(likelihoods.LIKELIHOODS)
    added = {**likelihoods.LIKELIHOODS, "laplace": Laplace}
    monkeypatch.setattr(likelihoods, "LIKELIHOODS", added)
    assert knobs(Common)["likelihood"].check("laplace") == "laplace"
    assert isinstance(likelihoods.make("laplace", 0.5), Laplace)
