"""Group VAEs against closed forms, and one step of each recomputed with NumPy."""

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts.dataset import Dataset, Labelled
from disentangle.contracts.model import Batch, Posterior
from disentangle.contracts.settings import resolve
from disentangle.data.pairs import draw_pairs
from disentangle.errors import UsageError
from disentangle.testing.examples import Speckle
from disentangle.training.train import train
from disentangle_plugins.models.group_vae import (
    GVAE,
    MLVAE,
    AdaGVAE,
    AdaMLVAE,
    divergence,
    mean_of,
    product_of,
    similar,
    unchanged,
)
from disentangle_plugins.models.slow_vae import SlowVAE
from disentangle_plugins.models.vae import VAE

N, LATENTS, FACTORS = 8, 5, 3
DATA = Speckle({"a": 10, "still": 2, "b": 9, "c": 8}, ("still",), (1, 32, 32))
CHANGED = torch.rand((N, FACTORS), generator=torch_rng(0, "changed")) < 0.5
ALL = [AdaGVAE, AdaMLVAE, GVAE, MLVAE]


def some_posterior(seed):
    return Posterior(*torch.randn((2, N, LATENTS), generator=torch_rng(seed, "posterior")))


def batch(**fields):
    about = {"step": 0, "steps": 10, "dataset_size": 99, "rng": torch_rng(0, "noise")}
    images = {"x": torch.zeros(N, 1, 32, 32), "pair": torch.ones(N, 1, 32, 32)}
    return Batch(**{**images, **about, "changed": CHANGED, **fields})


def built(kind, **knobs):
    model = kind(**{"latents": LATENTS, **knobs})
    with initialising(0):
        model.build((1, 32, 32))
    return model


def test_kl_of_two_posteriors_is_torchs():
    first, second = some_posterior(1), some_posterior(2)
    expected = kl_divergence(Normal(first.mean, first.scale), Normal(second.mean, second.scale))
    assert torch.allclose(divergence(first, second), expected, atol=1e-4)


def test_average_is_that_of_means_and_of_variances():
    first = Posterior(torch.tensor([[0.0, 5.0]]), torch.tensor([[0.0, 0.0]]))
    second = Posterior(torch.tensor([[0.2, -5.0]]), torch.tensor([[math.log(3), 0.0]]))
    mean, log_variance = mean_of(first, second)
    assert torch.allclose(mean, torch.tensor([[0.1, 0.0]]))
    assert torch.allclose(log_variance.exp(), torch.tensor([[2.0, 1.0]]))


def test_product_has_the_moments_of_the_product_of_both_densities():
    """Independent: the normalised product of the densities, integrated on a fine line."""
    first, second = some_posterior(1), some_posterior(2)
    mean, log_variance = product_of(first, second)
    z = np.linspace(-40, 40, 400_001)
    for n, d in ((0, 0), (1, 2), (7, 4)):
        density = np.ones_like(z)
        for q in (first, second):
            m, s = q.mean[n, d].item(), q.scale[n, d].item()
            density *= np.exp(-0.5 * ((z - m) / s) ** 2)
        density /= density.sum()
        centre = (density * z).sum()
        assert mean[n, d].item() == pytest.approx(centre, abs=1e-5)
        spread = (density * (z - centre) ** 2).sum()
        assert log_variance[n, d].exp().item() == pytest.approx(2 * spread, rel=1e-4)


def test_product_is_the_authors_formula():
    first, second = some_posterior(3), some_posterior(4)
    m1, v1, m2, v2 = (
        t.double().numpy() for q in (first, second) for t in (q.mean, q.log_variance.double().exp())
    )
    variance = 2 * v1 * v2 / (v1 + v2)
    mean, log_variance = product_of(first, second)
    np.testing.assert_allclose(mean, (m1 / v1 + m2 / v2) * variance / 2, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(log_variance.exp(), variance, rtol=1e-5)


@pytest.mark.parametrize("average", [mean_of, product_of])
def test_average_of_a_posterior_with_itself_is_that_posterior(average):
    q = some_posterior(1)
    mean, log_variance = average(q, q)
    assert torch.allclose(mean, q.mean)
    assert torch.allclose(log_variance, q.log_variance, atol=1e-6)


def test_product_is_finite_for_extreme_variances():
    wide, narrow = (
        Posterior(torch.tensor([[m]]), torch.tensor([[v]], requires_grad=True))
        for m, v in ((3.0, 200.0), (-1.0, -200.0))
    )
    mean, log_variance = product_of(wide, narrow)
    assert mean.item() == -1
    assert log_variance.item() == pytest.approx(-200 + math.log(2))
    (mean + log_variance).sum().backward()
    assert narrow.log_variance.grad.item() == pytest.approx(1)
    assert wide.log_variance.grad.item() == 0


def test_similar_latents_are_in_the_lower_half_of_the_range_of_the_kl():
    first = Posterior(torch.tensor([[0.0, 0.0, 5.0]]), torch.zeros(1, 3))
    second = Posterior(torch.tensor([[0.2, 0.0, -5.0]]), torch.zeros(1, 3))
    assert similar(first, second).tolist() == [[True, True, False]]


def test_latents_beyond_the_factors_are_shared():
    changed = torch.tensor([[True, False], [False, False]])
    assert unchanged(changed, 4).tolist() == [[False, True, True, True], [True] * 4]


def replayed(kind, first, second):
    """The loss of posteriors, where -log p(x|z) is the mean of |z - 1|^2 + x[0]."""
    model = built(kind, beta=3.0)
    model.encode = lambda x: second if x[0, 0, 0, 0] else first
    model.reconstruction = lambda x, z: (z - 1).square().sum(1).mean() + x[0, 0, 0, 0]
    terms = model.terms(batch())
    return terms["reconstruction"].item(), terms["kl"].loss.item()


@pytest.mark.parametrize("kind", ALL)
def test_step_is_the_authors_recomputed_with_numpy(kind):
    first, second = some_posterior(5), some_posterior(6)
    m1, l1, m2, l2 = (t.double().numpy() for q in (first, second) for t in (q.mean, q.log_variance))
    v1, v2 = np.exp(l1), np.exp(l2)
    if kind in (AdaGVAE, GVAE):
        mean, variance = (m1 + m2) / 2, (v1 + v2) / 2
    else:
        variance = 2 * v1 * v2 / (v1 + v2)
        mean = (m1 / v1 + m2 / v2) * variance / 2
    if kind in (AdaGVAE, AdaMLVAE):  # in two bins of equal width, as in the authors' code
        kl = v1 / v2 + (m2 - m1) ** 2 / v2 - 1 + l2 - l1
        low, high = kl.min(1, keepdims=True), kl.max(1, keepdims=True)
        own = np.floor(2 * (kl - low) / (high - low)) >= 1
    else:
        own = np.zeros((N, LATENTS), bool)
        for n, k in np.argwhere(CHANGED.numpy()):
            own[n, k] = True
    assert own.any()
    assert not own.all()
    rng = torch_rng(0, "noise")
    errors, kls = [], []
    for m, v, shift in ((m1, v1, 0), (m2, v2, 1)):
        m, v = np.where(own, m, mean), np.where(own, v, variance)
        z = m + np.sqrt(v) * torch.randn((N, LATENTS), generator=rng).double().numpy()
        errors.append(((z - 1) ** 2).sum(1).mean() + shift)
        kls.append(0.5 * (m**2 + v - np.log(v) - 1).sum(1).mean())
    reconstruction, kl = replayed(kind, first, second)
    assert reconstruction == pytest.approx(np.mean(errors), rel=1e-5)
    assert kl == pytest.approx(3 * np.mean(kls), rel=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_pair_of_the_same_image_is_averaged_with_itself(kind):
    """As the KL of the beta-VAE: identical posteriors are their own average."""
    model = built(kind, beta=3.0)
    x = torch.rand((N, 1, 32, 32), generator=torch_rng(0, "images"))
    kl = model.terms(batch(x=x, pair=x))["kl"].loss.item()
    assert kl == pytest.approx(3 * model.encode(x).kl().sum(1).mean().item(), rel=1e-5)


def test_models_given_the_same_are_compared_with_one_another_alone():
    classes = [kind.supervision for kind in (*ALL, SlowVAE)]
    assert classes[0] == classes[1] == "pairs that share factors"  # as recorded in earlier runs
    assert classes[2] == classes[3]
    assert len({*classes, VAE.supervision}) == 4


EARLIER = {
    (): [3, 612, 365, 539, 760, 1188, 1087, 108],
    (("changes", 2),): [51, 636, 509, 555, 765, 1186, 655, 106],
    (("changes", 0),): [437, 1204, 1264, 1260, 727, 900, 1082, 1116],
    (("pairs", "locatello2020"),): [55, 34, 938, 1116, 736, 900, 1086, 1257],
}
"""Knobs -> pairs drawn by version 0.1 of ada-gvae."""


@pytest.mark.parametrize(("knobs", "pairs"), EARLIER.items())
def test_pairs_are_those_of_earlier_versions(knobs, pairs):
    index = np.arange(0, len(DATA), 180)
    assert AdaGVAE(**dict(knobs)).pair(DATA, index, np.random.default_rng(0)).tolist() == pairs


@pytest.mark.parametrize("kind", [MLVAE, SlowVAE])
@pytest.mark.parametrize(
    "knobs",
    [
        {"pairs": "uniform_fixed"},
        {"pairs": "changes_fixed", "changes": 2},
        {"pairs": "laplace", "rate": 3.0, "categorical": "b"},
    ],
)
def test_knobs_choose_the_distribution_of_pairs(kind, knobs):
    index = np.arange(100)
    pair = kind(**knobs).pair(DATA, index, np.random.default_rng(0))
    expected = draw_pairs(DATA, index, np.random.default_rng(0), **knobs)
    assert pair.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"pairs": "locatello2020", "changes": 2},
            "changes has no effect while pairs is locatello2020",
        ),
        ({"rate": 2.0}, "rate has no effect while pairs is changes; .* set pairs to laplace"),
        ({"pairs": "laplce"}, "pairs must be one of changes, .*; got 'laplce'"),
        ({"pairs": "laplace", "rate": 0.0}, "rate must be a finite number, above 0"),
    ],
)
def test_knob_without_effect_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        resolve(AdaGVAE, given)


@pytest.mark.parametrize("model", ["gvae", "ml-vae"])
def test_fewer_latents_than_given_factors_are_refused(model, tmp_path):
    expected = (
        r"keeps one latent for each factor: expected at least 3 latents for the factors of speckle "
        r"\(a, b, c\), got 2; use `--latents 3` or more"
    )
    options = {"results": tmp_path, "steps": 2, "figures": False, "device": "cpu"}
    with pytest.raises(UsageError, match=expected):
        train(model, DATA, latents=2, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", ["ada-ml-vae", "slow-vae"])
def test_unknown_categorical_factor_is_refused_before_a_run_begins(model, tmp_path):
    options = {"results": tmp_path, "steps": 2, "figures": False, "device": "cpu"}
    with pytest.raises(UsageError, match="speckle has no factor 'sill'; did you mean 'still'"):
        train(model, DATA, pairs="laplace", categorical="sill", **options)
    assert not list(tmp_path.iterdir())


class Photos(Dataset):
    """Nine images."""

    name, source, fingerprint, image_shape = "photos", "memory", "0" * 64, (1, 32, 32)

    def __len__(self):
        return 9

    def images(self, index):
        return DATA.images(index)


class Column(Photos, Labelled):
    """Three images of each value of one factor."""

    every_factor: ClassVar = {"a": 3}

    def every_label(self, index):
        return np.asarray(index)[:, None] % 3


PART = DATA.view(hold_out=["a=3,b=2"])
LONE = DATA.view(hold_out=["a=3,b!=2", "a=3,c!=1", "a!=3,b=2", "a!=3,c=1"])
"""A part in which the images with a = 3 differ from all others in three factors."""


@pytest.mark.parametrize("model", ["ada-ml-vae", "gvae", "slow-vae"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LONE, "this part of 'speckle' lacks partners for 2 of its 1,010 images: .* uniform_fixed"),
        (Column(), "need a grid, an image for .*'photos' is only labelled; choose a dataset"),
        (Photos(), "needs a dataset that is labelled, but 'photos' is only images"),
    ],
)
def test_images_without_pairs_are_refused_before_a_run_begins(model, data, message, tmp_path):
    options = {"results": tmp_path, "steps": 2, "batch_size": 4, "figures": False, "device": "cpu"}
    with pytest.raises(UsageError, match=message):
        train(model, data, pairs="uniform_fixed", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", [["a=3"], ["a=3", "c=1"]])
def test_part_of_a_grid_without_whole_values_is_trained_on(part, tmp_path):
    data = DATA.view(hold_out=part, split="train")
    options = {"results": tmp_path, "steps": 2, "batch_size": 4, "figures": False, "device": "cpu"}
    assert train("ml-vae", data, pairs="uniform_fixed", **options).finished


@pytest.mark.parametrize("model", ["ada-gvae", "gvae", "slow-vae"])
def test_part_of_a_grid_without_some_combinations_is_trained_on(model, tmp_path):
    options = {"results": tmp_path, "steps": 2, "batch_size": 4, "figures": False, "device": "cpu"}
    assert train(model, PART, pairs="uniform_fixed", **options).finished
