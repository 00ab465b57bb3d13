"""Vectors with known sources: Hyvärinen & Pajunen (1999), https://doi.org/10.1016/S0893-6080(98)00140-3.

Nonlinear independent component analysis asks whether an encoder recovers sources s from

    x = f(s) = A_L g(A_(L-1) g(... g(A_1 s)))

which are observed through an invertible network of L layers: square matrices A of condition number
4, and leaky ReLUs g with slope 0.2 between them. Without a layer, x is s; with one, f is linear.

`ica-mixing:LAW[:OPTION=VALUE,...]` draws independent sources of a law, of mean 0 and variance 1:

    normal, uniform, laplace, student (with 5 degrees of freedom)
    segments        normal, with a mean and a variance of their own in each of 40 segments, which
                    are a nuisance factor; the data of iVAE, Khemakhem et al. (2020)
    autoregressive  rows in the order of time, s_t = 0.7 s_(t-1) + Laplace noise; the data of PCL,
                    Hyvärinen & Morioka (2017)

`dependent:FORM[:OPTION=VALUE,...]` draws sources that depend on one another, in the forms of
https://github.com/shrutij01/identifiability-guard:

    gaussian        a Gaussian copula: equal correlations of all pairs before the law is applied
    copies          the second source is the first one with noise
    functions       the third source is the product of the first two, with noise

Options: `sources`, `layers`, `seed` and `images` (the number of vectors); `law` of dependent
sources, `correlation` of `gaussian`, and `noise`, its standard deviation, of the other forms.
Everything follows from the reference: nothing is read, downloaded or kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from disentangle import Dataset, Reference, UsageError
from disentangle.data import About, Location, VectorTable, about, read_factors
from disentangle.errors import suggestion

Floats = NDArray[np.float64]
VERSION = 1
"""Increase it when the same reference gives other vectors."""
DEGREES = 5  # of freedom of Student's law
LAWS: Mapping[str, Callable[[Floats], Floats]] = {
    "normal": ndtri,
    "uniform": lambda u: np.sqrt(12) * (u - 0.5),
    "laplace": lambda u: -np.sign(u - 0.5) * np.log1p(-2 * np.abs(u - 0.5)) / np.sqrt(2),
    "student": lambda u: stdtrit(DEGREES, u) * np.sqrt((DEGREES - 2) / DEGREES),
}
"""Law -> its quantile function, of variance 1."""
SEGMENTS = 40
MEAN, LEAST = 1.0, 0.1  # largest mean, and least standard deviation, of a source in a segment
INERTIA = 0.7  # of autoregressive sources
ORDERED = ("segments", "autoregressive")  # laws of rows in an order
FORMS = {"gaussian": 2, "copies": 2, "functions": 3}
"""Form of dependence -> the fewest sources that it needs."""
COMMON = ("sources", "layers", "seed", "images")
SINGULAR = (0.5, 2)  # least and largest singular value of each matrix
SLOPE = 0.2
MEASURED, NEIGHBOURS = 2000, 10  # rows and neighbours by which dependence is measured
ABOUT = About(drawn=True)


@dataclass(frozen=True)
class Size:
    """The number of sources, of layers and of vectors, and the seed."""

    sources: int
    layers: int
    seed: int
    images: int

    @classmethod
    def of(cls, reference: Reference, least: int) -> "Size":
        """Read the options that all references share."""
        return cls(
            sources=reference.whole_number("sources", 5, least=least),
            layers=reference.whole_number("layers", 2, least=0),
            seed=reference.whole_number("seed", 0, least=0),
            images=reference.whole_number("images", 10_000, least=2 * SEGMENTS),
        )


@about(ABOUT, about="Independent sources, mixed: ica-mixing:laplace:layers=2")
def open_ica_mixing(location: Location, reference: Reference) -> Dataset:
    """Draw vectors of independent sources; see the module.

    Raises:
        UsageError: there is no such law or option.
    """
    law = chosen(reference, reference.name, "law", [*LAWS, *ORDERED])
    reference.check_options(*COMMON)
    size = Size.of(reference, least=1)
    rng = np.random.default_rng((size.seed, 0))
    segment = None
    if law == "segments":
        segment, sources = segmented(size, rng)
    elif law == "autoregressive":
        sources = autoregressive(size, rng)
    else:
        sources = LAWS[law](uniform(rng, size))
    return dataset(f"ica-mixing {law}", size, standard(sources), segment)


@about(ABOUT, about="Dependent sources, mixed: dependent:gaussian:correlation=0.5")
def open_dependent(location: Location, reference: Reference) -> Dataset:
    """Draw vectors of sources that depend on one another; see the module.

    Raises:
        UsageError: there is no such form, law or option.
    """
    form = chosen(reference, reference.name, "form of dependence", list(FORMS))
    reference.check_options(*COMMON, "law", "correlation" if form == "gaussian" else "noise")
    size = Size.of(reference, least=FORMS[form])
    law = chosen(reference, reference.options.get("law", "normal"), "law", list(LAWS))
    rng = np.random.default_rng((size.seed, 0))
    if form == "gaussian":
        low = -1 / (size.sources - 1)  # else no such correlations exist
        strength = number(
            reference,
            "correlation",
            0.5,
            lambda value: low < value < 1,
            f"above {low:.3g} and below 1 for {size.sources} sources",
        )
        sources = standard(LAWS[law](ndtr(correlated(size, strength, rng))))
    else:
        strength = number(
            reference, "noise", 0.1, lambda value: 0 <= value < np.inf, "of at least 0"
        )
        sources = LAWS[law](uniform(rng, size))
        k = FORMS[form] - 1
        sources[:, k] = standard(sources[:, :k].prod(axis=1))
        sources[:, k] += strength * rng.standard_normal(size.images)
        sources = standard(sources)
    share, factor = dependence(sources, rng)
    reason = (
        f"the factors depend on one another: the others explain {share:.0%} of the variance of "
        f"source_{factor + 1}"
    )
    return dataset(f"dependent {form} {law} {strength:g}", size, sources, reason=reason)


def uniform(rng: np.random.Generator, size: Size) -> Floats:
    """Draw numbers between 0 and 1, both excluded, [N, number of sources]."""
    return rng.integers(1, 2**53, (size.images, size.sources)) / 2.0**53


def segmented(size: Size, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Draw the segment of each row, in order, and the sources within the segments."""
    segment = np.arange(size.images) * SEGMENTS // size.images
    shape = (SEGMENTS, size.sources)
    mean, deviation = rng.uniform(-MEAN, MEAN, shape), LEAST ** rng.random(shape)
    return segment, mean[segment] + deviation[segment] * rng.standard_normal(
        (size.images, size.sources)
    )


def autoregressive(size: Size, rng: np.random.Generator) -> Floats:
    """Draw sources in the order of time."""
    sources = rng.laplace(size=(size.images, size.sources))
    for t in range(1, size.images):
        sources[t] += INERTIA * sources[t - 1]
    return sources


def correlated(size: Size, correlation: float, rng: np.random.Generator) -> Floats:
    """Draw normal sources of which all pairs have one correlation."""
    d = size.sources
    matrix = np.full((d, d), correlation) + (1 - correlation) * np.eye(d)
    return rng.standard_normal((size.images, d)) @ np.linalg.cholesky(matrix).T


def standard(sources: Floats) -> Floats:
    """The sources with mean 0 and variance 1 in these rows."""
    scaled: Floats = (sources - sources.mean(axis=0)) / sources.std(axis=0)
    return scaled


def mixed(sources: Floats, layers: int, rng: np.random.Generator) -> Floats:
    """The observations x = f(s) of sources [N, D]."""
    x, d = sources, sources.shape[1]
    for layer in range(layers):
        if layer:
            x = np.where(x > 0, x, SLOPE * x)
        left, right = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
        x = x @ (left * np.geomspace(*SINGULAR, d) @ right).T
    return x


def squared_steps(column: Floats) -> Floats:
    """The squared differences of all pairs, [N, N]."""
    steps: Floats = np.subtract.outer(column, column)
    return steps**2


def dependence(sources: Floats, rng: np.random.Generator) -> tuple[float, int]:
    """The largest share of a source's variance that the others explain, and that source.

    The estimate of a row is the mean of its nearest neighbours in the others, among a sample.
    """
    few = rng.permutation(len(sources))[:MEASURED]
    ranks = sources[few].argsort(axis=0).argsort(axis=0) / len(few)
    whole = sum(squared_steps(column) for column in ranks.T)  # [N, N]
    shares = []
    for k in range(ranks.shape[1]):
        distance = whole - squared_steps(ranks[:, k])
        np.fill_diagonal(distance, np.inf)
        nearest = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        error = ranks[:, k] - ranks[nearest, k].mean(axis=1)
        shares.append(1 - float(np.mean(error**2) / ranks[:, k].var()))
    return max(0.0, max(shares)), int(np.argmax(shares))


def dataset(
    what: str,
    size: Size,
    sources: Floats,
    segment: NDArray[np.int64] | None = None,
    reason: str = "",
) -> Dataset:
    """The dataset of these sources, mixed."""
    columns: dict[str, NDArray[np.number]] = {
        f"source_{k + 1}": column for k, column in enumerate(sources.T)
    }
    kinds = dict.fromkeys(columns, "continuous")
    if segment is not None:
        columns["segment"], kinds["segment"] = segment, "categorical"
    factors = np.empty((size.images, len(columns)), object)
    for k, column in enumerate(columns.values()):
        factors[:, k] = column
    return VectorTable(
        mixed(sources, size.layers, np.random.default_rng((size.seed, 1))),
        read_factors(factors, list(columns), kinds=kinds),
        source=f"drawn: {what}",
        fingerprint=hashlib.sha256(f"{VERSION} {what} {size}".encode()).hexdigest(),
        nuisance=["segment"] if segment is not None else [],
        dependence=reason,
    )


def chosen(reference: Reference, name: str, what: str, offered: list[str]) -> str:
    """A name that is offered.

    Raises:
        UsageError: it is not.
    """
    if name not in offered:
        hint = suggestion(name, offered) or f"; known: {', '.join(offered)}"
        raise UsageError(f"'{reference.typed}': no {what} '{name}'{hint}")
    return name


def number(
    reference: Reference, option: str, default: float, valid: Callable[[float], bool], what: str
) -> float:
    """The value of an option that is a number.

    Raises:
        UsageError: it is not, or not `valid`, which means `what`.
    """
    text = reference.options.get(option, str(default))
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not valid(value):
        raise UsageError(f"'{reference.typed}': {option} must be a number {what}; got '{text}'")
    return value
