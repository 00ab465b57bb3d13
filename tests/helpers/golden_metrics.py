"""Golden values of the reference implementations of metrics, and codes to test metrics with."""

import json
from pathlib import Path

import numpy as np

from disentangle.contracts.dataset import Grid
from disentangle.contracts.source import Source
from disentangle.errors import Unavailable

GOLDEN = Path(__file__).parents[1] / "golden"
ARRAYS = np.load(GOLDEN / "golden_public.npz")
VALUES = json.loads((GOLDEN / "golden_public.json").read_text())
AUTHORS = json.loads((GOLDEN / "golden_authors.json").read_text())
DSPRITES = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
SHAPES3D = {"floor": 10, "wall": 10, "object": 10, "scale": 8, "shape": 4, "orientation": 15}


def golden(metric, **wanted):
    """The records of a metric's golden values; `sklearn="1.9.1"` selects one version."""
    return [
        v
        for v in VALUES["values"] + AUTHORS["values"]
        if v["metric"] == metric and all(v["versions"].get(k) == w for k, w in wanted.items())
    ]


def name_of(value):
    """The id of a test of this golden value."""
    return f"{value['case']}-{value['versions'].get('sklearn', '')}".rstrip("-")


def case_arrays(value):
    """The inputs of a golden value: codes and factors for training, then for testing."""
    case = f"case/{value['case']}"
    names = ("codes_train", "factors_train", "codes_test", "factors_test")
    arrays = [ARRAYS[f"{case}/{name}"] for name in names]
    return [
        array.astype(np.int64 if name.startswith("factors") else np.float64)
        for name, array in zip(names, arrays, strict=True)
    ]


class Factors(Grid):
    """A grid of factors without images."""

    name, fingerprint, source, image_shape = "factors", "factors", "made", (1, 1, 1)

    def images(self, index):
        raise AssertionError("a metric reads codes, not images")


class Coded(Source):
    """Codes computed from the labels, on a grid of factors without images.

    The encoder is a function of the standardised factors [N, K] and the index [N].
    """

    def __init__(self, encoder, sizes=DSPRITES):
        self.dataset, self.encoder = Factors(sizes), encoder

    @property
    def latents(self):
        return self.codes(np.arange(1)).shape[1]

    def codes(self, index):
        sizes = np.array(list(self.dataset.factors.values()))
        standard = (self.labels(index) - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
        return self.encoder(standard, index)

    def posterior(self, index):
        raise Unavailable("none")


NOISE = np.random.default_rng(0).normal(size=(737_280, 10))


def identity(u, index):
    """The factors themselves."""
    return u


def rotation(u, index):
    """The factors, rotated."""
    return u @ ARRAYS[f"enc/rotation_{u.shape[1]}"]


def noisy_dead(u, index):
    """The factors with noise, and four dead latents."""
    return np.hstack([u + 0.3 * NOISE[index, : u.shape[1]], 0.01 * NOISE[index, -4:]])


def duplicated(u, index):
    """The factors, and a copy of the factor with most values."""
    return np.hstack([u, u[:, largest(u)[:1]]])


def entangled2(u, index):
    """The factors, with the two that have most values mixed."""
    a, b = largest(u)
    z = u.copy()
    z[:, a], z[:, b] = (u[:, a] + u[:, b]) / 2**0.5, (u[:, a] - u[:, b]) / 2**0.5
    return z


def warped(u, index):
    """The factors, each transformed by a monotone function."""
    functions = (
        lambda x: np.sign(x) * np.abs(x) ** 3,
        lambda x: np.exp(1.5 * x),
        lambda x: np.tanh(2 * x),
        lambda x: -np.exp(-2 * x),
        lambda x: 1 / (1 + np.exp(-4 * x)),
        lambda x: np.sign(x) * np.abs(x) ** 0.5,
    )
    return np.stack([functions[k % 6](x) for k, x in enumerate(u.T)], 1)


def noise(u, index):
    """Ten latents of noise."""
    return NOISE[index]


def largest(u):
    """The indices of the two factors with most values."""
    sizes = list({5: DSPRITES, 6: SHAPES3D}[u.shape[1]].values())
    return sorted(range(len(sizes)), key=lambda k: -sizes[k])[:2]


ENCODERS = {
    "identity": identity,
    "rotation": rotation,
    "noisy_dead": noisy_dead,
    "duplicated": duplicated,
    "entangled2": entangled2,
    "warped": warped,
    "noise10": noise,
}


def published(metric, sizes, encoder):
    """Mean and standard deviation over seeds of the reference's score at full size."""
    (row,) = (
        row
        for row in VALUES["distributions"]["stats"]
        if (row["metric"], row["dataset_sizes"], row["encoder"]) == (metric, sizes, encoder)
    )
    return row["mean"], row["std"]


def single_run(metric, sizes, encoder):
    """The scores of one run of the reference at full size."""
    (row, *_) = (
        row
        for row in VALUES["distributions"]["reference_single_runs"]
        if (row["metric"], row["dataset_sizes"], row["encoder"]) == (metric, sizes, encoder)
    )
    return row["scores"]


def small(seed=0, n=300):
    """Codes [n, 3] that are three factors with noise, and these factors [n, 3]."""
    rng = np.random.default_rng(seed)
    v = rng.integers(0, (3, 4, 5), (n, 3))
    return v + 0.3 * rng.normal(size=v.shape), v


def halves(z, v):
    """Split codes and factors into a training and a test half."""
    return z[::2], v[::2], z[1::2], v[1::2]


def defined(scores):
    """The defined scores of a metric; check that each undefined one has a reason."""
    assert all(str(value) for value in scores.values() if isinstance(value, Unavailable))
    return {name: value for name, value in scores.items() if not isinstance(value, Unavailable)}
