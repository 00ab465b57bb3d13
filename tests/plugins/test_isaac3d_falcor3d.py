"""Isaac3D and Falcor3D from small archives in the published layout, and how these go wrong."""

import io
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from disentangle.contracts.dataset import Dataset, Grid, Labelled
from disentangle.data.download import checksum
from disentangle.data.location import Location, about_of
from disentangle.data.manifest import read_manifest
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import isaac3d_falcor3d as leaf

Files = dict[str, bytes]
Opener = Callable[[Location], Dataset]

ISAAC = (1, 2, 3, 1, 2, 1, 1, 2, 1)  # sizes of a small Isaac3D; those published are 3, 8, 5, ...
FALCOR = (2, 1, 3, 1, 2, 1, 2)
FOLDERS = {"isaac3d": "Isaac3D_down128/", "falcor3d": "Falcor3D_down128/"}
TABLES = {"isaac3d": "labels.npy", "falcor3d": "train-rec.labels"}
SIZES = {"isaac3d": ISAAC, "falcor3d": FALCOR}
OPENERS: dict[str, Opener] = {"isaac3d": leaf.open_isaac, "falcor3d": leaf.open_falcor}
LARGE: dict[str, Opener] = {"isaac3d": leaf.open_isaac_128, "falcor3d": leaf.open_falcor_128}
BOTH = pytest.mark.parametrize("name", OPENERS)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def cells(sizes: tuple[int, ...]) -> np.ndarray:
    """The labels of a grid in row-major order, [N, K]."""
    return np.stack(np.unravel_index(np.arange(prod(sizes)), sizes), 1)


def colour(cell: np.ndarray) -> list[int]:
    """The colour of an image's lower half, which tells the cell that it shows."""
    rng = np.random.default_rng(cell)
    return rng.integers(0, 256, 3).tolist()


def pixels(cell: np.ndarray) -> np.ndarray:
    """An image [128, 128, 3]: noise above, and the telling colour below."""
    image = np.random.default_rng([7, *cell]).integers(0, 256, (128, 128, 3), np.uint8)
    image[64:] = colour(cell)
    return image


def published(name: str, order: np.ndarray | None = None) -> Files:
    """The files of a small version, whose rows are the cells of a grid in this order.

    A factor's values are evenly spaced from 0 to 1, as the authors' README says.
    """
    grid = cells(SIZES[name])
    rows = grid if order is None else grid[order]
    values = rows / np.maximum(np.array(SIZES[name]) - 1, 1)
    images = {f"images/{i:06}.png": png(pixels(row)) for i, row in enumerate(rows)}
    files = {TABLES[name]: npy(values), **images}
    return {FOLDERS[name] + path: content for path, content in files.items()}


def write_zip(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip, with its members in an order that means nothing."""
    order = np.random.default_rng(0).permutation(len(files))
    with zipfile.ZipFile(path, "w", method) as archive:
        for key in (list(files)[i] for i in order):
            archive.writestr(key, files[key])
    return path


def write_tar(path: Path, files: Files, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for key, content in files.items():
            info = tarfile.TarInfo(key)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_folder(path: Path, files: Files) -> Path:
    for key, content in files.items():
        (path / key).parent.mkdir(parents=True, exist_ok=True)
        (path / key).write_bytes(content)
    return path


def at(folder: Path, name: str = "isaac3d", **options: Any) -> Location:
    data = folder / "data"
    return Location(folder=data / name, downloads=data / "downloads", name=name, **options)


def left_behind(folder: Path) -> set[str]:
    names = {path.name for path in (folder / "data").rglob("*") if path.is_file()} - {".lock"}
    return {re.sub(r"-[0-9a-f]{8}\.npy$", ".npy", name) for name in names}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both zips, and both datasets prepared from them; not to be changed."""
    folder = tmp_path_factory.mktemp("scenes")
    for name, opener in OPENERS.items():
        path = write_zip(folder / f"{name}.zip", published(name))
        opener(at(folder, name, file=path))
    return folder


@pytest.fixture
def files() -> Files:
    return published("isaac3d")


def opened(place: Path, name: str) -> Grid:
    data = OPENERS[name](at(place, name))
    assert isinstance(data, Grid)
    return data


def test_sizes_and_order_of_the_factors_are_published() -> None:
    """As `source_to_num_classes` of kylehkhsu/tripod, and NVlabs' `dataset_demo.py`."""
    assert tuple(leaf.ISAAC.factors.values()) == (3, 8, 5, 4, 4, 4, 6, 4, 4)
    assert tuple(leaf.FALCOR.factors.values()) == (5, 6, 6, 6, 6, 6, 6)
    assert list(leaf.ISAAC.factors)[1:5] == ["robot_x", "robot_y", "camera_height", "object_scale"]
    images = {opener: about_of(opener).images for opener in (*OPENERS.values(), *LARGE.values())}
    assert list(images.values()) == [737_280, 233_280] * 2


@BOTH
def test_it_describes_itself(place: Path, name: str) -> None:
    data = opened(place, name)
    assert tuple(data.every_factor.values()) == SIZES[name]
    assert data.image_shape == (3, 64, 64)
    assert data.source == f"{name}.zip"
    assert read_manifest(place / "data" / name).files == {
        f"{name}.zip": checksum(place / f"{name}.zip", "sha256")
    }


@BOTH
def test_images_are_where_their_labels_say(place: Path, name: str) -> None:
    data = opened(place, name)
    for cell in cells(SIZES[name]):
        assert data.images(data.index(cell))[0, :, 48, 32].tolist() == colour(cell)


@BOTH
def test_pixels_are_those_of_bicubic_resampling(place: Path, name: str) -> None:
    """As in the code of Baykal et al. (2024): torchvision's resize of the image."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import resize

    data = opened(place, name)
    for cell in cells(SIZES[name])[::5]:
        image = resize(Image.fromarray(pixels(cell)), [64, 64], InterpolationMode.BICUBIC)
        ours = data.images(data.index(cell))[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours, np.asarray(image))


@BOTH
def test_128_keeps_the_published_pixels(place: Path, tmp_path: Path, name: str) -> None:
    data = LARGE[name](at(tmp_path, f"{name}-128", file=place / f"{name}.zip"))
    assert isinstance(data, Grid)
    assert data.image_shape == (3, 128, 128)
    for cell in cells(SIZES[name])[::5]:
        ours = data.images(data.index(cell))[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours, pixels(cell))


def test_labels_keep_their_values(place: Path) -> None:
    data = opened(place, "isaac3d")
    assert data.values["robot_y"] == ("0.0", "0.5", "1.0")
    assert data.numbers == {}
    half = data.view(hold_out=["robot_y=0.5"], split="test")
    assert len(half) == prod(ISAAC) // 3


def test_unevenly_spaced_values_keep_their_numbers(files: Files, tmp_path: Path) -> None:
    values = np.load(io.BytesIO(files["Isaac3D_down128/labels.npy"]))
    values[:, 2] = np.array([-1.5, 0.0, 7.25])[np.rint(2 * values[:, 2]).astype(int)]
    files["Isaac3D_down128/labels.npy"] = npy(values)
    data = leaf.open_isaac(at(tmp_path, file=write_zip(tmp_path / "mine.zip", files)))
    assert isinstance(data, Grid)
    assert data.values["robot_y"] == ("-1.5", "0.0", "7.25")
    assert data.numbers == {"robot_y": (-1.5, 0.0, 7.25)}


def stored(folder: Path, files: Files) -> Path:
    return write_zip(folder / "stored.zip", files, zipfile.ZIP_STORED)


def tar(folder: Path, files: Files) -> Path:
    return write_tar(folder / "mine.tar", files)


def compressed_tar(folder: Path, files: Files) -> Path:
    return write_tar(folder / "mine.tar.gz", files, "w:gz")


def extracted(folder: Path, files: Files) -> Path:
    return write_folder(folder / "extracted", files) / next(iter(files)).partition("/")[0]


def folder_above(folder: Path, files: Files) -> Path:
    return write_folder(folder / "above", files)


def folder_of_the_archive(folder: Path, files: Files) -> Path:
    (folder / "downloaded").mkdir()
    name = next(iter(files)).partition("/")[0]
    return write_zip(folder / "downloaded" / f"{name}.zip", files).parent


def folder_of_both(folder: Path, files: Files) -> Path:
    """The folder of both datasets."""
    return write_folder(folder / "both", {**published("isaac3d"), **published("falcor3d")})


@BOTH
@pytest.mark.parametrize(
    "lay",
    [
        stored,
        tar,
        compressed_tar,
        extracted,
        folder_above,
        folder_of_the_archive,
        folder_of_both,
    ],
)
def test_other_layouts_give_the_same(
    place: Path, tmp_path: Path, name: str, lay: Callable[[Path, Files], Path]
) -> None:
    data = OPENERS[name](at(tmp_path, name, file=lay(tmp_path, published(name))))
    assert data.fingerprint == opened(place, name).fingerprint
    assert left_behind(tmp_path) == {"images.npy", "prepared.json"}


def test_archive_among_the_downloads_is_found(place: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "downloads").mkdir(parents=True)
    shutil.copy(place / "isaac3d.zip", tmp_path / "data" / "downloads" / "Isaac3D_down128.zip")
    data = leaf.open_isaac(at(tmp_path))
    assert data.fingerprint == opened(place, "isaac3d").fingerprint


@BOTH
def test_rows_in_another_order_give_the_same_grid(place: Path, tmp_path: Path, name: str) -> None:
    order = np.random.default_rng(3).permutation(prod(SIZES[name]))
    path = write_zip(tmp_path / "mixed.zip", published(name, order))
    assert OPENERS[name](at(tmp_path, name, file=path)).fingerprint == (
        opened(place, name).fingerprint
    )


@pytest.mark.parametrize("rows", ["fewer", "twice"])
def test_missing_combination_leaves_labelled_images_and_is_said(tmp_path: Path, rows: str) -> None:
    count = prod(ISAAC)
    order = np.arange(count - 1) if rows == "fewer" else np.r_[0, 0, 2:count]
    said: list[str] = []
    path = write_zip(tmp_path / "some.zip", published("isaac3d", order))
    data = leaf.open_isaac(at(tmp_path, file=path, say=said.append))
    assert isinstance(data, Labelled)
    assert not isinstance(data, Grid)
    assert said[0] == (
        "isaac3d: not every combination of factors occurs exactly once, so these are labelled "
        "images instead of a grid"
    )
    np.testing.assert_array_equal(data.every_label(np.arange(len(data))), cells(ISAAC)[order])
    for image, cell in zip(data.images(np.arange(len(data))), cells(ISAAC)[order], strict=True):
        assert image[:, 48, 32].tolist() == colour(cell)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, ">f8"])
def test_types_of_labels(files: Files, tmp_path: Path, dtype: Any) -> None:
    values = np.load(io.BytesIO(files["Isaac3D_down128/labels.npy"]))
    files["Isaac3D_down128/labels.npy"] = npy((2 * values).astype(dtype))
    data = leaf.open_isaac(at(tmp_path, file=write_zip(tmp_path / "mine.zip", files)))
    assert isinstance(data, Grid)
    assert [float(v) for v in data.values["robot_y"]] == [0, 1, 2]
    assert data.images(data.index(cells(ISAAC)[-1]))[0, :, 48, 32].tolist() == (
        colour(cells(ISAAC)[-1])
    )


def test_files_beside_are_left_out(files: Files, place: Path, tmp_path: Path) -> None:
    files |= {
        "Isaac3D_down128/README.txt": b"notes",
        "Isaac3D_down128/sample.png": b"no image",
        "__MACOSX/Isaac3D_down128/images/._000000.png": b"no image",
        "Isaac3D_down128/images/Thumbs.db": b"",
    }
    data = leaf.open_isaac(at(tmp_path, file=write_zip(tmp_path / "mine.zip", files)))
    assert data.fingerprint == opened(place, "isaac3d").fingerprint


def test_second_opening_reads_no_archive(place: Path, tmp_path: Path) -> None:
    path = shutil.copy(place / "isaac3d.zip", tmp_path / "isaac3d.zip")
    first = leaf.open_isaac(at(tmp_path, file=Path(path)))
    Path(path).unlink()
    said: list[str] = []
    again = leaf.open_isaac(at(tmp_path, say=said.append))
    assert (again.fingerprint, again.source) == (first.fingerprint, "isaac3d.zip")
    assert said == []


def test_progress_counts_to_the_last_image(place: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    leaf.open_isaac(at(tmp_path, file=place / "isaac3d.zip", progress=progress))
    assert seen[-1] == (prod(ISAAC), prod(ISAAC))


@BOTH
def test_images_are_decoded_as_a_stream(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No image but the first ones is decoded before these are written."""
    read: list[str] = []
    whole = leaf.Piece.read
    count = 0

    def reading(piece: leaf.Piece) -> bytes:
        read.append(piece.name)
        return whole(piece)

    def written(pieces: list[leaf.Piece], *args: Any, **options: Any) -> Iterator[np.ndarray]:
        nonlocal count
        assert len(read) == 1  # the labels
        for block in decoded(pieces, *args, **options):
            count += len(block)
            yield block

    decoded = leaf.decoded
    monkeypatch.setattr(leaf.Piece, "read", reading)
    monkeypatch.setattr(leaf, "decoded", written)
    OPENERS[name](at(tmp_path, name, file=place / f"{name}.zip"))
    assert count == prod(SIZES[name]) == len(read) - 1


@BOTH
def test_absent_images_are_explained(tmp_path: Path, name: str) -> None:
    with pytest.raises(DisentangleError, match="is not prepared") as caught:
        OPENERS[name](at(tmp_path, name))
    message = str(caught.value)
    assert f"disentangle data prepare {name} --file PATH" in message
    assert f"disentangle data prepare {name} --download" in message
    assert FOLDERS[name].rstrip("/") + ".zip" in message
    assert "https://drive.usercontent.google.com/download" in message
    assert "Licence: CC BY 4.0" in message
    assert left_behind(tmp_path) == set()


TABLE = "Isaac3D_down128/labels.npy"
VALUES = cells(ISAAC) / np.maximum(np.array(ISAAC) - 1, 1)


def without(name: str, files: Files) -> Files:
    return {key: content for key, content in files.items() if key != name}


def with_file(name: str, content: bytes, files: Files) -> Files:
    return {**files, name: content}


def with_nan(files: Files) -> Files:
    values = VALUES.copy()
    values[5, 3] = np.nan
    return {**files, TABLE: npy(values)}


def renamed(files: Files) -> Files:
    """Numbered from 1 instead of 0."""
    return {
        re.sub(r"\d{6}", lambda number: f"{int(number[0]) + 1:06}", key): content
        for key, content in files.items()
    }


def unpadded(files: Files) -> Files:
    return {re.sub(r"0{1,5}(\d+)\.png", r"\1.png", key): files[key] for key in files}


def twice(files: Files) -> Files:
    return {**files, **{f"copy/{key}": content for key, content in files.items()}}


def image(i: int) -> str:
    return f"Isaac3D_down128/images/{i:06}.png"


LAST = prod(ISAAC) - 1
WRONG: dict[str, tuple[Callable[[Files], Files], str]] = {
    "no labels": (partial(without, TABLE), r"expected one file Isaac3D_down128/labels.npy, got no"),
    "two sets": (twice, r"got Isaac3D_down128/labels.npy, copy/Isaac3D_down128/labels.npy"),
    "a gap": (partial(without, image(7)), r"got 23 images: 000007\.png is missing"),
    "the last missing": (partial(without, image(LAST)), r"000023\.png is missing"),
    "one too many": (partial(with_file, image(24), png(pixels(ISAAC))), r"000024\.png has no row"),
    "from 1": (renamed, r"000000\.png is missing; 000024\.png has no row"),
    "unpadded": (unpadded, r"000000\.png is missing \(and 23 more\); 0\.png has no row"),
    "no images": (lambda files: {TABLE: files[TABLE]}, r"got 0 images: 000000\.png is missing"),
    "NaN": (with_nan, r"column 3 \('camera_height'\): expected finite .* got nan in row 5"),
    "eight columns": (
        partial(with_file, TABLE, npy(VALUES[:, :8])),
        r"shape \[N, 9\], got \[24, 8",
    ),
    "one axis": (partial(with_file, TABLE, npy(VALUES[:, 0])), r"shape \[N, 9\], got \[24\]"),
    "no rows": (
        partial(with_file, TABLE, npy(VALUES[:0])),
        r"expected shape \[N, 9\], got \[0, 9\]",
    ),
    "text": (partial(with_file, TABLE, npy(VALUES.astype(str))), "expected an array of numbers"),
    "objects": (partial(with_file, TABLE, npy(VALUES.astype(object))), "as the labels of Isaac3D"),
    "no npy": (partial(with_file, TABLE, b"0 1 2\n"), "as the labels of Isaac3D"),
    "cut labels": (partial(with_file, TABLE, npy(VALUES)[:-8]), "as the labels of Isaac3D"),
    "empty labels": (partial(with_file, TABLE, b""), "as the labels of Isaac3D"),
    "too many values": (
        partial(with_file, TABLE, npy(VALUES + np.arange(24)[:, None])),
        "expected at most 3 values of object_shape, got 24",
    ),
    "512 pixels": (
        partial(with_file, image(3), png(np.zeros((512, 512, 3), np.uint8))),
        r"expected 128 x 128 pixels, got 512 x 512; get the authors' version .* Isaac3D_down128",
    ),
    "64 pixels": (
        partial(with_file, image(3), png(np.zeros((64, 64, 3), np.uint8))),
        "expected 128 x 128 pixels, got 64 x 64",
    ),
    "a damaged image": (partial(with_file, image(3), png(pixels(ISAAC))[:-2000]), "cannot be dec"),
    "no image": (partial(with_file, image(3), b"<html>"), "is not a JPEG, PNG"),
    "outside": (partial(with_file, "../evil.png", b"evil"), "unsafe path"),
    "the other dataset": (
        lambda files: published("falcor3d"),
        "Isaac3D_down128/labels.npy, got no",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("opener", [leaf.open_isaac, leaf.open_isaac_128])
def test_wrong_files_are_refused_in_a_line_and_leave_nothing(
    files: Files, tmp_path: Path, opener: Opener, wrong: str
) -> None:
    change, reason = WRONG[wrong]
    path = write_zip(tmp_path / "wrong.zip", change(files))
    with pytest.raises(DisentangleError, match=reason) as caught:
        opener(at(tmp_path, file=path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def truncated(path: Path, files: Files) -> None:
    write_zip(path, files)
    path.write_bytes(path.read_bytes()[:-30_000])


def truncated_tar(path: Path, files: Files) -> None:
    write_tar(path, files)
    path.write_bytes(path.read_bytes()[:-30_000])


def truncated_gzip(path: Path, files: Files) -> None:
    write_tar(path, files, "w:gz")
    path.write_bytes(path.read_bytes()[:-30_000])


def bit_flipped(path: Path, files: Files) -> None:
    write_zip(path, files, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def web_page(path: Path, files: Files) -> None:
    path.write_bytes(b"<html><title>Google Drive - Quota exceeded</title></html>")


ARCHIVES = {
    truncated: "cannot read",
    truncated_tar: "truncated|unexpected end|outside",
    truncated_gzip: "cannot unpack",
    bit_flipped: "its checksum is wrong",
    web_page: "it is a web page .*Quota exceeded.* get it again, from https://drive",
    lambda path, files: path.touch(): "it is an empty file",
}


@pytest.mark.parametrize("make", ARCHIVES, ids=lambda make: make.__name__)
def test_damaged_archive_is_refused_in_a_line_and_leaves_nothing(
    files: Files, tmp_path: Path, make: Callable[[Path, Files], None]
) -> None:
    make(tmp_path / "wrong", files)
    with pytest.raises(DisentangleError, match=ARCHIVES[make]) as caught:
        leaf.open_isaac(at(tmp_path, file=tmp_path / "wrong"))
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_wrong_archive_leaves_what_was_prepared_before(files: Files, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "isaac3d.zip", files)
    first = leaf.open_isaac(at(tmp_path, file=path)).fingerprint
    write_zip(path, without(image(7), files))
    with pytest.raises(DisentangleError, match="is missing"):
        leaf.open_isaac(at(tmp_path, file=path))
    assert leaf.open_isaac(at(tmp_path)).fingerprint == first
    assert left_behind(tmp_path) == {"images.npy", "prepared.json"}


@BOTH
def test_it_keeps_the_rules_of_a_dataset(place: Path, name: str) -> None:
    for check in check_dataset(opened(place, name)):
        check()
