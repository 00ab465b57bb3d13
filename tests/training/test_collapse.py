"""Advice before training: spectra of known data, and what is said of them."""

import re

import numpy as np
import pytest
import torch

from disentangle.contracts.dataset import Dataset
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError
from disentangle.training import collapse as advice
from disentangle.training.collapse import advise, bernoulli_onset, eigenvalues, predict
from disentangle.training.train import train


class Images(Dataset):
    """Given images [N, P] in [0, 1], one pixel high."""

    name, fingerprint, source = "given", "0" * 64, "made"

    def __init__(self, x):
        self.x = np.rint(255 * x).astype(np.uint8)
        self.image_shape = (1, 1, x.shape[1])

    def __len__(self):
        return len(self.x)

    def images(self, index):
        return torch.from_numpy(self.x[self._index(index)]).view(-1, *self.image_shape)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_eigenvalues_are_those_of_the_covariance(shape):
    x = np.random.default_rng(0).normal(size=shape)
    expected = np.linalg.eigvalsh(np.cov(x.T, ddof=0))[::-1]
    count = min(shape)
    assert np.allclose(eigenvalues(x)[:count], expected[:count], atol=1e-10)


def gaussian_images(n=4000):
    rng = np.random.default_rng(0)
    deviations = np.array([0.12, 0.09, 0.03])
    return Images((0.5 + rng.normal(size=(n, 3)) * deviations).clip(0, 1)), deviations**2


def test_gaussian_onset_is_twice_the_largest_eigenvalue_at_a_variance_of_half():
    images, variances = gaussian_images()
    found = predict(images, "gaussian", 0.5, 0.01, 2)
    assert found.onset.value == pytest.approx(2 * variances[0], rel=0.06)
    assert found.onset.low <= found.onset.value * 1.02
    assert found.without_rare is None
    unit = predict(images, "gaussian", 1.0, 0.01, 2)
    assert unit.onset.value == pytest.approx(found.onset.value / 2)


def test_linear_model_keeps_directions_above_beta_and_no_more_than_latents():
    images, _ = gaussian_images()
    for beta, latents, kept in (
        (1e-4, 10, 3),
        (1e-4, 2, 2),
        (0.01, 10, 2),
        (0.02, 10, 1),
        (1, 5, 0),
    ):
        assert predict(images, "gaussian", 0.5, beta, latents).kept.value == kept


def test_bernoulli_onset_of_binary_pixels_is_the_largest_of_their_correlation():
    rng = np.random.default_rng(0)
    x = (rng.random((3000, 1)) < 0.3) ^ (rng.random((3000, 6)) < 0.1)
    expected = np.linalg.eigvalsh(np.corrcoef(x.T))[-1]
    assert bernoulli_onset(x.astype(float)) == pytest.approx(expected)
    constant = np.hstack([x, np.zeros((3000, 2))]).astype(float)
    assert bernoulli_onset(constant) == pytest.approx(expected)
    assert bernoulli_onset(np.ones((5, 3))) == 0


def test_dsprites_onsets_are_those_measured_before(dsprites_data):
    gaussian = predict(dsprites_data, "gaussian", 0.5, 16, 10)
    assert gaussian.onset.value == pytest.approx(36.3, rel=0.05)
    assert gaussian.kept.value == 5
    bernoulli = predict(dsprites_data, "bernoulli", 0.5, 16, 10, sample=1000)
    assert bernoulli.onset.value == pytest.approx(199, rel=0.06)


@pytest.fixture(scope="module")
def dsprites_data(tmp_path_factory):
    return load_dataset("dsprites", data_dir=tmp_path_factory.mktemp("data"))


def test_advice_says_norm_onset_and_verdict():
    images, _ = gaussian_images(500)
    stable = " ".join(advise(images, 250.0, 6, "gaussian", 0.5))
    assert "normalised beta of Higgins et al. is 500," in stable
    assert "warning: collapse is predicted at beta = 250" in stable
    free = " ".join(advise(images, 1e-3, 6, "gaussian", 0.5))
    assert "No collapse is predicted" in free
    assert "A linear model would keep 2 of 6" in free or "keep 3 of 6" in free


def test_one_line_tells_below_at_and_above_the_onset():
    images, _ = gaussian_images(500)
    onset = predict(images, "gaussian", 0.5, 1.0, 6, sample=advice.QUICK).onset
    assert onset.low < onset.high
    for beta, outcome in (
        (onset.low / 2, "no posterior collapse expected"),
        ((onset.low + onset.high) / 2, "posterior collapse possible"),
        (onset.high * 2, "posterior collapse expected"),
    ):
        assert f": {outcome} (" in advice.one_line(images, beta, 6, "gaussian", 0.5)


def test_gaussian_formula_is_never_shown_for_another_likelihood():
    images, _ = gaussian_images(500)
    assert "linear model" not in " ".join(advise(images, 4.0, 6, "bernoulli", 0.5))
    unknown = " ".join(advise(images, 4.0, 6, "continuous-bernoulli", 0.5))
    assert "is not known" in unknown
    assert "spectrum" not in unknown
    assert advice.one_line(images, 4.0, 6, "gaussian-learned", 0.5) is None


def test_training_starts_with_one_line_of_it(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    said = []
    train("beta-vae", "tiny", beta=1e4, results=tmp_path, say=said.append, **options)
    assert any("warning: beta = 10000: posterior collapse expected" in line for line in said)
    said.clear()
    train("annealed-vae", "tiny", results=tmp_path, say=said.append, **options)
    assert not any("expected (predicted above" in line for line in said)


def test_advise_command(strangers, command):
    code, out, _ = command("advise", "beta-vae", "tiny", "--beta-norm", 1)
    assert code == 0
    assert "beta = 409.6 is the weight of the KL term" in out
    assert "warning: collapse is predicted" in out
    assert command("advise", "beta-vae", "tiny", "--beta", 1, "--beta-norm", 1)[0] == 2
    for model in (
        *("ae", "annealed-vae", "bio-ae", "dip-vae-i", "factor-qvae", "nash-ae", "qlae"),
        "tripod",
    ):
        out = command("advise", model, "tiny")[1]
        assert f"No prediction for '{model}'" in out
        assert "`disentangle advise vae tiny`" in out
        assert "predicted" not in out
    out = command("advise", "vae", "tiny")[1]
    assert "beta = 1 is the weight of the KL term" in out
    assert "No prediction" not in out


@pytest.mark.parametrize(
    ("value", "pixels"), [(0.0, "every pixel is 0"), (None, "pixels are 0 to 255")]
)
def test_images_that_are_all_the_same_are_named(value, pixels):
    image = np.linspace(0, 1, 6) if value is None else np.full(6, value)
    images = Images(np.tile(image, (50, 1)))
    sentence = f"all 50 images of 'given' are the same ({pixels}), so there is nothing to learn."
    with pytest.raises(DisentangleError, match=re.escape(sentence)):
        advise(images, 4.0, 6, "bernoulli", 0.5)
    line = advice.one_line(images, 4.0, 6, "gaussian-learned", 0.5)
    assert line.startswith(f"warning: {sentence}")


@pytest.mark.parametrize(
    ("model", "options", "line"),
    [
        ("ada-gvae", {"beta": 3.0}, "beta = 3: "),
        ("annealed-vae", {}, None),
        ("dip-vae-i", {}, None),
        ("dip-vae-ii", {}, None),
        ("qlae", {}, None),
        ("tripod", {}, None),
        ("qvae", {}, None),
    ],
)
def test_onset_is_told_only_of_a_weight_of_the_kl_term(strangers, tmp_path, model, options, line):
    """A distance of the KL from a capacity, a covariance and codes without a KL have no onset."""
    short = {"steps": 1, "batch_size": 8, "figures": False, "device": "cpu"}
    said = []
    train(model, "tiny", results=tmp_path, say=said.append, **options, **short)
    told = [text for text in said if "predicted above" in text]
    assert [line in text for text in told] == [True] if line else not told


def test_capacity_that_training_does_not_reach_is_told(strangers, tmp_path):
    short = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu", "results": tmp_path}
    said = []
    train("annealed-vae", "tiny", say=said.append, **short)
    assert (
        "warning: training ends after 2 steps, before the end of the 100,000 steps of `--rise`"
        in said
    )
    said.clear()
    train("annealed-vae", "tiny", rise=2, say=said.append, **short)
    assert not any("warning" in text for text in said)


def test_sample_is_the_same_for_the_same_seed():
    images, _ = gaussian_images(5000)
    first, second = (predict(images, "gaussian", 0.5, 1, 2, sample=300) for _ in range(2))
    assert first == second
