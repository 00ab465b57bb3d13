"""Vectors with known sources, against what their laws and networks must give."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from disentangle.contracts.vectors import Vectors
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.baselines import baselines
from disentangle.scoring.score_external import score_encoder
from disentangle.testing import check_collection
from disentangle.training.train import train
from disentangle_plugins.collections import known_sources as leaf

LAWS = [*leaf.LAWS, *leaf.ORDERED]


def opened(name: str) -> Vectors:
    dataset = load_dataset(name)
    assert isinstance(dataset, Vectors)
    return dataset


def sources_of(data: Vectors) -> np.ndarray:
    """The sources as numbers, from labels and `numbers`, [N, number of sources]."""
    labels = data.labels(np.arange(len(data)))
    return np.stack(
        [np.array(data.numbers[name])[labels[:, k]] for k, name in enumerate(data.factors)], 1
    )


def observed(data: Vectors) -> np.ndarray:
    return data.vectors(np.arange(len(data))).numpy()


@pytest.mark.parametrize(
    "name", ["ica-mixing:segments:sources=2", "dependent:functions:images=200"]
)
def test_collections_keep_the_contract(name: str) -> None:
    for check in check_collection(name):
        check()


@pytest.mark.parametrize("law", LAWS)
def test_sources_have_mean_0_and_variance_1_and_are_the_vectors_without_layers(law: str) -> None:
    data = opened(f"ica-mixing:{law}:layers=0,sources=3")
    sources = sources_of(data)
    np.testing.assert_allclose(sources.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(sources.std(0), 1, atol=1e-6)
    np.testing.assert_allclose(observed(data), sources, atol=1e-5)
    assert data.kinds == {f"source_{k}": "continuous" for k in (1, 2, 3)}
    assert data.real_factors == ("source_1", "source_2", "source_3")


@pytest.mark.parametrize(
    ("law", "kurtosis"), [("normal", 3), ("uniform", 1.8), ("laplace", 6), ("student", 9)]
)
def test_laws_have_their_kurtosis(law: str, kurtosis: float) -> None:
    fourth = (sources_of(opened(f"ica-mixing:{law}:layers=0,images=60000")) ** 4).mean(0)
    assert kurtosis * 0.8 < np.median(fourth) < kurtosis * 1.25
    correlations = np.corrcoef(sources_of(opened(f"ica-mixing:{law}")).T) - np.eye(5)
    assert np.abs(correlations).max() < 0.05


def test_one_layer_is_linear_and_well_conditioned() -> None:
    data = opened("ica-mixing:laplace:layers=1")
    sources, x = sources_of(data), observed(data)
    matrix, error, *_ = np.linalg.lstsq(sources, x, rcond=None)
    assert error.max() < 1e-6 * len(x)
    assert np.linalg.cond(matrix) == pytest.approx(4, rel=1e-3)
    off = np.abs(matrix / np.abs(matrix).max(0))
    assert (np.sort(off, axis=0)[-2] > 0.2).all()  # each number mixes several sources


def test_two_layers_are_not_linear_but_invertible() -> None:
    sources = np.random.default_rng(0).normal(size=(500, 4))
    x = leaf.mixed(sources, 2, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    first, second = (
        (lambda left, right: left * np.geomspace(0.5, 2, 4) @ right)(
            np.linalg.qr(rng.standard_normal((4, 4)))[0],
            np.linalg.qr(rng.standard_normal((4, 4)))[0],
        )
        for _ in range(2)
    )
    hidden = np.linalg.solve(second, x.T).T
    before = np.linalg.solve(first, np.where(hidden > 0, hidden, hidden / 0.2).T).T
    np.testing.assert_allclose(before, sources, atol=1e-10)
    fit, *_ = np.linalg.lstsq(x, sources, rcond=None)
    assert ((x @ fit - sources) ** 2).mean() > 0.05


def test_a_reference_says_all_and_each_option_counts() -> None:
    first = opened("ica-mixing:laplace:images=500")
    again = opened("ica-mixing:laplace:layers=2,images=500,seed=0")
    assert first.fingerprint == again.fingerprint
    assert torch.equal(first.vectors([0, 7]), again.vectors([0, 7]))
    others = ["images=501", "images=500,seed=1", "images=500,layers=1", "images=500,sources=4"]
    prints = {opened(f"ica-mixing:laplace:{options}").fingerprint for options in others}
    prints.add(opened("ica-mixing:uniform:images=500").fingerprint)
    assert len(prints | {first.fingerprint}) == 6


def test_segments_differ_in_mean_and_variance_and_are_a_nuisance() -> None:
    data = opened("ica-mixing:segments:layers=0,images=4000")
    assert data.every_factor["segment"] == 40
    assert "segment" not in data.factors
    segment = data.every_label(np.arange(4000))[:, -1]
    np.testing.assert_array_equal(segment, np.arange(4000) // 100)
    means = sources_of(data).reshape(40, 100, 5).mean(1)
    assert means.std(0).min() > 0.5
    deviations = sources_of(data).reshape(40, 100, 5).std(1)
    assert (deviations.max(0) / deviations.min(0)).min() > 1.5


def test_autoregressive_sources_remember_the_row_before() -> None:
    s = sources_of(opened("ica-mixing:autoregressive:layers=0"))
    lagged = [np.corrcoef(s[1:, i], s[:-1, j])[0, 1] for i in range(5) for j in range(5)]
    np.testing.assert_allclose(np.reshape(lagged, (5, 5)), 0.7 * np.eye(5), atol=0.07)


@pytest.mark.parametrize(("correlation", "law"), [(0.5, "normal"), (-0.2, "uniform")])
def test_copulas_have_the_correlation_and_keep_the_law(correlation: float, law: str) -> None:
    data = opened(f"dependent:gaussian:correlation={correlation},law={law},layers=0")
    sources = sources_of(data)
    pairs = np.corrcoef(sources.T)[np.triu_indices(5, 1)]
    np.testing.assert_allclose(pairs, correlation, atol=0.04)
    fourth = (sources**4).mean(0)
    np.testing.assert_allclose(fourth, {"normal": 3, "uniform": 1.8}[law], rtol=0.1)


def test_copies_and_functions_are_what_they_say() -> None:
    s = sources_of(opened("dependent:copies:layers=0,noise=0.5"))
    assert np.corrcoef(s[:, 0], s[:, 1])[0, 1] == pytest.approx(1 / np.sqrt(1.25), abs=0.01)
    s = sources_of(opened("dependent:functions:layers=0,noise=0"))
    assert np.corrcoef(s[:, 0] * s[:, 1], s[:, 2])[0, 1] == pytest.approx(1, abs=1e-3)
    assert abs(np.corrcoef(s[:, 0], s[:, 2])[0, 1]) < 0.05


def share(name: str) -> float:
    reason = opened(name).dependence
    return float(reason.split("explain ")[1].split("%")[0]) / 100


def test_dependence_is_measured_and_said() -> None:
    assert opened("ica-mixing:laplace").dependence == ""
    # of a normal source, by the others: 4 r^2 / (1 + 3 r)
    assert share("dependent:gaussian:correlation=0.5") == pytest.approx(0.4, abs=0.1)
    assert share("dependent:gaussian:correlation=0.9") > 0.8
    assert share("dependent:copies") > 0.9
    assert share("dependent:functions") > 0.85
    assert share("dependent:copies:noise=3") < 0.2


@pytest.mark.parametrize("law", ["laplace", "uniform"])
def test_ica_recovers_sources_of_a_linear_mixing_and_not_of_a_nonlinear_one(law: str, tmp_path):
    linear, bent = (
        baselines(f"ica-mixing:{law}:layers={n}", ["mcc"], only=["ica", "pca"], results=tmp_path)
        for n in (1, 3)
    )
    assert linear["ica"]["mcc"] > 0.98
    assert linear["pca"]["mcc"] < 0.9
    assert bent["ica"]["mcc"] < 0.8


def test_ica_cannot_recover_normal_sources(tmp_path) -> None:
    scores = baselines("ica-mixing:normal:layers=1", ["mcc"], only=["ica"], results=tmp_path)
    assert scores["ica"]["mcc"] < 0.9


def test_baselines_that_need_images_say_so(tmp_path) -> None:
    scores = baselines("ica-mixing:laplace:layers=0", ["mcc"], results=tmp_path)
    assert "has vectors" in scores["untrained"].unavailable["mcc"]
    assert scores["oracle"]["mcc"] == pytest.approx(1)
    assert scores["pixels"]["mcc"] == pytest.approx(1)
    assert scores["noise"]["mcc"] < 0.1


def test_an_encoder_gets_vectors_as_they_are() -> None:
    data = opened("ica-mixing:laplace:layers=0,images=600")
    shapes: list[tuple[int, ...]] = []

    def encoder(x: torch.Tensor) -> torch.Tensor:
        shapes.append((*x.shape, x.dtype == torch.float32))
        return -2 * x.flip(1)

    assert score_encoder(encoder, data, ["mcc"])["mcc"] == pytest.approx(1)
    assert {shape[1:] for shape in shapes} == {(5, True)}


def test_views_of_vectors_are_encoded_too() -> None:
    part = opened("ica-mixing:laplace:layers=0,images=600").view(hold_out=["0.5"], split="test")
    assert score_encoder(lambda x: x, part, ["mcc"])["mcc"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ica-mixing:laplce", "no law 'laplce'; did you mean 'laplace'?"),
        ("ica-mixing:cauchy", "known: .*laplace"),
        ("ica-mixing:laplace:layer=2", "no option 'layer'; did you mean 'layers'?"),
        ("ica-mixing:laplace:sources=0", "sources must be a whole number, at least 1; got '0'"),
        ("dependent:gaussian:noise=1", "no option 'noise'"),
        ("dependent:gaussian:correlation=1", "above -0.25 and below 1 for 5 sources; got '1'"),
        ("dependent:gaussian:correlation=x", "must be a number above .* got 'x'"),
        ("dependent:copies:noise=-1", "noise must be a number of at least 0; got '-1'"),
        ("dependent:functions:sources=2", "sources must be a whole number, at least 3; got '2'"),
        ("dependent:copies:law=segments", "no law 'segments'"),
        ("ica-mixing", "write ica-mixing:NAME"),
    ],
)
def test_bad_references_are_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_dataset(name)


def images(data: Vectors) -> None:
    data.images([0])


def training(data: Vectors) -> None:
    train("vae", data, steps=1)


def bytes_asked_for(data: Vectors) -> None:
    score_encoder(lambda x: x, data, ["mcc"], takes="uint8")


def broken(data: Vectors) -> None:
    score_encoder(lambda x: x.reshape(3, 7), data, ["mcc"])


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (images, "has vectors, not images"),
        (training, "has vectors, and models are trained on images"),
        (bytes_asked_for, "has vectors, which are float32"),
        (broken, r"failed on vectors \[2, 5\]"),
    ],
)
def test_what_needs_images_says_that_these_are_vectors(
    use: Callable[[Vectors], None], message: str
) -> None:
    with pytest.raises(DisentangleError, match=message):
        use(opened("ica-mixing:laplace:images=200"))


def test_nothing_is_kept_on_disk(tmp_path) -> None:
    load_dataset("ica-mixing:laplace", data_dir=tmp_path)
    assert not list(tmp_path.rglob("*"))
