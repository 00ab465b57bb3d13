"""FID and KID: the distances against other computations, and images through a stand-in network."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.image_features import random_features
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel
from torch import nn

from disentangle.contracts.dataset import Dataset
from disentangle.contracts.model import Model
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable, UsageError
from disentangle.scoring.arrays import array_source
from disentangle.scoring.codes import RunSource
from disentangle.scoring.score_runs import score
from disentangle.training.train import train
from disentangle_plugins.metrics import fid
from disentangle_plugins.metrics.fid import FID, KID, frechet_distance, kernel_distance

QUICK = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
SETS = ("prior", "posterior", "reconstruction")


def two_sets(n, m, size, seed=0):
    """Return features [n, size] and [m, size] with other means and correlations."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(2, size, size)) / np.sqrt(size)
    return rng.normal(size=(n, size)) @ mix[0], rng.normal(size=(m, size)) @ mix[1] + 0.3


@pytest.mark.parametrize(("n", "m"), [(500, 400), (40, 500)])
def test_frechet_distance_is_that_of_scipy(n, m):
    x, y = two_sets(n, m, 30)
    s, t = np.cov(x.T), np.cov(y.T)
    gap = ((x.mean(0) - y.mean(0)) ** 2).sum()
    expected = gap + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 400), (2, 2)])
def test_frechet_distance_with_fewer_images_than_features_is_that_of_the_rows(n, m):
    # Singular values of X Y' are the roots of the eigenvalues of the covariances' product.
    x, y = two_sets(n, m, 150)
    p, q = (a - a.mean(0) for a in (x, y))
    p, q = p / np.sqrt(n - 1), q / np.sqrt(m - 1)
    common = np.linalg.svd(p @ q.T, compute_uv=False).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + (p**2).sum() + (q**2).sum() - 2 * common
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [10, 300])
def test_equal_sets_have_distance_0_and_moved_ones_the_square_of_the_move(n):
    x, _ = two_sets(n, n, 60)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(60 * 4, rel=1e-9)
    assert frechet_distance(1e-3 * x, 1e-3 * x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x.astype(np.float32), x.astype(np.float32)) >= 0


def test_frechet_distance_of_one_feature_is_the_closed_form():
    x, y = two_sets(50, 70, 1)
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected)


def test_constant_features_have_a_distance():
    assert frechet_distance(np.ones((5, 3)), np.zeros((4, 3))) == pytest.approx(3)
    assert kernel_distance(np.ones((5, 3)), np.zeros((4, 3))) == pytest.approx(8 + 1 - 2)


@pytest.mark.parametrize(("n", "m"), [(50, 40), (20, 9)])
def test_kernel_distance_is_that_of_scikit_learn(monkeypatch, n, m):
    x, y = two_sets(n, m, 30)

    def of_others(a):
        k = polynomial_kernel(a, degree=3, coef0=1)
        return k[~np.eye(len(a), dtype=bool)].mean()

    cross = polynomial_kernel(x, y, degree=3, coef0=1).mean()
    expected = of_others(x) + of_others(y) - 2 * cross
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)
    monkeypatch.setattr(fid, "ROWS", 7)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_mean_over_subsets_estimates_the_kernel_distance():
    x, y = two_sets(600, 600, 8)
    rng = np.random.default_rng(1)
    subsets = [
        kernel_distance(x[rng.permutation(600)[:100]], y[rng.permutation(600)[:100]])
        for _ in range(100)
    ]
    assert np.mean(subsets) == pytest.approx(kernel_distance(x, y), rel=0.1)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((5, 3), (5, 4)), r"got \[5, 3\] and \[5, 4\]"),
        (((1, 3), (5, 3)), "at least two images"),
        (((5,), (5, 3)), r"expected features \[N, F\], got \[5\]"),
    ],
)
def test_features_that_do_not_fit_are_refused(distance, shapes, message):
    with pytest.raises(UsageError, match=message):
        distance(*map(np.ones, shapes))


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
    """The latent is the number of the image to show, whatever its sign or fraction."""

    def build(self, image_shape):
        self.none = nn.Parameter(torch.zeros(()))

    def decode(self, z):
        x = self.shown[z[:, 0].abs().round().long().clamp(max=len(self.shown) - 1)]
        return torch.logit(x.double() / 255 + self.off).float()

    def terms(self, batch):
        raise AssertionError("nothing is trained here")


class Made(Source):
    """Images, and a model that shows others in place of them."""

    latents = 1

    def __init__(self, images, shown, scale=0.0, off=0.0):
        self.dataset, self.scale = Pixels(images), scale
        self.model = Memory()
        self.model.build(images.shape[1:])
        self.model.shown, self.model.off = torch.from_numpy(shown), off

    def codes(self, index):
        return index[:, None].astype(np.float64)

    def posterior(self, index):
        return self.codes(index), np.full((len(index), 1), self.scale)


@pytest.fixture
def stand_in(monkeypatch):
    """A small random network in place of Inception; returns the batches of images it was given."""
    given = []
    monkeypatch.setattr(fid, "feature_network", random_features(given))
    return given


def some_images(n, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 255, (n, channels, 12, 12)).astype(np.uint8)


def scores(source, kind=FID, **knobs):
    return kind(**knobs).score(source, np.random.default_rng(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_that_are_reproduced_have_distance_0(stand_in, channels):
    images = some_images(120, channels)
    found = scores(Made(images, images, off=0.001), samples=100)
    assert found["fid/reconstruction"] == pytest.approx(0, abs=1e-9)
    assert found["fid/samples"] == 100
    assert 0 < found["fid/posterior"] < found["fid/prior"]
    assert sorted({len(batch) for batch in stand_in}) == [fid.BATCH]
    assert len(stand_in) == 4 * 100 / fid.BATCH


def test_images_are_rounded_to_bytes():
    x = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.1])
    assert fid.in_bytes(x).tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize(
    ("kind", "distance"), [(FID, frechet_distance), (KID, kernel_distance)], ids=["fid", "kid"]
)
def test_scores_are_distances_between_images_of_the_dataset_and_of_the_model(
    stand_in, kind, distance
):
    images, shown = some_images(60), some_images(60, seed=1)
    found = scores(Made(images, shown, scale=0.0), kind, samples=50)
    real, prior, posterior, reconstructed = stand_in
    extract = fid.feature_network(None)
    features = [extract(batch) for batch in (real, prior, posterior, reconstructed)]
    name = kind.__name__.lower()
    expected = [distance(features[0], each) for each in features[1:]]
    assert [found[f"{name}/{part}"] for part in SETS] == pytest.approx(expected)
    rows = {row.numpy().tobytes(): i for i, row in enumerate(torch.from_numpy(images))}
    index = [rows[x.numpy().tobytes()] for x in real]
    assert len(set(index)) == 50  # no image twice
    assert torch.equal(reconstructed, torch.from_numpy(shown[index]))
    drawn = {row.numpy().tobytes(): i for i, row in enumerate(torch.from_numpy(shown))}
    assert len({drawn[x.numpy().tobytes()] for x in posterior}) < 50  # drawn independently
    assert {drawn[x.numpy().tobytes()] for x in prior} <= {0, 1, 2, 3, 4}


def test_posterior_is_sampled_and_reconstructions_are_not(stand_in):
    images = some_images(60)
    sure, unsure = (scores(Made(images, images, scale=s), samples=60) for s in (0.0, 20.0))
    assert sure["fid/posterior"] != unsure["fid/posterior"]
    assert sure["fid/reconstruction"] == unsure["fid/reconstruction"]


def test_all_images_are_used_if_there_are_fewer(stand_in):
    found = scores(Made(some_images(30), some_images(30)))
    assert found["fid/samples"] == 30
    assert sum(map(len, stand_in)) == 4 * 30


def test_run_is_scored(stand_in, run):
    found = score(run, ["fid:samples=40", "kid:samples=40"])
    assert set(found) == {
        f"{name}/{part}" for name in ("fid", "kid") for part in (*SETS, "samples")
    }
    assert all(np.isfinite(value) for value in found.values())
    assert score(run, ["fid:samples=40"]) == {k: v for k, v in found.items() if k[:3] == "fid"}


def test_model_without_a_posterior_has_no_samples_of_the_prior(stand_in, strangers, tmp_path):
    plain = train("plain-code", "tiny", results=tmp_path, **QUICK)
    found = scores(RunSource(plain), samples=40)
    assert "no prior" in str(found["fid/prior"])
    assert found["fid/posterior"] > 0
    assert found["fid/reconstruction"] > 0


def test_what_cannot_be_scored_says_why(stand_in):
    with pytest.raises(Unavailable, match="needs a model"):
        scores(array_source(np.zeros((5, 2)), np.arange(5)[:, None] % 2))
    with pytest.raises(Unavailable, match="got 2 channels"):
        scores(Made(some_images(5, 2), some_images(5, 2)))
    with pytest.raises(Unavailable, match="at least 2 images"):
        scores(Made(some_images(1), some_images(1)))
    with pytest.raises(Unavailable, match="not finite"):
        scores(Made(some_images(5), some_images(5), off=float("nan")))


@pytest.fixture
def package(monkeypatch):
    """A package torch-fidelity that is there, but must not be called."""
    module = type(sys)("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = None
    monkeypatch.setitem(sys.modules, "torch_fidelity", type(sys)("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_missing_package_is_named_with_its_extra(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    (reason,) = score(run, ["fid"]).unavailable.values()
    assert "pip install 'disentangle-bench[fid]'" in reason


def test_missing_weights_are_not_downloaded_and_the_reason_says_what_to_fetch(
    monkeypatch, package, run, tmp_path
):
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path))
    monkeypatch.setattr("requests.get", None)
    (reason,) = score(run, ["fid"]).unavailable.values()
    path = tmp_path / "downloads" / fid.WEIGHTS.name
    assert f"curl -L --create-dirs -o {path} {fid.WEIGHTS.urls[0]}" in reason
    assert "96 MB" in reason
    assert FID().seconds_with(10_000, 10) == 0


def test_other_weights_are_refused(monkeypatch, package, run, tmp_path):
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path))
    path = tmp_path / "downloads" / fid.WEIGHTS.name
    path.parent.mkdir()
    path.write_bytes(b"other weights")
    (reason,) = score(run, ["fid"]).unavailable.values()
    assert f"{path}: expected checksum {fid.WEIGHTS.checksum}, got sha256:" in reason
    assert FID().seconds_with(10_000, 10) == FID.seconds
    assert FID(samples=1_000).seconds_with(10_000, 10) == FID.seconds / 10


@pytest.mark.slow
def test_features_are_those_of_torch_fidelity(monkeypatch, tmp_path):
    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    kind = inception.FeatureExtractorInceptionV3
    path = tmp_path / "downloads" / fid.WEIGHTS.name
    path.parent.mkdir()
    torch.save({}, path)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "load_state_dict", lambda network, state: None)
        network = kind("random", ["2048"], feature_extractor_weights_path=str(path))
    torch.save(network.state_dict(), path)
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path))
    monkeypatch.setattr(fid, "WEIGHTS", replace(fid.WEIGHTS, checksum=None))
    images = torch.from_numpy(some_images(2))
    features = fid.feature_network(torch.device("cpu"))(images)
    assert features.shape == (2, 2048)
    assert torch.equal(features, network(images)[0])
