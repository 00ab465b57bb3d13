"""Tripod, the plain autoencoder and BioAE: losses recomputed in NumPy, quantisation, traversals."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts.model import Batch
from disentangle.errors import UsageError
from disentangle.maths import HessianPenalty
from disentangle.nn import HigginsFC
from disentangle_plugins.models.ae import AE
from disentangle_plugins.models.bio_ae import BioAE
from disentangle_plugins.models.tripod import Tripod

B, LATENTS, SHAPE = 6, 3, (1, 4, 4)
PIXELS = math.prod(SHAPE)
X = torch.rand((B, *SHAPE), generator=torch_rng(0, "images"))


def built(kind, **knobs):
    """A model with networks of one hidden layer and two, whose arithmetic NumPy can follow."""
    model = kind(latents=LATENTS, network="higgins-fc", **knobs)
    with initialising(0):
        model.build(SHAPE)
        model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, LATENTS))
        model.decoder = nn.Sequential(
            nn.Linear(LATENTS, 5),
            nn.Tanh(),
            nn.Linear(5, 7),
            nn.Tanh(),
            nn.Linear(7, PIXELS),
            nn.Unflatten(1, SHAPE),
        )
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    return model


def batch():
    return Batch(x=X, step=0, steps=10, dataset_size=99, rng=torch_rng(0, "noise"))


def losses(model):
    terms = model.terms(batch())
    return {name: getattr(term, "loss", term).item() for name, term in terms.items()}


def linear(layer, x):
    return layer.weight.detach().double().numpy() @ x + layer.bias.detach().double().numpy()


def encoded(model, i):
    return linear(model.encoder[1], X[i].flatten().double().numpy())


def hidden(model, z):
    first = np.tanh(linear(model.decoder[0], z))
    return first, np.tanh(linear(model.decoder[2], first))


def cross_entropy(model, i, z):
    """-log p(x_i|z), summed over pixels."""
    p = 1 / (1 + np.exp(-linear(model.decoder[4], hidden(model, z)[1])))
    x = X[i].flatten().double().numpy()
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum()


def normal_density(x, mean, std):
    return math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def tripod_by_hand(model, values, draws, normalised, quantised=True):
    """Mean cross entropy per image, multi-information and Hessian penalty: the authors' formulas.

    `d(h) = (a(z + h) - 2 a(z) + a(z - h)) / eps^2`, and so on; loops over images and latents.
    """
    rng = torch_rng(0, "noise")
    coins = torch.randint(2, (draws, B, LATENTS), generator=rng).numpy()
    gauss = torch.randn((draws, B, LATENTS), generator=rng).double().numpy()
    z_c = np.array([encoded(model, i) for i in range(B)])
    z_q = z_c
    if quantised:
        z_c = np.tanh(z_c)
        z_q = 2 * np.round((z_c + 1) / 2 * (values - 1)) / (values - 1) - 1
    std = [math.sqrt(np.mean((z_c[:, k] - z_c[:, k].mean()) ** 2)) + 1e-6 for k in range(LATENTS)]
    s = [x * (4 / (LATENTS + 2)) ** (1 / (LATENTS + 4)) * B ** (-1 / (LATENTS + 4)) for x in std]

    def q(i):
        kernels = [
            math.prod(normal_density(z_q[i, k], z_q[j, k], s[k]) for k in range(LATENTS))
            for j in range(B)
        ]
        return sum(kernels) / B

    def q_k(i, k):
        return sum(normal_density(z_q[i, k], z_q[j, k], std[k]) for j in range(B)) / B

    information = [
        math.log(q(i)) - sum(math.log(q_k(i, k)) for k in range(LATENTS)) for i in range(B)
    ]

    def variances(i, layer, directions):
        d = []
        for direction in directions[:, i]:
            h = 0.1 * direction * np.array(std)
            around = [hidden(model, z)[layer] for z in (z_q[i] + h, z_q[i], z_q[i] - h)]
            d.append((around[0] - 2 * around[1] + around[2]) / 0.1**2)
        return np.mean(np.var(d, axis=0))

    penalties = []
    for i in range(B):
        total = 0.0
        for layer in (0, 1):
            signs = variances(i, layer, 2.0 * coins - 1)
            total += signs / (variances(i, layer, gauss) + 1e-10) if normalised else signs
        penalties.append(total)
    nll = np.mean([cross_entropy(model, i, z_q[i]) for i in range(B)])
    return nll, np.mean(information), np.mean(penalties)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"values": 5, "draws": 3},
        {"normalised": False, "hessian_penalty": 2.0},
        {"quantised": False},
    ],
    ids=str,
)
def test_loss_of_tripod_is_the_papers_times_the_number_of_pixels(knobs):
    model = built(Tripod, **knobs)
    nll, information, penalty = tripod_by_hand(
        model, model.values, model.draws, model.normalised, model.quantised
    )
    found = losses(model)
    assert found["reconstruction"] == pytest.approx(nll, rel=1e-5)
    assert found["multi-information"] == pytest.approx(1e-4 * PIXELS * information, rel=1e-4)
    weight = knobs.get("hessian_penalty", 1e-2)
    assert found["hessian-penalty"] == pytest.approx(weight * PIXELS * penalty, rel=1e-2)


def test_loss_of_bio_ae_is_the_papers_times_the_number_of_pixels():
    model = built(BioAE, nonnegativity=2.0, activity=0.01)
    z = np.array([encoded(model, i) for i in range(B)])
    negative = [-value for value in z.flatten() if value < 0]
    assert negative
    found = losses(model)
    nll = np.mean([cross_entropy(model, i, z[i]) for i in range(B)])
    assert found["reconstruction"] == pytest.approx(nll, rel=1e-5)
    assert found["nonnegativity"] == pytest.approx(2 * PIXELS * sum(negative) / z.size, rel=1e-5)
    assert found["activity"] == pytest.approx(0.01 * PIXELS * np.mean(z**2), rel=1e-5)


def test_loss_of_an_autoencoder_is_the_reconstruction_alone():
    model = built(AE)
    nll = np.mean([cross_entropy(model, i, encoded(model, i)) for i in range(B)])
    assert losses(model) == {"reconstruction": pytest.approx(nll, rel=1e-5)}


@pytest.mark.parametrize("kind", [AE, BioAE, Tripod])
def test_gradients_reach_every_parameter(kind):
    model = built(kind)
    sum(getattr(term, "loss", term) for term in model.terms(batch()).values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("term", ["multi-information", "hessian-penalty"])
def test_regularisers_of_tripod_reach_the_encoder_through_the_quantiser(term):
    model = built(Tripod)
    (grad,) = torch.autograd.grad(model.terms(batch())[term].loss, model.encoder[1].weight)
    assert grad.isfinite().all()
    assert grad.abs().sum() > 0


def test_gradient_of_tripods_code_is_that_of_the_tanh():
    model = built(Tripod)
    weight = model.encoder[1].weight
    (expected,) = torch.autograd.grad(model.encoder(X).tanh().sum(), weight)
    (got,) = torch.autograd.grad(model.encode(X).mean.sum(), weight)
    assert torch.equal(got, expected)


def test_code_of_tripod_is_discrete_and_its_traversal_shows_the_values():
    model = built(Tripod, values=4)
    code = model.encode(X)
    assert code.discrete
    assert torch.allclose(model.traversal(0, 9), torch.tensor([-1, -1 / 3, 1 / 3, 1]))
    assert set(code.mean.unique().tolist()) <= set(model.traversal(1, 9).tolist())
    assert model.traversal(0, 2).tolist() == [-1, 1]


def test_standardised_latents_use_their_range_where_a_tanh_saturates():
    """Outputs far from 0 that hardly differ, as of a network without norm layers."""
    codes = {}
    for standardised in (False, True):
        model = built(Tripod, standardised=standardised)
        with torch.no_grad():
            model.encoder[1].bias.fill_(20)
        z = model.encode(X).mean
        codes[standardised] = z
        c = model.continuous(X).atanh()
        if standardised:
            expected = model.encoder(X)
            expected = (expected - expected.mean(0)) / expected.std(0, correction=0)
            torch.testing.assert_close(c, expected, rtol=1e-3, atol=1e-3)
    assert (codes[False] == 1).all()
    assert codes[True].std(0).min() > 0.3


def test_code_of_tripod_without_quantisation_is_the_encoders_output():
    model = built(Tripod, quantised=False)
    code = model.encode(X)
    assert not code.discrete
    assert torch.equal(code.mean, model.encoder(X))
    model.terms(batch())
    assert model.spread.mean.abs().min() > 0
    for _ in range(2000):
        model.spread.update(code.mean)
    ends = code.mean[:, 1].mean() + code.mean[:, 1].std(correction=0) * torch.tensor([-3.0, 3.0])
    torch.testing.assert_close(model.traversal(1, 2), ends, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("standardised", [False, True])
def test_page_of_tripod_quantises_as_the_model(standardised, quantised):
    model = built(Tripod, standardised=standardised, quantised=quantised).eval()
    x = X
    for module in model.page_encoder():
        x = module(x)
    assert torch.allclose(x, model.encode(X).mean, atol=1e-6)


def test_hessian_penalty_is_0_for_latents_that_do_not_interact():
    """A decoder whose every hidden unit sees one latent: the paper's aim."""
    model = built(Tripod)
    with torch.no_grad():
        model.decoder[0].weight.mul_(torch.eye(5, LATENTS))
        model.decoder[2].weight.mul_(torch.eye(7, 5))
    interacting = losses(built(Tripod))["hessian-penalty"]
    assert losses(model)["hessian-penalty"] < 1e-3 * interacting


def test_network_without_activations_is_refused_before_training(monkeypatch):
    class Linear(HigginsFC):
        def decoder(self, latents, image_shape):
            return nn.Sequential(nn.Linear(latents, PIXELS), nn.Unflatten(1, SHAPE))

    monkeypatch.setattr(Tripod, "make_network", lambda self: Linear())
    with pytest.raises(UsageError, match="no activations of the decoder `Sequential` can be"):
        Tripod(latents=LATENTS).build(SHAPE)


def test_decoder_runs_once_a_step_on_9_times_the_batch():
    model, sizes = built(Tripod), []
    model.decoder[0].register_forward_hook(lambda layer, inputs, output: sizes.append(len(output)))
    model.terms(batch())
    assert sizes == [9 * B]


def test_penalty_of_tripod_is_in_single_precision_in_a_training_of_half_precision(monkeypatch):
    dtypes = set()
    call = HessianPenalty.__call__

    def observed(self, values):
        values = list(values)
        dtypes.update(value.dtype for value in values)
        return call(self, values)

    monkeypatch.setattr(HessianPenalty, "__call__", observed)
    with torch.autocast("cpu", torch.bfloat16):
        terms = built(Tripod).terms(batch())
    assert dtypes == {torch.float32}
    assert all(getattr(term, "loss", term).isfinite() for term in terms.values())


@pytest.mark.parametrize("kind", [AE, BioAE])
def test_traversal_of_an_autoencoder_spans_the_codes_of_training(kind):
    model = built(kind)
    for _ in range(1500):
        model.spread.update(model.encode(X).mean)
    z = model.encode(X).mean.detach()
    low, high = z.mean(0) - 3 * z.std(0, correction=0), z.mean(0) + 3 * z.std(0, correction=0)
    for d in range(LATENTS):
        ends = torch.stack([low[d], high[d]])
        assert torch.allclose(model.traversal(d, 5)[[0, -1]], ends, rtol=1e-3, atol=1e-3)
    model.terms(batch())
    assert not model.encode(X).discrete
