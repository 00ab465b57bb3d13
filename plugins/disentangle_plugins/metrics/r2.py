"""R^2 of factors read from codes, in and out of distribution: Schott et al. (2022).

https://arxiv.org/abs/2107.08221; each factor is read by a regression on all latents, as in Eastwood
and Williams (2018), https://openreview.net/forum?id=By-7dz-AZ.
"""

from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from disentangle import Codes, Detail, Index, Labelled, Metric, Scores, Source, Unavailable, knob
from disentangle.maths import codes_and_values, small_fit, standardised

Numbers = NDArray[np.float64]
Readout = Literal["linear", "boosting"]


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


def r2_of_factors(
    z: Codes,
    v: Numbers,
    test_z: Codes,
    test_v: Numbers,
    variances: Numbers | None = None,
    readout: Readout = "linear",
    seed: int = 0,
) -> Numbers:
    """Return 1 - E (v_k - f_k(z))^2 / Var v_k over the images to test on, [K]; see `r2`.

    A factor without variance is NaN.
    """
    variances = test_v.var(axis=0) if variances is None else variances
    varying = np.flatnonzero(variances > 0)
    if not len(varying):
        raise Unavailable("every factor is constant in these samples")
    x, test_x = standardised(z, test_z)
    with small_fit():
        if readout == "linear":
            predicted = linear(x, v[:, varying], test_x)
        else:
            predicted = boosted(x, v[:, varying], test_x, seed)
    errors = np.square(test_v[:, varying] - predicted).mean(axis=0)
    of_factor = np.full(v.shape[1], np.nan)
    of_factor[varying] = 1 - errors / variances[varying]
    return of_factor


def r2(
    z: ArrayLike,
    v: ArrayLike,
    test_z: ArrayLike,
    test_v: ArrayLike,
    variances: ArrayLike | None = None,
    readout: Readout = "linear",
    seed: int = 0,
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
        readout: "linear" or "boosting".
        seed: the seed of the trees.

    Raises:
        Unavailable: every factor is constant.
    """
    arrays = *codes_and_values(z, v), *codes_and_values(test_z, test_v)
    given = None if variances is None else np.asarray(variances, dtype=np.float64)
    return float(np.nanmean(r2_of_factors(*arrays, given, readout, seed)))


class R2(Metric[Labelled]):
    """mean_k 1 - E (v_k - f_k(z))^2 / Var v_k, over images that are tested on.

    f_k is a regression of factor k on all latents: least squares, or gradient-boosted trees.
    Guessing the mean scores 0, and a readout that errs by more is below 0 without a bound, so the
    score claims no property, as such a claim is on a scale from 0 to 1. Values are numbers, so
    their order must mean something. Var v_k is that of the images tested on, or with
    `variance=values`, as in Schott et al., that of the factor's values, each once: a part of the
    data that holds few of them then does not count its errors many times over. No image is drawn
    twice, as trees would know by heart most images of a small part.
    """

    about = "How well factors are predicted as numbers, in R²"
    display = "R²"
    claims = MappingProxyType({"r2": ()})
    real_factors = "numbers"
    by_default_if_real = True
    most_latents = 2048
    seconds = 0.1

    readout: Readout = knob(
        default="linear", help="least squares on all latents, or gradient-boosted trees"
    )
    variance: Literal["test", "values"] = knob(
        default="test", help="denominator: variance of the test images, or of the factor's values"
    )
    across: bool = knob(
        default=False,
        help="fit on the images trained on and test on the held-out ones, with `--split all`",
    )
    train: int = knob(default=10_000, min=2, help="images to fit the readouts on")
    test: int = knob(default=5_000, min=1, help="images to test the readouts on")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `r2`, 0 (guessing the mean) to 1."""
        if self.across:
            inside, outside = source.held_out_parts()
            z, labels, _, _ = inside.train_test(self.train, 0, rng, distinct=True)
            test_z, test_labels, _, _ = outside.train_test(self.test, 0, rng, distinct=True)
        else:
            z, labels, test_z, test_labels = source.train_test(
                self.train, self.test, rng, distinct=True
            )
        v, test_v = as_numbers(source.dataset, labels), as_numbers(source.dataset, test_labels)
        variances = None if self.variance == "test" else variances_of_values(source.dataset)
        seed = int(rng.integers(2**31))
        of_factor = r2_of_factors(z, v, test_z, test_v, variances, self.readout, seed)
        return {
            "r2": float(np.nanmean(of_factor)),
            "r2/factors": Detail(
                ("factor",), of_factor, "R² of the factor's readout, 0 (guessing the mean) to 1"
            ),
        }


def as_numbers(dataset: Labelled, labels: Index) -> Numbers:
    """Return the numbers behind labels of the scored factors [N, K], [N, K]."""
    numbers = np.empty(labels.shape)
    for k, name in enumerate(dataset.factors):
        numbers[:, k] = np.asarray(dataset.every_number[name], np.float64)[labels[:, k]]
    return numbers


def variances_of_values(dataset: Labelled) -> Numbers:
    """Return the variance of the values that each factor has in the whole dataset, [K]."""
    whole = dataset.whole
    assert isinstance(whole, Labelled)
    return np.array([np.var(np.asarray(whole.every_number[name])) for name in dataset.factors])
