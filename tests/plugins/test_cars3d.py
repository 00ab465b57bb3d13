"""Cars3D from small files in the official layout, and the ways in which files go wrong."""

import gzip
import io
import shutil
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from disentangle.contracts.dataset import Grid
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import cars3d

NAMES = ["car_001_mesh", "car_010_mesh", "car_100_mesh"]
AZIMUTHS, ELEVATIONS = 3, 2
PLAIN = np.empty((3, 128, 128, 3, AZIMUTHS, ELEVATIONS), np.uint8)  # one colour per image
PLAIN[:] = 10 + 20 * np.stack(np.indices((3, AZIMUTHS, ELEVATIONS)))[:, :, None, None].transpose(
    1, 2, 3, 0, 4, 5
)
NOISE = np.random.default_rng(0).integers(0, 256, PLAIN.shape, np.uint8)


def at(folder: Path, **options: Any) -> Location:
    """Return the location that the cars have in a data folder."""
    return Location(
        folder=folder / "cars3d", downloads=folder / "downloads", name="cars3d", **options
    )


def mat(compress: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=compress)
    return file.getvalue()


def files(cars: np.ndarray = PLAIN, **options: Any) -> dict[str, bytes]:
    """Return the files of the official archive, with few views of few cars."""
    mask = np.zeros((128, 128, *cars.shape[4:]), np.uint8)
    return {
        "data/cars/list.txt": "\n".join(NAMES[::-1]).encode(),
        "data/shapes48.mat": mat(im=np.zeros(3)),
        "data/sprites/sprites_1.mat": mat(im=np.zeros(3)),
        **{
            f"data/cars/{name}.mat": mat(im=car, mask=mask, **options)
            for name, car in zip(NAMES, cars, strict=True)
        },
    }


def as_tar(path: Path, content: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def as_folder(path: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


SOURCES: dict[str, Callable[[Path], Path]] = {
    "tar.gz": lambda path: as_tar(path, files(), "w:gz"),
    "tar": lambda path: as_tar(path, files()),
    "folder": lambda path: as_folder(path, files()),
    "folder data": lambda path: as_folder(path, files()) / "data",
    "folder cars": lambda path: as_folder(path, files()) / "data" / "cars",
    "compressed cars": lambda path: as_folder(path, files(compress=True)),
}


@pytest.mark.parametrize("source", SOURCES)
def test_pixels_fit_the_labels(tmp_path: Path, source: str) -> None:
    data = cars3d.open(at(tmp_path, file=SOURCES[source](tmp_path / "source")))
    assert isinstance(data, Grid)
    every = np.arange(len(data))
    colours = data.images(every).numpy()
    assert (colours == colours[:, :, :1, :1]).all()
    np.testing.assert_array_equal((colours[:, :, 0, 0].astype(int) - 10) / 20, data.labels(every))


def test_it_is_a_grid_of_identity_azimuth_and_elevation(tmp_path: Path) -> None:
    data = cars3d.open(at(tmp_path, file=as_tar(tmp_path / "cars.tar", files())))
    assert isinstance(data, Grid)
    assert dict(data.factors) == {"identity": 3, "azimuth": AZIMUTHS, "elevation": ELEVATIONS}
    assert data.image_shape == (3, 64, 64)
    assert list(data.values["identity"]) == NAMES


def test_images_are_resized_as_by_thumbnail(tmp_path: Path) -> None:
    data = cars3d.open(at(tmp_path, file=as_tar(tmp_path / "cars.tar", files(NOISE))))
    assert isinstance(data, Grid)
    for labels in np.ndindex(3, AZIMUTHS, ELEVATIONS):
        car, azimuth, elevation = labels
        image = Image.fromarray(NOISE[car, :, :, :, azimuth, elevation].copy())
        image.thumbnail((64, 64), Image.Resampling.LANCZOS)  # as the reference implementation does
        ours = data.images(data.index(labels))[0].permute(1, 2, 0)
        np.testing.assert_array_equal(ours, np.asarray(image))


def test_nothing_unpacked_is_left(tmp_path: Path) -> None:
    cars3d.open(at(tmp_path, file=as_tar(tmp_path / "cars.tar.gz", files(), "w:gz")))
    left = [path.name for path in sorted(tmp_path.glob("cars3d/[!.]*"))]
    assert [name.partition("-")[0] for name in left] == ["images", "prepared.json"]


def test_a_downloaded_archive_is_found(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    as_tar(tmp_path / "downloads" / "nips2015-analogy-data.tar.gz", files(), "w:gz")
    assert len(cars3d.open(at(tmp_path))) == 3 * AZIMUTHS * ELEVATIONS


def test_prepared_images_do_not_need_the_files(tmp_path: Path) -> None:
    source = as_folder(tmp_path / "source", files())
    fingerprint = cars3d.open(at(tmp_path, file=source)).fingerprint
    shutil.rmtree(source)
    said: list[str] = []
    assert cars3d.open(at(tmp_path, say=said.append)).fingerprint == fingerprint
    assert said == []


def test_progress_goes_up_to_all_images(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    source = as_tar(tmp_path / "cars.tar", files())
    cars3d.open(at(tmp_path, file=source, progress=lambda *now: done.append(now)))
    assert done == [(6, 18), (12, 18), (18, 18)]


def test_the_record_says_what_was_read(tmp_path: Path) -> None:
    folder = cars3d.open(at(tmp_path / "1", file=as_folder(tmp_path / "mine", files())))
    tar = cars3d.open(at(tmp_path / "2", file=as_tar(tmp_path / "mine.tar", files())))
    assert folder.source == "folder mine"
    assert tar.source == "mine.tar, not the published file"
    assert folder.fingerprint == tar.fingerprint


def test_what_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError) as caught:
        cars3d.open(at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare cars3d --file" in message
    assert "disentangle data prepare cars3d --download" in message
    assert "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz" in message
    assert "Licence: unstated" in message


def second(content: bytes) -> dict[str, bytes]:
    """Return the official files with another second car."""
    return files() | {"data/cars/car_010_mesh.mat": content}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


MATS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "cannot use"),
    "text": (b"<html>404</html>" * 99, "cannot use"),
    "truncated": (mat(im=PLAIN[1])[:-1000], "cannot use"),
    "damaged": (flipped(mat(compress=True, im=NOISE[1]), 5000), "cannot use"),
    "another key": (mat(image=PLAIN[1]), "has no array 'im'"),
    "fewer azimuths": (mat(im=PLAIN[1][..., :2, :]), r"same azimuths and elevations.*got \(2, 2\)"),
    "no elevations": (
        mat(im=PLAIN[1][..., 0]),
        r"expected 'im' as uint8 .*, got uint8 \(128, 128, 3, 3\)",
    ),
    "small": (mat(im=PLAIN[1][:64, :64]), r"got uint8 \(64, 64, 3, 3, 2\)"),
    "floats": (mat(im=PLAIN[1] / 255), "got double"),
    "cells": (mat(im=np.array([{}, "a"], object)), "got cell"),
}


def test_a_car_that_would_fill_memory_is_unpacked_no_further(tmp_path: Path) -> None:
    bomb = mat(compress=True, im=PLAIN[0])[:128]
    for size in (2**25, 2**25, 2**25):  # each is small enough, all of them are not
        packed = zlib.compress(bytes(size))
        bomb += struct.pack("<II", 15, len(packed)) + packed
    good = cars3d.open(at(tmp_path, file=as_folder(tmp_path / "good", files())))
    source = as_folder(tmp_path / "bomb", second(bomb))
    tracemalloc.start()
    with pytest.raises(DisentangleError, match="it unpacks to more than 64 MiB"):
        cars3d.open(at(tmp_path, file=source))
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()
    assert cars3d.open(at(tmp_path)).fingerprint == good.fingerprint


@pytest.mark.parametrize("wrong", MATS)
def test_a_wrong_car_is_refused(tmp_path: Path, wrong: str) -> None:
    content, reason = MATS[wrong]
    source = as_tar(tmp_path / "cars.tar.gz", second(content), "w:gz")
    with pytest.raises(DisentangleError, match=reason) as caught:
        cars3d.open(at(tmp_path, file=source))
    assert str(source) in str(caught.value)
    assert "data/cars/car_010_mesh.mat" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {left.name for left in tmp_path.glob("cars3d/*")} <= {".lock"}


def truncated(path: Path) -> None:
    as_tar(path, files(NOISE), "w:gz")
    path.write_bytes(path.read_bytes()[:-1000])


def no_cars(path: Path) -> None:
    as_tar(path, {name: data for name, data in files().items() if "/cars/" not in name})


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "empty": (Path.touch, "."),
    "empty folder": (Path.mkdir, "no cars in it"),
    "text": (lambda path: path.write_bytes(b"<html>404</html>"), "it is a web page"),
    "packed text": (lambda path: path.write_bytes(gzip.compress(b"<html>404</html>")), "."),
    "truncated": (truncated, "cannot unpack"),
    "no cars": (no_cars, "no cars in it; expected files data/cars/NAME.mat"),
    "no views": (partial(as_tar, content=files(PLAIN[..., :0, :])), "cannot use"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_archive_is_refused(tmp_path: Path, wrong: str) -> None:
    make, reason = WRONG[wrong]
    path = tmp_path / "wrong.tar.gz"
    make(path)
    with pytest.raises(DisentangleError, match=reason) as caught:
        cars3d.open(at(tmp_path, file=path))
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {left.name for left in tmp_path.glob("cars3d/*")} <= {".lock"}


def test_it_keeps_the_rules_of_a_dataset(tmp_path: Path) -> None:
    data = cars3d.open(at(tmp_path, file=as_tar(tmp_path / "cars.tar", files())))
    for check in check_dataset(data):
        check()
