"""FID: Heusel et al. (2017), https://arxiv.org/abs/1706.08500.

KID: Binkowski et al. (2018), https://arxiv.org/abs/1801.01401.
"""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import (
    Codes,
    Dataset,
    DisentangleError,
    Index,
    Metric,
    Scores,
    Source,
    Unavailable,
    UsageError,
    knob,
)
from disentangle.data import Remote, downloaded
from disentangle.maths import finite_array

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from disentangle import Model

WEIGHTS = Remote(
    name="weights-inception-2015-12-05-6726825d.pth",
    urls=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
    ),
    checksum="sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    size=95_628_359,
)
"""The weights of the original Inception-v3 of FID, converted from TensorFlow."""
BATCH = 50
"""Images of 299 x 299 pixels that the feature network is given at once."""
ROWS = 1024
"""Rows of a kernel's matrix that are computed at once."""

Features = NDArray[np.float64]
Extract = Callable[["Tensor"], "Tensor"]
"""Images uint8 [N, 3, H, W] -> features [N, F]."""


def frechet_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Return |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), equation 6.

    m and S are mean and covariance of the features. The trace of (S_x S_y)^(1/2) is the sum of the
    singular values of S_x^(1/2) S_y^(1/2), which is exact for singular covariances too.

    Args:
        x: features of one set of images, [N, F], with N at least 2.
        y: features of the other, [M, F].
    """
    x, y = pair_of_features(x, y)
    (m_x, s_x), (m_y, s_y) = ((f.mean(axis=0), np.atleast_2d(np.cov(f.T))) for f in (x, y))
    common = np.linalg.norm(root(s_x) @ root(s_y), ord="nuc")
    distance = ((m_x - m_y) ** 2).sum() + np.trace(s_x) + np.trace(s_y) - 2 * common
    return max(0.0, float(distance))


def root(s: Features) -> Features:
    """Return the square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(s)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def kernel_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Return the unbiased estimate of the squared MMD, with the kernel (x y / F + 1)^3.

    It is mean_(i != j) k(x_i, x_j) + mean_(i != j) k(y_i, y_j) - 2 mean_ij k(x_i, y_j), and so may
    be below 0.

    Args:
        x: features of one set of images, [N, F], with N at least 2.
        y: features of the other, [M, F].
    """
    x, y = pair_of_features(x, y)
    return mean_of_others(x) + mean_of_others(y) - 2 * kernel_sum(x, y) / (len(x) * len(y))


def mean_of_others(x: Features) -> float:
    """Return mean_(i != j) k(x_i, x_j)."""
    own = ((x**2).sum(axis=1) / x.shape[1] + 1) ** 3
    return float(kernel_sum(x, x) - own.sum()) / (len(x) * (len(x) - 1))


def kernel_sum(x: Features, y: Features) -> float:
    """Return sum_ij k(x_i, y_j)."""
    blocks = (x[start : start + ROWS] for start in range(0, len(x), ROWS))
    return float(sum(((block @ y.T / x.shape[1] + 1) ** 3).sum() for block in blocks))


def pair_of_features(x: ArrayLike, y: ArrayLike) -> tuple[Features, Features]:
    """Convert the features of two sets of images, from arrays or tensors.

    Raises:
        UsageError: an array has another shape or is not finite.
    """
    x, y = finite_array(x, "features [N, F]"), finite_array(y, "features [N, F]")
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise UsageError(
            "expected features [N, F] and [M, F] of at least two images each, got "
            f"{list(x.shape)} and {list(y.shape)}"
        )
    return x, y


def feature_network(device: "torch.device") -> Extract:
    """Load Inception-v3 up to its last average pooling, 2,048 features.

    Raises:
        Unavailable: torch-fidelity or the file of weights is missing; nothing is downloaded.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        message = "torch-fidelity is not installed. Run `pip install 'disentangle-bench[fid]'`"
        raise Unavailable(message) from error
    try:
        path = downloaded(WEIGHTS)
    except DisentangleError as error:
        raise Unavailable(f"the weights of its feature network: {error}") from None
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    ).to(device)

    def extract(images: "Tensor") -> "Tensor":
        features: Tensor = network(images)[0]
        return features

    return extract


def is_weighted() -> bool:
    """Return True if the file of weights is there."""
    try:
        downloaded(WEIGHTS, verified=False)
    except DisentangleError:
        return False
    return True


def in_bytes(x: "Tensor") -> "Tensor":
    """Round images in [0, 1] to uint8, as an image file does.

    Raises:
        Unavailable: the values are not finite.
    """
    import torch

    if not torch.isfinite(x).all():
        raise Unavailable("the decoder's images are not finite")
    return (255 * x).round().clamp(0, 255).to(torch.uint8)


def distances(
    source: Source[Dataset],
    rng: np.random.Generator,
    samples: int,
    metric: str,
    distance: Callable[[ArrayLike, ArrayLike], float],
) -> Scores:
    """Return the distances of generated images from images of the source, by names of scores."""
    from disentangle import Model

    model = source.model
    if not isinstance(model, Model):
        raise Unavailable("needs a model with a decoder; only codes are available")
    if source.dataset.image_shape[0] not in (1, 3):
        raise Unavailable(f"needs grey or RGB images, got {source.dataset.image_shape[0]} channels")
    if len(source) < 2:
        raise Unavailable("needs at least 2 images")
    index = source.points(samples, rng, distinct=True)
    n = len(index)
    drawn = source.draw(n, rng)
    noise = rng.standard_normal((2, n, source.latents))
    code(source, index[:1])  # also moves the model to its device
    device = next(model.parameters()).device
    try:
        extract = feature_network(device)
    except Unavailable as error:
        raise Unavailable(f"{error}; then `disentangle score --metric {metric}`") from None
    scores: dict[str, float | Unavailable] = {}
    real = features(extract, (source.dataset.images(index[p]).to(device) for p in parts(n)))

    def score_of(name: str, z: Codes) -> None:
        scores[f"{metric}/{name}"] = distance(real, features(extract, decoded(model, z)))

    try:
        mean, scale = source.posterior(drawn)
        score_of("prior", noise[0])
    except Unavailable:  # the code of an image is a point
        mean, scale = source.codes(drawn), np.zeros(1)
        reason = "the model has no prior to sample from: its code is not a Gaussian"
        scores[f"{metric}/prior"] = Unavailable(reason)
    score_of("posterior", mean + scale * noise[1])
    score_of("reconstruction", code(source, index))
    return {**scores, f"{metric}/samples": n}


def code(source: Source[Dataset], index: Index) -> Codes:
    """Return the means of q(z|x), [N, D], or the codes of a model without a posterior."""
    try:
        return source.posterior(index)[0]
    except Unavailable:
        return source.codes(index)


def parts(n: int) -> Iterator[slice]:
    """Yield the slices of the batches of n images."""
    return (slice(start, start + BATCH) for start in range(0, n, BATCH))


def decoded(model: "Model[Any]", z: Codes) -> "Iterator[Tensor]":
    """Yield the means of p(x|z) as images of bytes, in batches."""
    import torch

    device = next(model.parameters()).device
    for part in parts(len(z)):
        with torch.no_grad():
            parameters = model.decode(torch.from_numpy(z[part]).float().to(device))
            yield in_bytes(model.observation.mean(parameters))


def features(extract: Extract, batches: "Iterator[Tensor]") -> NDArray[np.float32]:
    """Return the features of batches of images, uint8 [n, C, H, W]; grey is repeated."""
    import torch

    with torch.no_grad():
        of_batches = [extract(x.expand(-1, 3, -1, -1)).float().cpu().numpy() for x in batches]
    return np.concatenate(of_batches)


class ImageDistance(Metric[Dataset]):
    """A distance of a model's images from those of the dataset, by features of both."""

    of_model = True
    most_latents = 20_000
    seconds = 3_000.0
    growth = 0.0

    samples: int = knob(default=10_000, min=2, help="images of each set; papers use this or 50000")

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds, 0 without the weights; `seconds` are for 10,000 images."""
        return self.seconds * min(self.samples, images) / 10_000 if is_weighted() else 0.0


class FID(ImageDistance):
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), equation 6.

    m and S are mean and covariance of the 2,048 features that Inception-v3 computes of images of
    the dataset (x) and of the model's images (y). `fid/prior` is of z ~ N(0, I), `fid/posterior` of
    z ~ q(z|x) for images drawn independently (the aggregate posterior), and `fid/reconstruction` of
    the mean of q(z|x), for the same images. A model's image is the mean of p(x|z), rounded to bytes
    as in an image file. The distance falls with the number of images, `fid/samples`.
    """

    about = "Fréchet distance of generated and real images' features"
    display = "FID"
    displays = MappingProxyType(
        {
            "fid/prior": "FID (prior)",
            "fid/posterior": "FID (posterior)",
            "fid/reconstruction": "FID (reconstruction)",
            "fid/samples": "FID (images)",
        }
    )
    by_default_if_dependent = True
    better = MappingProxyType(
        {
            "fid/prior": "less",
            "fid/posterior": "less",
            "fid/reconstruction": "less",
            "fid/samples": "neither",
        }
    )
    counts = frozenset({"fid/samples"})
    faster = "fid:samples=2000"

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return `fid/prior`, `fid/posterior`, `fid/reconstruction` and the number of images."""
        return distances(source, rng, self.samples, "fid", frechet_distance)


class KID(ImageDistance):
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y), with k(x, y) = (x y / 2048 + 1)^3.

    x and y are the features and images of `fid`, in sets of the same names. The estimate is
    unbiased, so that it does not depend on the number of images, and may be below 0. It is over all
    pairs of different images; a mean over subsets, as in most packages, estimates the same value.
    """

    about = "Kernel distance of generated and real images' features"
    display = "KID"
    displays = MappingProxyType(
        {
            "kid/prior": "KID (prior)",
            "kid/posterior": "KID (posterior)",
            "kid/reconstruction": "KID (reconstruction)",
            "kid/samples": "KID (images)",
        }
    )
    better = MappingProxyType(
        {
            "kid/prior": "less",
            "kid/posterior": "less",
            "kid/reconstruction": "less",
            "kid/samples": "neither",
        }
    )
    counts = frozenset({"kid/samples"})
    faster = "kid:samples=2000"

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return `kid/prior`, `kid/posterior`, `kid/reconstruction` and the number of images."""
        return distances(source, rng, self.samples, "kid", kernel_distance)
