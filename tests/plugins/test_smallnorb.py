"""smallNORB from small files in the official format, and the ways in which files go wrong."""

import gzip
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from disentangle.contracts.dataset import Grid, Labelled
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import smallnorb

NAMES = ["category", "instance", "elevation", "azimuth", "lighting"]
SIZES = (5, 4, 2, 3, 2)
COUNT = 240
LABELS = np.stack(np.unravel_index(np.arange(COUNT), SIZES), 1)
TRAINING, TESTING = (
    "smallnorb-5x46789x9x18x6x2x96x96-training",
    "smallnorb-5x01235x9x18x6x2x96x96-testing",
)
INSTANCES = {TRAINING: (1, 3), TESTING: (0, 2)}  # which interleave, as the official ones do
BYTES, INTEGERS = 0x1E3D4C55, 0x1E3D4C54


def at(folder: Path, **options: Any) -> Location:
    """Return the location that smallNORB has in a data folder."""
    return Location(
        folder=folder / "smallnorb", downloads=folder / "downloads", name="smallnorb", **options
    )


def matrix(array: np.ndarray, magic: int | None = None) -> bytes:
    """Return an array in the official format, which stores at least three sizes."""
    magic = magic or (BYTES if array.dtype == np.uint8 else INTEGERS)
    sizes = [*array.shape, 1, 1][: max(3, array.ndim)]
    header = struct.pack(f"<Ii{len(sizes)}i", magic, array.ndim, *sizes)
    return header + array.astype(array.dtype.newbyteorder("<")).tobytes()


def half(name: str) -> np.ndarray:
    """Return which images of the grid are in a half, in the half's own order."""
    inside = np.flatnonzero(np.isin(LABELS[:, 1], INSTANCES[name]))
    return np.random.default_rng(0).permutation(inside)


def pairs(index: np.ndarray) -> np.ndarray:
    """Return two cameras' images in one grey, the first of which tells the place in the grid."""
    greys = np.stack([index, 255 - index], 1).astype(np.uint8)
    return np.broadcast_to(greys[:, :, None, None], (len(index), 2, 96, 96))


def files(keep: Any = slice(None), draw: Callable[[np.ndarray], np.ndarray] = pairs) -> Any:
    """Return name -> content of the six files, unpacked."""
    content = {}
    for name in (TRAINING, TESTING):
        index = half(name)[keep]
        labels = LABELS[index].astype(np.int32)
        labels[:, 3] *= 2  # azimuths are 0, 2, 4, ...
        content[f"{name}-dat.mat"] = matrix(draw(index))
        content[f"{name}-cat.mat"] = matrix(labels[:, 0])
        content[f"{name}-info.mat"] = matrix(labels[:, 1:])
    return content


def write(folder: Path, content: dict[str, bytes], packed: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in content.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, 1))
        else:
            (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_pixels_fit_the_labels(tmp_path: Path, packed: bool) -> None:
    data = smallnorb.open(at(tmp_path, file=write(tmp_path / "norb", files(), packed)))
    assert isinstance(data, Grid)
    images = data.images(data.index(LABELS)).numpy()
    assert images.shape == (COUNT, 1, 64, 64)
    np.testing.assert_array_equal(
        images[:, 0], np.arange(COUNT)[:, None, None] + np.zeros((64, 64))
    )


def test_it_is_a_grid_of_five_factors_one_a_nuisance(tmp_path: Path) -> None:
    data = smallnorb.open(at(tmp_path, file=write(tmp_path / "norb", files())))
    assert isinstance(data, Grid)
    assert dict(data.every_factor) == dict(zip(NAMES, SIZES, strict=True))
    assert list(data.factors) == ["category", "elevation", "azimuth", "lighting"]
    assert data.image_shape == (1, 64, 64)


def test_values_are_called_as_in_the_files(tmp_path: Path) -> None:
    data = smallnorb.open(at(tmp_path, file=write(tmp_path / "norb", files())))
    assert isinstance(data, Labelled)
    assert list(data.values["category"]) == ["animal", "human", "airplane", "truck", "car"]
    assert list(data.values["azimuth"]) == ["0", "2", "4"]
    assert list(data.values["instance"]) == ["0", "1", "2", "3"]


def test_images_are_resized_by_lanczos(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (COUNT, 2, 96, 96), np.uint8)
    content = files(draw=lambda index: noise[index])
    data = smallnorb.open(at(tmp_path, file=write(tmp_path / "norb", content, packed=False)))
    for i in rng.integers(0, COUNT, 20):
        image = Image.fromarray(noise[i, 0])
        image.thumbnail((64, 64), Image.Resampling.LANCZOS, reducing_gap=None)
        np.testing.assert_array_equal(data.images(i)[0, 0], np.asarray(image))


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "norb", files())
    one = smallnorb.open(at(tmp_path / "1", file=folder))
    monkeypatch.setattr(smallnorb, "BLOCK", 50)
    done: list[tuple[int, int]] = []
    two = smallnorb.open(at(tmp_path / "2", file=folder, progress=lambda *now: done.append(now)))
    assert one.fingerprint == two.fingerprint
    assert [n for n, _ in done] == [50, 100, 120, 170, 220, 240]


def test_missing_images_make_it_labelled_and_no_grid(tmp_path: Path) -> None:
    said: list[str] = []
    folder = write(tmp_path / "norb", files(keep=slice(1, None)))
    data = smallnorb.open(at(tmp_path, file=folder, say=said.append))
    assert isinstance(data, Labelled)
    assert not isinstance(data, Grid)
    assert any("not a grid" in text for text in said)
    every = np.arange(COUNT - 2)
    grey = data.images(every)[:, 0, 0, 0]
    np.testing.assert_array_equal(data.every_label(every), LABELS[grey])
    assert "instance" not in data.factors


def test_an_image_in_place_of_another_makes_it_labelled(tmp_path: Path) -> None:
    folder = write(tmp_path / "norb", files(keep=np.r_[1, 1:120]))
    assert not isinstance(smallnorb.open(at(tmp_path, file=folder)), Grid)


def test_downloaded_files_are_found(tmp_path: Path) -> None:
    write(tmp_path / "downloads", files())
    assert len(smallnorb.open(at(tmp_path))) == COUNT


def test_the_record_has_a_checksum_of_each_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "norb", files())
    data = smallnorb.open(at(tmp_path, file=folder))
    assert data.source.count("not the published file") == 6


def test_what_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError) as caught:
        smallnorb.open(at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare smallnorb --file" in message
    assert "disentangle data prepare smallnorb --download" in message
    for name in files():
        assert f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/{name}.gz" in message
    assert "for research" in message


CAT, INFO, DAT = f"{TESTING}-cat.mat", f"{TESTING}-info.mat", f"{TESTING}-dat.mat"
WRONG: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "empty": (DAT, lambda data: b"", "ends too early"),
    "text": (DAT, lambda data: b"<html>404</html>" * 99, "not a matrix of bytes"),
    "short": (DAT, lambda data: data[:-1], "ends too early"),
    "long": (DAT, lambda data: data + b"0", "longer than its header says"),
    "only a header": (CAT, lambda data: data[:12], "ends too early"),
    "short labels": (CAT, lambda data: data[:-4], "ends too early"),
    "long labels": (INFO, lambda data: data + b"0000", "longer than its header says"),
    "big-endian": (CAT, lambda data: data[3::-1] + data[4:], "not a matrix of integers"),
    "bytes for integers": (
        CAT,
        lambda _: matrix(np.zeros(120, np.uint8)),
        "not a matrix of integers",
    ),
    "integers for bytes": (DAT, lambda _: matrix(np.zeros((120, 2, 96, 96), np.int32)), "of bytes"),
    "nine dimensions": (DAT, lambda data: data[:4] + b"\x09" + data[5:], "not a matrix"),
    "one camera": (DAT, lambda _: matrix(pairs(half(TESTING))[:, :1]), r"\(120, 1, 96, 96\)"),
    "few images": (DAT, lambda _: matrix(pairs(half(TESTING)[1:])), r"\(119, 2, 96, 96\)"),
    "flat images": (DAT, lambda _: matrix(np.zeros((120, 96, 96), np.uint8)), "expected shape"),
    "few categories": (CAT, lambda _: matrix(np.zeros(119, np.int32)), "has 119 labels"),
    "negative size": (CAT, lambda data: data[:8] + b"\xff" * 4 + data[12:], "expected shape"),
    "no labels": (CAT, lambda _: matrix(np.zeros(0, np.int32)), "expected shape"),
    "category 5": (
        CAT,
        lambda _: matrix(np.full(120, 5, np.int32)),
        "expected the categories 0 to 4",
    ),
    "negative category": (
        CAT,
        lambda _: matrix(np.full(120, -1, np.int32)),
        "expected the categories",
    ),
    "three columns": (INFO, lambda _: matrix(np.zeros((120, 3), np.int32)), r"\(120, 3\)"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, wrong: str, packed: bool) -> None:
    name, change, reason = WRONG[wrong]
    content = files()
    content[name] = change(content[name])
    folder = write(tmp_path / "norb", content, packed)
    with pytest.raises(DisentangleError, match=reason) as caught:
        smallnorb.open(at(tmp_path, file=folder))
    check(str(caught.value), folder, tmp_path)


def check(message: str, folder: Path, place: Path) -> None:
    assert str(folder) in message
    assert "\n" not in message
    assert {left.name for left in place.glob("smallnorb/*")} <= {".lock"}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def other_checksum(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)


def unpacked(path: Path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes()))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (cut, "cannot use"),
    "damaged": (other_checksum, "CRC"),
    "not packed": (unpacked, "cannot use"),
    "missing": (Path.unlink, "is missing; smallNORB is six files in one folder"),
}


@pytest.mark.parametrize("name", [CAT, INFO, DAT])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_packed_file_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    harm, reason = DAMAGE[damage]
    folder = write(tmp_path / "norb", files())
    harm(folder / f"{name}.gz")
    with pytest.raises(DisentangleError, match=reason) as caught:
        smallnorb.open(at(tmp_path, file=folder))
    assert f"{name}.gz" in str(caught.value)
    check(str(caught.value), folder, tmp_path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.touch, "it is an empty file"),
        (Path.mkdir, "six files in one folder"),
        (partial(Path.write_bytes, data=b"0"), "six files in one folder"),
    ],
)
def test_what_is_no_folder_of_the_six_files_is_refused(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    make(tmp_path / "norb")
    with pytest.raises(DisentangleError, match=reason) as caught:
        smallnorb.open(at(tmp_path, file=tmp_path / "norb"))
    check(str(caught.value), tmp_path / "norb", tmp_path)


def test_it_keeps_the_rules_of_a_dataset(tmp_path: Path) -> None:
    data = smallnorb.open(at(tmp_path, file=write(tmp_path / "norb", files())))
    for check in check_dataset(data):
        check()
