"""R^2 of factors read from codes, in and out of distribution: Schott et al. (2022).

https://arxiv.org/abs/2107.08221; each factor is read by a regression on all latents, as in Eastwood
and Williams (2018), https://openreview.net/forum?id=By-7dz-AZ.
"""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import circle, codes_and_values, small_fit, standardised

Numbers = NDArray[np.float64]
Readout = Literal["linear", "boosting", "kernel-ridge", "mlp"]
Direction = Literal["codes-to-factors", "factors-to-codes", "both"]
KERNEL_IMAGES = 2_000
"""Images that kernel ridge regression is fitted on at most, as its kernel has a row for each."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Penalties that kernel ridge regression chooses from."""
SECONDS = {"linear": 0.1, "boosting": 1.5, "kernel-ridge": 3.0, "mlp": 12.0}
"""Seconds of a readout of five factors with the default numbers of images."""
ABOUT = "R² of the {}'s readout, 0 (guessing the mean) to 1"
FEW = 100
"""With fewer images than this, none are held back to stop the training of the network."""


def linear(x: Codes, y: Numbers, test_x: Codes) -> Numbers:
    """Return the values that least squares with an intercept predicts for `test_x`, [M, K].

    Args:
        x: codes to fit on, [N, D].
        y: values to fit on, [N, K].
        test_x: codes to predict, [M, D].
    """
    slopes = np.linalg.lstsq(x, y - y.mean(axis=0), rcond=None)[0]
    predicted: Numbers = test_x @ slopes + y.mean(axis=0)
    return predicted


def boosted(x: Codes, y: Numbers, test_x: Codes, seed: int) -> Numbers:
    """Return the values that gradient-boosted trees predict for `test_x`, [M, K]; see `linear`."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(early_stopping=False, random_state=seed)
    return np.stack([trees.fit(x, column).predict(test_x) for column in y.T], axis=1)


def kernel_ridge(x: Codes, y: Numbers, test_x: Codes, seed: int) -> Numbers:
    """Return the values that kernel ridge regression predicts for `test_x`, [M, K]; see `linear`.

    The kernel is exp(-d^2 / (2 m^2)), where d is the distance of two codes and m the median of the
    distances above 0. Each factor has the penalty with the least leave-one-out error. At most
    `KERNEL_IMAGES` of the codes are fitted on, drawn at random.
    """
    from scipy.spatial.distance import cdist

    rows = np.random.default_rng(seed).permutation(len(x))[:KERNEL_IMAGES]
    x, middle = x[rows], y[rows].mean(axis=0)
    apart = cdist(x, x, "sqeuclidean")
    width = 2 * np.median(apart[apart > 0]) if apart.any() else 1.0
    eigenvalues, q = np.linalg.eigh(np.exp(-apart / width))
    turned = q.T @ (y[rows] - middle)
    weights, least = np.zeros_like(turned), np.full(y.shape[1], np.inf)  # [N, K], [K]
    for penalty in PENALTIES:
        inverse = 1 / (np.maximum(eigenvalues, 0) + penalty)
        of_penalty = q @ (inverse[:, None] * turned)
        left_out = of_penalty / (np.square(q) @ inverse)[:, None]
        error = np.square(left_out).mean(axis=0)
        weights[:, error < least] = of_penalty[:, error < least]
        least = np.minimum(error, least)
    predicted: Numbers = np.exp(-cdist(test_x, x, "sqeuclidean") / width) @ weights + middle
    return predicted


def network(x: Codes, y: Numbers, test_x: Codes, seed: int) -> Numbers:
    """Return the values that a neural network predicts for `test_x`, [M, K]; see `linear`.

    It is scikit-learn's `MLPRegressor` with two layers of 100 ReLU units and one output for each
    factor, standardised; training ends when the error on a tenth of the codes no longer falls.
    """
    from sklearn.neural_network import MLPRegressor

    middle, scale = y.mean(axis=0), y.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    mlp = MLPRegressor(
        hidden_layer_sizes=(100, 100), early_stopping=len(x) >= FEW, random_state=seed
    )
    targets = (y - middle) / scale
    predicted = mlp.fit(x, targets[:, 0] if y.shape[1] == 1 else targets).predict(test_x)
    values: Numbers = predicted.reshape(len(test_x), -1) * scale + middle
    return values


def r2_of_columns(
    x: Numbers,
    y: Numbers,
    test_x: Numbers,
    test_y: Numbers,
    variances: Numbers | None = None,
    readout: Readout = "linear",
    seed: int = 0,
    name: str = "factor",
) -> Numbers:
    """Return 1 - E (y_k - f_k(x))^2 / Var y_k over the images to test on, [K]; see `r2`.

    A column without variance is NaN. If all are without, the error calls them by `name`.
    """
    variances = test_y.var(axis=0) if variances is None else variances
    varying = np.flatnonzero(variances > 0)
    if not len(varying):
        raise Unavailable(f"every {name} is constant in these samples")
    x, test_x = standardised(x, test_x)
    with small_fit():
        if readout == "linear":
            predicted = linear(x, y[:, varying], test_x)
        else:
            predicted = READOUTS[readout](x, y[:, varying], test_x, seed)
    errors = np.square(test_y[:, varying] - predicted).mean(axis=0)
    of_column = np.full(y.shape[1], np.nan)
    of_column[varying] = 1 - errors / variances[varying]
    return of_column


READOUTS = {"boosting": boosted, "kernel-ridge": kernel_ridge, "mlp": network}
"""Readouts that need a seed."""


def r2_of_latents(
    z: Codes, v: Numbers, test_z: Codes, test_v: Numbers, readout: Readout, seed: int
) -> Numbers:
    """Return 1 - E (z_i - f_i(v))^2 / Var z_i over the images to test on, [D]; see `r2`."""
    z, test_z = standardised(z, test_z)
    return r2_of_columns(v, z, test_v, test_z, None, readout, seed, "latent")


def r2(
    z: ArrayLike,
    v: ArrayLike,
    test_z: ArrayLike,
    test_v: ArrayLike,
    variances: ArrayLike | None = None,
    readout: Readout = "linear",
    seed: int = 0,
    direction: Direction = "codes-to-factors",
) -> float:
    """Return mean_k 1 - E (v_k - f_k(z))^2 / Var v_k over the images to test on.

    f_k is the readout that was fitted to factor k on the images to fit on. A factor without
    variance is left out.

    Args:
        z: codes to fit on, [N, D].
        v: values to fit on, [N, K].
        test_z: codes to test on, [M, D].
        test_v: values to test on, [M, K].
        variances: Var v_k, [K] [default: of `test_v`].
        readout: "linear", "boosting", "kernel-ridge" or "mlp".
        seed: the seed of the readout, but for "linear".
        direction: "codes-to-factors", "factors-to-codes" for the mean over latents that are read
            from the factors, or "both" for the mean of the two.

    Raises:
        Unavailable: every factor is constant, or every latent is and is to be read.
    """
    arrays = *codes_and_values(z, v), *codes_and_values(test_z, test_v)
    given = None if variances is None else np.asarray(variances, dtype=np.float64)
    means = []
    if direction != "factors-to-codes":
        means.append(np.nanmean(r2_of_columns(*arrays, given, readout, seed)))
    if direction != "codes-to-factors":
        means.append(np.nanmean(r2_of_latents(*arrays, readout, seed)))
    return float(np.mean(means))


class R2(Metric[Labelled]):
    """mean_k 1 - E (v_k - f_k(z))^2 / Var v_k, over images that are tested on.

    f_k is a regression of factor k on all latents: least squares, gradient-boosted trees, kernel
    ridge regression or a neural network. Guessing the mean scores 0, and a readout that errs by
    more is below 0 without a bound, so the score claims no property, as such a claim is on a scale
    from 0 to 1. Values are numbers, so their order must mean something. Var v_k is that of the
    images tested on, or with `variance=values`, as in Schott et al., that of the factor's values,
    each once: a part of the data that holds few of them then does not count its errors many times
    over. No image is drawn twice, as trees would know by heart most images of a small part.

    Papers on identifiability report it in both directions. With `direction=factors-to-codes`, each
    latent is read from all factors, and the mean is over the latents that vary: below 1 where
    latents hold anything else, noise included. `both` is the mean of the two, and adds each as a
    score of its own.

    A cyclic factor of real numbers, or with `cyclic=angles` any cyclic one, is the cosine and the
    sine of its angle, and its R2 is 1 - sum of both errors / sum of both variances.
    """

    about = "How well factors are predicted as numbers, in R²"
    display = "R²"
    displays = MappingProxyType(
        {
            "r2/codes-to-factors": "R² (codes to factors)",
            "r2/factors-to-codes": "R² (factors to codes)",
        }
    )
    claims = MappingProxyType({"r2": ()})
    real_factors = "numbers"
    by_default_if_real = True
    most_latents = 2048
    seconds = 0.1

    readout: Readout = knob(
        default="linear",
        help="least squares on all latents, gradient-boosted trees, kernel ridge regression (on at "
        f"most {KERNEL_IMAGES:,} images) or a neural network",
    )
    direction: Direction = knob(
        default="codes-to-factors",
        added=True,
        help="predict factors from codes, codes from factors, or the mean of both",
    )
    cyclic: Literal["numbers", "angles"] = knob(
        default="numbers",
        added=True,
        help="what cyclic factors of a few values are: their number, or the cosine and sine of its "
        "angle",
    )
    variance: Literal["test", "values"] = knob(
        default="test",
        only_if=[("direction", "codes-to-factors")],
        help="denominator: variance of the test images, or of the factor's values",
    )
    across: bool = knob(
        default=False,
        help="fit on the images trained on and test on the held-out ones, with `--split all`",
    )
    train: int = knob(default=10_000, min=2, help="images to fit the readouts on")
    test: int = knob(default=5_000, min=1, help="images to test the readouts on")

    def seconds_for(self, images: int) -> float:
        """Estimate the seconds, as for `seconds`; there are twice as many latents as factors."""
        factors = {"codes-to-factors": 1, "factors-to-codes": 2, "both": 3}[self.direction]
        return SECONDS[self.readout] * factors

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `r2`, 0 (guessing the mean) to 1; with `direction=both` also each direction's."""
        if self.across:
            inside, outside = source.held_out_parts()
            z, labels, _, _ = inside.train_test(self.train, 0, rng, distinct=True)
            test_z, test_labels, _, _ = outside.train_test(self.test, 0, rng, distinct=True)
        else:
            z, labels, test_z, test_labels = source.train_test(
                self.train, self.test, rng, distinct=True
            )
        dataset, angles = source.dataset, self.cyclic == "angles"
        v, test_v = (columns_of(dataset, y, angles) for y in (labels, test_labels))
        arrays, seed = (z, v, test_z, test_v), int(rng.integers(2**31))
        means: dict[str, float] = {}
        details: dict[str, Detail] = {}
        if self.direction != "factors-to-codes":
            of_values = self.variance == "values"
            variances = variances_of_values(dataset, angles) if of_values else test_v.var(axis=0)
            of_column = r2_of_columns(*arrays, variances, self.readout, seed)
            of_factor = over_factors(of_column, variances, widths(dataset, angles))
            means["r2/codes-to-factors"] = float(np.nanmean(of_factor))
            details["r2/factors"] = Detail(("factor",), of_factor, ABOUT.format("factor"))
        if self.direction != "codes-to-factors":
            of_latent = r2_of_latents(*arrays, self.readout, seed)
            means["r2/factors-to-codes"] = float(np.nanmean(of_latent))
            details["r2/latents"] = Detail(("latent",), of_latent, ABOUT.format("latent"))
        both = means if self.direction == "both" else {}
        return {"r2": float(np.mean(list(means.values()))), **both, **details}


def values_of_factor(dataset: Labelled, factor: str, angles: bool) -> Numbers:
    """Return what is read of each value of a factor, [number of values, 1 or 2].

    It is the number behind the value, or the cosine and sine of its angle.
    """
    if dataset.kind(factor).period and (angles or factor in dataset.real_factors):
        return circle(dataset.angles(factor))
    return np.asarray(dataset.every_number[factor], np.float64)[:, None]


def widths(dataset: Labelled, angles: bool) -> list[int]:
    """Return the number of columns of each scored factor; see `values_of_factor`."""
    return [values_of_factor(dataset, name, angles).shape[1] for name in dataset.factors]


def columns_of(dataset: Labelled, labels: Index, angles: bool) -> Numbers:
    """Return the columns of all scored factors at labels [N, K], [N, C]."""
    columns = [
        values_of_factor(dataset, name, angles)[labels[:, k]]
        for k, name in enumerate(dataset.factors)
    ]
    return np.concatenate([np.empty((len(labels), 0)), *columns], axis=1)


def variances_of_values(dataset: Labelled, angles: bool) -> Numbers:
    """Return the variance of the values that each column has in the whole dataset, [C]."""
    whole = dataset.whole
    assert isinstance(whole, Labelled)
    parts = [values_of_factor(whole, name, angles).var(axis=0) for name in dataset.factors]
    return np.concatenate([np.empty(0), *parts])


def over_factors(of_column: Numbers, variances: Numbers, width: list[int]) -> Numbers:
    """Return R^2 of factors, [K], from that of their columns and these columns' variances, [C]."""
    starts = np.cumsum(width)[:-1]
    parts = zip(np.split(of_column, starts), np.split(variances, starts), strict=True)
    return np.array([r[0] if len(r) == 1 else np.nansum(r * v) / v.sum() for r, v in parts])
