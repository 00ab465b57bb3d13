"""CausalCircuit from small npz files in the published layout, and how these go wrong."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from disentangle.contracts.dataset import Labelled
from disentangle.data.loading import load_dataset
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import causal_circuit as leaf

COUNTS = {"train": 20, "val": 3, "test": 4}
Arrays = dict[str, np.ndarray]


def jpeg(colour: list[int], side: int = 512) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), tuple(colour)).save(file, "JPEG", quality=95)
    return file.getvalue()


def colour(state: np.ndarray) -> list[int]:
    """The colour of an image, the lights of its state."""
    return [int(v) for v in 255 * state[:3]]


def arrays(split: str) -> Arrays:
    """The arrays of a split, as the authors' page and code describe them."""
    rng = np.random.default_rng(len(split))
    states = rng.uniform(0, 1, (COUNTS[split], 2, 4))
    return {
        "original_latents": states,
        "epsilon": rng.normal(size=states.shape),
        "imgs": np.array([[jpeg(colour(s)) for s in pair] for pair in states]),
        "intervention_labels": rng.integers(0, 5, len(states)),
        "intervention_masks": rng.integers(0, 2, (len(states), 4)).astype(bool),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "circuit"
    root.mkdir()
    for split in COUNTS:
        np.savez(root / f"{split}.npz", **arrays(split))
    return root


def opened(file: Path, folder: Path) -> Labelled:
    data = leaf.open(Location(folder=folder, name="causal-circuit", file=file))
    assert isinstance(data, Labelled)
    return data


def check(data: Labelled, side: int = 64) -> None:
    assert data.image_shape == (3, side, side)
    assert (data.train_split, data.test_split) == ("train", "test")
    assert {name: len(index) for name, index in data.splits.items()} == {"all": 27, **COUNTS}
    for split in COUNTS:
        before = arrays(split)["original_latents"][:, 0]
        for i, state in zip(data.splits[split], before, strict=True):
            np.testing.assert_allclose(data.images([i])[0, :, 9, 9], colour(state), atol=4)
        labels = data.labels(data.splits[split])
        numbers = [
            np.array(data.numbers[name])[labels[:, k]] for k, name in enumerate(leaf.FACTORS)
        ]
        np.testing.assert_array_equal(np.stack(numbers, 1), before)
    assert data.real_factors == ("red", "green", "blue", "arm")
    assert "causally connected" in data.dependence


def test_images_before_the_intervention_have_their_states(folder: Path, tmp_path: Path) -> None:
    data = opened(folder, tmp_path / "data")
    check(data)
    for rule in check_dataset(data):
        rule()


def test_the_larger_size_has_a_name_of_its_own(folder: Path, tmp_path: Path) -> None:
    check(load_dataset("causal-circuit-128", file=folder, data_dir=tmp_path / "data"), side=128)


def test_a_divided_training_split_is_the_same(folder: Path, tmp_path: Path) -> None:
    whole = opened(folder, tmp_path / "whole")
    (folder / "train.npz").unlink()
    for i in range(10):
        shard = {key: array[2 * i : 2 * i + 2] for key, array in arrays("train").items()}
        np.savez(folder / f"train-{i}.npz", **shard)
    divided = opened(folder, tmp_path / "divided")
    check(divided)
    assert divided.fingerprint == whole.fingerprint


def without(key: str) -> Callable[[Arrays], Any]:
    return lambda content: content.pop(key)


def with_array(key: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Any]:
    return lambda content: content.update({key: change(content[key])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("imgs"), "no array 'imgs'"),
        (without("original_latents"), "no array 'original_latents'"),
        (with_array("original_latents", lambda a: a[..., :3]), r"\[N, 2, 4\], got .* \[4, 2, 3\]"),
        (with_array("original_latents", lambda a: a * np.nan), "NaN or infinity"),
        (with_array("imgs", lambda a: a[:-1]), r"'imgs' as JPEG files, bytes \[4, 2\], got"),
        (with_array("imgs", lambda a: np.zeros((4, 2), np.uint8)), "got uint8"),
        (with_array("imgs", lambda a: np.full_like(a, b"nothing")), "in row 0"),
        (with_array("imgs", lambda a: np.full_like(a, jpeg([0] * 3, 64))), "got 64 x 64"),
    ],
)
def test_wrong_files_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[Arrays], Any], message: str
) -> None:
    content = arrays("test")
    change(content)
    np.savez(folder / "test.npz", **content)
    with pytest.raises(DisentangleError, match=rf"(?s)test\.npz.*{message}"):
        opened(folder, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "message"),
    [("val.npz", "val.npz is missing"), ("train.npz", "or train-0.npz to train-9.npz is missing")],
)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str, message: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DisentangleError, match=message):
        opened(folder, tmp_path / "data")


def test_without_files_a_message_says_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(
        DisentangleError, match=r"(?s)Get it from https://www.qualcomm.com/.* --file"
    ):
        load_dataset("causal-circuit", data_dir=tmp_path, download=True)
