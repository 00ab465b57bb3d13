"""Models: the maths against closed forms and torch's own distributions."""

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal, kl_divergence

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.model import Batch, Posterior
from disentangle.errors import UsageError
from disentangle.nn.likelihoods import Bernoulli, Gaussian
from disentangle.training.checks import checked

SHAPE = (1, 64, 64)


def images(n=4, channels=1):
    return torch.rand((n, channels, 64, 64), generator=torch_rng(0, "images"))


def make(name, shape=SHAPE, **knobs):
    model = registry.models.load(name)(**knobs)
    with initialising(0):
        model.build(shape)
    return model


def batch(x, seed=0, step=0):
    rng = torch_rng(seed, "noise", step)
    return Batch(x=x, step=step, steps=10, dataset_size=100, rng=rng)


def loss(terms):
    (checked_terms,) = checked((terms,))
    return sum(term.loss for term in checked_terms.values())


def posterior():
    rng = torch_rng(0, "posterior")
    mean, log_variance = (torch.randn((5, 3), generator=rng) for _ in range(2))
    return Posterior(mean, log_variance)


def test_kl_is_torchs():
    q = posterior()
    expected = kl_divergence(Normal(q.mean, q.scale), Normal(0.0, 1.0))
    torch.testing.assert_close(q.kl(), expected)


def test_sample_has_the_posteriors_moments_and_gradient():
    mean = torch.full((20_000, 2), 1.5, requires_grad=True)
    log_variance = torch.full((20_000, 2), -1.0, requires_grad=True)
    z = Posterior(mean, log_variance).sample(torch_rng(0, "z"))
    assert z.mean().item() == pytest.approx(1.5, abs=0.02)
    assert z.var().item() == pytest.approx(torch.tensor(-1.0).exp().item(), rel=0.03)
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_variance.grad, (z - mean).detach() / 2)


def test_sample_depends_on_the_generator_alone():
    torch.manual_seed(1)
    first = posterior().sample(torch_rng(0, "z"))
    torch.manual_seed(2)
    torch.testing.assert_close(posterior().sample(torch_rng(0, "z")), first, rtol=0, atol=0)


def test_bernoulli_is_torchs():
    x, logits = images().round(), torch.randn((4, 1, 64, 64), generator=torch_rng(0, "logits"))
    expected = -TorchBernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Bernoulli().nll(logits, x), expected)


@pytest.mark.parametrize("variance", [0.5, 0.01, 3.0])
def test_gaussian_with_its_constant_is_torchs(variance):
    x, logits = images(), torch.randn((4, 1, 64, 64), generator=torch_rng(0, "logits"))
    gaussian = Gaussian(variance)
    expected = -Normal(logits.sigmoid(), variance**0.5).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(gaussian.nll(logits, x) + gaussian.constant(4096), expected)


def test_gaussian_of_variance_one_half_is_the_squared_error():
    x, logits = images(), torch.zeros((4, 1, 64, 64))
    expected = (x - 0.5).square().flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(0.5).nll(logits, x), expected)


def test_beta_1_is_the_vae_exactly():
    vae, beta_vae = make("vae"), make("beta-vae", beta=1.0)
    losses = []
    for model in (vae, beta_vae):
        total = loss(model.terms(batch(images())))
        total.backward()
        losses.append(total.detach())
    assert losses[0].item() == losses[1].item()
    for a, b in zip(vae.parameters(), beta_vae.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_terms_are_nats_per_image():
    x, model = images(6), make("beta-vae", beta=3.0)
    terms = model.terms(batch(x))
    q = model.encode(x)
    nll = model.observation.nll(model.decode(q.sample(torch_rng(0, "noise"))), x)
    torch.testing.assert_close(terms["reconstruction"], nll.sum() / 6)
    torch.testing.assert_close(terms["kl"].value, q.kl().sum() / 6)
    torch.testing.assert_close(terms["kl"].loss, 3 * q.kl().sum() / 6)


@pytest.mark.parametrize(
    "knobs",
    [
        {"beta": 5.0},
        {"latents": 11},
        {"network": "burgess"},
        {"likelihood": "gaussian"},
        {"likelihood": "gaussian", "variance": 0.1},
    ],
    ids=str,
)
def test_the_loss_moves_with_every_knob(knobs):
    before = dict(knobs, variance=0.5) if "variance" in knobs else {}
    losses = [loss(make("beta-vae", **k).terms(batch(images()))) for k in (before, knobs)]
    assert losses[0].item() != losses[1].item()


@pytest.mark.parametrize("network", sorted(registry.networks.entries))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["vae", "beta-vae"])
def test_shapes(name, channels, network):
    model = make(name, (channels, 64, 64), network=network, latents=7)
    x = images(3, channels)
    code = model.encode(x)
    assert code.mean.shape == code.scale.shape == (3, 7)
    assert model.decode(code.mean).shape == x.shape


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_conv_has_the_seeds_layers():
    model = make("vae", latents=10)
    encoder = 32 * 16 + 32 + 3 * (32 * 32 * 16 + 32)
    encoder += 512 * 256 + 256 + 256 * 256 + 256 + 256 * 20 + 20
    decoder = 10 * 256 + 256 + 256 * 64 * 16 + 64 + 64 * 64 * 16 + 64
    decoder += 64 * 32 * 16 + 32 + 32 * 32 * 16 + 32 + 32 * 16 + 1
    assert (parameters(model.encoder), parameters(model.decoder)) == (encoder, decoder)


def test_burgess_decoder_mirrors_its_encoder():
    model = make("vae", latents=10, network="burgess")
    decoder = 10 * 256 + 256 + 256 * 256 + 256 + 256 * 512 + 512
    decoder += 3 * (32 * 32 * 16 + 32) + 32 * 16 + 1
    assert parameters(model.decoder) == decoder


@pytest.mark.parametrize("network", sorted(set(registry.networks.entries) - {"higgins-fc"}))
def test_other_sizes_are_refused_with_the_size(network):
    for shape in ((1, 32, 48), (1, 50, 50)):
        with pytest.raises(UsageError, match=f"network '{network}' needs .*--image-size 64"):
            make("vae", shape, network=network)


@pytest.mark.parametrize("network", ["burgess", "conv"])
@pytest.mark.parametrize(("side", "fewer"), [(32, 1), (128, -1)])
def test_other_sides_have_a_layer_of_32_channels_fewer_or_more(network, side, fewer):
    usual, other = (make("vae", (3, s, s), network=network, latents=7) for s in (64, side))
    x = torch.rand((2, 3, side, side), generator=torch_rng(0, "images"))
    assert other.decode(other.encode(x).mean).shape == x.shape
    layer = 32 * 32 * 16 + 32
    for part in ("encoder", "decoder"):
        sizes = [parameters(getattr(model, part)) for model in (usual, other)]
        assert sizes[0] - sizes[1] == fewer * layer


def test_initialising_depends_on_the_seed_alone_and_leaves_the_world_as_it_was():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = make("vae")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    second = make("vae")
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
