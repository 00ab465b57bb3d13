"""3D Chairs from small archives in the published layout, and the ways in which these go wrong."""

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from disentangle.contracts.dataset import Grid, Labelled
from disentangle.data.location import Location
from disentangle.errors import DisentangleError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import chairs

Files = dict[str, bytes]

IDENTITIES = ["0f" * 16, "a1" * 16, "c3" * 16]
AZIMUTHS, ELEVATIONS = [11, 34, 104, 348], [20, 30]
SHAPE = (3, 4, 2)


def colour(identity: int, azimuth: int, elevation: int) -> tuple[int, int, int]:
    """Return the colour of the middle of an image, which tells what it shows."""
    return 40 + 70 * identity, 20 + 60 * azimuth, 30 + 90 * elevation


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=1)
    return file.getvalue()


def view(identity: int, azimuth: int, elevation: int) -> np.ndarray:
    """Return an image [600, 600, 3]: noise in squares, and the telling colour in the middle."""
    rng = np.random.default_rng([identity, azimuth, elevation])
    image = np.kron(rng.integers(0, 256, (40, 40, 3), np.uint8), np.ones((15, 15, 1), np.uint8))
    image[200:400, 200:400] = colour(identity, azimuth, elevation)
    return image


def name(identity: int, azimuth: int, elevation: int) -> str:
    # Numbered so that the order of names is another than that of azimuths and elevations.
    number = (7 * azimuth + 3 * elevation) % 8
    return (
        f"rendered_chairs/{IDENTITIES[identity]}/renders/image_{number:03}"
        f"_p{ELEVATIONS[elevation]:03}_t{AZIMUTHS[azimuth]:03}_r096.png"
    )


@pytest.fixture(scope="module")
def every() -> Files:
    """The files of three chairs, each from four azimuths and two elevations."""
    views = {name(*which): png(view(*which)) for which in product(*map(range, SHAPE))}
    return {"rendered_chairs/all_chair_names.mat": b"MATLAB 5.0", **views}


def write_tar(path: Path, files: Files, mode: str = "w") -> Path:
    """Write a tar, with its members in an order that means nothing."""
    order = np.random.default_rng(0).permutation(len(files))
    with tarfile.open(path, mode) as tar:
        for key in (list(files)[i] for i in order):
            info = tarfile.TarInfo(key)
            info.size = len(files[key])
            tar.addfile(info, io.BytesIO(files[key]))
    return path


def write_folder(path: Path, files: Files) -> Path:
    for key, content in files.items():
        (path / key).parent.mkdir(parents=True, exist_ok=True)
        (path / key).write_bytes(content)
    return path


def at(folder: Path, **options: Any) -> Location:
    return Location(
        folder=folder / "data" / "chairs",
        downloads=folder / "data" / "downloads",
        name="chairs",
        **options,
    )


def left_behind(folder: Path) -> set[str]:
    found = {path.name for path in (folder / "data").rglob("*") if path.is_file()} - {".lock"}
    return {re.sub(r"-[0-9a-f]{8}\.npy$", ".npy", name) for name in found}


def middle(image: torch.Tensor) -> list[int]:
    return image[:, 32, 32].tolist()


def as_pillow_does_it(which: tuple[int, int, int], mode: str) -> np.ndarray:
    """Return [64, 64(, 3)]: the middle 400 x 400, at 64 x 64."""
    image = Image.fromarray(view(*which)).convert(mode).crop((100, 100, 500, 500))
    return np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS))


@pytest.fixture(scope="module")
def place(every: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tar, and with the chairs prepared from it; not to be changed."""
    folder = tmp_path_factory.mktemp("chairs")
    chairs.open(at(folder, file=write_tar(folder / "rendered_chairs.tar", every)))
    return folder


@pytest.fixture(scope="module")
def grid(place: Path) -> Grid:
    opened = chairs.open(at(place))
    assert isinstance(opened, Grid)
    return opened


def test_it_describes_itself(grid: Grid) -> None:
    assert grid.every_factor == {"identity": 3, "azimuth": 4, "elevation": 2}
    assert list(grid.values["identity"]) == IDENTITIES
    assert list(grid.values["azimuth"]) == ["11", "34", "104", "348"]
    assert list(grid.values["elevation"]) == ["20", "30"]
    assert grid.image_shape == (3, 64, 64)
    assert grid.source == "rendered_chairs.tar"


def test_images_are_where_their_labels_say(grid: Grid) -> None:
    for which in product(*map(range, SHAPE)):
        assert middle(grid.images(grid.index(which))[0]) == list(colour(*which))


def test_pixels_are_those_of_a_crop_of_400_and_lanczos(grid: Grid) -> None:
    for which in product(*map(range, SHAPE)):
        ours = grid.images(grid.index(which))[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours, as_pillow_does_it(which, "RGB"))


def test_grey_pixels_are_those_of_the_grey_picture(place: Path, tmp_path: Path) -> None:
    grey = chairs.open_grey(at(tmp_path, file=place / "rendered_chairs.tar"))
    assert isinstance(grey, Grid)
    assert grey.image_shape == (1, 64, 64)
    for which in product(*map(range, SHAPE)):
        ours = grey.images(grey.index(which))[0, 0].numpy()
        np.testing.assert_array_equal(ours, as_pillow_does_it(which, "L"))


def zipped(folder: Path, files: Files) -> Path:
    return write_tar(folder / "rendered_chairs.tar.gz", files, "w:gz")


def extracted(folder: Path, files: Files) -> Path:
    return write_folder(folder / "extracted", files) / "rendered_chairs"


def folder_above(folder: Path, files: Files) -> Path:
    return write_folder(folder / "extracted", files)


@pytest.mark.parametrize("lay", [zipped, extracted, folder_above])
def test_other_layouts_give_the_same(
    grid: Grid, every: Files, tmp_path: Path, lay: Callable[[Path, Files], Path]
) -> None:
    opened = chairs.open(at(tmp_path, file=lay(tmp_path, every)))
    assert opened.fingerprint == grid.fingerprint
    assert left_behind(tmp_path) == {"images.npy", "prepared.json"}


def test_tar_among_the_downloads_is_found(place: Path, grid: Grid, tmp_path: Path) -> None:
    (tmp_path / "data" / "downloads").mkdir(parents=True)
    shutil.copy(place / "rendered_chairs.tar", tmp_path / "data" / "downloads")
    assert chairs.open(at(tmp_path)).fingerprint == grid.fingerprint


def test_azimuths_are_ordered_as_numbers(every: Files, tmp_path: Path) -> None:
    bare = {key.replace("_t0", "_t"): content for key, content in every.items()}
    assert any("_t11_" in key for key in bare)
    opened = chairs.open(at(tmp_path, file=write_tar(tmp_path / "bare.tar", bare)))
    assert isinstance(opened, Grid)
    assert list(opened.values["azimuth"]) == ["11", "34", "104", "348"]
    assert middle(opened.images(opened.index([2, 1, 0]))[0]) == list(colour(2, 1, 0))


def test_identity_is_there_and_not_scored(grid: Grid) -> None:
    assert grid.factors == {"azimuth": 4, "elevation": 2}
    assert grid.every_label([8]).tolist() == [[1, 0, 0]]


def test_identity_is_scored_when_named(grid: Grid) -> None:
    chosen = grid.view(factors=["identity", "azimuth"])
    assert isinstance(chosen, Grid)
    assert chosen.factors == {"identity": 3, "azimuth": 4}
    assert chosen.labels([23]).tolist() == [[2, 3]]


def test_whole_identities_are_held_out(grid: Grid) -> None:
    train, test = (grid.view(hold_out=["identity=34%"], split=s) for s in ("train", "test"))
    assert isinstance(train, Grid)
    assert isinstance(test, Grid)
    assert (train.every_factor["identity"], test.every_factor["identity"]) == (2, 1)
    assert {*train.values["identity"], *test.values["identity"]} == set(IDENTITIES)
    reds = [set(view.images(np.arange(len(view)))[:, 0, 32, 32].tolist()) for view in (train, test)]
    assert (len(reds[0]), len(reds[1])) == (2, 1)
    assert not reds[0] & reds[1]


def test_split_keeps_the_pixels_with_the_names(grid: Grid) -> None:
    test = grid.view(hold_out=["identity=34%"], split="test")
    assert isinstance(test, Grid)
    identity = IDENTITIES.index(test.values["identity"][0])
    assert middle(test.images(test.index([0, 2, 1]))[0]) == list(colour(identity, 2, 1))


def test_second_opening_reads_no_tar(every: Files, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "rendered_chairs.tar", every)
    first = chairs.open(at(tmp_path, file=tar))
    tar.unlink()
    said: list[str] = []
    again = chairs.open(at(tmp_path, say=said.append))
    assert (again.fingerprint, again.source) == (first.fingerprint, "rendered_chairs.tar")
    assert said == []


def test_second_opening_with_the_same_tar_prepares_nothing(place: Path) -> None:
    said: list[str] = []
    chairs.open(at(place, file=place / "rendered_chairs.tar", say=said.append))
    assert said == []


def test_progress_counts_to_the_last_image(place: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    chairs.open(at(tmp_path, file=place / "rendered_chairs.tar", progress=progress))
    assert seen[-1] == (24, 24)


def test_missing_view_leaves_labelled_images_and_is_said(every: Files, tmp_path: Path) -> None:
    some = {key: content for key, content in every.items() if key != name(1, 2, 0)}
    said: list[str] = []
    tar = write_tar(tmp_path / "some.tar", some)
    opened = chairs.open(at(tmp_path, file=tar, say=said.append))
    assert isinstance(opened, Labelled)
    assert not isinstance(opened, Grid)
    assert len(opened) == 23
    assert "1 of 24 views are missing" in said[0]
    assert opened.factors == {"azimuth": 4, "elevation": 2}
    for image, which in zip(
        opened.images(np.arange(23)), opened.every_label(np.arange(23)), strict=True
    ):
        assert middle(image) == list(colour(*which))


def test_absent_chairs_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError, match="is not prepared") as caught:
        chairs.open(at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare chairs --file PATH" in message
    assert "disentangle data prepare chairs --download" in message
    assert chairs.ABOUT.files[0].urls[0] in message
    assert "Licence: for research" in message
    assert left_behind(tmp_path) == set()


def test_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError, match=r"nowhere\.tar: no such file or folder"):
        chairs.open(at(tmp_path, file=tmp_path / "nowhere.tar"))


def view_twice(path: Path, every: Files) -> None:
    again = name(0, 1, 1).replace("_r096", "_r097")
    write_tar(path, {**every, again: every[name(0, 1, 1)]})


def view_twice_written_otherwise(path: Path, every: Files) -> None:
    again = name(0, 1, 1).replace("_t034", "_t34")
    write_tar(path, {**every, again: every[name(0, 1, 1)]})


def wrong_size(path: Path, every: Files) -> None:
    write_tar(path, {**every, name(2, 0, 1): png(view(2, 0, 1)[:300, :300])})


def damaged_image(path: Path, every: Files) -> None:
    write_tar(path, {**every, name(2, 0, 1): every[name(2, 0, 1)][:-2000]})


def no_chairs(path: Path, every: Files) -> None:
    write_tar(path, {"rendered_chairs/all_chair_names.mat": b"", "photos/1.png": b""})


def truncated(path: Path, every: Files) -> None:
    write_tar(path, every)
    path.write_bytes(path.read_bytes()[:-30_000])


def truncated_after_a_member(path: Path, every: Files) -> None:
    write_tar(path, every)
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-2]
    path.write_bytes(path.read_bytes()[: last.offset_data + (last.size + 511) // 512 * 512])


def truncated_gzip(path: Path, every: Files) -> None:
    write_tar(path, every, "w:gz")
    path.write_bytes(path.read_bytes()[:-30_000])


def truncated_inside_a_gzip(path: Path, every: Files) -> None:
    import gzip

    truncated(path, every)
    path.write_bytes(gzip.compress(path.read_bytes(), 1))


def outside(path: Path, every: Files) -> None:
    write_tar(path, {**every, "../evil.png": b"evil"})


def link(path: Path, every: Files) -> None:
    with tarfile.open(write_tar(path, every), "a") as tar:
        info = tarfile.TarInfo(name(0, 0, 0).replace("image_000", "image_099"))
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)


def web_page(path: Path, every: Files) -> None:
    path.write_bytes(b"<html>404 Not Found</html>" * 100)


def empty(path: Path, every: Files) -> None:
    path.touch()


WRONG = {
    view_twice: "show the same chair from the same view",
    view_twice_written_otherwise: "show the same chair from the same view",
    wrong_size: "300 x 300 pixels, expected 600 x 600",
    damaged_image: "cannot be decoded",
    no_chairs: "no chairs in it",
    truncated: "truncated|unexpected end|outside",
    truncated_after_a_member: "truncated",
    truncated_gzip: "cannot unpack",
    truncated_inside_a_gzip: "truncated|unexpected end|outside",
    outside: "unsafe path",
    link: "a link",
    web_page: "it is a web page, not the file itself",
    empty: "it is an empty file",
}


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_wrong_archive_is_refused_and_leaves_nothing(
    every: Files, tmp_path: Path, make: Callable[[Path, Files], None]
) -> None:
    make(tmp_path / "wrong.tar", every)
    with pytest.raises(DisentangleError, match=WRONG[make]) as caught:
        chairs.open(at(tmp_path, file=tmp_path / "wrong.tar"))
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_wrong_archive_leaves_what_was_prepared_before(every: Files, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "rendered_chairs.tar", every)
    first = chairs.open(at(tmp_path, file=tar)).fingerprint
    wrong_size(tar, every)
    with pytest.raises(DisentangleError, match="300 x 300"):
        chairs.open(at(tmp_path, file=tar))
    assert chairs.open(at(tmp_path)).fingerprint == first
    assert left_behind(tmp_path) == {"images.npy", "prepared.json"}


def test_it_keeps_the_rules_of_a_dataset(grid: Grid) -> None:
    for check in check_dataset(grid):
        check()
