"""3D Shapes from small files in the official layout, and the ways in which files go wrong."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from disentangle.contracts.dataset import Grid, Labelled
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import shapes3d

NAMES = ["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"]
VALUES = [[0, 0.5, 1], [0, 1], [0, 1], [0.75, 1.25], [0, 3], [-30, 30]]
LABELS = np.stack(np.unravel_index(np.arange(96), [len(v) for v in VALUES]), 1)  # [96, 6]
TABLE = np.stack([np.array(v, float)[c] for v, c in zip(VALUES, LABELS.T, strict=True)], 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (96, 64, 64, 3), np.uint8)
IMAGES[:, 0, :6, 0] = LABELS  # so that each image tells its labels
LAYOUTS: dict[str, dict[str, Any]] = {
    "in one piece": {},
    "whole images": {"chunks": (7, 64, 64, 3), "compression": "gzip"},
    "parts of many images": {"chunks": (40, 16, 16, 1), "compression": "gzip"},
}


def at(folder: Path, **options: Any) -> Location:
    """Return the location that 3D Shapes has in a data folder."""
    return Location(
        folder=folder / "shapes3d", downloads=folder / "downloads", name="shapes3d", **options
    )


def write(path: Path, rows: Any = slice(None), **layout: Any) -> Path:
    """Write some rows of the grid in the official layout."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=IMAGES[rows], **layout)
        file.create_dataset("labels", data=TABLE[rows])
    return path


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("shapes3d/*")} - {".lock"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_come_in_the_files_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr(shapes3d, "BLOCK", 10 * 64 * 64 * 3)  # several blocks, the last one short
    path = write(tmp_path / "3dshapes.h5", **LAYOUTS[layout])
    data = shapes3d.open(at(tmp_path, file=path))
    assert data.image_shape == (3, 64, 64)
    np.testing.assert_array_equal(data.images(np.arange(96)).permute(0, 2, 3, 1), IMAGES)


def test_it_is_a_grid_of_the_six_factors(tmp_path: Path) -> None:
    data = shapes3d.open(at(tmp_path, file=write(tmp_path / "3dshapes.h5")))
    assert isinstance(data, Grid)
    assert dict(data.factors) == dict(zip(NAMES, (3, 2, 2, 2, 2, 2), strict=True))
    index = data.index(LABELS)
    np.testing.assert_array_equal(data.images(index)[:, 0, 0, :6], LABELS)


def test_factors_have_the_files_values(tmp_path: Path) -> None:
    data = shapes3d.open(at(tmp_path, file=write(tmp_path / "3dshapes.h5")))
    assert isinstance(data, Labelled)
    assert [list(map(float, data.values[name])) for name in NAMES] == VALUES
    part = data.view(split="test", hold_out=["floor_hue=0.5,orientation=-30"])
    assert len(part) == 16


def test_each_chunk_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes3d, "BLOCK", 1)
    path = write(tmp_path / "3dshapes.h5", **LAYOUTS["parts of many images"])
    blocks = list(shapes3d._blocks(path))
    assert [len(block) for block in blocks] == [40, 40, 16]


ROWS = {
    "missing": np.arange(1, 96),
    "twice": np.r_[4, 4, np.arange(2, 96)],
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_other_rows_are_labelled_and_no_grid(tmp_path: Path, rows: np.ndarray) -> None:
    path = write(tmp_path / "3dshapes.h5", rows)
    said: list[str] = []
    data = shapes3d.open(at(tmp_path, file=path, say=said.append))
    assert isinstance(data, Labelled)
    assert not isinstance(data, Grid)
    assert any("instead of a grid" in text for text in said)
    every = np.arange(len(rows))
    pixels = np.asarray(data.images(every)[:, 0, 0, :6])
    values = [np.array(data.values[name], float) for name in NAMES]
    labels = data.every_label(every)
    for k in range(6):
        np.testing.assert_array_equal(values[k][labels[:, k]], np.array(VALUES[k])[pixels[:, k]])


def test_every_combination_in_another_order_is_put_in_order(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(96)
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file["images"], file["labels"] = IMAGES[shuffled], TABLE[shuffled]
    data = shapes3d.open(at(tmp_path, file=tmp_path / "3dshapes.h5"))
    assert isinstance(data, Grid)
    np.testing.assert_array_equal(data.images(np.arange(96)).permute(0, 2, 3, 1), IMAGES)


def test_folder_of_the_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "3dshapes.h5").parent
    assert len(shapes3d.open(at(tmp_path / "data", file=folder))) == 96


def test_progress_goes_up_to_all_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes3d, "BLOCK", 50 * 64 * 64 * 3)
    done: list[tuple[int, int]] = []
    path = write(tmp_path / "3dshapes.h5")
    shapes3d.open(at(tmp_path, file=path, progress=lambda *now: done.append(now)))
    assert done == [(50, 96), (96, 96)]


def test_prepared_images_need_neither_the_file_nor_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "3dshapes.h5")
    fingerprint = shapes3d.open(at(tmp_path, file=path)).fingerprint
    path.unlink()
    monkeypatch.setitem(sys.modules, "h5py", None)
    said: list[str] = []
    assert shapes3d.open(at(tmp_path, say=said.append)).fingerprint == fingerprint
    assert said == []


def test_the_record_says_that_a_file_is_not_the_published_one(tmp_path: Path) -> None:
    said: list[str] = []
    path = write(tmp_path / "mine.h5")
    data = shapes3d.open(at(tmp_path, file=path, say=said.append))
    assert data.source == "mine.h5, not the published file"
    assert "not the published file" in said[0]


def test_a_downloaded_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    write(tmp_path / "downloads" / "3dshapes.h5")
    assert len(shapes3d.open(at(tmp_path))) == 96


def test_without_h5py_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "3dshapes.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DisentangleError, match=r"pip install 'disentangle-bench\[h5\]'"):
        shapes3d.open(at(tmp_path, file=path))
    assert left_behind(tmp_path) == set()


def test_what_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError) as caught:
        shapes3d.open(at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare shapes3d --file" in message
    assert "disentangle data prepare shapes3d --download (268 MB)" in message
    assert "https://storage.googleapis.com/3d-shapes/3dshapes.h5" in message
    assert "Apache-2.0" in message


def replaced(key: str, array: Any, path: Path) -> None:
    """Write the file with another array in place of one, or without it."""
    write(path)
    with h5py.File(path, "a") as file:
        del file[key]
        if array is not None:
            file[key] = array


def stored_outside(path: Path) -> None:
    write(path)
    raw = path.with_suffix(".raw")
    raw.write_bytes(IMAGES.tobytes())
    with h5py.File(path, "a") as file:
        del file["images"]
        external = [(os.fspath(raw), 0, IMAGES.nbytes)]
        file.create_dataset("images", IMAGES.shape, np.uint8, external=external)


def virtual(path: Path) -> None:
    other = write(path.with_suffix(".other.h5"))
    replaced("images", None, path)
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(other, "images", IMAGES.shape, np.uint8)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("images", layout)


def external_link(path: Path) -> None:
    other = write(path.with_suffix(".other.h5"))
    replaced("images", h5py.ExternalLink(os.fspath(other), "images"), path)


def group(path: Path) -> None:
    replaced("images", None, path)
    with h5py.File(path, "a") as file:
        file.create_group("images")


def truncated(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:-1000])


def damaged(path: Path) -> None:
    write(path, **LAYOUTS["whole images"])
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info(5).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 2000 : place + 3000] = bytes(1000)
    path.write_bytes(content)


def empty(path: Path, images: int, **layout: Any) -> None:
    """Write a file of a few KB whose arrays are large and not there."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (images, 64, 64, 3), np.uint8, **layout)
        file.create_dataset("labels", (images, 6), float)


def large_chunk(path: Path) -> None:
    write(path)
    with h5py.File(path, "a") as file:
        del file["images"]
        chunks = {"chunks": (50_000, 64, 64, 3), "compression": "gzip"}
        file.create_dataset("images", (50_000, 64, 64, 3), np.uint8, **chunks)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "neither a regular file nor a folder"),
    "not there": (partial(empty, images=10**6), "stores only a small part of it"),
    "giant": (partial(empty, images=10**12), "stores only a small part of it"),
    "large chunk": (large_chunk, r"has chunks \(50000, 64, 64, 3\), larger than"),
    "long chunk": (partial(empty, images=10**6, chunks=(10**6, 1, 1, 1)), "larger than"),
    "missing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "is a folder"),
    "empty": (Path.touch, "cannot use"),
    "not HDF5": (lambda path: path.write_bytes(b"<html>404</html>" * 99), "cannot use"),
    "truncated": (truncated, "truncated"),
    "damaged": (damaged, "cannot use"),
    "no images": (partial(replaced, "images", None), "has no array 'images'"),
    "no labels": (partial(replaced, "labels", None), "has no array 'labels'"),
    "a group": (group, "has no array 'images'"),
    "external link": (external_link, "has no array 'images' stored in the file itself"),
    "soft link": (partial(replaced, "images", h5py.SoftLink("/labels")), "in the file itself"),
    "stored outside": (stored_outside, "has no array 'images' stored in the file itself"),
    "virtual": (virtual, "has no array 'images' stored in the file itself"),
    "small images": (partial(replaced, "images", IMAGES[:, :32]), r"got uint8 \(96, 32, 64, 3\)"),
    "flat images": (
        partial(replaced, "images", IMAGES.reshape(96, -1)),
        "expected 'images' as uint8",
    ),
    "one number": (partial(replaced, "images", 3), "expected 'images' as uint8"),
    "nothing in it": (partial(write, rows=slice(0)), r"\(0, 64, 64, 3\)"),
    "float images": (partial(replaced, "images", np.zeros((96, 64, 64, 3))), "float64"),
    "few labels": (
        partial(replaced, "labels", TABLE[:50]),
        r"as numbers \(96, 6\), got .*\(50, 6\)",
    ),
    "five factors": (partial(replaced, "labels", TABLE[:, :5]), r"\(96, 5\)"),
    "labels in words": (
        partial(replaced, "labels", TABLE.astype("S4")),
        "expected 'labels' as numbers",
    ),
    "NaN labels": (partial(replaced, "labels", np.full((96, 6), np.nan)), "NaN or infinity"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, wrong: str) -> None:
    make, reason = WRONG[wrong]
    path = tmp_path / "wrong.h5"
    make(path)
    with pytest.raises(DisentangleError, match=reason) as caught:
        shapes3d.open(at(tmp_path, file=path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_more_images_than_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes3d, "LIMIT", 95)
    path = write(tmp_path / "3dshapes.h5")
    with pytest.raises(DisentangleError, match="with N up to 95"):
        shapes3d.open(at(tmp_path, file=path))


def test_it_keeps_the_rules_of_a_dataset(tmp_path: Path) -> None:
    data = shapes3d.open(at(tmp_path, file=write(tmp_path / "3dshapes.h5")))
    for check in check_dataset(data):
        check()
