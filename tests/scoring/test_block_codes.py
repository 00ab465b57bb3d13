"""Given codes in blocks [N, B, M], scored by a reduction that is named."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from disentangle.data import npz
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.runs.external import load_externals
from disentangle.score_tables import published
from disentangle.scoring import reduction, score_external
from disentangle.scoring.block_codes import block_codes
from disentangle.scoring.code_files import read_codes
from disentangle.scoring.score_external import score_codes

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 4, (300, 3))
# Like the tokens of VCT: each block is a direction in 16 dimensions along which one factor moves.
TOKENS = np.stack(
    [
        (FACTORS[:, [k % 3]] + 0.1 * RNG.normal(size=(300, 1))) * RNG.normal(size=16)
        + 0.3 * RNG.normal(size=(300, 16))
        + 5
        for k in range(5)
    ],
    axis=1,
).astype(np.float32)
METRICS = ["mig", "modularity", "factor-vae-score", "dci-lgbm"]


def principal(codes):
    """The first principal component of each block by scikit-learn, with the signs used here."""
    fits = [PCA(1).fit(codes[:, b]) for b in range(codes.shape[1])]
    axes = [fit.components_[0] for fit in fits]
    signs = [np.sign(axis[np.abs(axis).argmax()]) for axis in axes]
    parts = [fit.transform(codes[:, b]) * signs[b] for b, fit in enumerate(fits)]
    return np.hstack(parts)


def test_pca1_scores_as_the_components_of_scikit_learn_do(monkeypatch):
    monkeypatch.setattr(reduction, "BLOCK", 5 * 16 * 7)  # parts of seven images
    found = score_codes(TOKENS, FACTORS, metrics=METRICS, reduce="pca1")
    components = principal(TOKENS.astype(np.float64))
    assert found == pytest.approx(score_codes(components, FACTORS, metrics=METRICS))
    flipped = score_codes(components * [1, -1, 1, -1, -1], FACTORS, metrics=["mig", "modularity"])
    assert {name: found[name] for name in flipped} == pytest.approx(flipped, abs=0.02)
    assert {score.representation for score in found.records} == {"mean, pca1"}


def test_k_components_of_each_block_have_a_name_of_their_own():
    scores = score_codes(TOKENS, FACTORS, metrics=["mig"], reduce="pca:2")
    components = np.hstack([PCA(2).fit_transform(TOKENS[:, b]) for b in range(5)])
    expected = score_codes(components, FACTORS, metrics=["mig"])
    assert scores["mig"] == pytest.approx(expected["mig"], abs=1e-6)
    assert scores.records[0].representation == "mean, pca2"  # not that of 2 components of them all
    again = score_codes(TOKENS, FACTORS, metrics=["mig"], reduce="pca2")
    assert again.records[0].key == scores.records[0].key


@pytest.mark.parametrize(
    ("name", "latents"),
    [
        ("mean", TOKENS.mean(axis=2, dtype=np.float64)),
        ("norm", np.sqrt(np.square(TOKENS.astype(np.float64)).sum(axis=2))),
        ("flatten", TOKENS.reshape(300, -1)),
    ],
)
def test_summary_of_blocks_scores_as_its_numbers_do(name, latents):
    scores = score_codes(TOKENS, FACTORS, metrics=["mig"], reduce=name)
    assert scores == pytest.approx(score_codes(latents, FACTORS, metrics=["mig"]))
    assert scores.records[0].representation == f"mean, {name}"


def test_components_are_fitted_without_the_test_rows():
    test = TOKENS[:50] * 100
    options = {"metrics": ["sap"], "test_factors": FACTORS[:50]}
    found = score_codes(TOKENS, FACTORS, reduce="pca1", test_codes=test, **options)
    fits = [PCA(1).fit(TOKENS[:, b].astype(float)) for b in range(5)]
    reduced = [
        np.hstack([f.transform(z[:, b]) for b, f in enumerate(fits)]) for z in (TOKENS, test)
    ]
    expected = score_codes(reduced[0], FACTORS, test_codes=reduced[1], **options)
    assert found["sap"] == pytest.approx(expected["sap"])


def test_blocks_of_tensors_are_taken():
    tensor = torch.from_numpy(TOKENS).requires_grad_()
    scores = [score_codes(z, FACTORS, metrics=["mig"], reduce="pca1") for z in (tensor, TOKENS)]
    assert scores[0] == scores[1]


def test_blocks_without_a_reduction_are_refused_with_the_reductions():
    with pytest.raises(UsageError) as raised:
        score_codes(TOKENS, FACTORS, metrics=["mig"])
    text = str(raised.value)
    assert text.startswith("codes in 5 blocks of 16 numbers need a reduction, `--reduce NAME`: ")
    for name in ("pca1", "mean", "norm", "flatten", "index", "one-hot"):
        assert f"`{name}`" in text


@pytest.mark.parametrize("name", ["pca1", "pca2", "mean", "norm", "flatten"])
def test_reduction_of_blocks_is_refused_for_codes_without_any(name):
    with pytest.raises(UsageError, match=rf"{name} reduces codes in blocks, expected \[N, B, M\]"):
        score_codes(TOKENS[:, :, 0], FACTORS, metrics=["mig"], reduce=name)


def holed():
    codes = TOKENS.copy()
    codes[[7, 20], 3, 5] = np.nan
    return codes


def constant():
    codes = TOKENS.copy()
    codes[:, 2] = 0.1
    return codes


@pytest.mark.parametrize(
    ("codes", "options", "text"),
    [
        (
            TOKENS[..., None],
            {},
            r"codes must have shape \[N, D\], or \[N, B, M\].*\[300, 5, 16, 1\]",
        ),
        (TOKENS[:, :0], {}, r"codes must have shape .* got \[300, 0, 16\]"),
        (TOKENS[:200], {}, "factors must have 200 rows, as the codes have, got 300"),
        (holed(), {}, "codes are not finite in 2 rows, starting with row 7, block 3"),
        (constant(), {}, "pca1: block 2 of the codes is constant"),
        (TOKENS, {"reduce": "pca17"}, "pca17 needs at least 17 numbers in each block"),
        (TOKENS * 1e-30 * np.float64(1e-80), {}, "largest magnitude of codes is .*: rescale them"),
        (torch.from_numpy(TOKENS).bfloat16(), {}, "codes must be numbers .*BFloat16"),
        (np.array([], object), {"reduce": ""}, r"codes must have shape .* got \[0\]"),
        (TOKENS.astype(complex), {}, "codes must be numbers, got complex128"),
        ([[[1.0, 2], [3]]] * 300, {}, "got rows or blocks of unequal length"),
        ([[[1.0, 2], [3, 4]], [[1, 2]]], {}, "got rows or blocks of unequal length"),
    ],
)
def test_codes_that_cannot_be_reduced_are_refused_in_a_line(codes, options, text):
    with pytest.raises(UsageError, match=text) as raised:
        score_codes(codes, FACTORS, metrics=["mig"], **({"reduce": "pca1"} | options))
    assert "\n" not in str(raised.value)


def test_blocks_of_objects_of_unequal_length_are_refused():
    ragged = np.empty(3, object)
    ragged[:] = [np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((1, 3))]
    with pytest.raises(UsageError, match="got rows or blocks of unequal length"):
        block_codes(ragged, None)


def test_file_of_blocks_of_unequal_length_is_refused(command, tmp_path):
    ragged = np.empty(3, object)
    ragged[:] = [np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((1, 3))]
    np.savez(tmp_path / "codes.npz", codes=ragged, factors=np.zeros((3, 1), int))
    code, _, err = command("score", "--codes", "codes.npz", "--reduce", "pca1")
    assert code == 1
    assert "if rows or blocks are of unequal length, pad them" in err


def test_half_precision_beside_an_offset_is_not_constant():
    scores = score_codes(TOKENS.astype(np.float16), FACTORS, metrics=["mig"], reduce="pca1")
    expected = score_codes(TOKENS, FACTORS, metrics=["mig"], reduce="pca1")
    assert scores["mig"] == pytest.approx(expected["mig"], abs=0.02)


def test_test_codes_of_other_blocks_are_refused():
    with pytest.raises(UsageError, match=r"expected \[5, 16\], got \[5, 8\]"):
        score_codes(
            TOKENS,
            FACTORS,
            test_codes=TOKENS[:, :, :8],
            test_factors=FACTORS,
            metrics=["mig"],
            reduce="pca1",
        )
    with pytest.raises(UsageError, match=r"test_codes must have shape .* got \[300, 16\]"):
        score_codes(
            TOKENS,
            FACTORS,
            test_codes=TOKENS[:, 0],
            test_factors=FACTORS,
            metrics=["mig"],
            reduce="pca1",
        )


def test_protocol_names_the_reduction_of_blocks_alone(tmp_path):
    protocol = tmp_path / "vct.toml"
    protocol.write_text('about = "as VCT scores"\nreduction = "pca1"\n')
    blocks = score_codes(TOKENS, FACTORS, metrics=["mig"], protocol=protocol)
    assert blocks == score_codes(TOKENS, FACTORS, metrics=["mig"], reduce="pca1")
    assert blocks.records[0].representation == "mean, pca1"
    other = score_codes(TOKENS, FACTORS, metrics=["mig"], protocol=protocol, reduce="norm")
    assert other.records[0].representation == "mean, norm"
    bare = score_codes(TOKENS[:, :, 0], FACTORS, metrics=["mig"], protocol=protocol)
    assert bare.records[0].representation == "mean"
    protocol.write_text('about = "a typing error"\nreduction = "pca"\n')
    with pytest.raises(UsageError, match=r"invalid protocol: .*expected a reduction `pca:K`"):
        score_codes(TOKENS, FACTORS, metrics=["mig"], protocol=protocol)


def test_command_scores_blocks_and_keeps_each_reduction_in_its_column(command, tmp_path):
    np.savez(tmp_path / "codes.npz", codes=TOKENS, factors=FACTORS)
    options = ("--codes", "codes.npz", "--metric", "mig")
    code, _, err = command("score", *options)
    assert code == 2
    assert "codes.npz: codes in 5 blocks of 16 numbers need a reduction" in err
    for name in ("pca1", "norm"):
        code, out, err = command("score", *options, "--reduce", name, "--name", "tokens")
        assert ("1 of 16 components of each of 5 blocks hold" in err) == (name == "pca1")
        value = score_codes(TOKENS, FACTORS, metrics=["mig"], reduce=name)["mig"]
        assert (code, out.split()[:2]) == (0, ["mig", f"{value:.4f}"])
    (kept,), _ = load_externals(tmp_path / "results")
    assert kept.record.latents == 80
    code, out, _ = command("table")
    assert code == 0
    assert "mig [mean, pca1]" in out.lower()
    assert "mig [mean, block norm]" in out.lower()


def test_tokens_of_a_dataset_stand_above_published_rows(command, strangers, tmp_path, monkeypatch):
    papers = [p for p in published.known_papers() if p.source.startswith("FDAE")][:1]
    papers = [paper.model_copy(update={"datasets": ("tiny",)}) for paper in papers]
    monkeypatch.setattr(published, "known_papers", lambda: papers)
    data = load_dataset("tiny")
    labels = data.labels(np.arange(len(data)))
    tokens = labels[:, :, None] * np.ones(4) + 0.1 * RNG.normal(size=(*labels.shape, 4))
    np.savez(tmp_path / "tokens.npz", codes=tokens, factors=labels, names=list(data.factors))
    options = ("--dataset", "tiny", "--reduce", "pca1", "--name", "my-tokens", "--metric", "mig")
    code, _, _ = command("score", "--codes", "tokens.npz", *options, "--encoder-seed", 0)
    assert code == 0
    code, out, _ = command("table", "--published")
    assert code == 0
    ours, _, theirs = out.partition("as published")
    assert "my-tokens (external)" in ours
    assert "mig [mean, pca1]" in ours
    assert "DisDiff" in theirs or "VCT" in theirs
    assert ".434" in theirs


def test_kept_scores_of_blocks_are_not_reduced_again(monkeypatch, tmp_path):
    options = {"metrics": ["mig"], "reduce": "pca1", "name": "tokens", "results": tmp_path}
    first = score_codes(TOKENS, FACTORS, **options)
    monkeypatch.setattr(score_external, "reduced_arrays", None)
    assert score_codes(TOKENS, FACTORS, **options) == first
    with pytest.raises(UsageError, match="holds the scores of other codes"):
        score_codes(TOKENS + 1, FACTORS, **options)


@pytest.mark.parametrize("name", ["codes.npz", "codes.npy"])
def test_large_blocks_are_memory_mapped(name, monkeypatch, tmp_path):
    np.savez(tmp_path / "codes.npz", extra=np.arange(5), codes=TOKENS, factors=FACTORS)
    np.save(tmp_path / "codes.npy", TOKENS)
    np.save(tmp_path / "factors.npy", FACTORS)
    monkeypatch.setattr(npz, "SMALL", TOKENS.nbytes - 1)
    labels = tmp_path / "factors.npy" if name.endswith("npy") else None
    arrays = read_codes(tmp_path / name, labels)
    assert isinstance(arrays["codes"], np.memmap)
    np.testing.assert_array_equal(arrays["codes"], TOKENS)
    scores = score_codes(arrays["codes"], arrays["factors"], metrics=["mig"], reduce="pca1")
    assert scores == score_codes(TOKENS, FACTORS, metrics=["mig"], reduce="pca1")


def test_large_blocks_that_cannot_be_mapped_are_refused(monkeypatch, tmp_path):
    np.savez_compressed(tmp_path / "codes.npz", codes=TOKENS, factors=FACTORS)
    np.save(tmp_path / "codes.npy", TOKENS)
    monkeypatch.setattr(npz, "SMALL", TOKENS.nbytes - 1)
    with pytest.raises(DisentangleError, match=r"'codes' is compressed .* store it by `np.savez`"):
        read_codes(tmp_path / "codes.npz")
    content = (tmp_path / "codes.npy").read_bytes()
    (tmp_path / "codes.npy").write_bytes(content[:-4])
    with pytest.raises(DisentangleError, match="'codes' ends too early"):
        read_codes(tmp_path / "codes.npy")
