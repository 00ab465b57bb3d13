"""Objectives against identities, closed forms and one another."""

import math

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts import registry
from disentangle.contracts.model import Batch, Posterior
from disentangle.contracts.plugin import knobs
from disentangle.data.loading import load_dataset
from disentangle.maths.aggregate_posterior import (
    log_normal,
    log_prior,
)
from disentangle.training.checks import checked, term_sets
from disentangle.training.train import train
from disentangle_plugins.models.annealed_vae import AnnealedVAE
from disentangle_plugins.models.beta_tcvae import BetaTCVAE
from disentangle_plugins.models.beta_vae import BetaVAE
from disentangle_plugins.models.bio_ae import BioAE
from disentangle_plugins.models.dip_vae_i import DIPVAEI
from disentangle_plugins.models.dip_vae_ii import DIPVAEII
from disentangle_plugins.models.factor_vae import FactorVAE
from disentangle_plugins.models.group_vae import GVAE, MLVAE, AdaGVAE, AdaMLVAE
from disentangle_plugins.models.hfs_vae import HFSVAE
from disentangle_plugins.models.jl1_vae import JL1VAE
from disentangle_plugins.models.nash_ae import NashAE
from disentangle_plugins.models.qlae import QLAE
from disentangle_plugins.models.qvae import DVAE, QVAE, FactorDVAE, FactorQVAE
from disentangle_plugins.models.s2_beta_vae import S2BetaVAE
from disentangle_plugins.models.slow_vae import SlowVAE
from disentangle_plugins.models.tripod import Tripod
from disentangle_plugins.models.vae import VAE

X, PAIR = torch.rand((2, 8, 1, 64, 64), generator=torch_rng(0, "images"))
CHANGED = torch.rand((8, 3), generator=torch_rng(0, "changed")) < 0.5
LABELS = torch.rand((8, 3), generator=torch_rng(0, "labels"))
LATENTS = 4


def built(kind, **knobs):
    model = kind(latents=LATENTS, **knobs)
    with initialising(0):
        model.build((1, 64, 64))
    return model


def batch(step=0, **fields):
    rng = torch_rng(0, "noise")
    about = {"step": step, "steps": 10, "dataset_size": 500, "rng": rng}
    labels = {"changed": CHANGED, "labels": LABELS}
    return Batch(**{"x": X, **about, **labels, **fields})


def terms_of(model, **fields):
    return checked(term_sets(model.terms(batch(**fields))))[0]


def losses(model, **fields):
    return {name: term.loss.item() for name, term in terms_of(model, **fields).items()}


def values(model, **fields):
    terms = terms_of(model, **fields)
    return {term.name or name: term.value.item() for name, term in terms.items()}


VAES = losses(built(VAE))


def some_posterior(seed):
    return Posterior(*torch.randn((2, 8, LATENTS), generator=torch_rng(seed, "posterior")))


WEIGHTS = {
    BetaVAE: {"beta": 8.0},
    AdaGVAE: {"beta": 8.0},
    AdaMLVAE: {"beta": 8.0},
    GVAE: {"beta": 8.0},
    MLVAE: {"beta": 8.0},
    SlowVAE: {"beta": 8.0, "gamma": 9.0},
    AnnealedVAE: {"gamma": 8.0},
    BetaTCVAE: {"alpha": 8.0, "beta": 9.0, "gamma": 10.0},
    DIPVAEI: {"lambda_od": 8.0, "lambda_d": 9.0},
    DIPVAEII: {"lambda_od": 8.0, "lambda_d": 9.0},
    FactorVAE: {"gamma": 8.0},
    QLAE: {"quantisation": 8.0, "commitment": 9.0},
    Tripod: {"multi_information": 8.0, "hessian_penalty": 9.0},
    BioAE: {"nonnegativity": 8.0, "activity": 9.0},
    QVAE: {"kl_weight": 8.0},
    DVAE: {"kl_weight": 8.0},
    FactorQVAE: {"kl_weight": 8.0, "gamma": 9.0},
    FactorDVAE: {"kl_weight": 8.0, "gamma": 9.0},
    HFSVAE: {"beta": 8.0, "gamma": 9.0},
    JL1VAE: {"beta": 8.0, "gamma": 9.0, "kl_warmup": 0},
    NashAE: {"adversarial": 0.8},
    S2BetaVAE: {"beta": 8.0, "gamma_sup": 9.0},
}


@pytest.mark.parametrize(
    ("kind", "weights"), WEIGHTS.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_values_of_terms_do_not_depend_on_their_weights(kind, weights):
    before, after = built(kind), built(kind, **weights)
    assert values(before, pair=PAIR) == values(after, pair=PAIR)
    assert losses(before, pair=PAIR) != losses(after, pair=PAIR)


@pytest.mark.parametrize("kind", [VAE, BetaVAE, DIPVAEI, DIPVAEII, FactorVAE, AnnealedVAE])
@pytest.mark.parametrize("step", [0, 10])
def test_kl_is_that_of_the_posterior_during_a_warm_up_too(kind, step):
    rise = {"rise": 10} if kind is AnnealedVAE else {"kl_warmup": 10}
    assert values(built(kind, **rise), pair=PAIR, step=step)["kl"] == VAES["kl"]


def test_beta_1_is_the_vae():
    assert losses(built(BetaVAE, beta=1.0)) == VAES


RISING = {
    name: kind
    for name in sorted(registry.models.entries)
    if "kl_warmup" in knobs(kind := registry.models.load(name))
}


def test_every_model_with_a_plain_kl_term_can_warm_it_up():
    without = {"ae", "annealed-vae", "bio-ae", "nash-ae", "qlae", "tripod"}
    assert set(registry.models.entries) - set(RISING) == without


@pytest.mark.parametrize("kind", RISING.values(), ids=RISING)
def test_kl_term_rises_in_a_line_from_0_and_the_reconstruction_does_not(kind):
    still = {"cooling": 0.0} if "cooling" in knobs(kind) else {}
    full = losses(built(kind, kl_warmup=0, **still), pair=PAIR)
    parts = {"mutual-information", "total-correlation", "dimension-wise-kl"}
    parts = {"kl", "jacobian"} if "kl" in full else parts
    for step, risen in ((0, 0), (3, 0.3), (10, 1), (25, 1)):
        found = losses(built(kind, kl_warmup=10, **still), pair=PAIR, step=step)
        for name, value in full.items():
            expected = risen * value if name in parts else value
            assert found[name] == pytest.approx(expected, rel=1e-5), name


def test_annealed_vae_without_capacity_weighs_the_kl_by_gamma():
    found = losses(built(AnnealedVAE, gamma=7.0, capacity=0.0))
    assert found["reconstruction"] == VAES["reconstruction"]
    assert found["capacity"] == pytest.approx(7 * VAES["kl"], rel=1e-6)


@pytest.mark.parametrize(("step", "c"), [(0, 0), (5, 2), (10, 4), (1000, 4)])
def test_capacity_rises_in_a_line_and_then_stays(step, c):
    found = losses(built(AnnealedVAE, gamma=1.0, capacity=4.0, rise=10), step=step)
    assert found["capacity"] == pytest.approx(abs(VAES["kl"] - c), rel=1e-5)


def test_factor_vae_without_its_weight_is_the_vae():
    for permuted in ("two", "same", "half"):
        found = losses(built(FactorVAE, gamma=0.0, permuted=permuted), pair=PAIR)
        assert found.pop("total-correlation") == 0
        assert found == VAES


def test_discriminator_learns_from_detached_codes_alone():
    model = built(FactorVAE)
    _, theirs = model.terms(batch(pair=PAIR))
    sum(theirs.values()).backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.discriminator.parameters())


def test_discriminator_loss_is_ln_2_when_it_knows_nothing():
    model = built(FactorVAE)
    torch.nn.init.zeros_(model.discriminator[-1].weight)
    torch.nn.init.zeros_(model.discriminator[-1].bias)
    mine, theirs = model.terms(batch(pair=PAIR))
    assert theirs["discriminator"].item() == pytest.approx(math.log(2))
    assert mine["total-correlation"].value.item() == 0


@pytest.mark.parametrize("estimator", ["mws", "mss", "mss-as-released"])
def test_beta_tcvae_of_weights_1_is_the_evidence_lower_bound(estimator):
    model = built(BetaTCVAE, beta=1.0, estimator=estimator)
    q = model.encode(X)
    z = q.sample(torch_rng(0, "noise"))
    kl = (log_normal(z, q.mean, q.log_variance).sum(1) - log_prior(z)).mean()
    found = losses(model)
    assert found.pop("reconstruction") == pytest.approx(VAES["reconstruction"])
    assert sum(found.values()) == pytest.approx(kl.item(), abs=1e-4)


def encoded_as(model, q):
    model.encode = lambda x: q
    return losses(model)


def isotropic(scale):
    """Return posteriors of 8 images whose means have covariance (1 - scale^2) I."""
    corners = torch.tensor([[1.0 if i >> d & 1 else -1.0 for d in range(3)] for i in range(8)])
    mean = torch.cat([corners, corners.prod(1, keepdim=True)], 1) * math.sqrt(1 - scale**2)
    return Posterior(mean, torch.full((8, LATENTS), 2 * math.log(scale) if scale else -40.0))


@pytest.mark.parametrize(("kind", "scale"), [(DIPVAEI, 0), (DIPVAEII, 0.5)])
def test_dip_penalties_are_zero_for_an_isotropic_code(kind, scale):
    found = encoded_as(built(kind), isotropic(scale))
    assert found["off-diagonal"] == pytest.approx(0, abs=1e-5)
    assert found["diagonal"] == pytest.approx(0, abs=1e-4)


def test_dip_penalties_are_the_squares_of_what_is_off():
    q = isotropic(0)
    mean = q.mean.clone()
    mean[:, 1] = mean[:, 0]  # a covariance of 1, twice in the matrix
    mean[:, 2] *= math.sqrt(3)  # a variance of 3
    found = encoded_as(
        built(DIPVAEI, lambda_od=5.0, lambda_d=10.0), Posterior(mean, q.log_variance)
    )
    assert found["off-diagonal"] == pytest.approx(5 * 2, rel=1e-5)
    assert found["diagonal"] == pytest.approx(10 * 2**2, rel=1e-5)


def test_second_batch_follows_correlated_factors(strangers):
    data = load_dataset("tiny")
    index = np.arange(75)
    rng = [np.random.default_rng(3) for _ in range(2)]
    assert (FactorVAE().pair(data, index, rng[0]) == rng[1].integers(0, 75, 75)).all()
    view = data.view(correlate=["side,x=0.00001"])
    side, x, _ = data.labels(FactorVAE().pair(view, index, rng[0])).T
    assert (x == 2 * side).all()


def test_quantised_values_are_the_nearest():
    model = built(QLAE)
    c = torch.tensor([[-9.0, -0.49, 0.0551, 9.0]])
    assert torch.allclose(model.quantise(c), torch.tensor([[-0.5, -0.5, 1 / 18, 0.5]]), atol=1e-6)


def test_gradient_goes_straight_through_the_quantiser():
    model = built(QLAE)
    direct = model.encoder(X)
    (expected,) = torch.autograd.grad(direct.sum(), model.encoder[-1].weight)
    (found,) = torch.autograd.grad(model.encode(X).mean.sum(), model.encoder[-1].weight)
    assert torch.allclose(found, expected, rtol=1e-5)
    assert model.encode(X).discrete
    assert not torch.equal(model.encode(X).mean, direct)


def test_discrete_code_is_exactly_a_value_of_the_codebook():
    model = built(QLAE)
    model.encoder = torch.nn.Identity()
    torch.nn.init.normal_(model.codebook, generator=torch_rng(0, "values"))
    z = model.encode(3 * torch.randn((50, model.latents), generator=torch_rng(0, "c"))).mean
    assert (z[:, :, None] == model.codebook).any(2).all()


def test_quantisation_moves_the_values_and_commitment_the_encoder():
    model = built(QLAE)
    found = {name: term.loss for name, term in terms_of(model).items()}
    (values,) = torch.autograd.grad(found["quantisation"], model.codebook, retain_graph=True)
    assert values.abs().sum() > 0
    weight = model.encoder[-1].weight
    (moved,) = torch.autograd.grad(found["commitment"], weight, retain_graph=True)
    assert moved.abs().sum() > 0
    with pytest.raises(RuntimeError, match=r"does not require grad|not have been used"):
        torch.autograd.grad(found["commitment"], model.codebook)


def test_weights_of_means_are_scaled_to_nats_per_image():
    model = built(QLAE, quantisation=0.01)
    c = model.encoder(X)
    expected = 0.01 * 64 * 64 * (model.quantise(c) - c).square().mean()
    assert losses(model)["quantisation"] == pytest.approx(expected.item(), rel=1e-5)


def test_gradient_of_values_is_that_of_those_that_were_chosen():
    model = built(QLAE)
    c = torch.randn((6, model.latents), generator=torch_rng(0, "c"))
    weights = torch.randn((6, model.latents), generator=torch_rng(1, "c"))
    v = model.quantise(c)
    nearest = (c[:, :, None] - model.codebook).abs().argmin(2)
    assert torch.equal(v, model.codebook.gather(1, nearest.T).T)
    (v * weights).sum().backward()
    expected = torch.zeros_like(model.codebook).scatter_add(1, nearest.T, weights.T)
    assert torch.allclose(model.codebook.grad, expected, atol=1e-6)


def test_traversal_of_a_quantised_latent_shows_its_values():
    model = built(QLAE)
    assert torch.allclose(model.traversal(1, 10), torch.linspace(-0.5, 0.5, 10))
    assert torch.equal(model.traversal(1, 11), model.traversal(1, 10))  # no value twice
    assert model.traversal(0, 3).tolist() == pytest.approx([-0.5, -0.0556, 0.5], abs=1e-3)


MODELS = sorted(set(registry.models.entries))
NETWORKS = sorted(registry.networks.entries)
COMBINED = [
    *((model, "conv", likelihood) for model in MODELS for likelihood in ("bernoulli", "gaussian")),
    *(("beta-vae", network, "bernoulli") for network in NETWORKS if network != "conv"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "network", "likelihood"), COMBINED)
def test_loss_falls_within_a_short_run(model, network, likelihood, strangers, tmp_path):
    options = {"network": network, "likelihood": likelihood, "steps": 30, "batch_size": 16}
    if network == "dalle":  # a step of 16 images takes seconds
        options |= {"steps": 8, "batch_size": 4}
    if model == "s2-beta-vae":
        options["labelled"] = 10
    run = train(model, "tiny", lr=1e-3, results=tmp_path, figures=False, device="cpu", **options)
    totals = [entry["terms"]["reconstruction"] for entry in run.log]
    assert np.isfinite(totals).all()
    assert totals[-1] < totals[0]
