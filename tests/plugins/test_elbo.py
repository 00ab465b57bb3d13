"""The evidence lower bound against closed forms, quadrature, and the model's own loss."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from disentangle._utils.device import CHUNK
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle.scoring.codes import RunSource
from disentangle.scoring.score_runs import score
from disentangle.training.train import train
from disentangle_plugins.metrics.elbo import ELBO, kl_of_latents

QUICK = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}


class Pixels(Dataset):
    """Images from an array [N, C, H, W], which notes what is read."""

    source, fingerprint, name = "made", "pixels", "pixels"

    def __init__(self, images):
        self.array, self.image_shape, self.read = images, images.shape[1:], []

    def __len__(self):
        return len(self.array)

    def images(self, index):
        self.read += list(index)
        return torch.from_numpy(self.array[index])


class Plain(Model):
    """Each pixel's logit is the first latent, and a constant."""

    def build(self, image_shape):
        self.shape, self.logit = image_shape, nn.Parameter(torch.zeros(()))

    def decode(self, z):
        logits = z[:, 0].view(-1, 1, 1, 1).expand(-1, *self.shape)
        return logits + self.logit

    def terms(self, batch):
        raise AssertionError("nothing is trained here")


class Made(Source):
    """Given posteriors of given images under a given model."""

    def __init__(self, images, mean, scale, **options):
        self.dataset, self.mean, self.scale = Pixels(images), mean, scale
        self.model = Plain(**options)
        self.model.build(self.dataset.image_shape)

    @property
    def latents(self):
        return self.mean.shape[1]

    def codes(self, index):
        return self.mean[index]

    def posterior(self, index):
        return self.mean[index], self.scale[index]


def black(n, side=4):
    return np.zeros((n, 1, side, side), np.uint8)


def prior(n, latents=2):
    """Return means and scales of the prior, but for a first latent that is always 0, nearly."""
    scale = np.ones((n, latents))
    scale[:, 0] = 1e-6
    return np.zeros((n, latents)), scale


def elbo(source, seed=0, **knobs):
    return ELBO(**knobs).score(source, np.random.default_rng(seed))


def test_a_decoder_that_knows_nothing_needs_one_bit_a_pixel():
    found = elbo(Made(black(200), *prior(200)))
    assert found["elbo/reconstruction"] == pytest.approx(16 * math.log(2), rel=1e-5)
    assert found["elbo/total"] == found["elbo/reconstruction"] + found["elbo/kl"]
    bits = found["elbo/total"] / (16 * math.log(2))
    assert found["elbo/bits-per-dimension"] == pytest.approx(bits)


def test_bits_per_dimension_have_the_constant_of_the_likelihood():
    made = Made(black(200), *prior(200), likelihood="gaussian", variance=0.1)
    found = elbo(made)
    assert found["elbo/reconstruction"] == pytest.approx(16 * 0.25 / 0.2, rel=1e-5)
    constant = 8 * math.log(2 * math.pi * 0.1)
    bits = (found["elbo/total"] + constant) / (16 * math.log(2))
    assert found["elbo/bits-per-dimension"] == pytest.approx(bits)


def test_reconstruction_is_the_expectation_under_the_posterior():
    n = 20_000
    made = Made(black(n, 1), np.full((n, 1), 0.7), np.full((n, 1), 1.3))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = weights @ np.logaddexp(0, 0.7 + 1.3 * nodes) / weights.sum()
    assert elbo(made)["elbo/reconstruction"] == pytest.approx(expected, abs=0.03)


def test_kl_is_that_of_torch():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=(50, 4)), rng.uniform(0.1, 2, (50, 4))
    q = torch.distributions.Normal(torch.from_numpy(mean), torch.from_numpy(scale))
    p = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, p).numpy()
    np.testing.assert_allclose(kl_of_latents(mean, scale), expected, atol=1e-12)
    found = elbo(Made(black(50), mean, scale))
    np.testing.assert_allclose(found["elbo/kl-of-latents"].values, expected.mean(0), atol=1e-12)
    assert found["elbo/kl-of-latents"].axes == ("latent",)
    assert found["elbo/kl-of-latents"].about == "KL from the prior, in nats per image"
    assert found["elbo/kl"] == pytest.approx(expected.sum(1).mean())


def test_units_are_active_whose_mean_varies_enough():
    mean = np.random.default_rng(0).normal(size=(1000, 4)) * [1, 0.12, 0.08, 0] + [0, 0, 1e4, -3]
    found = elbo(Made(black(1000, 1), mean, np.ones_like(mean)))
    assert found["elbo/active-units"] == 2
    assert (mean.var(0) > 0.01).sum() == 2


def test_every_image_is_read_once_and_so_many_as_asked_for_otherwise():
    made = Made(black(150), *prior(150))
    elbo(made)
    assert made.dataset.read == list(range(150))
    made.dataset.read.clear()
    elbo(made, samples=40)
    assert len(made.dataset.read) == 40


def test_score_depends_on_its_generator_and_not_on_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    made = Made(black(150), rng.normal(size=(150, 3)), np.full((150, 3), 0.5))
    first = elbo(made)["elbo/total"]
    assert elbo(made)["elbo/total"] == first
    assert elbo(made, seed=1)["elbo/total"] != first
    monkeypatch.setitem(CHUNK, "cpu", 7)
    assert elbo(made)["elbo/total"] == pytest.approx(first, rel=1e-6)


def test_bound_of_a_run_is_the_loss_of_a_vae(run):
    found = elbo(RunSource(run))
    code = run.code(run.dataset.images(np.arange(len(run.dataset))))
    assert found["elbo/kl"] == pytest.approx(float(code.kl().sum(1).mean()), rel=1e-4)
    x = run.dataset.images(np.arange(len(run.dataset))).float() / 255
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        own = [float(run.model.reconstruction(x, code.sample(rng))) for _ in range(5)]
    assert found["elbo/reconstruction"] == pytest.approx(np.mean(own), rel=0.01)


def test_no_image_is_encoded_twice(run, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(run.path / "cache"))
    seen = []
    encode = RunSource.encode
    monkeypatch.setattr(
        RunSource, "encode", lambda self, index: seen.extend(index) or encode(self, index)
    )
    source = RunSource(run)
    source.codes(np.arange(20))
    elbo(source)
    assert sorted(seen) == list(range(75))


def test_run_is_scored_by_name(run):
    found = score(run, ["elbo:samples=30"])
    parts = ("total", "reconstruction", "kl", "bits-per-dimension", "active-units")
    assert set(found) == {f"elbo/{part}" for part in parts}


def test_codes_without_a_model_or_a_posterior_are_unavailable(strangers, tmp_path):
    with pytest.raises(Unavailable, match="needs a model"):
        elbo(array_source(np.zeros((5, 2)), np.arange(5)[:, None] % 2))
    plain = train("plain-code", "tiny", results=tmp_path, **QUICK)
    with pytest.raises(Unavailable, match="these codes have no posterior"):
        elbo(RunSource(plain))


def test_posterior_of_no_width_is_unavailable():
    with pytest.raises(Unavailable, match="KL is infinite"):
        elbo(Made(black(5), np.zeros((5, 1)), np.zeros((5, 1))))
