"""The discrete VAEs of Baykal et al. (2024), recomputed in numpy from their formulas."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts.model import Batch
from disentangle.scoring.score_runs import score
from disentangle.training.checks import checked, term_sets
from disentangle.training.train import train
from disentangle_plugins.models.qvae import DVAE, QVAE, FactorDVAE, FactorQVAE

SHAPE, PIXELS = (1, 4, 4), 16
LATENTS, VALUES, IMAGES = 3, 5, 6
X = torch.rand((IMAGES, *SHAPE), generator=torch_rng(0, "images"))
KINDS = [QVAE, DVAE, FactorQVAE, FactorDVAE]
FACTOR = [FactorQVAE, FactorDVAE]


class Linear:
    """A network of one linear layer each way."""

    def encoder(self, image_shape, outputs):
        return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, outputs))

    def decoder(self, latents, image_shape):
        return nn.Sequential(nn.Linear(latents, PIXELS), nn.Unflatten(1, image_shape))


def built(kind, monkeypatch, **knobs):
    monkeypatch.setattr(kind, "make_network", lambda self: Linear())
    model = kind(latents=LATENTS, **{"values": VALUES, "likelihood": "gaussian", **knobs})
    with initialising(0):
        model.build(SHAPE)
    for parameter in model.encoder.parameters():
        parameter.data.mul_(4)  # logits that differ
    return model


def batch(step=0):
    return Batch(x=X, step=step, steps=10, dataset_size=9, rng=torch_rng(0, "noise"))


def losses(model, step=0):
    sets = checked(term_sets(model.terms(batch(step))))
    return {name: term.loss.item() for terms in sets for name, term in terms.items()}


def array(tensor):
    return tensor.detach().numpy().astype(float)


class Reference:
    """The formulas in numpy and loops, of the weights of a model."""

    def __init__(self, model, temperature):
        self.model, self.temperature = model, temperature
        self.e = array(model.codebook)

    def linear(self, layer, x):
        return x @ array(layer.weight).T + array(layer.bias)

    def logits(self, x):
        c = self.linear(self.model.encoder[1], x.reshape(len(x), -1))
        if isinstance(self.model, DVAE):
            return c.reshape(len(x), LATENTS, VALUES)
        found = np.empty((len(x), LATENTS, VALUES))
        for n in range(len(x)):
            for d in range(LATENTS):
                for j in range(VALUES):
                    found[n, d, j] = -((c[n, d] - self.e[j]) ** 2)
        return found

    def soft(self, logits, waits):
        found = np.empty(logits.shape)
        for n in range(len(logits)):
            for d in range(LATENTS):
                g = [-math.log(wait) for wait in waits[n, d]]
                weights = [
                    math.exp((a + b) / self.temperature)
                    for a, b in zip(logits[n, d], g, strict=True)
                ]
                found[n, d] = [w / sum(weights) for w in weights]
        return found

    def squared_error(self, x, y):
        """The mean over pixels and images."""
        z = np.array([[sum(y[n, d] * self.e) for d in range(LATENTS)] for n in range(len(y))])
        mean = 1 / (1 + np.exp(-self.linear(self.model.decoder[0], z)))
        return np.mean((mean - x.reshape(len(x), -1)) ** 2)

    def kl(self, logits):
        """The mean over latents and images of sum_j p_j log(V p_j)."""
        each = []
        for row in logits.reshape(-1, VALUES):
            p = np.exp(row) / np.exp(row).sum()
            each.append(sum(p_j * math.log(VALUES * p_j) for p_j in p))
        return np.mean(each)

    def discriminated(self, y):
        layers = [m for m in self.model.discriminator if isinstance(m, nn.Linear)]
        h = y.reshape(len(y), -1)
        for i, layer in enumerate(layers):
            h = self.linear(layer, h)
            h = np.where(h > 0, h, 0.2 * h) if i < len(layers) - 1 else h
        return h


def waits(rng, n):
    return array(torch.empty((n, LATENTS, VALUES)).exponential_(generator=rng))


@pytest.mark.parametrize("kind", [QVAE, DVAE])
def test_terms_are_the_papers_times_the_number_of_pixels(kind, monkeypatch):
    model = built(kind, monkeypatch, kl_weight=0.3, temperature=0.8, cooling=0.1)
    ours, x = Reference(model, 0.8 * math.exp(-0.1 * 4)), array(X)
    logits = ours.logits(x)
    y = ours.soft(logits, waits(torch_rng(0, "noise"), IMAGES))
    assert losses(model, step=4) == pytest.approx(
        {
            "reconstruction": PIXELS * ours.squared_error(x, y),
            "kl": PIXELS * 0.3 * ours.kl(logits),
        },
        rel=1e-4,
    )


@pytest.mark.parametrize("kind", FACTOR)
def test_terms_with_a_discriminator_are_the_papers_times_the_number_of_pixels(kind, monkeypatch):
    model = built(kind, monkeypatch, kl_weight=0.3, gamma=7.0, temperature=0.8, cooling=0.1)
    for layer in model.discriminator:
        if isinstance(layer, nn.Linear):
            layer.weight.data.mul_(2)  # logits of a size that a test sees
    ours, x = Reference(model, 0.8 * math.exp(-0.1 * 4)), array(X)
    half, rng = IMAGES // 2, torch_rng(0, "noise")
    logits = ours.logits(x[:half])
    y = ours.soft(logits, waits(rng, half))
    other = ours.soft(ours.logits(x[half:]), waits(rng, half))
    order = np.argsort(array(torch.rand((half, LATENTS), generator=rng)), axis=0)
    permuted = np.array([[other[order[n, d], d] for d in range(LATENTS)] for n in range(half)])
    real, false = ours.discriminated(y), ours.discriminated(permuted)
    crossed = [np.log(np.exp(r).sum()) - r[0] for r in real]
    crossed += [np.log(np.exp(r).sum()) - r[1] for r in false]
    found = losses(model, step=4)
    assert abs(found["total-correlation"]) > 1e-3
    assert found == pytest.approx(
        {
            "reconstruction": PIXELS * ours.squared_error(x[:half], y),
            "kl": PIXELS * 0.3 * ours.kl(logits),
            "total-correlation": PIXELS * 7.0 * np.mean(real[:, 0] - real[:, 1]),
            "discriminator": np.mean(crossed),
        },
        rel=1e-3,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_code_is_the_most_probable_value_and_takes_no_noise(kind, monkeypatch):
    model = built(kind, monkeypatch)
    code = model.encode(X)
    expected = array(model.codebook)[Reference(model, 1.0).logits(array(X)).argmax(2)]
    assert code.discrete
    np.testing.assert_array_equal(array(code.mean), expected)
    assert torch.equal(model.train().encode(X).mean, model.eval().encode(X).mean)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_the_page_compute_the_code(kind, monkeypatch):
    model = built(kind, monkeypatch)
    assert torch.equal(nn.Sequential(*model.page_encoder())(X), model.encode(X).mean)


def test_shared_codebook_starts_standard_normal(monkeypatch):
    values = built(QVAE, monkeypatch, values=2000).codebook
    assert values.shape == (2000,)
    assert values.mean().item() == pytest.approx(0, abs=0.1)
    assert values.std().item() == pytest.approx(1, abs=0.1)


def test_traversal_shows_the_values_of_the_codebook_in_order(monkeypatch):
    model = built(QVAE, monkeypatch)
    ordered = model.codebook.detach().sort().values
    assert torch.equal(model.traversal(0, 9), ordered)
    assert torch.equal(model.traversal(2, 3), ordered[[0, 2, 4]])


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_the_reconstruction_reaches_codebook_and_encoder(kind, monkeypatch):
    model = built(kind, monkeypatch)
    terms = checked(term_sets(model.terms(batch())))[0]
    terms["reconstruction"].loss.backward()
    for parameter in (model.codebook, *model.encoder.parameters(), *model.decoder.parameters()):
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", FACTOR)
def test_discriminator_learns_from_codes_alone(kind, monkeypatch):
    model = built(kind, monkeypatch)
    model.terms(batch())[1]["discriminator"].backward()
    assert all(p.grad is None for p in (model.codebook, *model.encoder.parameters()))
    assert all(p.grad is not None for p in model.discriminator.parameters())


@pytest.mark.parametrize(("kind", "plain"), [(FactorQVAE, QVAE), (FactorDVAE, DVAE)])
def test_loss_without_total_correlation_is_the_plain_models_on_half_a_batch(
    kind, plain, monkeypatch
):
    cold = {"cooling": 0.0, "gamma": 0.0}
    terms, _ = built(kind, monkeypatch, **cold).terms(batch())
    half = Batch(x=X[:3], step=0, steps=10, dataset_size=9, rng=torch_rng(0, "noise"))
    expected = built(plain, monkeypatch).terms(half)
    assert terms["reconstruction"].item() == expected["reconstruction"].item()
    assert terms["kl"].value.item() == expected["kl"].value.item()
    assert terms["total-correlation"].loss.item() == 0


def test_temperature_falls_on_the_device_as_it_does_with_numbers(monkeypatch):
    model = built(QVAE, monkeypatch, cooling=0.1)
    number, scalar = model.terms(batch(7)), model.terms(batch(torch.tensor(7)))
    assert number["reconstruction"].item() == scalar["reconstruction"].item()
    assert number["reconstruction"].item() != losses(model, step=0)["reconstruction"]


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("name", ["qvae", "factor-dvae"])
def test_discrete_code_is_counted_by_infomec(name, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    run = train(name, "tiny", results=tmp_path, **options)
    found = score(run, ["infomec", "infomec:codes=integer", "mig"])
    codes = [dict(r.key.knobs)["codes"] for r in found.records if r.name == "infomec/infoe"]
    assert codes == ["integer", "integer"]
