"""MPI3D from small files in both layouts, and the ways in which files go wrong."""

import os
import zipfile
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disentangle.contracts.dataset import Dataset, Grid
from disentangle.data.download import checksum
from disentangle.data.location import Location, about_of
from disentangle.data.manifest import read_manifest
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import mpi3d

NAMES = [
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
]
SIZES = (3, 2, 2, 1, 2, 2, 4)
COUNT = prod(SIZES)
LABELS = np.stack(np.unravel_index(np.arange(COUNT), SIZES), 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 64, 64, 3), np.uint8)
IMAGES[:, 0, :7, 0] = LABELS  # so that each image tells its labels
AXES = IMAGES.reshape(*SIZES, 64, 64, 3)
VERSIONS: dict[str, Callable[[Location], Dataset]] = {
    "toy": mpi3d.open_toy,
    "realistic": mpi3d.open_realistic,
    "real": mpi3d.open_real,
}


def at(folder: Path, version: str = "toy", **options: Any) -> Location:
    """Return the location that a version has in a data folder."""
    name = f"mpi3d-{version}"
    return Location(folder=folder / name, downloads=folder / "downloads", name=name, **options)


def write(path: Path, images: np.ndarray = AXES) -> Path:
    np.savez(path, images=images)
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_an_axis_for_each_factor_makes_a_grid(tmp_path: Path, version: str) -> None:
    data = VERSIONS[version](at(tmp_path, version, file=write(tmp_path / "mine.npz")))
    assert isinstance(data, Grid)
    assert dict(data.every_factor) == dict(zip(NAMES, SIZES, strict=True))
    assert data.image_shape == (3, 64, 64)
    np.testing.assert_array_equal(data.images(data.index(LABELS))[:, 0, 0, :7], LABELS)


@pytest.mark.parametrize("compress", [np.savez, np.savez_compressed])
def test_images_come_in_the_files_order(tmp_path: Path, compress: Callable[..., None]) -> None:
    compress(tmp_path / "mine.npz", images=AXES)
    data = mpi3d.open_toy(at(tmp_path, file=tmp_path / "mine.npz"))
    np.testing.assert_array_equal(data.images(np.arange(COUNT)).permute(0, 2, 3, 1), IMAGES)


@pytest.mark.parametrize("block", [5, COUNT, 4096])
def test_the_official_form_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(mpi3d, "FACTORS", dict(zip(NAMES, SIZES, strict=True)))
    monkeypatch.setattr(mpi3d, "BLOCK", block)
    done: list[tuple[int, int]] = []
    place = at(
        tmp_path,
        file=write(tmp_path / "flat.npz", IMAGES),
        progress=lambda *now: done.append(now),
    )
    data = mpi3d.open_real(place)
    assert isinstance(data, Grid)
    assert tuple(data.every_factor.values()) == SIZES
    np.testing.assert_array_equal(data.images(np.arange(COUNT)).permute(0, 2, 3, 1), IMAGES)
    assert done == [(min(n, COUNT), COUNT) for n in range(block, COUNT + block, block)]


def test_the_factors_are_those_of_the_paper() -> None:
    assert mpi3d.FACTORS == dict(zip(NAMES, (6, 6, 2, 3, 3, 40, 40), strict=True))
    assert {about_of(opener).images for opener in VERSIONS.values()} == {1_036_800}


def test_each_version_has_a_file_of_its_own() -> None:
    files = [about_of(opener).files[0] for opener in VERSIONS.values()]
    assert [f.name for f in files] == [f"mpi3d_{version}.npz" for version in VERSIONS]
    assert len({f.checksum for f in files}) == len({f.urls for f in files}) == 3


SHORT_COMPLEX = {
    "object_color": ("yellow", "green", "olive", "red"),
    "object_shape": ("coffee-cup", "tennis-ball"),
    "object_size": ("small", "large"),
    "camera_height": ("top",),
    "background_color": ("purple", "sea-green"),
    "horizontal_axis": range(2),
    "vertical_axis": range(3),
}


def complex_at(folder: Path, **options: Any) -> Location:
    return at(folder, "complex", **options)


def test_the_complex_version_has_factors_of_its_own() -> None:
    """As in the table of the authors' README, whose rows have this order."""
    assert list(mpi3d.COMPLEX) == NAMES
    assert [len(values) for values in mpi3d.COMPLEX.values()] == [4, 4, 2, 3, 3, 40, 40]
    assert mpi3d.COMPLEX["object_color"] == ("yellow", "green", "olive", "red")
    assert mpi3d.COMPLEX["object_shape"] == ("coffee-cup", "tennis-ball", "croissant", "beer-cup")
    about = about_of(mpi3d.open_complex)
    assert (about.images, about.licence) == (460_800, "CC BY 4.0")
    assert about.files[0].name == "real3d_complicated_shapes_ordered.npz"


def test_the_official_form_of_the_complex_version_has_named_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpi3d, "COMPLEX", SHORT_COMPLEX)
    sizes = [len(values) for values in SHORT_COMPLEX.values()]
    labels = np.stack(np.unravel_index(np.arange(prod(sizes)), sizes), 1)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 64, 64, 3), np.uint8)
    images[:, 0, :7, 0] = labels
    data = mpi3d.open_complex(complex_at(tmp_path, file=write(tmp_path / "flat.npz", images)))
    assert isinstance(data, Grid)
    assert data.values == {name: tuple(map(str, v)) for name, v in SHORT_COMPLEX.items()}
    np.testing.assert_array_equal(data.images(data.index(labels))[:, 0, 0, :7], labels)
    held = data.view(hold_out=["object_color=olive,object_shape=tennis-ball"], split="test")
    assert set(held.images(np.arange(len(held)))[:, 0, 0, 0].tolist()) == {2}


def test_the_published_values_name_only_axes_of_their_size(tmp_path: Path) -> None:
    """A shorter axis leaves out values, and the array does not say which."""
    data = mpi3d.open_complex(complex_at(tmp_path, file=write(tmp_path / "mine.npz")))
    assert isinstance(data, Grid)
    assert tuple(data.every_factor.values()) == SIZES
    assert data.values["object_color"] == ("0", "1", "2")
    assert data.values["object_size"] == ("small", "large")


def test_another_version_in_place_of_the_complex_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mpi3d_real.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1_036_800, 64, 64, 3)}
        np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(
        DisentangleError, match=r"\(460800, 64, 64, 3\), got uint8 \(1036800, 64"
    ) as e:
        mpi3d.open_complex(complex_at(tmp_path, file=path))
    assert "\n" not in str(e.value)
    assert {left.name for left in tmp_path.glob("mpi3d-complex/*")} <= {".lock"}


def test_the_complex_version_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError, match="is not prepared") as caught:
        mpi3d.open_complex(complex_at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare mpi3d-complex --file PATH" in message
    assert "drive.usercontent.google.com" in message
    assert "real3d_complicated_shapes_ordered.npz" in message


def test_the_record_of_the_complex_version_holds_the_checksum_of_the_file(tmp_path: Path) -> None:
    """None is published, so no file is called official or otherwise."""
    path = write(tmp_path / "real3d_complicated_shapes_ordered.npz")
    data = mpi3d.open_complex(complex_at(tmp_path, file=path))
    assert data.source == "real3d_complicated_shapes_ordered.npz"
    manifest = read_manifest(tmp_path / "mpi3d-complex")
    assert manifest.files == {path.name: checksum(path, "sha256")}


def test_prepared_images_do_not_need_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.npz")
    fingerprint = mpi3d.open_toy(at(tmp_path, file=path)).fingerprint
    path.unlink()
    said: list[str] = []
    assert mpi3d.open_toy(at(tmp_path, say=said.append)).fingerprint == fingerprint
    assert said == []


def test_folder_of_the_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "mpi3d_toy.npz").parent
    assert len(mpi3d.open_toy(at(tmp_path / "data", file=folder))) == COUNT


def test_the_record_says_that_a_file_is_not_the_published_one(tmp_path: Path) -> None:
    data = mpi3d.open_real(at(tmp_path, file=write(tmp_path / "mine.npz")))
    assert data.source == "mine.npz, not the published file"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_not_there_is_explained(tmp_path: Path, version: str) -> None:
    with pytest.raises(DisentangleError) as caught:
        VERSIONS[version](at(tmp_path, version))
    message = str(caught.value)
    assert f"disentangle data prepare mpi3d-{version} --file" in message
    assert f"disentangle data prepare mpi3d-{version} --download" in message
    assert (
        f"https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/mpi3d_{version}.npz"
        in message
    )
    assert (
        f"https://storage.googleapis.com/disentanglement_dataset/Final_Dataset/mpi3d_{version}.npz"
        in message
    )
    assert "CC BY 4.0" in message


def truncated(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:-1000])


def damaged(path: Path) -> None:
    np.savez_compressed(path, images=AXES)
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)


def a_bit_flipped(path: Path) -> None:
    write(path)  # not compressed: the checksum alone shows it
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)


def cut_inside(images: np.ndarray, path: Path) -> None:
    """Write fewer images than the header promises."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (*SIZES, 64, 64, 3)}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(images.tobytes())


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "cannot use"),
    "pipe": (os.mkfifo, "neither a regular file nor a folder"),
    "empty": (Path.touch, "it is an empty file"),
    "text": (lambda path: path.write_bytes(b"<html>404</html>"), "a web page"),
    "truncated": (truncated, "damaged or truncated"),
    "damaged": (damaged, "cannot use"),
    "a bit flipped": (a_bit_flipped, "Bad CRC-32"),
    "fewer images than promised": (partial(cut_inside, IMAGES[:-1]), "ends too early"),
    "more images than promised": (partial(cut_inside, np.repeat(IMAGES, 2, 0)), "is longer"),
    "another key": (lambda path: np.savez(path, imgs=AXES), "expected an array 'images', got imgs"),
    "no arrays": (lambda path: zipfile.ZipFile(path, "w").close(), "got no array"),
    "objects": (lambda path: write(path, np.array([{}])), "Python objects"),
    "floats": (partial(write, images=AXES[..., :1, :1].astype(float)), "float64"),
    "flat and small": (partial(write, images=IMAGES), "store an array with one axis per factor"),
    "six axes": (partial(write, images=AXES[0]), "images are labelled only by their order"),
    "small images": (partial(write, images=AXES[..., :32, :, :]), "expected 'images' as uint8"),
    "nothing in it": (partial(write, images=AXES[:0]), "no image"),
    "Fortran order": (partial(write, images=np.asfortranarray(AXES)), "Fortran order"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, wrong: str) -> None:
    make, reason = WRONG[wrong]
    path = tmp_path / "wrong.npz"
    make(path)
    with pytest.raises(DisentangleError, match=reason) as caught:
        mpi3d.open_toy(at(tmp_path, file=path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {left.name for left in tmp_path.glob("mpi3d-toy/*")} <= {".lock"}


def test_it_keeps_the_rules_of_a_dataset(tmp_path: Path) -> None:
    data = mpi3d.open_toy(at(tmp_path, file=write(tmp_path / "mine.npz")))
    for check in check_dataset(data):
        check()
