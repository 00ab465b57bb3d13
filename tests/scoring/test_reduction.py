"""Wide codes reduced to principal components before they are scored."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UnavailableWarning, UsageError
from disentangle.scoring import codes, reduction, score_external
from disentangle.scoring.encoders import FunctionSource
from disentangle.scoring.reduction import fit_reduction, fitted_images
from disentangle.scoring.score_external import score_codes, score_encoder

pytestmark = pytest.mark.usefixtures("strangers")
RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 3, (200, 2))
CODES = FACTORS @ RNG.normal(size=(2, 30)) + 0.1 * RNG.normal(size=(200, 30)) + 5
MIG = ["mig"]
MIX = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))


def wide(x):
    """Codes of 40 latents that hold the place and size of the square in three dimensions."""
    square = x.float()[:, 0] > 0
    rows, columns = square.any(2), square.any(1)
    first = [m.float().argmax(1) for m in (rows, columns)]
    return torch.stack([*first, rows.sum(1)], 1).float() @ MIX


def test_components_are_those_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(reduction, "BLOCK", 30 * 7)  # blocks of seven rows
    found = fit_reduction("pca:4", CODES)
    pca = PCA(4).fit(CODES)
    expected = pca.transform(CODES)
    projected = found(CODES)
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), atol=1e-8)
    assert found.share == pytest.approx(pca.explained_variance_ratio_.sum())


def test_signs_of_components_do_not_depend_on_the_solver():
    axes = fit_reduction("pca:4", CODES).axes
    assert (axes[np.abs(axes).argmax(axis=0), range(4)] > 0).all()


def test_reduced_codes_are_scored_in_a_column_of_their_own():
    bare = score_codes(CODES, FACTORS, metrics=MIG)
    reduced = score_codes(CODES, FACTORS, metrics=MIG, reduce="pca:2")
    itself = score_codes(PCA(2).fit_transform(CODES), FACTORS, metrics=MIG)
    assert reduced["mig"] == pytest.approx(itself["mig"])
    assert bare["mig"] != reduced["mig"]
    (first,), (second,) = bare.records, reduced.records
    assert (first.representation, second.representation) == ("mean", "mean, pca:2")
    assert first.key._replace(representation="mean, pca:2") == second.key
    assert first.weights == second.weights


def test_components_are_fitted_without_the_test_rows():
    test = CODES[:50] * 100
    options = {"metrics": ["sap"], "test_codes": test, "test_factors": FACTORS[:50]}
    found = score_codes(CODES, FACTORS, reduce="pca:2", **options)
    pca = PCA(2).fit(CODES)
    options["test_codes"] = pca.transform(test)
    expected = score_codes(pca.transform(CODES), FACTORS, **options)
    assert found["sap"] == pytest.approx(expected["sap"])


def test_reduced_encoder_encodes_each_image_once_and_keeps_components_alone(monkeypatch):
    seen = []

    def counting(x):
        seen.append(len(x))
        return wide(x)

    said = []
    options = {"device": "cpu", "reduce": "pca:3", "say": said.append}
    scores = score_encoder(counting, "tiny", ["mig:samples=75", "sap"], **options)
    assert sum(seen) == 2 + 75 + 16 + 16 + 8  # a few first, and again to see if they are the same
    assert scores.records[0].representation == "mean, pca:3"
    assert said == ["pca:3: 3 of 40 components hold 100 % of the variance of the codes"]


def test_reduction_of_an_encoder_and_of_its_codes_score_the_same():
    data = load_dataset("tiny")
    codes = wide(data.images(np.arange(len(data))))
    labels = data.labels(np.arange(len(data)))
    of_codes = score_codes(codes, labels, metrics=["dcimig:samples=9999"], reduce="pca:3")
    of_encoder = score_encoder(wide, data, ["dcimig:samples=9999"], reduce="pca:3", device="cpu")
    assert of_encoder["dcimig"] == pytest.approx(of_codes["dcimig"], abs=0.02)  # it draws images


def test_images_of_a_reduction_are_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(reduction, "ROWS", 50)
    drawn = [fitted_images(200, seed) for seed in (0, 0, 1)]
    assert [len(index) for index in drawn] == [50] * 3
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize("text", ["pca", "pca:0", "pca:x", "pca:2.5", "ica:3", "pca:3,whiten"])
def test_unknown_reduction_is_refused(text):
    with pytest.raises(UsageError, match=f"expected a reduction `pca:K`.*got '{text}'"):
        score_codes(CODES, FACTORS, metrics=MIG, reduce=text)


def test_more_components_than_latents_or_images_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="pca:31 needs at least 31 latents and images, got codes"):
        score_codes(CODES, FACTORS, metrics=MIG, reduce="PCA:31")
    monkeypatch.setattr(reduction, "WIDEST", 20)
    with pytest.raises(UsageError, match="at most 20 latents, got 30"):
        score_codes(CODES, FACTORS, metrics=MIG, reduce="pca:3")


def test_samples_of_reduced_codes_are_unavailable():
    with pytest.warns(UnavailableWarning):
        scores = score_codes(CODES, FACTORS, metrics=MIG, protocol="disjoint", reduce="pca:2")
    assert set(scores) == {"mig"}
    assert scores.unavailable == {"mig (sample)": "codes given as arrays have no posterior"}


def test_command_reduces_codes(command, tmp_path):
    np.savez(tmp_path / "codes.npz", codes=CODES, factors=FACTORS)
    code, out, _ = command("score", "--codes", "codes.npz", "--metric", "mig", "--reduce", "pca:2")
    value = score_codes(CODES, FACTORS, metrics=MIG, reduce="pca:2")["mig"]
    assert (code, out.split()) == (0, ["mig", f"{value:.4f}"])


def test_time_of_wide_codes_is_estimated_and_what_a_reduction_saves(monkeypatch):
    said = []
    options = {"device": "cpu", "say": said.append}
    score_encoder(wide, "tiny", MIG, **options)
    assert not said
    monkeypatch.setattr(score_external, "LONG", 1e-6)
    score_encoder(wide, "tiny", MIG, **options)
    pace, time = said
    assert pace.startswith("the encoder takes about ")
    assert pace.endswith(" for 75 images")
    assert time.endswith("; of ten principal components, `--reduce pca:10`, about 0 s")


def test_codes_that_need_much_memory_are_announced_unless_they_are_reduced(monkeypatch):
    said = []
    monkeypatch.setattr(score_external, "LARGE", 75 * 40 * 4 - 1)
    options = {"metrics": MIG, "device": "cpu", "say": said.append}
    score_encoder(wide, "tiny", **options)
    assert said == [
        "codes of 40 latents of all images take 0.0 GB of memory; `--reduce pca:10` keeps ten "
        "principal components"
    ]
    said.clear()
    score_encoder(wide, "tiny", reduce="pca:3", **options)
    assert [line.partition(":")[0] for line in said] == ["pca"]


def test_metric_of_too_many_latents_names_the_reduction():
    codes = np.tile(CODES, (1, 100))
    with pytest.warns(UnavailableWarning):
        scores = score_codes(codes, FACTORS, metrics=["dci"], reduce="pca:70")
    assert "70 latents exceed the maximum of 64; `--reduce pca:10`" in scores.unavailable["dci"]


def test_codes_that_do_not_fit_into_memory_are_refused_with_the_remedy(monkeypatch):
    def full(*args, **kwargs):
        raise MemoryError

    source = FunctionSource(wide, load_dataset("tiny"))
    monkeypatch.setattr(codes, "sparse_table", full)
    with pytest.raises(DisentangleError, match=r"codes of 40 latents of 75 images do not fit into"):
        source.codes(np.arange(3))


def test_too_many_components_are_refused_before_images_are_encoded():
    encoded = []

    def encode(x):
        encoded.append(len(x))
        return x.mean((2, 3))

    with pytest.raises(UsageError, match="pca:9 needs at least 9 latents"):
        score_encoder(encode, "tiny", metrics=["mig"], reduce="pca:9", device="cpu")
    assert max(encoded) <= 16  # the first look at its codes
