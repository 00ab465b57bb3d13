"""3DIdent from small folders and archives in the published layout, and how these go wrong."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from disentangle.contracts.dataset import Labelled
from disentangle.data.loading import load_dataset
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import threedident as leaf

COUNTS = {"train": 12, "test": 5}
RAW = {
    part: np.random.default_rng(count).uniform(-1, 1, (count, 10)).astype(np.float32)
    for part, count in COUNTS.items()
}


def pixels(part: str, i: int) -> np.ndarray:
    """An image [224, 224, 3] whose colour tells what it is."""
    return np.full((224, 224, 3), [10 * i, 200 if part == "test" else 50, 255 - 10 * i], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "3dident"
    for part, count in COUNTS.items():
        (root / part / "images").mkdir(parents=True)
        np.save(root / part / "raw_latents.npy", RAW[part])
        np.save(root / part / "latents.npy", RAW[part] * 2)  # for rendering; not read
        for i in range(count):
            name = f"{i:02}.png" if part == "train" else f"{i}.png"
            Image.fromarray(pixels(part, i)).save(root / part / "images" / name)
    return root


def opened(file: Path, folder: Path, opens: Callable[[Location], Labelled] = leaf.open) -> Labelled:
    return opens(Location(folder=folder, name="3dident", file=file))


def check(data: Labelled, side: int = 64) -> None:
    assert data.image_shape == (3, side, side)
    assert (data.train_split, data.test_split) == ("train", "test")
    assert {name: len(index) for name, index in data.splits.items()} == {"all": 17, **COUNTS}
    for part, index in data.splits.items():
        for k, i in enumerate(index if part != "all" else []):
            np.testing.assert_array_equal(data.images([i])[0, :, 5, 5], pixels(part, k)[0, 0])
    labels = data.every_label(np.arange(17))
    raw = np.concatenate(list(RAW.values())).astype(float)
    for k, (name, scale) in enumerate(zip(data.factors, [3] * 3 + [90] * 7, strict=True)):
        np.testing.assert_allclose(
            np.array(data.numbers[name])[labels[:, k]], raw[:, k] * scale, rtol=1e-6
        )
        assert str(data.kind(name)) == "continuous"
    assert data.real_factors == tuple(leaf.SCALES)
    assert data.dependence == ""


def test_images_and_factors_are_those_of_their_row(folder: Path, tmp_path: Path) -> None:
    data = opened(folder, tmp_path / "data")
    check(data)
    for rule in check_dataset(data):
        rule()
    shutil.rmtree(folder)
    check(leaf.open(Location(folder=tmp_path / "data", name="3dident")))  # prepared


def test_the_larger_size_has_a_name_of_its_own(folder: Path, tmp_path: Path) -> None:
    check(load_dataset("3dident-128", file=folder, data_dir=tmp_path / "data"), side=128)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_of_both_is_read_in_place(folder: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            for path in sorted(folder.rglob("*.*")):
                archive.write(path, path.relative_to(folder.parent))
    else:
        with tarfile.open(file, "w:gz") as archive:
            archive.add(folder, "data/3dident")
    check(opened(file, tmp_path / "data"))


def replaced(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("test/raw_latents.npy", None, "expected a folder test with raw_latents.npy"),
        ("train/images/03.png", None, r"images/00.png to images/11.png .* 03.png is missing"),
        ("test/images/5.png", replaced(RAW["test"]), "5.png has no row"),
        ("test/raw_latents.npy", replaced(RAW["test"][:, :9]), r"shape \[N, 10\], got \[5, 9\]"),
        ("test/raw_latents.npy", replaced(RAW["test"] * 2), "numbers from -1 to 1, got others"),
        ("test/raw_latents.npy", replaced(np.full((5, 10), np.nan)), "or NaN"),
        ("test/raw_latents.npy", replaced(np.zeros((5, 10), int)), "real numbers, got int64"),
        ("test/raw_latents.npy", b"nothing", "cannot use .* as the factors of 3DIdent"),
        ("train/images/03.png", b"nothing", "03.png"),
    ],
)
def test_wrong_files_are_refused(
    folder: Path, tmp_path: Path, path: str, content: bytes | None, message: str
) -> None:
    if content is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(content)
    with pytest.raises(DisentangleError, match=message):
        opened(folder, tmp_path / "data")


def test_images_of_another_size_are_refused(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(folder / "train/images/03.png")
    with pytest.raises(DisentangleError, match="128 x 128 pixels, expected 224 x 224"):
        opened(folder, tmp_path / "data")


@pytest.mark.parametrize("download", [False, True])
def test_without_files_a_message_says_where_they_are(tmp_path: Path, download: bool) -> None:
    with pytest.raises(
        DisentangleError, match=r"(?s)Get it from https://zenodo.org/.* --file PATH"
    ):
        load_dataset("3dident", data_dir=tmp_path, download=download)
