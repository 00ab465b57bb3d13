"""Squared error, PSNR and SSIM against closed forms and a plain implementation."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import nn

from disentangle._utils.device import CHUNK
from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model
from disentangle.contracts.source import Sampled, Source
from disentangle.errors import Unavailable
from disentangle.scoring.arrays import array_source
from disentangle.scoring.codes import RunSource
from disentangle.scoring.score_runs import score
from disentangle.training.train import train
from disentangle_plugins.metrics.reconstruction import Reconstruction, psnr, ssim

QUICK = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}


def plain_ssim(x, y):
    """Return SSIM of two images [H, W], place by place where the window fits."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(image):
        blurred = correlate1d(correlate1d(image, window, axis=0), window, axis=1)
        return blurred[5:-5, 5:-5]

    m_x, m_y = blur(x), blur(y)
    s_x, s_y, s_xy = blur(x * x) - m_x**2, blur(y * y) - m_y**2, blur(x * y) - m_x * m_y
    luminance = (2 * m_x * m_y + 0.01**2) / (m_x**2 + m_y**2 + 0.01**2)
    return (luminance * (2 * s_xy + 0.03**2) / (s_x + s_y + 0.03**2)).mean()


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 20, 31), (2, 11, 11)])
def test_ssim_is_that_of_a_plain_implementation(shape):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(6, *shape))
    y = np.clip(x + np.linspace(0, 0.5, 6)[:, None, None, None] * rng.normal(size=x.shape), 0, 1)
    expected = [
        np.mean([plain_ssim(*c) for c in zip(a, b, strict=True)]) for a, b in zip(x, y, strict=True)
    ]
    found = ssim(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    single = ssim(torch.from_numpy(x).float(), torch.from_numpy(y).float()).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-4)


def test_ssim_of_equal_images_is_1_and_of_opposite_ones_below_0():
    x = torch.rand((3, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    assert ssim(x, x).tolist() == pytest.approx([1, 1, 1])
    assert (ssim(x, 1 - x) < 0).all()


def test_psnr_is_the_error_in_decibels_up_to_100():
    x = torch.zeros((1, 1, 4, 4))
    found = [float(psnr(x, x + error)) for error in (1.0, 0.1, 0.001, 0.0)]
    assert found == pytest.approx([0, 20, 60, 100], abs=1e-4)


class Pixels(Dataset):
    """Images from an array [N, C, H, W]."""

    source, fingerprint, name = "made", "pixels", "pixels"

    def __init__(self, images):
        self.array, self.image_shape = images, images.shape[1:]

    def __len__(self):
        return len(self.array)

    def images(self, index):
        return torch.from_numpy(self.array[index])


class Memory(Model):
    """The latent is the number of the image to show, in black and white."""

    def build(self, image_shape):
        self.none = nn.Parameter(torch.zeros(()))

    def decode(self, z):
        return (self.shown[z[:, 0].round().long()].float() - 127) * 100

    def terms(self, batch):
        raise AssertionError("nothing is trained here")


class Made(Source):
    """Images, and a model that shows others, at some distance."""

    latents = 1

    def __init__(self, images, shown):
        self.dataset, self.model = Pixels(images), Memory()
        self.model.build(images.shape[1:])
        self.model.shown = torch.from_numpy(shown)

    def codes(self, index):
        return index[:, None].astype(np.float64)

    def posterior(self, index):
        return self.codes(index), np.full((len(index), 1), 0.3)


def reconstruction(source, **knobs):
    found = Reconstruction(**knobs).score(source, np.random.default_rng(0))
    assert all(name.startswith("reconstruction/") for name in found)
    return [found[f"reconstruction/{part}"] for part in ("error", "psnr", "ssim")]


def black_and_white(n, side=16):
    rng = np.random.default_rng(0)
    return rng.choice(np.array([0, 255], np.uint8), size=(n, 1, side, side))


def test_perfect_reconstruction_has_100_decibels():
    images = black_and_white(100)
    assert reconstruction(Made(images, images)) == pytest.approx([0, 100, 1], abs=1e-6)


def test_black_images_shown_white_have_the_closed_form():
    images = np.zeros((30, 3, 16, 16), np.uint8)
    expected = [1, 0, 0.01**2 / (1 + 0.01**2)]
    assert reconstruction(Made(images, images + 255)) == pytest.approx(expected, abs=1e-6)


def test_scores_are_means_over_images_whatever_the_blocks(monkeypatch):
    images = black_and_white(100)
    shown = images.copy()
    shown[:50] = 255 - shown[:50]
    found = reconstruction(Made(images, shown))
    share = found[0]
    assert 0.4 < share < 0.6
    assert found[1] == pytest.approx(100 * (1 - share))
    monkeypatch.setitem(CHUNK, "cpu", 7)
    assert reconstruction(Made(images, shown)) == pytest.approx(found)


def test_samples_of_the_posterior_are_not_what_is_decoded(run):
    source = RunSource(run)
    assert reconstruction(Sampled(source, 0)) == reconstruction(source)


def test_run_is_decoded_from_its_means(run):
    index = np.arange(len(run.dataset))
    x = run.dataset.images(index).float() / 255
    y = run.decode(run.encode(x))
    error = float((x - y).square().mean())
    assert reconstruction(RunSource(run), samples=5000)[0] == pytest.approx(error, rel=0.05)
    assert set(score(run, ["reconstruction"])) == {
        "reconstruction/error",
        "reconstruction/psnr",
        "reconstruction/ssim",
    }


def test_model_without_a_posterior_has_scores(strangers, tmp_path):
    plain = train("plain-code", "tiny", results=tmp_path, **QUICK)
    error, decibels, alike = reconstruction(RunSource(plain))
    assert 0 < error < 1
    assert 0 < decibels < 100
    assert -1 < alike < 1


def test_codes_without_a_model_and_images_below_the_window_are_unavailable():
    with pytest.raises(Unavailable, match="needs a model"):
        reconstruction(array_source(np.zeros((5, 2)), np.arange(5)[:, None] % 2))
    small = black_and_white(5, side=10)
    with pytest.raises(Unavailable, match="at least 11x11"):
        reconstruction(Made(small, small))
