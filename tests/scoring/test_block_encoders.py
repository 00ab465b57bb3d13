"""Encoders and models whose codes are in blocks [N, B, M], or discrete, scored by a reduction."""

import dataclasses

import numpy as np
import pytest
import torch

import disentangle
from disentangle import Code, Posterior
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, ScoringFailed, UsageError
from disentangle.scoring.codes import RunSource
from disentangle.scoring.score_external import score_codes, score_encoder
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
EXACT = ["dcimig:samples=9999"]
MIX = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))


def tokens(x):
    """Four blocks of six numbers that hold the place and size of the square."""
    square = x.float()[:, 0] > 0
    rows, columns = square.any(2), square.any(1)
    places = torch.stack([rows.float().argmax(1), columns.float().argmax(1), rows.sum(1)], 1)
    return torch.einsum("nk,kbm->nbm", places.float(), MIX)


def everything(function):
    data = load_dataset("tiny")
    index = np.arange(len(data))
    return function(data.images(index)), data.labels(index)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("reduce", ["pca1", "pca:2", "mean", "norm", "flatten"])
def test_encoder_of_blocks_scores_as_its_codes_do(reduce, wrapped):
    def encode(x):
        return Code(tokens(x)) if wrapped else tokens(x)

    said = []
    options = {"device": "cpu", "reduce": reduce, "say": said.append}
    scores = score_encoder(encode, "tiny", ["mcc:samples=9999"], **options)
    expected = score_codes(*everything(tokens), metrics=["mcc"], reduce=reduce)
    assert scores["mcc"] == pytest.approx(expected["mcc"], abs=0.05)  # it draws images
    assert scores.records[0].representation == expected.records[0].representation
    pca = [line for line in said if line.startswith("pca")]
    assert len(pca) == reduce.startswith("pca")
    assert all("of 6 components of each of 4 blocks hold" in line for line in pca)


def test_components_are_fitted_to_all_images_of_the_encoder():
    seen = []

    def counting(x):
        seen.append(len(x))
        return tokens(x)

    score_encoder(counting, "tiny", ["mig:samples=10"], reduce="pca1", device="cpu")
    assert sum(seen) >= len(load_dataset("tiny"))


def test_encoder_of_blocks_without_a_reduction_is_refused():
    with pytest.raises(UsageError, match=r"the encoder returns codes in 4 blocks of 6 numbers"):
        score_encoder(tokens, "tiny", ["mig"], device="cpu")
    with pytest.raises(UsageError, match="pca7 needs at least 7 numbers in each block"):
        score_encoder(tokens, "tiny", ["mig"], reduce="pca7", device="cpu")
    with pytest.raises(UsageError, match="mean reduces codes in blocks"):
        score_encoder(lambda x: tokens(x)[:, 0], "tiny", ["mig"], reduce="mean", device="cpu")


def test_blocks_with_other_axes_or_holes_are_refused():
    with pytest.raises(UsageError, match=r"blocks \[N, B, M\] or codes \[N, D\].*\[2, 4, 6, 1\]"):
        score_encoder(lambda x: tokens(x)[..., None], "tiny", ["mig"], reduce="pca1", device="cpu")
    with pytest.raises(DisentangleError, match="not finite: nan in block 0 of image 0"):
        score_encoder(lambda x: tokens(x) / 0 * 0, "tiny", ["mig"], reduce="pca1", device="cpu")


def test_index_of_a_discrete_encoder_is_counted():
    def values(x):
        return Code((tokens(x)[:, :, 0] / 20).round(), discrete=True)

    given = score_encoder(values, "tiny", ["infomec"], device="cpu")
    numbers = score_encoder(values, "tiny", ["infomec"], reduce="index", device="cpu")
    assert numbers == pytest.approx(given)
    assert dict(numbers.records[0].key.knobs)["codes"] == "integer"


def test_exchangeable_blocks_are_refused_with_the_remedy(block_run, monkeypatch):
    def slots(x):
        return Code(tokens(x), exchangeable=True)

    with pytest.raises(UsageError, match=r"blocks of these codes are exchangeable.*assignment"):
        score_encoder(slots, "tiny", ["mig"], reduce="pca1", device="cpu")
    flat = score_encoder(lambda x: Code(tokens(x)[:, :, 0], exchangeable=True), "tiny", ["mig"])
    assert set(flat) == {"mig"}
    monkeypatch.setattr(type(block_run), "code", lambda run, images: slots(images))
    with pytest.raises(UsageError, match="exchangeable"):
        score(block_run, ["mig"], reduce="pca1")


def test_code_in_blocks_is_flat_for_whoever_decodes_it():
    code = Code(torch.arange(12.0).reshape(2, 3, 2))
    assert (code.blocks, code.mean.shape) == ((3, 2), (2, 6))
    again = dataclasses.replace(code, mean=code.mean + 1)
    assert again.blocks == (3, 2)
    posterior = Posterior(torch.zeros(2, 3, 2), torch.zeros(2, 3, 2))
    assert posterior.sample(torch.Generator()).shape == (2, 6)
    assert Code(torch.zeros(2, 3)).blocks is None


@pytest.fixture
def block_run(run, monkeypatch, tmp_path):
    """A run whose ten latents are five blocks of two, with a cache of its own."""
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "cache"))
    original = type(run).code

    def code(self, images):
        return Code(original(self, images).mean.unflatten(1, (5, 2)))

    monkeypatch.setattr(type(run), "code", code)
    return run


def test_run_of_blocks_is_scored_by_a_reduction_from_the_cache_too(block_run, monkeypatch):
    norms = score(block_run, ["dcimig"], reduce="norm")
    assert norms.records[0].representation == "mean, norm"
    score(block_run, ["mcc"], reduce="pca1")  # encodes the rest
    monkeypatch.setattr(type(block_run), "code", None)  # from now on every code is cached
    source = RunSource(block_run)
    assert source.blocks == (5, 2)
    index = np.arange(len(source))
    blocks = source.unreduced(index)
    expected = score_codes(blocks, source.dataset.labels(index), metrics=EXACT, reduce="norm")
    assert score(block_run, EXACT, reduce="norm")["dcimig"] == pytest.approx(
        expected["dcimig"], abs=0.1
    )


def test_protocol_reduces_a_run_of_blocks_and_finds_its_scores_again(
    block_run, monkeypatch, tmp_path
):
    protocol = tmp_path / "norms.toml"
    protocol.write_text('about = "norms of blocks"\nreduction = "norm"\n')
    first = score(block_run, ["dcimig"], protocol=protocol)
    assert first.records[0].representation == "mean, norm"
    assert first == score(block_run, ["dcimig"], reduce="norm")
    monkeypatch.setattr("disentangle.scoring.codes.RunSource", None)  # it is not encoded again
    assert score(block_run, ["dcimig"], protocol=protocol) == first


def test_protocol_leaves_a_run_without_blocks_as_it_is(run, tmp_path):
    protocol = tmp_path / "norms.toml"
    protocol.write_text('about = "norms of blocks"\nreduction = "norm"\n')
    scores = score(run, ["dcimig"], protocol=protocol)
    assert scores.records[0].representation == "mean"
    assert scores == score(run, ["dcimig"])


def test_run_of_blocks_without_a_reduction_is_refused_once(block_run, command):
    with pytest.raises(ScoringFailed) as raised:
        score(block_run, ["mig", "modularity"])
    assert str(raised.value).count("need a reduction") == 1


def test_codes_of_a_run_in_blocks_are_written_as_blocks(block_run, tmp_path):
    disentangle.encode(block_run, tmp_path / "codes.npz", device="cpu")
    with np.load(tmp_path / "codes.npz") as arrays:
        assert arrays["codes"].shape[1:] == (5, 2)
        assert "scales" not in arrays
    with pytest.raises(UsageError, match=r"write them to a \.npz file"):
        disentangle.encode(block_run, tmp_path / "codes.csv", device="cpu")


def test_discrete_run_has_three_views(tmp_path):
    run = train("qlae", "tiny", steps=1, results=tmp_path, device="cpu", figures=False)
    metrics = ["infomec"]
    values, numbers, hot = (score(run, metrics, reduce=view) for view in ("", "index", "one-hot"))
    assert numbers == pytest.approx(values, nan_ok=True)
    assert hot["infomec/infoe"] == pytest.approx(values["infomec/infoe"], abs=1e-3)
    names = [scores.records[0].representation for scores in (values, numbers, hot)]
    assert names == ["mean", "mean, index", "mean, one-hot"]
    with pytest.raises(UsageError, match="pca1 reduces codes in blocks"):
        score(run, metrics, reduce="pca1")
