"""Each metric as a function: arrays or tensors in, floats out, and the same numbers."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest
import torch
from helpers.golden_metrics import halves, small

import disentangle
from disentangle import Unavailable, UsageError
from disentangle.contracts import registry

PAIR = (
    *("mig", "mig-sup", "jemmig", "dcimig", "sap-r2", "modularity", "irs", "mcc"),
    *("minimality", "sufficiency"),
)
"""Metrics of codes and factors, without a second draw."""
SPLIT = ("sap", "r2", "explicitness", "dci", "dci-lgbm", "dci-es", "downstream", "snc", "nk")
"""Metrics that fit on codes and factors and test on others."""
OTHERS = {
    "infomec": "infomec",
    "omes": "omes",
    "orthogonality": "orthogonality",
    "tad": "tad",
    "fairness": "unfairness",
    "total-correlation": "total_correlation",
    "beta-vae-score": "beta_vae_score",
    "factor-vae-score": "factor_vae_score",
    "elbo": "kl_of_latents",
    "reconstruction": "psnr",
    "fid": "frechet_distance",
    "kid": "kernel_distance",
}
SHARED = {"kid": "fid"}
"""Metrics whose function is in the file of another one."""


def function(name: str) -> Callable:
    name = name.replace("-", "_")
    return getattr(import_module(f"disentangle_plugins.metrics.{name}"), name)


def test_every_metric_has_a_function():
    assert {*PAIR, *SPLIT, *OTHERS} == set(registry.metrics.entries) - {"spread"}
    assert all(callable(function(name)) for name in (*PAIR, *SPLIT))
    for metric, name in OTHERS.items():
        file = SHARED.get(metric, metric).replace("-", "_")
        module = import_module(f"disentangle_plugins.metrics.{file}")
        assert callable(getattr(module, name))


@pytest.mark.parametrize("name", PAIR)
def test_function_is_the_score(name):
    z, v = small()
    expected = disentangle.score_codes(z, v, metrics=[name])[name]
    assert function(name)(z, v) == pytest.approx(expected, abs=1e-12)


def test_function_of_information_with_noise_is_the_score_up_to_the_noise():
    z, v = small()
    expected = disentangle.score_codes(z, v, metrics=["infomec"])
    assert function("infomec")(z, v) == pytest.approx(dict(expected), abs=1e-3)


def test_function_of_drawn_pairs_is_the_score_up_to_the_draw():
    z, v = small(n=2000)
    expected = disentangle.score_codes(z, v, metrics=["omes"])["omes"]
    assert function("omes")(z, v) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    "name", [*PAIR, "omes", "orthogonality", "infomec", "sap", "r2", "explicitness", "snc", "nk"]
)
def test_labels_may_be_any_whole_numbers(name):
    arrays = halves(*small()) if name in SPLIT else small()
    other = [7 * array - 5 if place % 2 else array for place, array in enumerate(arrays)]
    assert function(name)(*other) == pytest.approx(function(name)(*arrays), abs=1e-9)


def test_orthogonality_is_the_score():
    z, v = small()
    expected = disentangle.score_codes(z, v, metrics=["orthogonality"])
    assert function("orthogonality")(z, v) == pytest.approx(dict(expected), abs=1e-9)


def test_total_correlation_is_the_score():
    z, v = small()
    expected = disentangle.score_codes(z, v, metrics=["total-correlation"])
    assert function("total-correlation")(z) == pytest.approx(dict(expected), abs=1e-9)


@pytest.mark.filterwarnings("ignore::disentangle.errors.UnavailableWarning")  # sizes of downstream
@pytest.mark.parametrize("name", SPLIT)
def test_function_is_the_score_of_the_two_parts(name):
    z, v, test_z, test_v = halves(*small())
    given = {"test_codes": test_z, "test_factors": test_v}
    size = "" if name == "downstream" else f":train={len(z)},test={len(test_z)}"
    expected = disentangle.score_codes(z, v, **given, metrics=[name + size])
    got = function(name)(z, v, test_z, test_v)
    got = got if isinstance(got, dict) else {name: got}
    assert {k: v for k, v in got.items() if not np.isnan(v)} == pytest.approx(
        dict(expected), abs=0.05
    )


@pytest.mark.parametrize(
    "name", [*PAIR, "sap", "r2", "infomec", "downstream", "omes", "orthogonality", "snc"]
)
def test_function_takes_tensors(name):
    arrays = halves(*small()) if name in SPLIT else small()
    tensors = [torch.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    assert function(name)(*tensors) == function(name)(*arrays)


@pytest.mark.parametrize(
    ("z", "v", "message"),
    [
        (np.zeros(3), np.zeros((3, 1)), r"expected codes \[N, D\]"),
        (np.zeros((3, 1)), np.zeros((4, 1)), "as many rows"),
        (np.full((3, 1), np.nan), np.zeros((3, 1)), "finite"),
        (np.eye(3), np.full((3, 1), 0.5), "whole numbers: number the values"),
        (
            np.eye(3),
            np.array([["a"], ["b"], ["c"]]),
            "expected numbers, got <U1: number words by `numpy.unique",
        ),
    ],
)
def test_wrong_arrays_are_refused(z, v, message):
    with pytest.raises(UsageError, match=message):
        function("mig")(z, v)


def test_what_cannot_be_computed_is_said():
    z, v = small()
    with pytest.raises(Unavailable, match="every factor is constant"):
        function("mig")(z, np.zeros_like(v))
    assert np.isnan(function("infomec")(z[:, :1], v)["infomec/infoc"])
