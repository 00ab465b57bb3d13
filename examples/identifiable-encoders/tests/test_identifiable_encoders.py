"""The encoders recover known sources, and what they are trained on is what matters."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from disentangle import Vectors, load_dataset, score_encoder

from identifiable_encoders import train_ivae, train_pcl

SEGMENTS, TIME = "ica-mixing:segments:sources=3", "ica-mixing:autoregressive:sources=3"
README = (Path(__file__).parents[1] / "README.md").read_text()


def vectors(name: str) -> Vectors:
    data = load_dataset(name)
    assert isinstance(data, Vectors)
    return data


def mcc(encoder: torch.nn.Module, data: Vectors) -> float:
    return float(score_encoder(encoder, data, ["mcc"])["mcc"])


def test_ivae_recovers_sources_of_segments() -> None:
    data = vectors(SEGMENTS)
    before, after = mcc(train_ivae(data, steps=0), data), mcc(train_ivae(data), data)
    assert before < 0.65
    assert after > 0.8
    assert after > before + 0.2


def test_pcl_recovers_sources_in_time() -> None:
    data = vectors(TIME)
    before, after = mcc(train_pcl(data, steps=0), data), mcc(train_pcl(data), data)
    assert before < 0.7
    assert after > 0.95


def test_pcl_needs_the_order_of_time() -> None:
    data = vectors("ica-mixing:laplace:sources=3")
    assert mcc(train_pcl(data, steps=800), data) < 0.9


@pytest.mark.parametrize("train", [train_ivae, train_pcl])
def test_a_seed_gives_one_encoder_and_leaves_global_generators_alone(train) -> None:  # type: ignore[no-untyped-def]
    data = vectors(SEGMENTS)
    state = torch.get_rng_state()
    first, again, other = (train(data, steps=3, seed=seed) for seed in (0, 0, 1))
    x = data.vectors([0, 1, 2])
    assert torch.equal(first(x), again(x))
    assert not torch.allclose(first(x), other(x))
    assert torch.equal(torch.get_rng_state(), state)
    assert first(x).shape == (3, 3)


def test_the_code_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    Path("readme.py").write_text(code)
    runpy.run_path("readme.py")
    assert "PCL after 1500 steps: MCC 0.9" in capsys.readouterr().out
    assert list(tmp_path.glob("results/**/*.json"))
